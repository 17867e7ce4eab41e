"""What is drawn on a page besides text: ruled lines, check boxes and pictures. OpenCV's morphology."""

import cv2
import numpy as np

from fovea.layout.line import Marks
from fovea.result.page_result import Box

PALE = 175
"""Grey level. Paler ink behind the text is a watermark."""
MIN_RULE = 2.2
"""Least length of a ruled line, in heights of a line of text."""


def find_marks(image: np.ndarray, boxes: list[Box], unit: float) -> Marks:
    """`image`: (H, W, 3) BGR, upright and level. `boxes`: its lines of text. `unit`: their height."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    dark = find_ink(grey)
    across, down = _rules(dark, unit)
    squares = _squares(dark, boxes, unit)
    pictures = _pictures(image, dark, boxes, across, down, unit)
    return Marks(tuple(across), tuple(down), tuple(squares), tuple(pictures))


def find_ink(grey: np.ndarray) -> np.ndarray:
    """1 where a pixel is darker than the paper around it."""
    paper = cv2.medianBlur(cv2.resize(grey, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA), 31)
    paper = cv2.resize(paper, (grey.shape[1], grey.shape[0]), interpolation=cv2.INTER_LINEAR)
    return ((paper.astype(np.int16) - grey) > 40).astype(np.uint8)


def _rules(dark: np.ndarray, unit: float) -> tuple[list[Box], list[Box]]:
    """Level and vertical strokes that are longer than those of letters."""
    length = max(24, round(MIN_RULE * unit))
    found: list[list[Box]] = []
    for level in (True, False):
        kernel = np.ones((1, length) if level else (length, 1), np.uint8)
        strokes = cv2.morphologyEx(dark, cv2.MORPH_OPEN, kernel)
        _, _, stats, _ = cv2.connectedComponentsWithStats(strokes, connectivity=8)
        rules = []
        for x, y, width, height, _area in stats[1:]:
            thick, long = (height, width) if level else (width, height)
            if thick <= max(6, 0.35 * unit) and long >= 4 * thick:
                rules.append((float(x), float(y), float(x + width), float(y + height)))
        found.append(rules)
    return found[0], found[1]


def _squares(dark: np.ndarray, boxes: list[Box], unit: float) -> list[tuple[Box, bool]]:
    """Check boxes: small square frames at the left of text."""
    contours, hierarchy = cv2.findContours(dark, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    squares: list[tuple[Box, bool]] = []
    if hierarchy is None:
        return squares
    for contour, (_, _, child, parent) in zip(contours, hierarchy[0], strict=True):
        x, y, width, height = cv2.boundingRect(contour)
        if (
            parent >= 0
            or child < 0
            or not 0.45 * unit < width < 1.9 * unit
            or not 0.8 < width / height < 1.25
        ):
            continue
        frame = dark[y : y + height, x : x + width]
        if not is_frame(frame):
            continue
        border = _border(width)
        inner = frame[2 * border : -2 * border, 2 * border : -2 * border]
        if not inner.size or inner.mean() > 0.7:
            continue
        right, middle = x + width, y + height / 2
        beside = [
            box for box in boxes if x + 0.5 * width < box[0] < right + 3 * unit and box[1] < middle < box[3]
        ]
        if beside:
            squares.append(
                ((float(x), float(y), float(x + width), float(y + height)), bool(inner.mean() > 0.08))
            )
    return squares


def is_frame(ink: np.ndarray) -> bool:
    """Whether a piece of ink, (H, W) of 0 and 1, is drawn along all four sides of its box."""
    border = _border(ink.shape[1])
    ends = (ink[:border].max(axis=0), ink[-border:].max(axis=0))
    sides = (*ends, ink[:, :border].max(axis=1), ink[:, -border:].max(axis=1))
    return bool(min(side.mean() for side in sides) >= 0.8)


def _border(width: int) -> int:
    return max(1, round(0.12 * width))


def _pictures(
    image: np.ndarray, dark: np.ndarray, boxes: list[Box], across: list[Box], down: list[Box], unit: float
) -> list[Box]:
    """Areas with ink that is neither text nor a ruled line."""
    height, width = dark.shape
    colour = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)[:, :, 1] > 60
    shade = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) < 235
    rest = ((dark > 0) | (colour & shade)).astype(np.uint8)
    for x0, y0, x1, y1 in [*boxes, *across, *down]:
        pad = 3
        rest[max(0, int(y0) - pad) : int(y1) + pad, max(0, int(x0) - pad) : int(x1) + pad] = 0
    small = max(2, round(unit / 8))
    rest = cv2.morphologyEx(rest, cv2.MORPH_OPEN, np.ones((small, small), np.uint8))
    reach = max(3, round(1.2 * unit))
    near = cv2.dilate(rest, np.ones((reach, reach), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(near, connectivity=8)
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    pictures = []
    for label, (x, y, w, h, _area) in enumerate(stats[1:], 1):
        if min(w, h) < 1.5 * unit or (w > 0.95 * width and h > 0.95 * height):
            continue
        own = (labels[y : y + h, x : x + w] == label) & (rest[y : y + h, x : x + w] > 0)
        if own.sum() < 0.03 * w * h:
            continue
        part = grey[y : y + h, x : x + w][own]
        if part.mean() > PALE and not colour[y : y + h, x : x + w][own].mean() > 0.5:
            continue  # a watermark
        pictures.append((float(x), float(y), float(x + w), float(y + h)))
    return pictures
