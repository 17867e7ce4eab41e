"""Finds tables: by their ruled lines, or by lines of text that stand in columns.

A table is a grid of cells; a cell may span rows and columns.
"""

import itertools
import re
from dataclasses import dataclass
from statistics import median

from fovea.layout.line import Line, Marks, Region, Word, box_of, joined, rows_of, share_inside
from fovea.result.geometry import union
from fovea.result.markdown import table_cell
from fovea.result.page_result import Box, TableCell

NUMERIC = re.compile(r"[-+(]?[^\w\s]?\s?[\d.,:/%]*\d[\d.,:/]*\s?[^\w\s)]?[)%]?|[-–—]|n/?a", re.IGNORECASE)
MAX_CELLS = 20_000
WRAP_GAP = 0.45
"""Largest gap between two lines of a cell, in units."""


@dataclass(frozen=True, slots=True)
class Cell:
    row: int
    column: int
    rows: int
    columns: int
    lines: tuple[Line, ...]

    @property
    def text(self) -> str:
        return " ".join(line.text for line in self.lines)


@dataclass(frozen=True, slots=True)
class Table:
    box: Box
    rows: int
    columns: int
    cells: tuple[Cell, ...]
    ruled: bool = False

    @property
    def lines(self) -> list[Line]:
        return [line for cell in self.cells for line in cell.lines]

    def texts(self) -> list[list[str]]:
        """Texts by row and column. A cell with spans stands in its first place."""
        grid = [[""] * self.columns for _ in range(self.rows)]
        for cell in self.cells:
            grid[cell.row][cell.column] = cell.text
        return grid

    def boxes(self) -> list[TableCell]:
        """The cells for the result, each with the box of its text."""
        return [
            TableCell(
                cell.row,
                cell.column,
                cell.rows,
                cell.columns,
                cell.text,
                union([box_of(line) for line in cell.lines]) if cell.lines else None,
            )
            for cell in self.cells
        ]

    def html(self) -> str:
        """The table as HTML. The first row is the head if it contains no number."""
        first = [cell for cell in self.cells if cell.row == 0]
        head = self.rows > 1 and not any(NUMERIC.fullmatch(cell.text) for cell in first if cell.text)
        parts = ["<table>"]
        by_row = {row: list(cells) for row, cells in itertools.groupby(self.cells, key=lambda cell: cell.row)}
        for row in range(self.rows):
            parts.append("<tr>")
            for cell in by_row.get(row, []):
                parts.append(table_cell(cell.text, head and row == 0, cell.rows, cell.columns))
            parts.append("</tr>")
        return "".join([*parts, "</table>"])


def find_tables(
    lines: list[Line], marks: Marks, regions: list[Region], unit: float
) -> tuple[list[Table], list[Line]]:
    """Tables, and the lines outside tables."""
    tables, rest = ruled_tables(lines, marks, unit)
    more, rest = aligned_tables(rest, regions, unit)
    return [*tables, *more], rest


# -- ruled tables --------------------------------------------------------------------------------------


def ruled_tables(lines: list[Line], marks: Marks, unit: float) -> tuple[list[Table], list[Line]]:
    tables: list[Table] = []
    for across, down in _grids(marks, unit):
        xs = _levels([(line[0] + line[2]) / 2 for line in down], 0.35 * unit)
        ys = _levels([(line[1] + line[3]) / 2 for line in across], 0.35 * unit)
        if len(xs) < 3 or len(ys) < 3 or len(xs) * len(ys) > MAX_CELLS:
            continue
        inside = [line for line in lines if share_inside(box_of(line), (xs[0], ys[0], xs[-1], ys[-1])) > 0.6]
        if len(inside) < 3 or not _is_table(inside, xs, ys):
            continue
        tables.append(_ruled(inside, xs, ys, across, down, unit))
        taken = set(map(id, inside))
        lines = [line for line in lines if id(line) not in taken]
    return tables, lines


def _is_table(inside: list[Line], xs: list[float], ys: list[float]) -> bool:
    """Whether at least two columns and two rows of a grid have text. A frame around a page has not."""
    columns = {sum(x < (line.x0 + line.x1) / 2 for x in xs) for line in inside}
    rows = {sum(y < line.middle for y in ys) for line in inside}
    return len(columns) >= 2 and len(rows) >= 2


def _grids(marks: Marks, unit: float) -> list[tuple[list[Box], list[Box]]]:
    """Groups of ruled lines that touch each other."""
    reach = 0.5 * unit
    strokes = [(box, True) for box in marks.across] + [(box, False) for box in marks.down]
    if len(strokes) > 2000:
        return []
    parent = list(range(len(strokes)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for (i, (a, level_a)), (j, (b, level_b)) in itertools.combinations(enumerate(strokes), 2):
        if level_a != level_b and (
            a[0] - reach <= b[2] and b[0] - reach <= a[2] and a[1] - reach <= b[3] and b[1] - reach <= a[3]
        ):
            parent[root(i)] = root(j)
    groups: dict[int, tuple[list[Box], list[Box]]] = {}
    for i, (box, level) in enumerate(strokes):
        groups.setdefault(root(i), ([], []))[0 if level else 1].append(box)
    return [group for group in groups.values() if len(group[0]) >= 2 and len(group[1]) >= 2]


def _levels(values: list[float], near: float) -> list[float]:
    """Sorted values; those that are near to each other are one."""
    levels: list[list[float]] = []
    for value in sorted(values):
        if levels and value - levels[-1][-1] < near:
            levels[-1].append(value)
        else:
            levels.append([value])
    return [sum(level) / len(level) for level in levels]


def _ruled(
    lines: list[Line], xs: list[float], ys: list[float], across: list[Box], down: list[Box], unit: float
) -> Table:
    rows, columns = len(ys) - 1, len(xs) - 1
    near = 0.35 * unit

    def wall(column: int, row: int) -> bool:
        """Whether a vertical line separates the cell from the one at its left."""
        x, middle = xs[column], (ys[row] + ys[row + 1]) / 2
        return any(abs((b[0] + b[2]) / 2 - x) < near and b[1] - near < middle < b[3] + near for b in down)

    def floor(column: int, row: int) -> bool:
        """Whether a level line separates the cell from the one above."""
        y, middle = ys[row], (xs[column] + xs[column + 1]) / 2
        return any(abs((b[1] + b[3]) / 2 - y) < near and b[0] - near < middle < b[2] + near for b in across)

    owner: dict[tuple[int, int], tuple[int, int]] = {}
    spans: dict[tuple[int, int], tuple[int, int]] = {}
    for row, column in itertools.product(range(rows), range(columns)):
        if (row, column) in owner:
            continue
        wide = 1
        while column + wide < columns and (row, column + wide) not in owner and not wall(column + wide, row):
            wide += 1
        tall = 1
        while row + tall < rows and all(
            not floor(column + i, row + tall)
            and (row + tall, column + i) not in owner
            and (i == 0 or not wall(column + i, row + tall))
            for i in range(wide)
        ):
            tall += 1
        spans[row, column] = (tall, wide)
        for i, j in itertools.product(range(tall), range(wide)):
            owner[row + i, column + j] = (row, column)

    content: dict[tuple[int, int], list[Line]] = {place: [] for place in spans}
    for line in lines:
        row = min(rows - 1, max(0, sum(y < line.middle for y in ys) - 1))
        for part in split_at(line, xs[1:-1]):
            column = min(columns - 1, max(0, sum(x < (part.x0 + part.x1) / 2 for x in xs) - 1))
            content[owner[row, column]].append(part)
    cells = [
        Cell(row, column, tall, wide, tuple(joined(one) for one in rows_of(content[row, column])))
        for (row, column), (tall, wide) in sorted(spans.items())
    ]
    return _without_empty((xs[0], ys[0], xs[-1], ys[-1]), rows, columns, cells, ruled=True)


def split_at(line: Line, xs: list[float]) -> list[Line]:
    """The line, cut between words at those of `xs` that cross it between two words."""
    cuts = [x for x in xs if line.x0 + 2 < x < line.x1 - 2]
    if not cuts or len(line.words) < 2:
        return [line]
    groups: dict[int, list[Word]] = {}
    for word in line.words:
        groups.setdefault(sum(x < (word.x0 + word.x1) / 2 for x in cuts), []).append(word)
    if len(groups) < 2:
        return [line]
    return [_of_words(line, words) for _, words in sorted(groups.items())]


def _of_words(line: Line, words: list[Word]) -> Line:
    return Line(
        x0=words[0].x0,
        y0=line.y0,
        x1=words[-1].x1,
        y1=line.y1,
        text=" ".join(word.text for word in words),
        confidence=line.confidence,
        words=tuple(words),
        bold=line.bold,
        mono=line.mono,
        turned=line.turned,
    )


def _without_empty(box: Box, rows: int, columns: int, cells: list[Cell], ruled: bool) -> Table:
    """The table without rows and columns in which no cell begins with text or spans."""
    keep_rows = [r for r in range(rows) if any(c.row == r and (c.lines or c.rows == 1) for c in cells)]
    used = [c for c in range(columns) if any(cell.column == c and cell.lines for cell in cells)]
    if len(used) < 2:
        used = list(range(columns))
    at_row = {row: i for i, row in enumerate(keep_rows)}
    at_column = {column: i for i, column in enumerate(used)}
    kept = []
    for cell in cells:
        if cell.row not in at_row or cell.column not in at_column:
            continue
        tall = sum(r in at_row for r in range(cell.row, cell.row + cell.rows))
        wide = sum(c in at_column for c in range(cell.column, cell.column + cell.columns))
        kept.append(Cell(at_row[cell.row], at_column[cell.column], tall, wide, cell.lines))
    return Table(box, len(keep_rows), len(used), tuple(kept), ruled)


# -- tables without vertical lines ---------------------------------------------------------------------


def aligned_tables(lines: list[Line], regions: list[Region], unit: float) -> tuple[list[Table], list[Line]]:
    """Runs of rows whose lines stand in the same columns."""
    level = [line for line in lines if not line.turned]
    rows = rows_of(level)
    tables: list[Table] = []
    taken: set[int] = set()
    start = 0
    while start < len(rows):
        end, columns = _run(rows, start, unit)
        table = _aligned(rows[start:end], regions, unit) if columns else None
        if table:
            tables.append(table)
            taken |= {id(line) for row in rows[start:end] for line in row}
            start = end
        else:
            start += 1
    return tables, [line for line in lines if id(line) not in taken]


def _run(rows: list[list[Line]], start: int, unit: float) -> tuple[int, list[tuple[float, float]]]:
    """The longest run of rows from `start` that share columns: (end, columns). No columns: no run."""
    if len(rows[start]) < 2:
        return start + 1, []
    end, columns = start + 1, _columns(rows[start : start + 1], unit)
    bottom = max(line.y1 for line in rows[start])
    pending = 0
    last_full = end
    gaps: list[float] = []
    for i in range(start + 1, len(rows)):
        row = rows[i]
        gap = min(line.y0 for line in row) - bottom
        if gap > 2.2 * unit or (len(gaps) >= 3 and gap > 2 * median(gaps) + 0.5 * unit):
            break
        gaps.append(gap)
        if len(row) >= 2:
            more = _columns([*rows[start:i], row], unit)
            if len(more) < max(2, len(columns) - (1 if len(columns) > 3 else 0)):
                break
            columns = more
            last_full, pending = i + 1, 0
        else:
            inside = [c for c in columns if row[0].x0 < c[1] and row[0].x1 > c[0]]
            pending += 1
            if len(inside) != 1 or pending > 3:
                break
            if gap < WRAP_GAP * unit and inside != columns[:1] and last_full == i:
                last_full, pending = i + 1, 0  # the cell above goes on
        bottom = max(line.y1 for line in row)
        end = i + 1
    return last_full if pending else end, columns if last_full - start >= 2 else []


def _columns(rows: list[list[Line]], unit: float) -> list[tuple[float, float]]:
    """The x-ranges of the columns. Lines that overlap horizontally are in the same column."""
    spans = sorted((line.x0, line.x1) for row in rows for line in row)
    columns: list[tuple[float, float]] = []
    for x0, x1 in spans:
        if columns and x0 < columns[-1][1] + 0.2 * unit:
            columns[-1] = (columns[-1][0], max(columns[-1][1], x1))
        else:
            columns.append((x0, x1))
    return columns


def _aligned(rows: list[list[Line]], regions: list[Region], unit: float) -> Table | None:
    columns = _columns(rows, unit)
    if len(columns) < 2 or len(rows) < 2:
        return None
    lines = [line for row in rows for line in row]
    box = union([box_of(line) for line in lines])
    seen = any(r.kind == "table" and r.score > 0.5 and share_inside(box, r.box) > 0.6 for r in regions)
    grid: list[list[list[Line]]] = []
    tops: list[float] = []
    for row in rows:
        cells: list[list[Line]] = [[] for _ in columns]
        for line in row:
            cells[next(i for i, (x0, x1) in enumerate(columns) if x0 <= line.x0 <= x1)].append(line)
        grid.append(cells)
        tops.append(min(line.y0 for line in row))
    grid = _without_wraps(grid, tops, unit)
    if len(grid) < (2 if seen else 3) or not _tabular(grid, columns, seen):
        return None
    cells = tuple(
        Cell(i, j, 1, 1, tuple(joined(one) for one in rows_of(cell)))
        for i, row in enumerate(grid)
        for j, cell in enumerate(row)
    )
    return Table(box, len(grid), len(columns), cells)


def _without_wraps(grid: list[list[list[Line]]], tops: list[float], unit: float) -> list[list[list[Line]]]:
    """Joins rows that continue the cells of the row above: they begin in no column in which every entry begins."""
    full = max(sum(bool(cell) for cell in row) for row in grid)
    starts = [i for i, row in enumerate(grid) if row[0]]
    steps = sorted(tops[b] - tops[a] for a, b in itertools.pairwise(starts))
    joined_rows: list[list[list[Line]]] = []
    for i, row in enumerate(grid):
        filled = [j for j, cell in enumerate(row) if cell]
        if joined_rows and filled:
            above = joined_rows[-1]
            gap = tops[i] - max(line.y1 for cell in above for line in cell)
            close = gap < WRAP_GAP * unit
            continues = not row[0] and len(filled) < full and all(above[j] for j in filled)
            words = all(not NUMERIC.fullmatch(line.text) for j in filled for line in row[j])
            looser = bool(steps) and tops[i] - max(tops[:i]) < 0.9 * steps[len(steps) // 2]
            if continues and words and close and (looser or len(filled) == 1):
                for j in filled:
                    above[j] = [*above[j], *row[j]]
                continue
        joined_rows.append([list(cell) for cell in row])
    return joined_rows


def _tabular(grid: list[list[list[Line]]], columns: list[tuple[float, float]], seen: bool) -> bool:
    """Whether a grid is a table. Prose in columns has long lines that fill their columns."""
    cells = [cell for row in grid for cell in row if cell]
    share = len(cells) / (len(grid) * len(columns))
    if share < (0.4 if len(columns) > 2 else 0.6):
        return False
    texts = [" ".join(line.text for line in cell) for cell in cells]
    numeric = sum(bool(NUMERIC.fullmatch(text)) for text in texts) / len(texts)
    if seen:
        return True
    long = 0
    for j, (x0, x1) in enumerate(columns):
        column = [line for row in grid for line in row[j]]
        fills = sum(line.width > 0.8 * (x1 - x0) and len(line.text) > 15 for line in column)
        long += fills > 0.5 * len(column) and len(column) > 2
    if long >= 2:
        return False
    if len(columns) == 2:
        second = [" ".join(line.text for line in row[1]) for row in grid if row[1]]
        return sum(bool(NUMERIC.fullmatch(text)) for text in second) >= 0.6 * len(second)
    return numeric > 0.15 or median(map(len, texts)) < 18
