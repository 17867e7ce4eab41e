"""Tells type of fixed pitch, as of typewriters and program text, by the widths of lines alone.

A line in such type is as wide as its number of characters times the pitch. In proportional type, a line of `n` letters
strays from that by about a third of the square root of `n` letters. Readers that know the places of letters have a
surer measure (`fovea.recognition.type`).
"""

from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from fovea.layout.line import CJK, Line

LONG = 14
"""Least number of characters of a line that can show its type."""
ENOUGH = 8
"""Least number of such lines on a page."""
OFF = 0.55
"""Largest mean difference of the lines' widths and their expected widths, in pitches, of which none counts as more than
`MOST`. It is 0.1 to 0.6 in type of fixed pitch of which a third of the lines have a letter too many or too few, and 0.6
to 1.9 in 99 of 100 pages of proportional type."""
MOST = 2.0
MISREAD = 0.06
"""Share of the characters by which the width of a line among others that fit may differ: some are misread as two."""


def with_fixed_pitch(lines: list[Line]) -> list[Line]:
    """The lines; on a page in type of fixed pitch, those that fit its pitch are `mono`."""
    long = {line.text: line for line in lines if _is_long(line)}
    if len(long) < ENOUGH:
        return lines
    pitch = pitch_of(list(long.values()))
    off = sum(min(MOST, abs(excess(line, pitch))) for line in long.values()) / len(long)
    if off > OFF:
        return lines
    return [replace(line, mono=not line.turned and fits(line, pitch)) for line in lines]


def _is_long(line: Line) -> bool:
    """Figures and Chinese characters have the same width in most type."""
    letters = sum(map(str.isalpha, line.text))
    return not line.turned and len(line.text) >= LONG and 2 * letters > LONG and not CJK.search(line.text)


def pitch_of(lines: Sequence[Line]) -> float:
    """The width of a character in lines of fixed pitch: the median over the longer ones, whose margins matter least."""
    longest = max(len(line.text) for line in lines)
    return median(line.pitch for line in lines if 2 * len(line.text) >= longest)


def excess(line: Line, pitch: float) -> float:
    """By how many characters of this pitch a line is wider than its text, without wide gaps between its words."""
    if len(line.words) > 1:
        return sum((word.x1 - word.x0) / pitch - len(word.text) for word in line.words)
    return line.width / pitch - len(line.text)


def fits(line: Line, pitch: float) -> bool:
    """Whether a line can be of this pitch. Of a short line one cannot know more."""
    return -1.0 < excess(line, pitch) / max(1.0, MISREAD * len(line.text)) < 1.5
