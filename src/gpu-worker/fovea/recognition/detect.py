"""Finds the lines of a page with the detector: at a good scale, and in overlapping bands if the page is long."""

from collections.abc import Sequence

import cv2
import numpy as np

from fovea.recognition.engine import Quads, TextEngine
from fovea.recognition.frame import levels

BAND = 1600
"""Pixels. A longer picture is searched in bands of this length."""
OVERLAP = 160
MARGIN = 40
GOOD_SIDE = 1200
"""Pixels: the first search reduces larger pages to this shorter side, that of an A4 page at 144 dpi."""
LEAST_SIDE = 736
SMALL, GOOD, LARGE = 15.0, 24.0, 60.0
"""Pixels: if lines are lower than `SMALL` or higher than `LARGE`, the search is repeated with lines of `GOOD`."""
MAX_SCALE = 3.0
INK = 24
"""Least difference of ink and paper in grey levels."""


def is_tall(quad: np.ndarray) -> bool:
    """Whether a line is higher than wide: it runs up or down, or is vertical writing."""
    return bool(np.linalg.norm(quad[0] - quad[3]) >= 1.5 * np.linalg.norm(quad[0] - quad[1]))


def find_lines(image: np.ndarray, engine: TextEngine) -> Quads:
    """`image`: (H, W, 3) BGR. A blank one has no lines."""
    left, top, right, bottom = content_box(image)
    if right <= left:
        return np.zeros((0, 4, 2), np.float32)
    side = min(image.shape[:2])
    scale = min(1.0, GOOD_SIDE / side) if side >= LEAST_SIDE else min(2.0, LEAST_SIDE / side)
    part = image[top:bottom, left:right]
    quads = _find_at(part, scale, engine)
    height = line_height(quads) * scale
    if height and not SMALL <= height <= LARGE:
        better = min(MAX_SCALE, scale * GOOD / height)
        if abs(better / scale - 1) > 0.2 and len(again := _find_at(part, better, engine)):
            quads = again
    return quads + np.array([left, top], np.float32)


def content_box(image: np.ndarray) -> tuple[int, int, int, int]:
    """The part of a page with ink, and a margin. The detector overlooks a single line on a large empty page."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    [paper] = levels(grey, 0.9)
    dark = (grey < paper - INK).astype(np.uint8)
    dark = cv2.morphologyEx(dark, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    rows, columns = np.flatnonzero(dark.any(axis=1)), np.flatnonzero(dark.any(axis=0))
    if not len(rows):
        return 0, 0, 0, 0
    height, width = grey.shape
    return (
        max(0, int(columns[0]) - MARGIN),
        max(0, int(rows[0]) - MARGIN),
        min(width, int(columns[-1]) + MARGIN),
        min(height, int(rows[-1]) + MARGIN),
    )


def line_height(quads: Sequence[np.ndarray]) -> float:
    """Median height of the lines; 0 if there is none."""
    if not len(quads):
        return 0.0
    corners = np.asarray(quads)
    sides = np.linalg.norm(corners - np.roll(corners, -1, axis=1), axis=2)  # (N, 4)
    return float(np.median(np.minimum(sides[:, 0], sides[:, 1])))


def _find_at(image: np.ndarray, scale: float, engine: TextEngine) -> Quads:
    height, width = image.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if scale != 1:
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    found = []
    for top, bottom in cuts(size[1]):
        for left, right in cuts(size[0]):
            quads = engine.detect(_padded(image[top:bottom, left:right]))
            quads = np.clip(quads, 0, (right - left, bottom - top)).astype(np.float32)
            band = (left, top, right, bottom)
            inner = (left > 0, top > 0, bottom < size[1])
            found.append((quads + np.array([left, top], np.float32), band, inner))
    return _merged(found) / scale


def cuts(length: int) -> list[tuple[int, int]]:
    """Bands of about `BAND` pixels that overlap by `OVERLAP`."""
    if length <= 1.25 * BAND:
        return [(0, length)]
    count = -(-(length - OVERLAP) // (BAND - OVERLAP))
    step = (length - OVERLAP) / count
    return [(round(i * step), min(length, round((i + 1) * step) + OVERLAP)) for i in range(count)]


def _padded(image: np.ndarray) -> np.ndarray:
    """With white margins, because the detector finds nothing at the edge of a strip, and needs sides of 32 × n."""
    height, width = image.shape[:2]
    down, right = max(64 - height, -height % 32), max(64 - width, -width % 32)
    return cv2.copyMakeBorder(image, 0, down, 0, right, cv2.BORDER_CONSTANT, value=(255, 255, 255))


def _merged(found: list[tuple[Quads, tuple[int, int, int, int], tuple[bool, bool, bool]]]) -> Quads:
    """The lines of overlapping bands, each once: of two that overlap the larger; parts side by side are joined."""
    if len(found) == 1:
        return found[0][0]
    quads: list[np.ndarray] = []
    for some, (left, top, _, bottom), (after, below, above) in found:
        for quad in some:
            x0, y0, x1, y1 = _box(quad)
            is_cut = (below and y0 < top + 3) or (above and y1 > bottom - 3)
            for i, other in enumerate(quads):
                a0, b0, a1, b1 = _box(other)
                wide, tall = min(x1, a1) - max(x0, a0), min(y1, b1) - max(y0, b0)
                if wide <= 0 or tall <= 0:
                    continue
                goes_on = after and x0 < left + OVERLAP and tall > 0.6 * min(y1 - y0, b1 - b0)
                least = min((x1 - x0) * (y1 - y0), (a1 - a0) * (b1 - b0))
                if goes_on and not is_cut:
                    quads[i] = _rectangle(min(x0, a0), min(y0, b0), max(x1, a1), max(y1, b1))
                elif wide * tall <= 0.5 * least:
                    continue
                elif (x1 - x0) * (y1 - y0) > 1.15 * (a1 - a0) * (b1 - b0):
                    quads[i] = quad
                break
            else:
                quads.append(quad)
    return np.array(quads, np.float32).reshape(-1, 4, 2)


def _box(quad: np.ndarray) -> tuple[float, float, float, float]:
    (x0, y0), (x1, y1) = quad.min(axis=0), quad.max(axis=0)
    return float(x0), float(y0), float(x1), float(y1)


def _rectangle(x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32)


def stacked(column: np.ndarray) -> np.ndarray:
    """A column of vertical writing with its characters side by side, so that the recognizer can read it."""
    height, width = column.shape[:2]
    grey = cv2.cvtColor(column, cv2.COLOR_BGR2GRAY)
    ink = (grey < (int(grey.min()) + int(grey.max())) / 2).sum(axis=1)
    count = max(1, round(height / width / 0.95))
    cells, top = [], 0
    for number in range(1, count + 1):
        middle = number * height / count
        near = range(max(top + 1, round(middle - 0.3 * width)), min(height, round(middle + 0.3 * width)))
        bottom = min(near, key=lambda y: (ink[y], abs(y - middle)), default=round(middle))
        cell = column[top : height if number == count else bottom]
        top = bottom
        if cell.shape[0] > width:
            cell = cv2.resize(cell, (width, width), interpolation=cv2.INTER_AREA)
        cells.append(
            cv2.copyMakeBorder(
                cell, 0, width - cell.shape[0], 0, 0, cv2.BORDER_CONSTANT, value=(255, 255, 255)
            )
        )
    return np.concatenate(cells, axis=1)
