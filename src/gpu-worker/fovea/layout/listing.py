"""Finds listings: lines in type of fixed pitch with the symbols or the indentation of program text."""

import itertools
import re
from statistics import median

from fovea.layout.line import Line, box_of, rows_of
from fovea.layout.pitch import fits, pitch_of
from fovea.result.geometry import union

SYMBOL = re.compile(r"[(){}\[\];=<>_+*/\\|&^%$#@!~]")
BLANK = 1.6
"""Largest gap between two lines of a listing, in units: a blank line."""
CLOSE = 0.6
"""Largest gap between two lines without a blank one, in units, unless the listing is set wider."""
BESIDE = 2.0
"""Largest distance of a line from the column of its listing, in units."""


def find_code(lines: list[Line], unit: float) -> tuple[list[list[Line]], list[Line]]:
    """Listings, and the lines outside them.

    A listing also has the lines that are too short to show their type: those between its lines, and those as close to
    them as its lines are to each other.
    """
    mono = [line for line in lines if line.mono and not line.turned]
    if not mono:
        return [], lines
    runs: list[list[Line]] = []
    for line in sorted(mono, key=lambda line: line.middle):
        near = next((run for run in runs if _distance(line, run, unit) < BLANK * unit), None)
        if near:
            near.append(line)
        else:
            runs.append([line])
    others = [line for line in lines if not line.mono and not line.turned]
    # Between two parts that become one there may be lines that belong to the whole.
    while True:
        for run in sorted(runs, key=len, reverse=True):
            others = _grown(run, others, unit)
        if (fewer := _merged(runs, unit)) == runs:
            break
        runs = fewer
    typescript = sum(map(len, runs)) > 0.8 * len(lines)
    code = [run for run in runs if _is_code(run, typescript)]
    taken = {id(line) for run in code for line in run}
    return code, [line for line in lines if id(line) not in taken]


def code_text(lines: list[Line]) -> str:
    """The listing with its indentation and its gaps."""
    left, pitch = min(line.x0 for line in lines), pitch_of(lines)
    return "\n".join(_row_text(row, left, pitch) for row in rows_of(lines))


def _row_text(row: list[Line], left: float, pitch: float) -> str:
    text = ""
    for line in row:
        wide = len(line.words) > 1 and line.width / pitch - len(line.text) > 1.5
        parts = [(word.x0, word.text) for word in line.words] if wide else [(line.x0, line.text)]
        for x0, part in parts:
            text = (f"{text} " if text else "").ljust(round((x0 - left) / pitch)) + part
    return text


def _is_code(run: list[Line], typescript: bool) -> bool:
    """`typescript`: on a page all in such type, most of which is no program text."""
    text = "".join(line.text for line in run)
    symbols = len(SYMBOL.findall(text)) / max(1, len(text))
    left = min(line.x0 for line in run)
    indents = {round((line.x0 - left) / max(1.0, 2 * line.pitch)) for line in run}
    return len(run) >= 2 and (
        symbols > (0.04 if typescript else 0.02) or (len(indents) > 2 and not typescript)
    )


def _distance(line: Line, run: list[Line], unit: float) -> float:
    """The level gap between a line and the nearest line of a run; infinite beside its column."""
    if line.x0 > max(one.x1 for one in run) + BESIDE * unit:
        return float("inf")
    if line.x1 < min(one.x0 for one in run) - BESIDE * unit:
        return float("inf")
    return min(max(line.y0 - one.y1, one.y0 - line.y1) for one in run)


def _grown(run: list[Line], others: list[Line], unit: float) -> list[Line]:
    """Adds the lines to the run that belong to it, and returns the others."""
    pitch, height = pitch_of(run), median(line.height for line in run)

    def belongs(line: Line) -> bool:
        if line.height > 1.5 * height:
            return False
        if any(_in_row(line, one) for one in run) and x0 < (line.x0 + line.x1) / 2 < x1:
            return True
        between = y0 < line.middle < y1
        return fits(line, pitch) and _distance(line, run, unit) < (BLANK * unit if between else close)

    rows = rows_of(run)
    gaps = [below[0].y0 - above[0].y1 for above, below in itertools.pairwise(rows)]
    close = max(CLOSE * unit, 1.3 * median(gaps)) if gaps else CLOSE * unit
    while True:
        x0, y0, x1, y1 = union([box_of(line) for line in run])
        more = [line for line in others if belongs(line)]
        if not more:
            return others
        run += more
        others = [line for line in others if not any(line is one for one in more)]


def _in_row(line: Line, other: Line) -> bool:
    return abs(line.middle - other.middle) < 0.4 * max(line.height, other.height)


def _merged(runs: list[list[Line]], unit: float) -> list[list[Line]]:
    """The runs, of which those are one that no more than a blank line separates."""
    merged: list[list[Line]] = []
    for run in runs:
        for other in merged:
            if _continues(run, other, unit):
                other += run
                break
        else:
            merged.append(run)
    return merged


def _continues(run: list[Line], other: list[Line], unit: float) -> bool:
    """Whether two runs are near each other, and the lines of the shorter one fit the pitch of the other one."""
    short, long = sorted((run, other), key=len)
    pitch = pitch_of(long)
    fitting = sum(fits(line, pitch) for line in short)
    return 2 * fitting > len(short) and min(_distance(line, long, unit) for line in short) < BLANK * unit
