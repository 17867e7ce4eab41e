"""Columns of prose: their lines are whole although justified words stand apart, and what lies beside them is apart.

Words of a justified line may be as far apart as the cells of a table. The line above or below tells: it runs through
the gap and ends at the same edges.
"""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from fovea.layout.line import Line, box_of, joined, rows_of
from fovea.result.geometry import union
from fovea.result.page_result import Box

PIECE_GAP = 0.55
"""Largest gap between two words of a line, as a share of its height, that needs no other sign."""
MONO_GAP = 2.5
"""The same in type of fixed pitch, in pitches: two spaces after a full stop."""
JUSTIFIED_GAP = 4.5
"""Largest gap between two words of a justified line, as a share of its height."""
NUMBER = re.compile(r"\(?(?:\d{1,2}(?:\.\d{1,2})*|[IVX]{1,5}|[A-Za-z])[.)]?|[•☐☑–-]")
NUMBER_GAP = 1.6
"""Largest gap between the number of a heading or an item and its text, as a share of their height."""
MOST_PIECES = 12
"""Largest number of gaps in a justified line that are wide enough for the detector."""
LINE_GAP = 0.6
"""Largest distance of two lines of a paragraph, as a share of their height."""
PROSE_LINE = 14
"""Least number of characters of a line of prose."""
JUSTIFIED_LINE = 22
"""Least number of characters of a line beside a justified one: a head of two cells is shorter."""
GUTTER = 0.25
"""Least width of a gutter, in units: that between whole columns, which may lean a little."""
REACH = 3.0
"""Largest empty space through which a gutter goes on, in units."""


# -- whole lines ---------------------------------------------------------------------------------------


def whole_lines(lines: list[Line]) -> list[Line]:
    """Joins the pieces of a line between which there is a gap that is no wider than a few spaces, or is justified."""
    rows = []
    for row in rows_of(lines):
        pieces: list[list[Line]] = []
        for line in row:
            if pieces and _same_line(pieces[-1][-1], line):
                pieces[-1].append(line)
            else:
                pieces.append([line])
        rows.append(_numbered([joined(some) for some in pieces]))
    broken = len(rows) > 1
    while broken:
        broken = False
        for i, row in enumerate(rows):
            if len(row) > 1 and (fewer := _justified(row, rows, i)) is not row:
                rows[i], broken = fewer, True
    return [line for row in rows for line in row]


def _same_line(left: Line, right: Line) -> bool:
    low = min(left.height, right.height)
    gap = right.x0 - left.x1
    widest = MONO_GAP * max(left.pitch, right.pitch) if left.mono and right.mono else PIECE_GAP * low
    if left.turned or right.turned or max(left.height, right.height) > 1.5 * low:
        return False
    return gap < widest and left.bold == right.bold


def _numbered(row: list[Line]) -> list[Line]:
    """The row, in which a number or a bullet apart from other text is joined to the text that it stands before."""
    whole: list[Line] = []
    for line in row:
        if whole and NUMBER.fullmatch(whole[-1].text) and re.search(r"[^\W\d_]", line.text):
            number = whole[-1]
            is_first = len(whole) == 1 or number.x0 - whole[-2].x1 > 2 * number.height
            near = line.x0 - number.x1 < NUMBER_GAP * min(line.height, number.height)
            if is_first and near and line.bold == number.bold:
                whole[-1] = joined([number, line])
                continue
        whole.append(line)
    return whole


def _justified(row: list[Line], rows: list[list[Line]], at: int) -> list[Line]:
    """The row with the pieces joined that are one justified line; the row itself if there are none."""
    for first in range(len(row) - 1):
        for last in range(min(len(row) - 1, first + MOST_PIECES), first, -1):
            pieces = row[first : last + 1]
            if _is_justified(pieces, [line for other in _near(rows, at) for line in other]):
                return [*row[:first], joined(pieces), *row[last + 1 :]]
    return row


def _near(rows: list[list[Line]], at: int) -> list[list[Line]]:
    """Rows around a row, without it."""
    return [row for i, row in enumerate(rows[max(0, at - 12) : at + 13], max(0, at - 12)) if i != at]


def _is_justified(pieces: list[Line], around: list[Line]) -> bool:
    height = max(piece.height for piece in pieces)
    if any(piece.turned or piece.height < 0.7 * height for piece in pieces):
        return False
    gaps = [(a.x1, b.x0) for a, b in itertools.pairwise(pieces)]
    widths = [right - left for left, right in gaps]
    # All gaps of a justified line have the same width.
    if max(widths) > min(JUSTIFIED_GAP * height, 1.35 * min(widths) + 0.25 * height):
        return False
    x0, x1 = pieces[0].x0, pieces[-1].x1
    flush = [
        line
        for line in around
        if abs(line.x1 - x1) < 0.5 * height
        and -0.5 * height < x0 - line.x0 < 3 * height
        and len(line.text) > JUSTIFIED_LINE
    ]
    if not flush:
        return False
    y0, y1 = min(piece.y0 for piece in pieces), max(piece.y1 for piece in pieces)
    beside = [
        line
        for line in around
        if not line.turned
        and max(line.y0 - y1, y0 - line.y1) < LINE_GAP * height
        and 0.7 < line.height / height < 1.4
    ]
    crossed = [any(_runs_through(line, *gap) for line in beside) for gap in gaps]
    if any(line in flush for line in beside) and all(crossed):
        return True
    return len(flush) > 1 and sum(crossed) >= 0.6 * len(gaps)


def _runs_through(line: Line, left: float, right: float) -> bool:
    """Whether a line's words fill more than half of a gap."""
    filled = sum(max(0.0, min(word.x1, right) - max(word.x0, left)) for word in line.words)
    return filled > 0.5 * (right - left)


# -- gutters -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Gutter:
    """The empty space between two columns of prose."""

    box: Box

    def side(self, box: Box) -> int:
        """-1 for what is left of the gutter, 1 for what is right of it, 0 above and below."""
        x0, y0, x1, y1 = self.box
        if not y0 <= (box[1] + box[3]) / 2 <= y1:
            return 0
        return -1 if (box[0] + box[2]) / 2 < (x0 + x1) / 2 else 1


def find_gutters(lines: list[Line], pictures: Sequence[Box], unit: float) -> list[Gutter]:
    """Gutters between stacks of prose. A table's columns are no prose, or their entries begin at the same heights."""
    stacks = prose_stacks(lines, unit)
    boxes = [union([box_of(line) for line in stack]) for stack in stacks]
    things = [*(box_of(line) for line in lines if not line.turned), *pictures]
    gutters: list[Box] = []
    for i, a in enumerate(boxes):
        for j, b in enumerate(boxes):
            strip = (a[2], max(a[1], b[1]), b[0], min(a[3], b[3]))
            if b[0] - a[2] < GUTTER * unit or strip[3] - strip[1] < unit:
                continue
            if any(_overlap(strip, box) for box in things) or _same_starts(stacks[i], stacks[j], lines, unit):
                continue
            gutters.append(_extended(strip, a, b, things, unit))
    return [Gutter(box) for box in _merged(gutters, things, unit)]


def prose_stacks(lines: list[Line], unit: float) -> list[list[Line]]:
    """At least three lines below each other with the same left edge, most of which fill the same width."""
    stacks: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: line.middle):
        if line.turned or len(line.text) < 4:
            continue
        for stack in stacks:
            last = stack[-1]
            if (
                -0.5 * unit < line.y0 - last.y1 < 0.8 * last.height
                and min(abs(line.x0 - last.x0), abs(line.x0 - min(one.x0 for one in stack))) < 0.6 * unit
                and 0.75 < line.height / last.height < 1.33
            ):
                stack.append(line)
                break
        else:
            stacks.append([line])
    return [stack for stack in stacks if _is_prose(stack)]


def _is_prose(stack: list[Line]) -> bool:
    if len(stack) < 3:
        return False
    right, left = max(line.x1 for line in stack), min(line.x0 for line in stack)
    full = [line for line in stack if line.width > 0.72 * (right - left) and len(line.text) > PROSE_LINE]
    return len(full) >= max(2, 0.5 * len(stack))


def _same_starts(a: list[Line], b: list[Line], lines: list[Line], unit: float) -> bool:
    """Whether the entries at both sides begin at the same heights, as in a table whose cells have several lines."""

    def starts(stack: list[Line]) -> list[float]:
        x0, x1 = min(line.x0 for line in stack), max(line.x1 for line in stack)
        inside = [line for line in lines if line.x0 > x0 - unit and line.x1 < x1 + unit]
        column = sorted(inside, key=lambda one: one.y0)
        usual = min((low.y0 - up.y0 for up, low in itertools.pairwise(stack)), default=unit)
        return [low.y0 for up, low in itertools.pairwise(column) if usual * 1.25 < low.y0 - up.y0 < usual * 4]

    left, right = starts(a), starts(b)
    if min(len(left), len(right)) < 2:
        return False
    same = sum(any(abs(y - other) < 0.3 * unit for other in right) for y in left)
    return same >= 0.7 * len(left)


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] - 1 and b[0] < a[2] - 1 and a[1] < b[3] - 1 and b[1] < a[3] - 1


def _extended(strip: Box, left: Box, right: Box, things: list[Box], unit: float) -> Box:
    """The strip between two stacks, drawn out until something crosses it, or both sides have text that is no prose."""
    x0, y0, x1, y1 = strip
    inner = min(left[1], right[1]), max(left[3], right[3])
    for down in (False, True):
        outside = [box for box in things if (box[1] > y1 - 1 if down else box[3] < y0 + 1)]
        for box in sorted(outside, key=lambda box: box[1] if down else -box[3]):
            near = box[1] - y1 if down else y0 - box[3]
            if near > REACH * unit:
                break
            if not left[0] - unit < (box[0] + box[2]) / 2 < right[2] + unit and not _between(box, x0, x1):
                continue
            if _between(box, x0, x1):
                narrow = (max(x0, box[2]), x1) if box[0] <= x0 else (x0, min(x1, box[0]))
                if narrow[1] - narrow[0] < GUTTER * unit:
                    break
                x0, x1 = narrow
            beyond = box[1] > inner[1] if down else box[3] < inner[0]
            if beyond and any(_faces(box, other, x0, x1) for other in things):
                break
            y0, y1 = (y0, max(y1, box[3])) if down else (min(y0, box[1]), y1)
    return (x0, y0, x1, y1)


def _between(box: Box, x0: float, x1: float) -> bool:
    return box[0] < x1 and box[2] > x0


def _faces(box: Box, other: Box, x0: float, x1: float) -> bool:
    """Whether two boxes are at the same height at both sides of a strip."""
    apart = (box[2] <= x0 + 1 and other[0] >= x1 - 1) or (other[2] <= x0 + 1 and box[0] >= x1 - 1)
    return apart and min(box[3], other[3]) - max(box[1], other[1]) > 0.5 * min(
        box[3] - box[1], other[3] - other[1]
    )


def _merged(gutters: list[Box], things: list[Box], unit: float) -> list[Box]:
    """Gutters above each other are one if nothing crosses between them."""
    merged: list[Box] = []
    for box in sorted(gutters, key=lambda box: box[1]):
        for i, other in enumerate(merged):
            left, right = max(box[0], other[0]), min(box[2], other[2])
            if right - left < GUTTER * unit:
                continue
            whole = (left, min(box[1], other[1]), right, max(box[3], other[3]))
            if not any(_overlap(whole, thing) for thing in things):
                merged[i] = whole
                break
        else:
            merged.append(box)
    return merged


def zones(lines: list[Line], gutters: Sequence[Gutter]) -> list[list[Line]]:
    """The lines between the same gutters."""
    found: dict[tuple[int, ...], list[Line]] = {}
    for line in lines:
        found.setdefault(tuple(gutter.side(box_of(line)) for gutter in gutters), []).append(line)
    return list(found.values())
