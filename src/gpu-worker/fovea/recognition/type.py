"""How lines are set: bold, or in type of fixed pitch, measured on their pictures."""

import re
from collections.abc import Sequence
from statistics import median

import cv2
import numpy as np

from fovea.recognition.engine import crop

BOLD = 1.13
"""A line is bold if its stems are wider than usual on the page by this factor, after its size is accounted for.

On scanned pages at 150 to 200 dpi, bold lines have 1.15 to 1.5; 90 % of all others have at most 1.1.
"""
SAME_SIZE = 1.2
"""Lines that are higher than usual by a smaller factor are of the usual size: boxes of lines are not exact."""
FINE = 4
"""Stems are measured in this part of a pixel."""
OFF_GRID = 0.62
"""Largest distance of a character from the grid of fixed pitch, in pitches."""
ON_GRID = 0.15
"""Largest mean distance (root of the mean square) in a line that shows by itself that its type has a fixed pitch.

Over twelve letters or more, lines in such type have 0.09 to 0.14, and others 0.14 to 0.6.
"""
NEAR_GRID = 0.2
"""The same for a line beside such lines."""
SURE = 12
"""Least number of letters, without figures, of such a line."""
SAME_PITCH = 0.08
"""Largest relative difference of the pitches of lines in the same type."""


def bold(image: np.ndarray, quads: Sequence[np.ndarray], texts: Sequence[str]) -> list[bool]:
    """For each line whether it is bold."""
    stems = [stem(image, quad) for quad in quads]
    heights = [float(np.linalg.norm(quad[3] - quad[0])) for quad in quads]
    usual, height = _usual(stems, texts), _usual(heights, texts)
    sizes = [tall / height if height and tall > SAME_SIZE * height else 1.0 for tall in heights]
    return [bool(usual) and width > BOLD * usual * size for width, size in zip(stems, sizes, strict=True)]


def fixed_pitch(
    quads: Sequence[np.ndarray], texts: Sequence[str], places: Sequence[Sequence[float]]
) -> list[bool]:
    """For each line whether all its characters have the same width."""
    widths = [float(np.linalg.norm(quad[1] - quad[0])) for quad in quads]
    pitches = [pitch(text, place) * width for text, place, width in zip(texts, places, widths, strict=True)]
    off = [
        off_grid(text, place) if one else 1.0 for one, text, place in zip(pitches, texts, places, strict=True)
    ]
    letters = [len(place) for place in places]
    # Figures have the same width in most type.
    others = [sum(map(str.isalpha, text)) for text in texts]
    known = [
        one
        for one, distance, count, other in zip(pitches, off, letters, others, strict=True)
        if one and other >= SURE and distance < (ON_GRID if count > 20 else 0.9 * ON_GRID)
    ]
    return [
        bool(one)
        and any(abs(one / other - 1) < SAME_PITCH for other in known)
        and (count < SURE or distance < NEAR_GRID)
        for one, distance, count in zip(pitches, off, letters, strict=True)
    ]


def _usual(values: Sequence[float], texts: Sequence[str]) -> float:
    """The median, weighted by the lengths of the texts; 0 if there are fewer than three values."""
    weighted = [
        value for value, text in zip(values, texts, strict=True) if value for _ in range(len(text) // 4)
    ]
    return median(weighted) if weighted and sum(map(bool, values)) >= 3 else 0.0


def stem(image: np.ndarray, quad: np.ndarray) -> float:
    """The median width of a line's stems in pixels, from all rows through its letters' bodies; 0 if unclear."""
    grey = cv2.cvtColor(crop(image, quad), cv2.COLOR_BGR2GRAY).astype(np.float32)
    if grey.shape[0] < 6:
        return 0.0
    grey = cv2.resize(grey, None, fx=FINE, fy=1, interpolation=cv2.INTER_CUBIC)
    paper, ink = np.percentile(grey, (85, 2))
    dark = grey < (paper + ink) / 2
    rows = dark.sum(axis=1)
    most = np.percentile(rows, 90)
    body = int((rows > 0.5 * most).sum())
    edges = np.diff(np.pad(dark[rows > 0.3 * most], ((0, 0), (1, 1))).astype(np.int8), axis=1)
    widths = (np.argwhere(edges == -1)[:, 1] - np.argwhere(edges == 1)[:, 1]) / FINE
    widths = widths[(widths > 0.5) & (widths < 0.75 * body)]
    return float(np.median(widths)) if len(widths) > 5 else 0.0


def pitch(text: str, places: Sequence[float]) -> float:
    """The pitch of a line whose characters lie on a grid, as a share of its width; 0 if they do not.

    In proportional type, characters stray from a grid along the line; a few letters fit any grid.
    """
    index = _columns(text)
    if len(index) != len(places) or len(index) < 5 or not any(c in "ilj.,'I1t" for c in text):
        return 0.0
    step, off = _grid(index, places)
    return step if step > 0 and np.abs(off).max() < OFF_GRID else 0.0


def off_grid(text: str, places: Sequence[float]) -> float:
    """Mean distance of a line's characters from the grid that fits them best, in pitches."""
    _, off = _grid(_columns(text), places)
    return float(np.sqrt((off**2).mean()))


def _columns(text: str) -> list[int]:
    """The columns of the characters that are not white space, in type of fixed pitch."""
    text = re.sub(r"\s+", " ", text.strip())
    return [i for i, character in enumerate(text) if not character.isspace()]


def _grid(index: Sequence[int], places: Sequence[float]) -> tuple[float, np.ndarray]:
    """The step of the grid, and each character's distance from its place in steps."""
    x, y = np.array(index, float), np.array(places)
    step, start = np.polyfit(x, y, 1)
    return float(step), (y - step * x - start) / step if step > 0 else np.full(len(x), np.inf)
