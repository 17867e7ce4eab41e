"""The text layer of a page as lines, and whether it can be trusted."""

import itertools
from collections.abc import Sequence
from difflib import SequenceMatcher

import numpy as np

from fovea.layout.line import Line, Word, box_of, rows_of, share_inside
from fovea.pages.text_layer import LayerWord
from fovea.recognition.frame import Frame

AGREES = 0.85
"""Least similarity of the layer's text and a line that was recognized with confidence."""
CELL_GAP = 0.6
"""Words that are further apart than this share of the line's height stand in different lines: columns, cells."""


def layer_lines(words: Sequence[LayerWord], frame: Frame) -> list[Line]:
    """Words of a text layer as lines of the upright page."""
    back = np.linalg.inv(frame.to_raster)
    placed = []
    for word in words:
        xs = np.array([word.x0, word.x1, word.x1, word.x0]) * frame.raster_width
        ys = np.array([word.y0, word.y0, word.y1, word.y1]) * frame.raster_height
        px, py, _ = back @ np.vstack([xs, ys, np.ones(4)])
        x0, y0, x1, y1 = (float(v) for v in (px.min(), py.min(), px.max(), py.max()))
        if x1 - x0 < 0.5 or y1 - y0 < 0.5:
            continue
        turned = len(word.text) > 2 and y1 - y0 > 1.5 * (x1 - x0)
        placed.append(
            Line(
                x0,
                y0,
                x1,
                y1,
                word.text,
                1.0,
                (Word(word.text, x0, x1, y0, y1),),
                word.bold,
                word.mono,
                turned,
            )
        )
    lines: list[Line] = []
    for row in rows_of([line for line in placed if not line.turned]):
        pieces: list[list[Line]] = []
        for line in row:
            last = pieces[-1][-1] if pieces else None
            if (
                last
                and line.x0 - last.x1 < CELL_GAP * min(line.height, last.height)
                and last.mono == line.mono
            ):
                pieces[-1].append(line)
            else:
                pieces.append([line])
        lines += [_of_words(piece) for piece in pieces]
    return [*lines, *(line for line in placed if line.turned)]


def _of_words(words: list[Line]) -> Line:
    text = words[0].text
    for left, right in itertools.pairwise(words):
        text += ("" if right.x0 - left.x1 < 0.08 * left.height else " ") + right.text
    count = sum(len(word.text) for word in words)
    return Line(
        min(w.x0 for w in words),
        min(w.y0 for w in words),
        max(w.x1 for w in words),
        max(w.y1 for w in words),
        text,
        1.0,
        tuple(part for word in words for part in word.words),
        bold=sum(len(w.text) for w in words if w.bold) > 0.7 * count,
        mono=all(w.mono for w in words),
    )


def agreement(layer: list[Line], read: list[Line]) -> float | None:
    """Mean similarity of recognized lines and the layer's text in the same places; `None` if none was confident."""
    shares = []
    for line in read:
        if line.confidence < 0.9 or len(_plain(line.text)) < 4 or line.turned:
            continue
        box = box_of(line)
        here = [
            other
            for other in layer
            if share_inside(box_of(other), box) > 0.3 or share_inside(box, box_of(other)) > 0.5
        ]
        words = sorted(
            (
                word
                for other in here
                if abs(other.middle - line.middle) < 0.6 * line.height
                for word in other.words
            ),
            key=lambda word: word.x0,
        )
        text = "".join(_part(word, line.x0 - line.height, line.x1 + line.height) for word in words)
        shares.append(SequenceMatcher(None, _plain(text), _plain(line.text), autojunk=False).ratio())
    return sum(shares) / len(shares) if shares else None


def _part(word: Word, x0: float, x1: float) -> str:
    """The characters of a word between two places. A leader and the number behind it may be one word."""
    step = (word.x1 - word.x0) / len(word.text)
    return "".join(character for i, character in enumerate(word.text) if x0 < word.x0 + (i + 0.5) * step < x1)


def _plain(text: str) -> str:
    """Letters and digits. Boxes to tick and leaders are read in many ways."""
    return "".join(filter(str.isalnum, text)).lower()
