"""Detects blank pages. They are not read, so a model cannot invent text for them.

Noise, shadows and dark edges are not ink; ink has local contrast. So the page is reduced, a median filter removes
specks, and pixels that are clearly darker than their surroundings are counted. Two areas are ignored: a thin rim, and
the dark area outside the paper that a scanner shows at the sides, unless it contains writing.
"""

import cv2
import numpy as np
from PIL import Image, ImageFilter, ImageOps

SIDE = 1000
"""Longer side of the reduced page in pixels."""
CONTRAST = 28
"""Difference between ink and the paper around it, in grey levels, that is enough on a noisy scan."""
FAINT = 10
"""The same on a page without noise. Faint print has less contrast than the noise of a scan."""
LEAST_SIDE = 64
"""Pixels: strips are not reduced below this shorter side."""
EDGE = 0.02
"""Share of each side that is ignored: the scanner's shadow."""
RIM = 0.08
"""Largest share of each side that the dark area outside the paper can take."""
DARK = 70
"""Least difference between that area and the paper, in grey levels."""
MIN_INK = 25
"""Least number of ink pixels on the reduced page. A page number alone has more."""


def is_blank(image: Image.Image) -> bool:
    """Whether a page, RGB or grey, has no ink. Takes a few milliseconds per megapixel."""
    grey = image.convert("L")
    factor = max(SIDE / max(grey.size), min(1.0, LEAST_SIDE / min(grey.size)))
    if factor < 1:
        size = tuple(max(1, round(side * factor)) for side in grey.size)
        grey = grey.resize(size, Image.Resampling.BOX)
    if min(grey.size) < 8:
        return True
    if float(np.median(np.asarray(grey))) < 128:
        grey = ImageOps.invert(grey)
    smooth = grey.filter(ImageFilter.MedianFilter(3))
    paper = smooth.filter(ImageFilter.BoxBlur(20))
    # Signed, because next to a dark edge the paper is lighter than its surroundings, which is not ink.
    difference = np.asarray(paper, dtype=np.int16) - np.asarray(smooth, dtype=np.int16)
    height, width = difference.shape
    top, left = round(height * EDGE), round(width * EDGE)
    ink = difference > min(CONTRAST, FAINT + 8 * _noise(np.asarray(grey)))
    ink &= ~outside_paper(np.asarray(smooth))
    return int(ink[top : height - top, left : width - left].sum()) < MIN_INK


def _noise(grey: np.ndarray) -> float:
    """The noise of the paper in grey levels (standard deviation), from the differences of neighbouring pixels."""
    step = np.abs(np.diff(grey.astype(np.int16), axis=1))
    return float(np.percentile(step, 68)) / 1.414 if step.size else 0.0


def outside_paper(grey: np.ndarray) -> np.ndarray:
    """The area of a scan outside the paper: dark, solid, near a side of the image and connected to it.

    `grey`: (H, W), dark on light. Returns a bool mask (H, W).
    """
    height, width = grey.shape
    dark = grey < int(np.median(grey)) - DARK
    far_y, far_x = round(height * RIM), round(width * RIM)
    dark[far_y : height - far_y, far_x : width - far_x] = False
    _count, labels = cv2.connectedComponents(dark.astype(np.uint8), connectivity=4)
    at_side = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    strip = np.isin(labels, at_side[at_side > 0]).astype(np.uint8)
    # Light strokes inside the dark area are letters in a printed band: then the area is part of the paper.
    solid = cv2.morphologyEx(strip, cv2.MORPH_CLOSE, np.ones((15, 15), np.uint8))
    core = cv2.erode(solid, np.ones((7, 7), np.uint8), borderValue=1)
    if int((core & ~strip & 1).sum()) >= MIN_INK:
        return np.zeros(grey.shape, bool)
    return cv2.dilate(strip, np.ones((9, 9), np.uint8)).astype(bool)
