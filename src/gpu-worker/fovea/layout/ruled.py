"""Finds tables by their ruled lines. A missing piece of a line joins two cells."""

import itertools

from fovea.layout.line import Line, Marks, Word, box_of, joined, rows_of, share_inside
from fovea.layout.tables import Cell, Table
from fovea.result.page_result import Box

MAX_CELLS = 20_000


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
