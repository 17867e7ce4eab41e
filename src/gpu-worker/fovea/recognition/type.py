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


def typefaces(
    image: np.ndarray, quads: Sequence[np.ndarray], texts: Sequence[str], places: Sequence[Sequence[float]]
) -> tuple[list[bool], list[bool]]:
    """For each line whether it is bold, and whether all its characters have the same width."""
    weights = [_stroke(image, quad) for quad in quads]
    sure = [weight for weight, text in zip(weights, texts, strict=True) if weight and len(text) > 3]
    usual = median(sure) if len(sure) >= 3 else 0.0
    bold = [bool(usual) and weight > BOLD * usual for weight in weights]
    return bold, [is_mono(text, place) for text, place in zip(texts, places, strict=True)]


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


def is_mono(text: str, places: Sequence[float]) -> bool:
    """Whether the characters lie on a grid. In proportional type they stray from it along the line."""
    text = re.sub(r"\s+", " ", text.strip())
    index = [i for i, character in enumerate(text) if not character.isspace()]
    if len(index) != len(places) or len(index) < 5 or not any(c in "ilj.,'I1t" for c in text):
        return False
    x, y = np.array(index, float), np.array(places)
    pitch, start = np.polyfit(x, y, 1)
    return bool(pitch > 0 and np.abs(y - pitch * x - start).max() < OFF_GRID * pitch)
