"""What is drawn on a page besides text: ruled lines, check boxes, bullets and pictures. OpenCV's morphology."""

from collections.abc import Sequence

import cv2
import numpy as np

from fovea.layout.line import Marks
from fovea.recognition.frame import Frame
from fovea.result.geometry import union
from fovea.result.page_result import Box

PALE = 175
"""Grey level. Paler ink behind the text is a watermark."""
MIN_RULE = 2.2
"""Least length of a ruled line, in heights of a line of text."""
MIN_WALL = 1.25
"""Least length of a vertical line between two level ones."""


def find_marks(frame: Frame, boxes: list[Box], unit: float) -> Marks:
    """`boxes`: the page's lines of text. `unit`: their height."""
    dark = frame.ink
    across, down = _rules(dark, unit)
    across = [rule for rule in across if not _in_letters(rule, boxes, unit)]
    squares, bullets = _signs(dark, boxes, unit)
    pictures = _pictures(frame, boxes, across, down, unit)
    return Marks(tuple(across), tuple(down), tuple(squares), tuple(pictures), tuple(bullets))


def _rules(dark: np.ndarray, unit: float) -> tuple[list[Box], list[Box]]:
    """Level and vertical strokes that are longer than those of letters."""
    found: list[list[Box]] = []
    for level in (True, False):
        length = max(24, round(MIN_RULE * unit)) if level else max(16, round(MIN_WALL * unit))
        kernel = np.ones((1, length) if level else (length, 1), np.uint8)
        strokes = cv2.morphologyEx(dark, cv2.MORPH_OPEN, kernel)
        _, _, stats, _ = cv2.connectedComponentsWithStats(strokes, connectivity=8)
        rules = []
        for x, y, width, height, _area in stats[1:]:
            thick, long = (height, width) if level else (width, height)
            if thick <= max(6, 0.35 * unit) and long >= 4 * thick:
                rules.append((float(x), float(y), float(x + width), float(y + height)))
        found.append(rules)
    across, down = found
    return across, [
        wall for wall in down if wall[3] - wall[1] > MIN_RULE * unit or _is_wall(wall, across, unit)
    ]


def _is_wall(wall: Box, across: list[Box], unit: float) -> bool:
    """Whether a short vertical stroke stands between two level lines, as between the cells of a single row."""

    def touches(y: float) -> bool:
        return any(
            rule[0] - 0.3 * unit < wall[0] < rule[2] + 0.3 * unit
            and rule[1] - 0.3 * unit < y < rule[3] + 0.3 * unit
            for rule in across
        )

    return touches(wall[1]) and touches(wall[3])


def _in_letters(rule: Box, boxes: list[Box], unit: float) -> bool:
    """Whether a level stroke is part of letters: in soft print, serifs on the baseline touch each other."""
    x0, y0, x1, y1 = rule
    middle = (y0 + y1) / 2
    return x1 - x0 < 5 * unit and any(
        box[0] - 2 < x0 and x1 < box[2] + 2 and box[1] + 0.2 * unit < middle < box[3] - 0.1 * unit
        for box in boxes
    )


def _signs(dark: np.ndarray, boxes: list[Box], unit: float) -> tuple[list[tuple[Box, bool]], list[Box]]:
    """What stands before text: check boxes, which are square frames, and whether each is marked; drawn bullets."""
    contours, hierarchy = cv2.findContours(dark, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    squares: list[tuple[Box, bool]] = []
    bullets: list[Box] = []
    if hierarchy is None:
        return squares, bullets
    for contour, (_, _, child, parent) in zip(contours, hierarchy[0], strict=True):
        x, y, width, height = cv2.boundingRect(contour)
        if parent >= 0 or not 0.15 * unit < width < 1.9 * unit or not 0.75 < width / height < 1.33:
            continue
        box = (float(x), float(y), float(x + width), float(y + height))
        full = cv2.contourArea(contour) / max(1, (width - 1) * (height - 1))
        if (
            width > 0.45 * unit
            and full > 0.85
            and min(_hole(contours, hierarchy[0], child)) > 0.5 * width
            and _before(box, boxes, unit, width)
        ):
            is_marked = _is_marked(dark[y : y + height, x : x + width])
            if is_marked is not None:
                squares.append((box, is_marked))
        elif width < 0.65 * unit and full > 0.5 and _before(box, boxes, unit, 0.0):
            bullets.append(box)
    framed = [box for box, _ in squares]
    bullets = [
        b for b in bullets if not any(f[0] <= b[0] and b[2] <= f[2] and f[1] <= b[1] <= f[3] for f in framed)
    ]
    return squares, bullets


def _hole(contours: Sequence[np.ndarray], hierarchy: np.ndarray, first: int) -> tuple[float, float]:
    """Width and height of what a contour encloses. The space between the stems of `II` is narrow."""
    parts = []
    while first >= 0:
        x, y, width, height = cv2.boundingRect(contours[first])
        parts.append((x, y, x + width, y + height))
        first = hierarchy[first][0]
    if not parts:
        return 0.0, 0.0
    x0, y0, x1, y1 = union(parts)
    return x1 - x0, y1 - y0


def _before(sign: Box, boxes: list[Box], unit: float, overlap: float) -> bool:
    """Whether a line of text begins right of a sign, and none ends left of it. The line may cover `overlap` of it."""
    x0, y0, x1, y1 = sign
    middle = (y0 + y1) / 2
    level = [box for box in boxes if box[1] < middle < box[3]]
    follows = any(
        x1 - overlap - 0.5 * (x1 - x0) <= box[0] < x1 + 2.5 * unit
        and abs((box[1] + box[3]) / 2 - middle) < 0.3 * (box[3] - box[1])
        for box in level
    )
    apart = all(box[2] < x0 - unit or box[0] >= x0 - 0.5 * unit for box in level)
    # A bullet that is part of a line has been recognized; what looks like one there is a letter.
    return (
        follows and apart and (overlap > 0 or not any(box[0] < x1 - 1 and box[2] > x0 + 1 for box in level))
    )


def _is_marked(square: np.ndarray) -> bool | None:
    """Whether a square frame has a mark in it; `None` if it is no frame."""
    filled = fill_of_frame(square)
    border = _border(square.shape[1])
    inner = square[border:-border, border:-border]
    if filled is None or not inner.size or inner.mean() > 0.8:
        return None
    return filled > 0.08


def fill_of_frame(ink: np.ndarray, least: float = 0.8) -> float | None:
    """The share of ink well inside a frame: a piece of ink, (H, W) of 0 and 1, drawn along the sides of its box.

    `None` if one of the sides is drawn along less than `least` of its length.
    """
    border = _border(ink.shape[1])
    ends = (ink[:border].max(axis=0), ink[-border:].max(axis=0))
    sides = (*ends, ink[:, :border].max(axis=1), ink[:, -border:].max(axis=1))
    if min(side.mean() for side in sides) < least:
        return None
    core = ink[2 * border : -2 * border, 2 * border : -2 * border]
    return float(core.mean()) if core.size else 0.0


def _border(width: int) -> int:
    return max(1, round(0.12 * width))


def _pictures(frame: Frame, boxes: list[Box], across: list[Box], down: list[Box], unit: float) -> list[Box]:
    """Areas with ink that is neither text nor a ruled line."""
    height, width = frame.height, frame.width
    colour = cv2.cvtColor(frame.image, cv2.COLOR_BGR2HSV)[:, :, 1] > 60
    rest = ((frame.ink > 0) | (colour & (frame.grey < 235))).astype(np.uint8)
    for x0, y0, x1, y1 in [*boxes, *across, *down]:
        pad = 3
        rest[max(0, int(y0) - pad) : int(y1) + pad, max(0, int(x0) - pad) : int(x1) + pad] = 0
    small = max(2, round(unit / 8))
    rest = cv2.morphologyEx(rest, cv2.MORPH_OPEN, np.ones((small, small), np.uint8))
    reach = max(3, round(1.2 * unit))
    near = cv2.dilate(rest, np.ones((reach, reach), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(near, connectivity=8)
    pictures = []
    for label, (x, y, w, h, _area) in enumerate(stats[1:], 1):
        if min(w, h) < 1.5 * unit or (w > 0.95 * width and h > 0.95 * height):
            continue
        own = (labels[y : y + h, x : x + w] == label) & (rest[y : y + h, x : x + w] > 0)
        if own.sum() < 0.03 * w * h:
            continue
        part = frame.grey[y : y + h, x : x + w][own]
        if part.mean() > PALE and not colour[y : y + h, x : x + w][own].mean() > 0.5:
            continue  # a watermark
        pictures.append((float(x), float(y), float(x + w), float(y + h)))
    return pictures
