"""Converted documents as pages: their blocks are laid out, so each has a box on a page that a reader can see.

The parts of a document begin new pages. A part that needs more goes on over pages, as in print.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from fovea.pages import glyphs, markup, render
from fovea.pages.convert.content import Content, Part
from fovea.pages.links import FoundLink
from fovea.pages.markup import MONO, PROSE, Piece
from fovea.result.geometry import union
from fovea.result.markdown import table_cell
from fovea.result.page_result import Block, Box, TableCell


@dataclass(frozen=True, slots=True)
class ConvertedPage:
    page: render.Page
    blocks: list[Block]
    links: tuple[FoundLink, ...]


def pages_of(parts: list[Part], mode: str) -> list[ConvertedPage]:
    """At least one page for each part. Boxes are in 0..1."""
    return [page for part in parts for page in _part_pages(part, mode)]


@dataclass(frozen=True, slots=True)
class _Placed:
    """A block of a part in the part's source. `end` is behind it."""

    content: Content
    start: int
    end: int
    rows: list[int]
    """Of a table: where its rows begin in the source."""
    covering: list[list[TableCell]]
    """Of a table: the cells that cover each row."""
    run: int
    """The same for the items of one list, and for nothing else."""


def _part_pages(part: Part, mode: str) -> list[ConvertedPage]:
    drawn: list[markup.Block] = []
    placed: list[_Placed] = []
    texts: list[str] = []
    at = 0
    for number, content in enumerate(part):
        block, text, rows = _drawn(content, at)
        goes_on = content.kind == "list" and number > 0 and part[number - 1].kind == "list"
        run = placed[-1].run if goes_on else number
        covering = _covering(content.cells, len(rows))
        placed.append(_Placed(content, at, at + len(text), rows, covering, run))
        drawn.append(block)
        texts.append(text)
        at += len(text)
    source = "".join(texts)
    begin = 0
    found = []
    for page in render.lay_out(source, drawn, mode, one_column=True):
        end = begin + len(page.source)
        found.append(_page(page, placed, source, begin, end))
        begin = end
    return found


def _covering(cells: list[TableCell], height: int) -> list[list[TableCell]]:
    rows: list[list[TableCell]] = [[] for _ in range(height)]
    for cell in cells:
        for row in range(cell.row, cell.row + cell.rowspan):
            rows[row].append(cell)
    return rows


def _drawn(content: Content, at: int) -> tuple[markup.Block, str, list[int]]:
    """The block to draw, its text in the source, and where the rows of a table begin in the source."""
    if content.kind == "table":
        lines, starts, drawn = [], [], []
        for row in _grid(content.cells):
            starts.append(at)
            place, cells = at, []
            for text in row:
                cells.append([Piece(text, PROSE, place)])
                place += len(text) + 1
            drawn.append((at, cells))
            lines.append("\t".join(row) + "\n")
            at += len(lines[-1])
        return markup.Block("table", starts[0], rows=drawn), "".join(lines), starts
    text = content.text
    shown = text
    if content.kind == "image":
        shown = text = f"[{text or 'picture'}]"
    face = MONO if content.kind == "code" else PROSE
    block = markup.Block(
        "heading" if content.kind in ("title", "sub_title") else content.kind,
        at,
        [Piece(shown, face, at)],
        level=content.level,
        indent=content.level if content.kind == "list" else 0,
        marker=content.marker,
        tight=content.kind == "list",
    )
    return block, text + "\n", []


def _grid(cells: list[TableCell]) -> list[list[str]]:
    """The texts by row and column. A cell with spans stands in its first place."""
    height = max((cell.row + cell.rowspan for cell in cells), default=0)
    width = max((cell.column + cell.colspan for cell in cells), default=0)
    grid = [[""] * width for _ in range(height)]
    for cell in cells:
        grid[cell.row][cell.column] = cell.text
    return grid


def _page(page: render.Page, placed: list[_Placed], source: str, begin: int, end: int) -> ConvertedPage:
    """What of the part is on the page, in order. Items that follow each other are one list."""
    starts = [one.start for one in placed]
    boxes: dict[int, list[tuple[render.Line, Box]]] = {}
    for x, y, line in page.placed:
        boxes.setdefault(bisect_right(starts, line.at) - 1, []).append((line, _box(page, x, y, line)))
    blocks: list[Block] = []
    links: list[FoundLink] = []
    for _, numbers in groupby(sorted(boxes), key=lambda number: placed[number].run):
        members = list(numbers)
        first = placed[members[0]]
        bbox = union([box for number in members for _, box in boxes[number]])
        block = Block(len(blocks) + 1, first.content.kind, bbox, first.content.text)
        if block.type == "table":
            block.cells = _rows_between(first, begin, end)
            block.html = _html(block.cells)
            block.text = "\n".join("\t".join(row) for row in _grid(block.cells))
        elif block.type != "image":
            block.text = "\n".join(_text_between(placed[number], source, begin, end) for number in members)
        if block.type == "image" or block.text.strip():
            blocks.append(block)
            at = 0
            for number in members:
                one = placed[number]
                links += _links(one, block, at, source, (begin, end), boxes[number])
                at += len(_text_between(one, source, begin, end)) + 1
    return ConvertedPage(page, blocks, tuple(links))


def _links(
    one: _Placed,
    block: Block,
    at: int,
    source: str,
    page: tuple[int, int],
    lines: list[tuple[render.Line, Box]],
) -> Iterator[FoundLink]:
    """The links of a block, or of an item of a list whose text begins at `at` in that of the block."""
    begin, end = page
    for link in one.content.links:
        if block.type == "image":
            yield FoundLink(link.url, block.text, (block.bbox,), block.id)
            continue
        start = one.start + link.start
        if link.cell is not None:
            start = _cell_start(one, link.cell) + link.start
        stop = start + link.end - link.start
        start, stop = max(start, begin), min(stop, end)
        if start >= stop:
            continue
        ends = [line.at for line, _ in lines[1:]] + [one.end]
        touched = [
            box for (line, box), last in zip(lines, ends, strict=True) if line.at < stop and start < last
        ]
        text = source[start:stop]
        if link.cell is not None:
            row = bisect_left(one.rows, begin)
            head = sum(len(line) + 1 for line in block.text.split("\n")[: link.cell[0] - row])
            where = head + start - one.rows[link.cell[0]]
        else:
            shown = _text_between(one, source, begin, end)
            own = source[max(one.start, begin) : min(one.end, end)]
            sign = len(shown) - len(own.strip("\n"))
            where = at + sign + start - max(one.start, begin) - (len(own) - len(own.lstrip("\n")))
        if block.text[where : where + len(text)] == text:
            yield FoundLink(link.url, text, tuple(touched) or (block.bbox,), block.id, where)


def _cell_start(table: _Placed, cell: tuple[int, int]) -> int:
    """Where the text of a cell begins in the source."""
    row, column = cell
    texts = [""] * column
    for one in table.covering[row]:
        if one.row == row and one.column < column:
            texts[one.column] = one.text
    return table.rows[row] + sum(len(text) + 1 for text in texts)


def _text_between(one: _Placed, source: str, begin: int, end: int) -> str:
    """The text between two places. An item has its sign where it begins."""
    text = source[max(one.start, begin) : min(one.end, end)].strip("\n")
    content = one.content
    if content.kind != "list":
        return text
    sign = "- " if content.marker == "•" else f"{content.marker} " if content.marker else ""
    return f"{'  ' * (content.level - 1)}{sign if one.start >= begin else ''}{text}"


def _rows_between(table: _Placed, begin: int, end: int) -> list[TableCell]:
    """The rows that begin between two places, counted from 0. Cells that span more end with them."""
    first, last = bisect_left(table.rows, begin), bisect_left(table.rows, end)
    found = {(cell.row, cell.column): cell for row in range(first, last) for cell in table.covering[row]}
    cells = []
    for cell in found.values():
        top, bottom = max(cell.row, first), min(cell.row + cell.rowspan, last)
        text = cell.text if cell.row >= first else ""
        cells.append(TableCell(top - first, cell.column, bottom - top, cell.colspan, text))
    return sorted(cells, key=lambda cell: (cell.row, cell.column))


def _html(cells: list[TableCell]) -> str:
    """The first row is the head."""
    height = max((cell.row + cell.rowspan for cell in cells), default=0)
    rows: list[list[str]] = [[] for _ in range(height)]
    for cell in cells:
        head = cell.row == 0 and height > 1
        rows[cell.row].append(table_cell(cell.text, head, cell.rowspan, cell.colspan))
    return "".join(["<table>", *(f"<tr>{''.join(row)}</tr>" for row in rows), "</table>"])


def _box(page: render.Page, x: int, y: int, line: render.Line) -> Box:
    """In 0..1 of the page."""
    width, height = page.sheet.width, page.sheet.height
    right = max((at + glyphs.width(text, face, line.size) for at, text, face in line.words), default=0)
    left = min((at for at, _, _ in line.words), default=0)
    if line.strokes:
        left = min(left, *(stroke[0] for stroke in line.strokes))
        right = max(right, *(stroke[2] for stroke in line.strokes))
    return (x + left) / width, y / height, min(1.0, (x + right) / width), min(1.0, (y + line.height) / height)
