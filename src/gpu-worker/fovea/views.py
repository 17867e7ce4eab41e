"""A page as the views that the encoder sees, in the five modes; pixel for pixel what the official code makes
with Pillow.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

PATCH = 64  # pixels of a view's side for one vision token
GREY = (127, 127, 127)  # int(0.5 · 255), the colour around a page that was fitted into a square
TILE = 640
MAX_TILES = 6  # the paper's code; the model card's uses 9


@dataclass(frozen=True, slots=True)
class Mode:
    """`side`: of the view of the whole page. `stretch`: resized to it without regard to its aspect."""

    name: str
    side: int
    stretch: bool = False
    tiled: bool = False


MODES = {
    mode.name: mode
    for mode in (
        Mode("tiny", 512, stretch=True),
        Mode("small", 640, stretch=True),
        Mode("base", 1024),
        Mode("large", 1280),
        Mode("gundam", 1024, tiled=True),
    )
}


@dataclass(frozen=True, slots=True)
class Views:
    """`whole` is square; `tiles` lie row by row in a grid of `columns` × `rows`, or there are none."""

    mode: Mode
    whole: Image.Image
    tiles: list[Image.Image] = field(default_factory=list)
    columns: int = 0
    rows: int = 0
    valid: int = 0
    """Vision tokens that show page and not border, as the paper counts them."""

    @property
    def patches(self) -> int:
        """Vision tokens without newlines and separator."""
        return (self.mode.side // PATCH) ** 2 + len(self.tiles) * (TILE // PATCH) ** 2

    @property
    def positions(self) -> int:
        """Decoder positions: one newline for each row, one separator at the end."""
        side, tile = self.mode.side // PATCH, TILE // PATCH
        local = (tile * self.columns + 1) * tile * self.rows
        return local + side * (side + 1) + 1


def make_views(image: Image.Image, mode: str, max_tiles: int = MAX_TILES) -> Views:
    """`image`: upright and RGB (`fovea.pages` sees to that). Raises `KeyError` for an unknown mode."""
    known = MODES[mode]
    side = known.side
    tokens = (side // PATCH) ** 2
    if known.stretch:
        return Views(known, image.resize((side, side), Image.Resampling.BICUBIC), valid=tokens)
    whole = ImageOps.pad(image, (side, side), Image.Resampling.BICUBIC, color=GREY)
    valid = int(tokens * min(image.size) / max(image.size))
    if not known.tiled or max(image.size) <= TILE:
        return Views(known, whole, valid=valid)
    columns, rows = tile_grid(*image.size, max_tiles)
    stretched = image.resize((columns * TILE, rows * TILE), Image.Resampling.BICUBIC)
    tiles = [
        stretched.crop((x * TILE, y * TILE, (x + 1) * TILE, (y + 1) * TILE))
        for y in range(rows)
        for x in range(columns)
    ]
    return Views(known, whole, tiles, columns, rows, valid + len(tiles) * (TILE // PATCH) ** 2)


def tile_grid(width: int, height: int, max_tiles: int = MAX_TILES) -> tuple[int, int]:
    """(columns, rows): of all grids of 2 to `max_tiles` tiles the one whose aspect is nearest to the page's.

    A later one wins an exact tie when the page has more than half of its pixels.
    """
    # The official code sorts a set by product: ties between equal products stand in CPython's order of it.
    grids = sorted(
        {
            (i, j)
            for n in range(2, max_tiles + 1)
            for i in range(1, n + 1)
            for j in range(1, n + 1)
            if 2 <= i * j <= max_tiles
        },
        key=lambda grid: grid[0] * grid[1],
    )
    best, nearest = (1, 1), float("inf")
    for columns, rows in grids:
        distance = abs(width / height - columns / rows)
        enough = width * height > 0.5 * TILE * TILE * columns * rows
        if distance < nearest or (distance == nearest and enough):
            best, nearest = (columns, rows), distance
    return best


def to_pixels(images: list[Image.Image], device: torch.device | str = "cpu") -> Tensor:
    """RGB images of one size -> (n, 3, H, W) in −1..1, fp32."""
    array = np.stack([np.asarray(image, dtype=np.uint8) for image in images])
    pixels = torch.from_numpy(array).to(device).permute(0, 3, 1, 2).float() / 255
    return (pixels - 0.5) / 0.5
