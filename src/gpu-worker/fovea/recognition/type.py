"""How lines are set: bold, or in type of fixed pitch, measured on their pictures."""

import re
from collections.abc import Sequence
from statistics import median

import cv2
import numpy as np

from fovea.recognition.engine import crop

BOLD = 1.32
"""A line is bold if its strokes are thicker than the page's median by this factor."""
OFF_GRID = 0.62
"""Largest distance of a character from the grid of fixed pitch, in pitches."""
SURE = 12
"""Least number of letters of a line that shows by itself that its type has a fixed pitch."""
SAME_PITCH = 0.08
"""Largest relative difference of the pitches of lines in the same type."""


def typefaces(
    image: np.ndarray, quads: Sequence[np.ndarray], texts: Sequence[str], places: Sequence[Sequence[float]]
) -> tuple[list[bool], list[bool]]:
    """For each line whether it is bold, and whether all its characters have the same width."""
    weights = [_stroke(image, quad) for quad in quads]
    sure = [weight for weight, text in zip(weights, texts, strict=True) if weight and len(text) > 3]
    usual = median(sure) if len(sure) >= 3 else 0.0
    bold = [bool(usual) and weight > BOLD * usual for weight in weights]
    widths = [float(np.linalg.norm(quad[1] - quad[0])) for quad in quads]
    pitches = [pitch(text, place) * width for text, place, width in zip(texts, places, widths, strict=True)]
    known = [one for one, place in zip(pitches, places, strict=True) if one and len(place) >= SURE]
    mono = [any(abs(one / other - 1) < SAME_PITCH for other in known) if one else False for one in pitches]
    return bold, mono


def _stroke(image: np.ndarray, quad: np.ndarray) -> float:
    """Mean thickness of the strokes of a line as a share of its height; 0 if it is too small to tell."""
    piece = cv2.cvtColor(crop(image, quad), cv2.COLOR_BGR2GRAY)
    height = piece.shape[0]
    if height < 6:
        return 0.0
    _, ink = cv2.threshold(piece, 0, 1, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
    area = int(ink.sum())
    edge = area - int(cv2.erode(ink, np.ones((3, 3), np.uint8)).sum())
    return 2.0 * area / edge / height if edge else 0.0


def pitch(text: str, places: Sequence[float]) -> float:
    """The pitch of a line whose characters lie on a grid, as a share of its width; 0 if they do not.

    In proportional type, characters stray from a grid along the line; a few letters fit any grid.
    """
    text = re.sub(r"\s+", " ", text.strip())
    index = [i for i, character in enumerate(text) if not character.isspace()]
    if len(index) != len(places) or len(index) < 5 or not any(c in "ilj.,'I1t" for c in text):
        return 0.0
    x, y = np.array(index, float), np.array(places)
    step, start = np.polyfit(x, y, 1)
    on_grid = step > 0 and np.abs(y - step * x - start).max() < OFF_GRID * step
    return float(step) if on_grid else 0.0
