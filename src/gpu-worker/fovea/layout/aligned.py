"""Finds tables without vertical lines: runs of rows whose lines stand in the same columns."""

import itertools
from statistics import median

from fovea.layout.line import Line, Region, box_of, joined, rows_of, share_inside
from fovea.layout.ruled import split_at
from fovea.layout.tables import NUMERIC, Cell, Table
from fovea.result.geometry import union

WRAP_GAP = 0.45
"""Largest gap between two lines of a cell, in units."""
Column = tuple[float, float]
"""The x-range of a column's lines."""


def aligned_tables(lines: list[Line], regions: list[Region], unit: float) -> tuple[list[Table], list[Line]]:
    """Tables, and the lines outside them."""
    level = [line for line in lines if not line.turned]
    rows = rows_of(level)
    tables: list[Table] = []
    taken: set[int] = set()
    start = 0
    while start < len(rows):
        end, columns = _run(rows, start, unit)
        table = _aligned(rows[start:end], columns, regions, unit) if columns else None
        if table:
            tables.append(table)
            taken |= {id(line) for row in rows[start:end] for line in row}
            start = end
        else:
            start += 1
    return tables, [line for line in lines if id(line) not in taken]


def _run(rows: list[list[Line]], start: int, unit: float) -> tuple[int, list[Column]]:
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
        if gap > 2.2 * unit or (len(gaps) >= 3 and gap > 1.3 * max(0.0, sorted(gaps)[-2]) + 0.3 * unit):
            break
        above = rows[start:i]
        if _is_bold(row) and 2 < len(row) > max(map(len, above)) and not any(map(_is_bold, above)):
            break  # the head of a table below another one
        gaps.append(gap)
        if len(row) >= 2:
            more = _columns([*rows[start:i], row], unit)
            if (
                len(more) < 2
                or not _fits(row, more)
                or not all(_fits(r, more) for r in rows[start:i] if len(r) > 1)
            ):
                break
            columns = more
            last_full, pending = i + 1, 0
        else:
            inside = _near(row[0], columns, unit)
            if len(columns) == 2 and row[0].bold and not all(line.bold for line in rows[i - 1]):
                break  # a heading between two lists of labels and values
            pending += 1
            if len(inside) != 1 or pending > 3:
                break
            if gap < WRAP_GAP * unit and inside != columns[:1] and last_full == i:
                last_full, pending = i + 1, 0  # the cell above goes on
        bottom = max(line.y1 for line in row)
        end = i + 1
    return last_full if pending else end, columns if last_full - start >= 2 else []


def _is_bold(row: list[Line]) -> bool:
    return all(line.bold for line in row)


def _near(line: Line, columns: list[Column], unit: float) -> list[Column]:
    """The columns that a line overlaps, or else the nearest one."""
    overlapped = [column for column in columns if line.x0 < column[1] and line.x1 > column[0]]
    nearest = min(columns, key=lambda column: max(column[0] - line.x1, line.x0 - column[1]))
    close = max(nearest[0] - line.x1, line.x0 - nearest[1]) < unit
    return overlapped or ([nearest] if close else [])


def _columns(rows: list[list[Line]], unit: float) -> list[Column]:
    """The x-ranges of the columns. Rows with more entries decide; what lies across their columns makes none."""
    columns: list[Column] = []
    near = 0.2 * unit
    for row in sorted(rows, key=len, reverse=True):
        for line in row:
            hit = [c for c in columns if line.x0 < c[1] + near and line.x1 > c[0] - near]
            if len(hit) > 1:
                continue
            wider = (min([line.x0, *(c[0] for c in hit)]), max([line.x1, *(c[1] for c in hit)]))
            others = [c for c in columns if c not in hit]
            if not any(wider[0] < c[1] + near and wider[1] > c[0] - near for c in others):
                columns = sorted([*others, wider])
    most = max(map(len, rows))

    def counts(column: Column) -> bool:
        """Not a place where only an entry of a head over two columns stands."""
        inside = [row for row in rows if any(line.x0 < column[1] and line.x1 > column[0] for line in row)]
        return len(inside) > 1 or len(rows) == 1 or any(len(row) == most for row in inside)

    return [column for column in columns if counts(column)]


def _edges(columns: list[Column]) -> list[float]:
    """The places between the columns."""
    return [(left[1] + right[0]) / 2 for left, right in itertools.pairwise(columns)]


def _fits(row: list[Line], columns: list[Column]) -> bool:
    """Whether each line, cut between words, stands in one column. The label of a sum in the last column need not."""
    if len(row) == 2 and len(columns) > 2 and row[1].x1 > columns[-1][0] and row[1].x0 > columns[-2][1]:
        return True
    edges = _edges(columns)
    parts = [part for line in row for part in split_at(line, edges)]
    return all(sum(part.x0 < c[1] and part.x1 > c[0] for c in columns) < 2 for part in parts)


def _aligned(
    rows: list[list[Line]], columns: list[Column], regions: list[Region], unit: float
) -> Table | None:
    if len(columns) < 2 or len(rows) < 2:
        return None
    box = union([box_of(line) for row in rows for line in row])
    seen = any(r.kind == "table" and r.score > 0.5 and share_inside(box, r.box) > 0.6 for r in regions)
    edges = _edges(columns)
    grid: list[list[list[Line]]] = []
    tops: list[float] = []
    spans: dict[int, int] = {}  # by the identity of a line: columns that it covers
    for row in rows:
        cells: list[list[Line]] = [[] for _ in columns]
        for whole in row:
            for line in split_at(whole, edges):
                first = sum(edge < line.x0 + 0.3 * unit for edge in edges)
                last = max(first, sum(edge < line.x1 - 0.3 * unit for edge in edges))
                cells[first].append(line)
                spans[id(line)] = last - first + 1
        grid.append(cells)
        tops.append(min(line.y0 for line in row))
    grid = _without_wraps(grid, tops, unit)
    if len(grid) < (2 if seen else 3) or not _tabular(grid, columns, seen):
        return None
    body = _columns([row for row in rows if len(row) > 2] or rows, unit)
    columns = body if len(body) == len(columns) else columns  # without the labels of sums
    cells = tuple(cell for i, row in enumerate(grid) for cell in _row(i, row, columns, spans, unit))
    return Table(box, len(grid), len(columns), cells)


def _row(
    number: int, row: list[list[Line]], columns: list[Column], spans: dict[int, int], unit: float
) -> list[Cell]:
    """The cells of a row, of which some span columns.

    The name of a section spans all columns, and the label of a sum in the last column all others, unless they stand in
    a column. An entry of a head spans the columns over whose middle it stands.
    """
    filled = [j for j, cell in enumerate(row) if cell]
    last = len(columns) - 1

    def stands_in(j: int) -> bool:
        x0, x1 = columns[j]
        return min(abs(row[j][0].x0 - x0), abs(row[j][0].x1 - x1)) < 0.6 * unit

    if last > 1 and filled and filled[0] > 0 and filled[1:] in ([], [last]):
        label = row[filled[0]][0]
        middle = (columns[0][0] + columns[-1][1] - label.x0 - label.x1) / 2
        centred = not filled[1:] and abs(middle) < 0.6 * unit and not NUMERIC.fullmatch(label.text)
        if spans.get(id(label), 1) > 1 or centred or not stands_in(filled[0]):
            wide = last if filled[1:] else last + 1
            whole = [Cell(number, 0, 1, wide, _texts(row[filled[0]]))]
            return [*whole, Cell(number, last, 1, 1, _texts(row[last]))] if filled[1:] else whole
    places = {j: (j, max((spans.get(id(line), 1) for line in row[j]), default=1)) for j in filled}
    for j in filled:
        if places[j][1] == 1 and not stands_in(j):
            places[j] = _centred(row, j, columns, unit)
    cells: list[Cell] = []
    column = 0
    for j in sorted(filled, key=lambda j: places[j]):
        first, wide = places[j]
        first = max(first, column)
        cells += [Cell(number, empty, 1, 1, ()) for empty in range(column, first)]
        after = min([places[other][0] for other in filled if places[other][0] > first], default=last + 1)
        wide = max(1, min(wide, after - first))
        cells.append(Cell(number, first, 1, wide, _texts(row[j])))
        column = first + wide
    return [*cells, *(Cell(number, empty, 1, 1, ()) for empty in range(column, last + 1))]


def _centred(row: list[list[Line]], j: int, columns: list[Column], unit: float) -> tuple[int, int]:
    """The first of the columns over whose middle an entry stands, and their number: at least two, or its own one."""
    middle = (row[j][0].x0 + row[j][0].x1) / 2
    choices = [
        (abs((columns[a][0] + columns[b][1]) / 2 - middle), a, b - a + 1)
        for a in range(max(0, j - 3), j + 1)
        for b in range(max(a + 1, j), min(len(columns), j + 4))
        if not any(row[k] for k in range(a, b + 1) if k != j)
    ]
    own = abs((columns[j][0] + columns[j][1]) / 2 - middle)
    off, first, wide = min(choices, default=(own, j, 1))
    return (first, wide) if off < 1.2 * unit and off < own else (j, 1)


def _texts(lines: list[Line]) -> tuple[Line, ...]:
    return tuple(joined(row) for row in rows_of(lines))


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


def _tabular(grid: list[list[list[Line]]], columns: list[Column], seen: bool) -> bool:
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
        labels = [row[0][-1].text for row in grid if row[0]]
        if sum(label.rstrip().endswith((":", "：")) for label in labels) > 0.7 * len(grid):
            return True  # labels and values
        second = [" ".join(line.text for line in row[1]) for row in grid if row[1]]
        return sum(bool(NUMERIC.fullmatch(text)) for text in second) >= 0.6 * len(second)
    return numeric > 0.15 or median(map(len, texts)) < 18
