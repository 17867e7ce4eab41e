"""The blank-page gate: a page without ink is not read at all, so nothing can be invented on it.

Paper has noise, shadows and dark edges, ink has local contrast. So the page is made small, single specks are
removed by a median, and what differs clearly from its own neighbourhood is counted, edges left out.
"""

import numpy as np
from PIL import Image, ImageFilter, ImageOps

SIDE = 1000
"""Pixels of the longer side at which the page is looked at."""
CONTRAST = 28
"""Grey levels by which ink is darker than the paper around it (lighter, on a dark page)."""
EDGE = 0.02
"""Share of each side that may hold the scanner's shadow."""
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
    inner = difference[top : height - top, left : width - left]
    return int((inner > CONTRAST).sum()) < LEAST_INK
