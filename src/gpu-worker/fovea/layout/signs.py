"""Signs before lines: check boxes and bullets, drawn or recognized, become characters with a space after them."""

import re
from dataclasses import replace

from fovea.layout.line import CJK, Line, Marks, Word, box_of, share_inside
from fovea.result.page_result import Box

BULLET = "•"
EMPTY, MARKED = "☐", "☑"
SEEN_AS = {**dict.fromkeys("。○●◦▪■∙•", BULLET), **dict.fromkeys("□▢☐", EMPTY), **dict.fromkeys("☑☒", MARKED)}
"""What the recognizer takes bullets and check boxes for."""
_SIGN = re.compile(rf"^([{''.join(SEEN_AS)}])\s*(?=[^\s{''.join(SEEN_AS)}])")


def with_signs(lines: list[Line], marks: Marks, unit: float) -> list[Line]:
    """The lines with their signs: `☐`, `☑` if there is a mark in the box, or `•`."""
    lines = [_tidy(line) for line in lines]
    for box, is_marked in marks.boxes:
        lines = [line for line in lines if not _is_box(line, box)]
        lines = _with_sign(lines, box, MARKED if is_marked else EMPTY, unit)
    for box in marks.bullets:
        lines = _with_sign(lines, box, BULLET, unit)
    return lines


def _tidy(line: Line) -> Line:
    found = _SIGN.match(line.text)
    if not found:
        return line
    return replace(line, text=f"{SEEN_AS[found[1]]} {line.text[found.end() :]}")


def _with_sign(lines: list[Line], box: Box, sign: str, unit: float) -> list[Line]:
    """The lines, of which the one at the right of a drawn sign begins with its character."""
    middle = (box[1] + box[3]) / 2
    right = [
        line
        for line in lines
        if line.y0 < middle < line.y1
        and box[0] - 0.5 * unit <= line.x0 < box[2] + 3 * unit
        and not line.turned
    ]
    if not right:
        return lines
    line = min(right, key=lambda line: line.x0)
    words, text = line.words, line.text
    if text[0] in (BULLET, EMPTY, MARKED):
        text = text[1:].lstrip()
        words = words[1:] if words and words[0].text == line.text[0] else words
    elif line.x0 < box[2] - 0.3 * unit:
        if CJK.match(text):
            return lines  # the square is a character, such as 口
        if words and " " in text and words[0].x1 < box[2] + 0.3 * unit:
            words, text = words[1:], text.split(" ", 1)[1]  # the sign was read as the first word
    signed = replace(
        line, x0=min(box[0], line.x0), text=f"{sign} {text}", words=(Word(sign, box[0], box[2]), *words)
    )
    return [signed if one is line else one for one in lines]


def _is_box(line: Line, box: Box) -> bool:
    """Whether the recognizer read a drawn box as a letter or two."""
    short = len(line.text) < (2 if CJK.match(line.text) else 3)
    return short and share_inside(box_of(line), _wider(box)) > 0.6


def _wider(box: Box) -> Box:
    pad = 0.4 * (box[2] - box[0])
    return (box[0] - pad, box[1] - pad, box[2] + pad, box[3] + pad)
