"""Chooses a page's mode: the cheapest that is expected to reach a precision, or what a token budget has room for.

The amount of text is estimated from the page's pixels and its PDF text layer. Text tokens ÷ vision tokens is the
page's compression in a mode; `fovea.vision.compression` has the precision that was measured at a compression.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageOps

from fovea.vision.compression import expected_precision
from fovea.vision.modes import DEEPSEEK_OCR, Layout, tiling, valid_tokens

LEAST = "base"
"""`auto` takes no cheaper mode. Compression alone does not tell how well a page is read: on OmniDocBench the edit
distance is 0.386 in tiny, 0.221 in small and 0.137 in base (arXiv 2510.18234, table 3). A token budget may take less.
"""

TARGET = 0.96
"""Expected precision for `auto`: compression up to 10 on the published curve."""

MARGIN = 1.25
"""Safety factor on the estimated amount of text, which is rough."""

MIN_GLYPH = 3.0
"""Least height of a letter in a view, in pixels; in smaller letters strokes merge. Assumed, not measured."""

SIDE = 1700
"""Letters are counted on an image of at most this longer side, in pixels. A4 at 144 dpi is not reduced."""
CONTRAST = 40
"""Least difference between a letter and the paper around it, in grey levels."""
CHARACTERS_PER_TOKEN = 3.0
"""Measured: 4.6 in prose, 2.8 in forms and tables. It also fits Chinese, whose characters count as several letters."""


@dataclass(frozen=True, slots=True)
class Density:
    """An estimate for a page of `width` × `height` pixels: `tokens` of text, in letters `glyph` pixels high."""

    width: int
    height: int
    tokens: float
    glyph: float = 0.0

    @property
    def size(self) -> tuple[int, int]:
        return self.width, self.height


def measure(image: Image.Image, characters: int | None = None) -> Density:
    """Estimates the text of a page. `characters`: number of characters in the PDF's text layer, if there is one.

    A text layer may lack the text of pictures, so half of the letters counted in the pixels is a lower limit.
    """
    letters, glyph = count_letters(image)
    count = letters if characters is None else max(characters, letters / 2)
    return Density(*image.size, count / CHARACTERS_PER_TOKEN, glyph)


def count_letters(image: Image.Image) -> tuple[float, float]:
    """The estimated number of characters on a page, RGB or grey, and their median height in pixels.

    A letter is a connected component of ink about as high as most others. A wider component is several letters that
    touch; it counts by its width.
    """
    grey = image.convert("L")
    factor = SIDE / max(grey.size)
    if factor < 1:
        grey = grey.resize([max(1, round(side * factor)) for side in grey.size], Image.Resampling.BOX)
    else:
        factor = 1.0
    if float(np.median(np.asarray(grey))) < 128:
        grey = ImageOps.invert(grey)
    pixels = np.asarray(grey)
    paper = cv2.blur(cv2.dilate(pixels, np.ones((15, 15), np.uint8)), (31, 31))
    ink = (paper.astype(np.int16) - pixels > CONTRAST).astype(np.uint8)
    _count, _labels, stats, _centres = cv2.connectedComponentsWithStats(ink, connectivity=8)
    parts = stats[1:]
    heights, widths = parts[:, cv2.CC_STAT_HEIGHT], parts[:, cv2.CC_STAT_WIDTH]
    # Leave out specks, rules, frames and pictures.
    likely = (heights >= 3) & (heights <= SIDE // 12) & (widths <= 30 * heights)
    if not likely.any():
        return 0.0, 0.0
    median = float(np.median(heights[likely]))
    likely &= (heights >= median / 2) & (heights <= 4 * median)
    letters = np.maximum(1.0, np.round(widths[likely] / (1.3 * median))).sum()
    return float(letters) * WITH_SPACES, median / factor


WITH_SPACES = 1.2
"""Characters per letter, including the spaces between words."""


def glyph_in(density: Density, mode: str, layout: Layout = DEEPSEEK_OCR) -> float:
    """Height of a letter in pixels in the view or tiles of a mode. Enlarging a page does not count."""
    known = layout.modes[mode]
    if tiles := tiling(density.size, mode, layout):
        scale = tiles[1] * layout.tile / density.height
    elif known.stretch:
        scale = known.side / density.height
    else:
        scale = known.side / max(density.size)
    return density.glyph * min(scale, 1.0)


def precision_in(density: Density, mode: str, layout: Layout = DEEPSEEK_OCR) -> float:
    """The lowest precision measured at the page's compression in a mode; 0 if none was measured."""
    band = expected_precision(density.tokens / max(1, valid_tokens(density.size, mode, layout)))
    if band is None or 0 < glyph_in(density, mode, layout) < MIN_GLYPH:
        return 0.0
    return band[0]


def choose(density: Density, target: float = TARGET, layout: Layout = DEEPSEEK_OCR) -> str:
    """The cheapest mode, not below `LEAST`, with an expected precision of at least `target`; else the richest mode."""
    careful = Density(*density.size, density.tokens * MARGIN, density.glyph)
    modes = tuple(layout.modes)
    for mode in modes[modes.index(LEAST) :]:
        if precision_in(careful, mode, layout) >= target:
            return mode
    return mode


def spread(
    pages: Sequence[Density], budget: int, target: float = TARGET, layout: Layout = DEEPSEEK_OCR
) -> list[str]:
    """A mode for each page, so that all pages together use at most `budget` vision tokens. A greedy algorithm.

    Every page starts in its cheapest mode. Each iteration takes the step to a richer mode that gains the most expected
    text per token and that the remaining budget allows. No page gets a richer mode than that of `choose`. If the budget
    is too small for the cheapest modes, all pages get these.
    """
    ladder = tuple(layout.modes)
    costs = [[valid_tokens(page.size, mode, layout) for mode in ladder] for page in pages]
    goals = [ladder.index(choose(page, target, layout)) for page in pages]
    # The first mode may not be the cheapest: a narrow page fills only a part of a square view.
    at = [cost.index(min(cost)) for cost in costs]
    left = budget - least_tokens(pages, layout)

    def offer(i: int) -> tuple[float, int, int] | None:
        """The best step of page i: (minus its gain per token, i, the new mode)."""
        page = pages[i]
        steps = [
            (
                -(_worth(page, j, layout) - _worth(page, at[i], layout)) / (costs[i][j] - costs[i][at[i]]),
                i,
                j,
            )
            for j in range(at[i] + 1, goals[i] + 1)
            if 0 < costs[i][j] - costs[i][at[i]] <= left
        ]
        return min(steps, default=None)

    offers = [step for step in map(offer, range(len(pages))) if step]
    heapq.heapify(offers)
    while offers:
        _, i, j = heapq.heappop(offers)
        if j <= at[i]:
            continue
        if costs[i][j] - costs[i][at[i]] <= left:
            left -= costs[i][j] - costs[i][at[i]]
            at[i] = j
        if step := offer(i):
            heapq.heappush(offers, step)
    return [ladder[mode] for mode in at]


def least_tokens(pages: Sequence[Density], layout: Layout = DEEPSEEK_OCR) -> int:
    """The vision tokens of all pages in their cheapest modes."""
    return sum(min(valid_tokens(page.size, mode, layout) for mode in layout.modes) for page in pages)


def _worth(page: Density, mode: int, layout: Layout) -> float:
    """Text tokens that are expected to be read correctly.

    If no precision was measured, richer modes count a little more, so that the budget goes to pages with more text.
    """
    measured = precision_in(page, tuple(layout.modes)[mode], layout)
    return page.tokens * (measured or 0.1 * mode)
