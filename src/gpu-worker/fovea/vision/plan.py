"""In which mode a page is read: the cheapest that can be expected to reach a precision, within a budget or without.

A page's text is estimated before it is read, from its pixels and from the text layer of its PDF. Text tokens ÷ vision
tokens is its compression in a mode, and `fovea.vision.compression` says what precision was measured at that
compression.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageOps

from fovea.vision.compression import expected_precision
from fovea.vision.modes import MAX_TILES, MODES, TILE, tile_grid, valid_tokens

LADDER = tuple(MODES)
"""The modes by price."""

TARGET = 0.96
"""Expected precision that `auto` asks for: compression up to 10 on the published curve."""

MARGIN = 1.25
"""By how much the estimate of a page's text is raised before a mode is chosen: it is rough."""

LEAST_GLYPH = 3.0
"""Pixels that the height of a letter must have in a view; below it strokes merge. An assumption, not a measurement."""

SIDE = 1700
"""Pixels of the longer side at which letters are counted: A4 at 144 dpi is left as it is."""
CONTRAST = 40
"""Grey levels by which a letter differs from the paper around it."""
CHARACTERS_PER_TOKEN = 3.0
"""4.6 in prose, 2.8 in forms and tables. Chinese, whose signs fall into parts, comes out right with it too."""


@dataclass(frozen=True, slots=True)
class Density:
    """What is expected on a page of `width` × `height` pixels: `tokens` of text, letters `glyph` pixels high."""

    width: int
    height: int
    tokens: float
    glyph: float = 0.0

    @property
    def size(self) -> tuple[int, int]:
        return self.width, self.height


def measure(image: Image.Image, characters: int | None = None) -> Density:
    """`image`: RGB or grey; `characters`: of the PDF's text layer, where there is one.

    A text layer can lack what stands in pictures: it is believed unless the pixels say that there is more than
    twice as much.
    """
    seen, glyph = count_letters(image)
    count = seen if characters is None else max(characters, seen / 2)
    return Density(*image.size, count / CHARACTERS_PER_TOKEN, glyph)


def count_letters(image: Image.Image) -> tuple[float, float]:
    """How many letters a page seems to have, and their median height in pixels of `image`.

    A letter is a connected component of ink as high as most of the others. What is wider than high is letters that
    touch, and counts by its width.
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
    # Specks are no letters, nor are rules, frames and pictures.
    likely = (heights >= 3) & (heights <= SIDE // 12) & (widths <= 30 * heights)
    if not likely.any():
        return 0.0, 0.0
    median = float(np.median(heights[likely]))
    likely &= (heights >= median / 2) & (heights <= 4 * median)
    letters = np.maximum(1.0, np.round(widths[likely] / (1.3 * median))).sum()
    return float(letters) * WITH_BLANKS, median / factor


WITH_BLANKS = 1.2
"""Characters for each letter that is seen, counting the blanks between words."""


def glyph_in(density: Density, mode: str, max_tiles: int = MAX_TILES) -> float:
    """The height of a letter in the view, or in the tiles, that shows it largest. The page is never seen sharper
    than it is.
    """
    known = MODES[mode]
    if known.tiled and max(density.size) > TILE:
        scale = tile_grid(*density.size, max_tiles)[1] * TILE / density.height
    elif known.stretch:
        scale = known.side / density.height
    else:
        scale = known.side / max(density.size)
    return density.glyph * min(scale, 1.0)


def precision_in(density: Density, mode: str, max_tiles: int = MAX_TILES) -> float:
    """The lowest precision that was measured at the page's compression in a mode; 0 where nothing was."""
    band = expected_precision(density.tokens / max(1, valid_tokens(density.size, mode, max_tiles)))
    if band is None or 0 < glyph_in(density, mode, max_tiles) < LEAST_GLYPH:
        return 0.0
    return band[0]


def choose(density: Density, target: float = TARGET, max_tiles: int = MAX_TILES) -> str:
    """The cheapest mode that can be expected to reach `target`; the richest where none can."""
    careful = Density(*density.size, density.tokens * MARGIN, density.glyph)
    for mode in LADDER:
        if precision_in(careful, mode, max_tiles) >= target:
            return mode
    return LADDER[-1]


def spread(
    pages: Sequence[Density], budget: int, target: float = TARGET, max_tiles: int = MAX_TILES
) -> list[str]:
    """A mode for each page, such that the vision tokens of all together are at most `budget`.

    Every page begins in the cheapest mode. Then, again and again, the step to a richer mode is bought that gains the
    most expected text a token, among those that the rest of the budget can pay, up to the mode that `choose` names.
    A budget below the cheapest modes' sum cannot be kept: all pages get the cheapest then.
    """
    costs = [[valid_tokens(page.size, mode, max_tiles) for mode in LADDER] for page in pages]
    goals = [LADDER.index(choose(page, target, max_tiles)) for page in pages]
    # A narrow page fills little of a square view: the first mode need not be the cheapest.
    at = [cost.index(min(cost)) for cost in costs]
    left = budget - least_tokens(pages, max_tiles)

    def offer(i: int) -> tuple[float, int, int] | None:
        """The best step of page i: (minus its gain a token, the page, the mode it leads to)."""
        page = pages[i]
        steps = [
            (
                -(_worth(page, j, max_tiles) - _worth(page, at[i], max_tiles))
                / (costs[i][j] - costs[i][at[i]]),
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
    return [LADDER[mode] for mode in at]


def least_tokens(pages: Sequence[Density], max_tiles: int = MAX_TILES) -> int:
    """The vision tokens below which `pages` cannot be read."""
    return sum(min(valid_tokens(page.size, mode, max_tiles) for mode in LADDER) for page in pages)


def _worth(page: Density, mode: int, max_tiles: int) -> float:
    """Text tokens that can be expected to be read rightly. Where nothing was measured, each richer mode counts for a
    little more than the one before, so that a budget goes to the pages that have the most text.
    """
    measured = precision_in(page, LADDER[mode], max_tiles)
    return page.tokens * (measured or 0.1 * mode)
