"""Groups lines into paragraphs, and joins the lines of a paragraph."""

import itertools
import re
from statistics import median

from fovea.layout.columns import prose_stacks
from fovea.layout.line import CJK, Line
from fovea.layout.pictures import CAPTION_START

BULLET = re.compile(r"\s*(?:[-–—•◦▪●*·‣○■□☐☑☒]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)])\s+\S")
FIRST_PARTS = frozenset(
    re.findall(
        r"\w+",
        """
        after air all anti before best better bi blood by clear close co cold cost counter cross day deep double down
        early eight eighteen eighty even ever ex far fast first five forty four free full good half hand hard heavy
        high home hot ill in inter land large last late left less light like little long low main mid middle more multi
        near new nine ninety non north off old on one open out over part post pre price pro quasi ready real right
        round sea second self semi seven seventy short single six sixty small so soft south state still ten third
        thirty three time top trade twelve twenty two ultra un under up user water week well west whole wide world year
        """,
    )
)
"""Words that often stand before a hyphen: such a hyphen at the end of a line stays."""


PARAGRAPH_STEP = 1.28
"""Lines that are further apart than usual by this factor are in different paragraphs."""
INDENT = 4.0
"""Largest step from one level of a list to the next, in units."""


def paragraphs(lines: list[Line], unit: float) -> list[list[Line]]:
    """Groups of lines that lie below each other with the same type and spacing."""
    leading = _leading(lines, unit)
    groups: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: (line.middle, line.x0)):
        if line.turned:
            groups.append([line])
            continue
        best = None
        for group in groups:
            last = group[-1]
            if last.turned or not _follows(group, line, unit, leading):
                continue
            if best is None or last.y1 > best[-1].y1:
                best = group
        if best is None:
            groups.append([line])
        else:
            best.append(line)
    return groups


def _leading(lines: list[Line], unit: float) -> float:
    """The usual step from line to line of prose as a share of their height; 0 if there is little prose."""
    steps = [
        (below.middle - above.middle) / above.height
        for stack in prose_stacks(lines, unit)
        for above, below in itertools.pairwise(stack)
    ]
    return median(steps) if len(steps) > 3 else 0.0


def _follows(group: list[Line], line: Line, unit: float, leading: float) -> bool:
    last = group[-1]
    gap = line.y0 - last.y1
    low = min(last.height, line.height)
    if gap < -0.5 * low or gap > 0.75 * low + 0.1 * unit or CAPTION_START.match(line.text):
        return False
    if not 0.78 < line.height / last.height < 1.28 or line.bold != last.bold:
        return False
    if len(group) > 1 and gap > 0.35 * low + max(b.y0 - a.y1 for a, b in itertools.pairwise(group)):
        return False
    if is_item(line) and is_item(group[0]):
        return min(abs(line.x0 - other.x0) for other in group) < INDENT * unit
    overlap = min(last.x1, line.x1) - max(last.x0, line.x0)
    if overlap < 0.5 * min(last.width, line.width):
        return False
    if is_item(line) != is_item(group[0]):
        # An indented line continues a list item; any other line ends the list.
        return not is_item(line) and line.x0 > group[0].x0 + 0.5 * unit
    usual = median(b.middle - a.middle for a, b in itertools.pairwise(group)) if len(group) > 1 else 0.0
    if leading and line.middle - last.middle > PARAGRAPH_STEP * max(usual, leading * low):
        return False
    return not _is_indented(group, line, unit)


def _is_indented(group: list[Line], line: Line, unit: float) -> bool:
    """Whether a line begins a paragraph by its indent."""
    if len(group) < 2:
        return False
    left = min(other.x0 for other in group)
    is_level = all(other.x0 < left + 0.4 * unit for other in group[1:])
    return (
        is_level
        and 0.8 * unit < line.x0 - left < INDENT * unit
        and line.x1 <= max(other.x1 for other in group) + unit
    )


def is_item(line: Line) -> bool:
    return BULLET.match(line.text) is not None


def join_lines(lines: list[Line], right: float, known: frozenset[str] = frozenset()) -> str:
    """The text of a paragraph. A line break is kept if the next word would have fitted into the line.

    `known`: the words of the page in small letters. A word that is broken with a hyphen is written as elsewhere on the
    page.
    """
    text = lines[0].text
    flush_right = _is_flush_right(lines)
    for above, line in itertools.pairwise(lines):
        chinese = CJK.match(line.text) is not None
        word = 1 if chinese else len(line.text.split(" ", 1)[0])
        if flush_right or above.x1 + (word + 2) * line.pitch < right:
            text += "\n" + line.text
        elif text.endswith("-") and line.text[:1].islower() and text[-2:-1].isalpha():
            text = _rejoined(text, line.text, known)
        elif chinese and CJK.search(text[-1:]):
            text += line.text
        else:
            text += " " + line.text
    return text


def _rejoined(text: str, below: str, known: frozenset[str]) -> str:
    """Two parts of a word with a hyphen between them: the hyphen is part of the word, or only breaks it."""
    first = re.split(r"[\s\-–—/(]", text[:-1])[-1].lower()
    before = re.split(r"[\s–—/(]", text)[-1].lower()
    second = re.split(r"[^\w]", below, maxsplit=1)[0].lower()
    if first + second in known:
        return text[:-1] + below
    if f"{first}-{second}" in known or first in FIRST_PARTS or "-" in before[:-1]:
        return text + below
    return text[:-1] + below


def _is_flush_right(lines: list[Line]) -> bool:
    """Whether the lines are flush right, such as sums and addresses. Such lines are not joined."""
    size = median(line.height for line in lines)
    ends = [line.x1 for line in lines]
    starts = [line.x0 for line in lines]
    return len(lines) > 1 and max(ends) - min(ends) < 0.4 * size and max(starts) - min(starts) > 3 * size
