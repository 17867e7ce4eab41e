"""Groups recognized lines into blocks in reading order: columns, tables, titles, lists, paragraphs.

Coordinates are pixels, as floats, in a frame rotated by the page's skew. The boxes of blocks are in 0..1 of the
original raster.
"""

import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from fovea.result.geometry import union
from fovea.result.markdown import table_cell
from fovea.result.page_result import Block, Box

Quad = Sequence[Sequence[float]]
"""Four corners `(x, y)`, clockwise from the top left of the text."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text. `x0…y1` is its box in the deskewed frame, `box` its box in the raster; both in pixels."""

    x0: float
    y0: float
    x1: float
    y1: float
    text: str
    confidence: float
    box: Box
    angle: float = 0.0
    """Radians, clockwise."""

    @classmethod
    def of_quad(cls, quad: Quad, text: str, confidence: float) -> "Line":
        xs = [float(point[0]) for point in quad]
        ys = [float(point[1]) for point in quad]
        box = (min(xs), min(ys), max(xs), max(ys))
        angle = math.atan2(ys[1] - ys[0] + ys[2] - ys[3], xs[1] - xs[0] + xs[2] - xs[3])
        return cls(*box, text, confidence, box, angle)

    @property
    def height(self) -> float:
        return self.y1 - self.y0

    @property
    def middle(self) -> float:
        return (self.y0 + self.y1) / 2


def lay_out(lines: list[Line], width: int, height: int) -> list[Block]:
    """Blocks in reading order, numbered from 1. `width` and `height` of the raster are in pixels."""
    if not lines:
        return []
    lines = sorted(straighten(lines, width, height), key=lambda line: (line.middle, line.x0))
    unit = median(line.height for line in lines)
    tables, rest = find_tables(lines, unit)
    items: list[Line | Table] = [*tables, *rest]
    blocks: list[Block] = []
    for column in reading_order(items, unit):
        blocks += _blocks_of_column(column, unit, width, height)
    return [replace(block, id=number) for number, block in enumerate(blocks, 1)]


# -- skew ----------------------------------------------------------------------------------------------


def straighten(lines: list[Line], width: int, height: int) -> list[Line]:
    """Rotates the lines by the page's skew, so that rows are level. `box` stays as it is."""
    long = [line for line in lines if line.x1 - line.x0 > 4 * line.height]
    skew = median(line.angle for line in long) if len(long) >= 3 else 0.0
    if abs(skew) < 0.002 or abs(skew) > 0.35:
        return lines
    cos, sin = math.cos(-skew), math.sin(-skew)
    turned = []
    for line in lines:
        x, y = (line.box[0] + line.box[2]) / 2 - width / 2, (line.box[1] + line.box[3]) / 2 - height / 2
        x, y = x * cos - y * sin + width / 2, x * sin + y * cos + height / 2
        # The axis-aligned box of a tilted line is too tall by width · tan(skew).
        half_w = (line.box[2] - line.box[0]) / 2
        tall = line.box[3] - line.box[1]
        half_h = max(tall - 2 * half_w * abs(math.tan(skew)), tall * 0.4, 1) / 2
        turned.append(replace(line, x0=x - half_w, x1=x + half_w, y0=y - half_h, y1=y + half_h))
    return turned


# -- tables --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells. A cell is a list of lines from top to bottom. All rows have the same number of cells."""

    rows: list[list[list[Line]]]

    @property
    def lines(self) -> list[Line]:
        return [line for row in self.rows for cell in row for line in cell]

    @property
    def x0(self) -> float:
        return min(line.x0 for line in self.lines)

    @property
    def y0(self) -> float:
        return min(line.y0 for line in self.lines)

    @property
    def x1(self) -> float:
        return max(line.x1 for line in self.lines)

    @property
    def y1(self) -> float:
        return max(line.y1 for line in self.lines)


def rows_of(lines: list[Line]) -> list[list[Line]]:
    """Groups lines that are side by side into rows. `lines` are sorted by their middle."""
    rows: list[list[Line]] = []
    for line in lines:
        row = rows[-1] if rows else None
        if row and abs(line.middle - row[0].middle) < 0.5 * min(line.height, row[0].height):
            row.append(line)
        else:
            rows.append([line])
    return [sorted(row, key=lambda line: line.x0) for row in rows]


_NUMERIC = re.compile(r"[-+(]?[^\w\s]?\s?[\d.,:/%]*\d[\d.,:/]*\s?[^\w\s)]?[)%]?|[-–—]|n/?a", re.IGNORECASE)


def find_tables(lines: list[Line], unit: float) -> tuple[list[Table], list[Line]]:
    """Tables, and the lines outside tables. A table has at least three rows with the same columns."""
    tables: list[Table] = []
    rest: list[Line] = []
    run: list[list[Line]] = []

    def close() -> None:
        nonlocal run
        table = _table_of(run, unit)
        if table:
            tables.append(table)
        else:
            rest.extend(line for row in run for line in row)
        run = []

    for row in rows_of(lines):
        if run and row[0].y0 - max(line.y1 for line in run[-1]) > 2.0 * unit:
            close()
        if len(row) >= 2 and (not run or len(_columns([*run, row], unit)) >= max(2, len(run[0]) - 1)):
            run.append(row)
            continue
        close()
        if len(row) >= 2:
            run = [row]
        else:
            rest += row
    close()
    return tables, rest


def _columns(rows: list[list[Line]], unit: float) -> list[tuple[float, float]]:
    """The x-ranges of the columns. Cells that overlap horizontally are in the same column."""
    spans = sorted((line.x0, line.x1) for row in rows for line in row)
    columns: list[tuple[float, float]] = []
    for x0, x1 in spans:
        if columns and x0 < columns[-1][1] + 0.2 * unit:
            columns[-1] = (columns[-1][0], max(columns[-1][1], x1))
        else:
            columns.append((x0, x1))
    return columns


def _table_of(rows: list[list[Line]], unit: float) -> Table | None:
    if len(rows) < 3:
        return None
    columns = _columns(rows, unit)
    if len(columns) < 2:
        return None
    grid = _cells(rows, columns)
    filled = sum(bool(cell) for row in grid for cell in row)
    if filled < 0.6 * len(grid) * len(columns):
        return None
    if len(columns) == 2 and not _looks_tabular(grid):
        return None
    return Table(grid)


def _cells(rows: list[list[Line]], columns: list[tuple[float, float]]) -> list[list[list[Line]]]:
    grid: list[list[list[Line]]] = []
    for row in rows:
        cells: list[list[Line]] = [[] for _ in columns]
        for line in row:
            cells[next(i for i, (x0, x1) in enumerate(columns) if x0 <= line.x0 <= x1)].append(line)
        grid.append(cells)
    return grid


def _looks_tabular(grid: list[list[list[Line]]]) -> bool:
    """Whether a two-column grid is a table: its second column is mostly numbers. Otherwise it is prose in columns."""
    texts = [[" ".join(line.text for line in cell) for cell in row] for row in grid]
    numeric = sum(bool(_NUMERIC.fullmatch(row[1])) for row in texts)
    return numeric >= 0.6 * len(texts)


def table_html(rows: list[list[str]]) -> str:
    """The rows as an HTML table. The first row is the head if it contains no number."""
    head = len(rows) > 1 and not any(_NUMERIC.fullmatch(cell) for cell in rows[0] if cell)
    parts = ["<table>"]
    for number, row in enumerate(rows):
        cells = "".join(table_cell(cell, head and number == 0) for cell in row)
        parts.append(f"<tr>{cells}</tr>")
    return "".join([*parts, "</table>"])


# -- columns -------------------------------------------------------------------------------------------


def reading_order(items: list["Line | Table"], unit: float) -> list[list["Line | Table"]]:
    """Groups of items in reading order; each group is read from top to bottom.

    On a page with two columns, items that cross the gutter (titles, wide tables) divide the page into bands. In each
    band the left column comes before the right one.
    """
    items = sorted(items, key=lambda item: ((item.y0 + item.y1) / 2, item.x0))
    gutter = find_gutter(items, unit)
    if gutter is None:
        return [items]
    groups: list[list[Line | Table]] = []
    left: list[Line | Table] = []
    right: list[Line | Table] = []
    wide: list[Line | Table] = []
    for item in items:
        if item.x0 < gutter < item.x1:
            groups += [left, right]
            left, right = [], []
            wide.append(item)
            continue
        if wide:
            groups.append(wide)
            wide = []
        (left if item.x1 <= gutter else right).append(item)
    return [group for group in [*groups, wide, left, right] if group]


def find_gutter(items: list["Line | Table"], unit: float) -> float | None:
    """The x of the gutter between two columns, or `None`."""
    lines = [item for item in items if isinstance(item, Line)]
    if len(lines) < 8:
        return None
    x0, x1 = min(line.x0 for line in lines), max(line.x1 for line in lines)
    best: tuple[int, float] | None = None
    for step in range(30, 71):
        x = x0 + (x1 - x0) * step / 100
        left = [line for line in lines if line.x1 <= x]
        right = [line for line in lines if line.x0 >= x]
        crossing = len(lines) - len(left) - len(right)
        if min(len(left), len(right)) < max(4, 0.25 * len(lines)) or crossing > 0.3 * len(lines):
            continue
        # The columns are side by side for at least half of the shorter one's height.
        top = max(min(line.y0 for line in left), min(line.y0 for line in right))
        bottom = min(max(line.y1 for line in left), max(line.y1 for line in right))
        shorter = min(max(line.y1 for line in side) - min(line.y0 for line in side) for side in (left, right))
        if bottom - top < 0.5 * shorter:
            continue
        # Columns are filled with text: most lines of the left one end near the gutter.
        reach = sorted(line.x1 for line in left)[int(len(left) * 0.75)]
        if reach < x0 + 0.6 * (x - x0):
            continue
        if best is None or crossing < best[0]:
            best = (crossing, x)
    return best[1] if best else None


# -- blocks --------------------------------------------------------------------------------------------

_BULLET = re.compile(r"\s*(?:[-–—•◦▪●*·‣]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)])\s+\S")
_CJK = re.compile(r"[\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef]")


def _blocks_of_column(items: list["Line | Table"], unit: float, width: int, height: int) -> list[Block]:
    blocks: list[Block] = []
    group: list[Line] = []
    right = max(item.x1 for item in items)

    def close() -> None:
        nonlocal group
        if group:
            blocks.append(_text_block(group, unit, right, width, height))
        group = []

    for row in _rows_with_tables(items):
        if isinstance(row, Table):
            close()
            blocks.append(_table_block(row, width, height))
            continue
        if group and _starts_block(group, row, unit):
            close()
        group.append(row)
    close()
    return blocks


def _rows_with_tables(items: list["Line | Table"]) -> list["Line | Table"]:
    """Items from top to bottom. Lines that are side by side are joined into one."""
    lines = sorted((item for item in items if isinstance(item, Line)), key=lambda line: line.middle)
    tables = [item for item in items if isinstance(item, Table)]
    return sorted([*_whole_rows(lines), *tables], key=lambda item: (item.y0 + item.y1) / 2)


def _whole_rows(lines: list[Line]) -> list[Line]:
    return [_join(row) if len(row) > 1 else row[0] for row in rows_of(lines)]


def _join(row: list[Line]) -> Line:
    characters = sum(len(line.text) for line in row)
    return Line(
        x0=row[0].x0,
        y0=min(line.y0 for line in row),
        x1=max(line.x1 for line in row),
        y1=max(line.y1 for line in row),
        text=" ".join(line.text for line in row),
        confidence=sum(line.confidence * len(line.text) for line in row) / characters,
        box=union([line.box for line in row]),
    )


def _starts_block(group: list[Line], line: Line, unit: float) -> bool:
    last = group[-1]
    gap = line.y0 - last.y1
    if gap > 0.75 * min(last.height, line.height) + 0.1 * unit:
        return True
    if not 0.75 < line.height / last.height < 1.34:
        return True
    if _is_item(line) != _is_item(group[0]):
        # An indented line continues a list item; any other line ends the list.
        return _is_item(line) or line.x0 < group[0].x0 + 0.5 * unit
    return False


def _is_item(line: Line) -> bool:
    return _BULLET.match(line.text) is not None


def _text_block(group: list[Line], unit: float, right: float, width: int, height: int) -> Block:
    kind = _kind(group, unit)
    text = _join_items(group, right) if kind == "list" else join_lines(group, right)
    characters = sum(len(line.text) for line in group)
    confidence = sum(line.confidence * len(line.text) for line in group) / characters
    return Block(0, kind, _normal([line.box for line in group], width, height), text, confidence)


def _kind(group: list[Line], unit: float) -> str:
    size = median(line.height for line in group)
    if _is_item(group[0]) and len(group) > 1:
        return "list"
    if len(group) <= 3 and sum(len(line.text) for line in group) < 200:
        if size > 1.6 * unit:
            return "title"
        if size > 1.28 * unit:
            return "sub_title"
    return "text"


def join_lines(lines: list[Line], right: float) -> str:
    """The text of a paragraph. A line break is kept if the next word would have fitted into the line."""
    text = lines[0].text
    flush_right = _is_flush_right(lines)
    for above, line in itertools.pairwise(lines):
        chinese = _CJK.match(line.text) is not None
        word = 1 if chinese else len(line.text.split(" ", 1)[0])
        letter = (line.x1 - line.x0) / max(1, len(line.text))
        if flush_right or above.x1 + (word + 2) * letter < right:
            text += "\n" + line.text
        elif text.endswith("-") and line.text[:1].islower() and text[-2:-1].isalpha():
            text = text[:-1] + line.text
        elif chinese and _CJK.search(text[-1:]):
            text += line.text
        else:
            text += " " + line.text
    return text


def _is_flush_right(lines: list[Line]) -> bool:
    """Whether the lines are flush right, such as sums and addresses. Such lines are not joined."""
    size = median(line.height for line in lines)
    ends = [line.x1 for line in lines]
    starts = [line.x0 for line in lines]
    return max(ends) - min(ends) < 0.4 * size and max(starts) - min(starts) > 3 * size


def _join_items(group: list[Line], right: float) -> str:
    items: list[list[Line]] = []
    for line in group:
        if _is_item(line) or not items:
            items.append([line])
        else:
            items[-1].append(line)
    return "\n".join(join_lines(item, right).replace("\n", " ") for item in items)


def _table_block(table: Table, width: int, height: int) -> Block:
    rows = [[" ".join(line.text for line in cell) for cell in row] for row in table.rows]
    lines = table.lines
    characters = sum(len(line.text) for line in lines)
    return Block(
        id=0,
        type="table",
        bbox=_normal([line.box for line in lines], width, height),
        text="\n".join("\t".join(row) for row in rows),
        confidence=sum(line.confidence * len(line.text) for line in lines) / characters,
        html=table_html(rows),
    )


def _normal(boxes: list[Box], width: int, height: int) -> Box:
    x0, y0, x1, y1 = union(boxes)
    return (x0 / width, y0 / height, x1 / width, y1 / height)
