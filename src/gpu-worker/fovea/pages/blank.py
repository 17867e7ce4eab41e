"""The blank-page gate: a page without ink is not read at all, so nothing can be invented on it.

Paper has noise, shadows and dark edges, ink has local contrast. So the page is made small, single specks are
removed by a median, and what differs clearly from its own neighbourhood is counted, edges left out: a thin rim,
and the darkness beyond the paper that a scanner sees along its sides, unless there is writing in it.
"""

import cv2
import numpy as np
from PIL import Image, ImageFilter, ImageOps

SIDE = 1000
"""Pixels of the longer side at which the page is looked at."""
CONTRAST = 28
"""Grey levels by which ink is darker than the paper around it (lighter, on a dark page)."""
EDGE = 0.02
"""Share of each side that may hold the scanner's shadow."""
RIM = 0.08
"""Share of each side up to which a dark strip may be the darkness beyond the paper."""
DARK = 70
"""Grey levels by which that is darker than the paper."""
LEAST_INK = 25
"""Pixels at that size: below it not even a page number is left."""


def is_blank(image: Image.Image) -> bool:
    """`image`: RGB or grey, any size. Takes a few milliseconds a megapixel."""
    grey = image.convert("L")
    if max(grey.size) > SIDE:
        factor = SIDE / max(grey.size)
        size = tuple(max(1, round(side * factor)) for side in grey.size)
        grey = grey.resize(size, Image.Resampling.BOX)
    if min(grey.size) < 8:
        return True
    if float(np.median(np.asarray(grey))) < 128:
        grey = ImageOps.invert(grey)
    smooth = grey.filter(ImageFilter.MedianFilter(3))
    paper = smooth.filter(ImageFilter.BoxBlur(20))
    # Signed: beside a dark edge the paper is lighter than its surroundings, and that is not ink.
    difference = np.asarray(paper, dtype=np.int16) - np.asarray(smooth, dtype=np.int16)
    height, width = difference.shape
    top, left = round(height * EDGE), round(width * EDGE)
    ink = difference > CONTRAST
    ink &= ~beyond_paper(np.asarray(smooth))
    return int(ink[top : height - top, left : width - left].sum()) < LEAST_INK


def beyond_paper(grey: np.ndarray) -> np.ndarray:
    """Where a scan shows no paper: what is dark, solid, near a side of the image and connected to it.

    `grey`: (H, W), dark on light. Returns a mask (H, W).
    """
    height, width = grey.shape
    dark = grey < int(np.median(grey)) - DARK
    far_y, far_x = round(height * RIM), round(width * RIM)
    dark[far_y : height - far_y, far_x : width - far_x] = False
    _count, labels = cv2.connectedComponents(dark.astype(np.uint8), connectivity=4)
    at_side = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    strip = np.isin(labels, at_side[at_side > 0]).astype(np.uint8)
    # Letters in a printed band are light strokes with darkness all around them.
    solid = cv2.morphologyEx(strip, cv2.MORPH_CLOSE, np.ones((15, 15), np.uint8))
    core = cv2.erode(solid, np.ones((7, 7), np.uint8), borderValue=1)
    if int((core & ~strip & 1).sum()) >= LEAST_INK:
        return np.zeros(grey.shape, bool)
    return cv2.dilate(strip, np.ones((9, 9), np.uint8)).astype(bool)
