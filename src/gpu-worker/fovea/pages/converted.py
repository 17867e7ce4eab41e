"""Converted documents as pages: their blocks are laid out, so each has a box on a page that a reader can see.

The parts of a document begin new pages. A part that needs more goes on over pages, as in print.
"""

from bisect import bisect_right
from dataclasses import dataclass
from itertools import groupby

from fovea.pages import glyphs, markup, render
from fovea.pages.convert.content import Content, Part
from fovea.pages.markup import MONO, PROSE, Piece
from fovea.result.geometry import union
from fovea.result.markdown import table_cell
from fovea.result.page_result import Block, Box, TableCell


@dataclass(frozen=True, slots=True)
class ConvertedPage:
    page: render.Page
    blocks: list[Block]


def pages_of(parts: list[Part], mode: str) -> list[ConvertedPage]:
    """At least one page for each part. Boxes are in 0..1."""
    return [page for part in parts for page in _part_pages(part, mode)]


def _part_pages(part: Part, mode: str) -> list[ConvertedPage]:
    starts: list[int] = []
    drawn: list[markup.Block] = []
    rows: list[list[int]] = []
    texts: list[str] = []
    at = 0
    for content in part:
        starts.append(at)
        block, text, row_starts = _drawn(content, at)
        drawn.append(block)
        rows.append(row_starts)
        texts.append(text)
        at += len(text)
    source = "".join(texts)
    pages = render.lay_out(source, drawn, mode, one_column=True)
    begin = 0
    found = []
    for page in pages:
        end = begin + len(page.source)
        blocks = _blocks(page, part, starts, rows, source, (begin, end))
        found.append(ConvertedPage(page, blocks))
        begin = end
    return found


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
    height = max(cell.row + cell.rowspan for cell in cells)
    width = max(cell.column + cell.colspan for cell in cells)
    grid = [[""] * width for _ in range(height)]
    for cell in cells:
        grid[cell.row][cell.column] = cell.text
    return grid


def _blocks(
    page: render.Page,
    part: Part,
    starts: list[int],
    rows: list[list[int]],
    source: str,
    cut: tuple[int, int],
) -> list[Block]:
    """What of the part is on the page, in order. Items that follow each other are one list."""
    begin, end = cut
    boxes: dict[int, list[Box]] = {}
    for x, y, line in page.placed:
        boxes.setdefault(bisect_right(starts, line.at) - 1, []).append(_box(page, x, y, line))
    blocks: list[Block] = []
    for _, numbers in groupby(sorted(boxes), key=lambda number: _run(part, number)):
        members = list(numbers)
        first = part[members[0]]
        bbox = union([box for number in members for box in boxes[number]])
        block = Block(len(blocks) + 1, first.kind, bbox, "")
        if first.kind == "table":
            cells = _rows_between(first, rows[members[0]], begin, end)
            block.cells, block.html = cells, _html(cells)
            block.text = "\n".join("\t".join(row) for row in _grid(cells)) if cells else ""
        else:
            texts = [_between(source, starts, number, begin, end) for number in members]
            block.text = (
                first.text
                if first.kind == "image"
                else "\n".join(_item(part[number], text) for number, text in zip(members, texts, strict=True))
            )
        if first.kind == "image" or block.text.strip():
            block.id = len(blocks) + 1
            blocks.append(block)
    return blocks


def _run(part: Part, number: int) -> tuple[str, int]:
    """The same for items of one list, and for nothing else."""
    if part[number].kind != "list":
        return part[number].kind, number
    while number > 0 and part[number - 1].kind == "list":
        number -= 1
    return "list", number


def _between(source: str, starts: list[int], number: int, begin: int, end: int) -> str:
    last = starts[number + 1] if number + 1 < len(starts) else len(source)
    return source[max(starts[number], begin) : min(last, end)].strip("\n")


def _item(content: Content, text: str) -> str:
    if content.kind != "list":
        return text
    sign = "- " if content.marker == "•" else f"{content.marker} " if content.marker else ""
    return f"{'  ' * (content.level - 1)}{sign}{text}"


def _rows_between(content: Content, starts: list[int], begin: int, end: int) -> list[TableCell]:
    """The rows that begin on the page, counted from 0. Cells that span more end with them."""
    shown = [row for row, at in enumerate(starts) if begin <= at < end]
    if not shown:
        return []
    first, last = shown[0], shown[-1]
    cells = []
    for cell in content.cells:
        top, bottom = max(cell.row, first), min(cell.row + cell.rowspan, last + 1)
        if top < bottom:
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
