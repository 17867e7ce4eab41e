"""The modes of each model: how many vision tokens a page of a given size takes. Pure arithmetic."""

from collections.abc import Mapping
from dataclasses import dataclass

from fovea.contract import CONTRACT

_VIEWS = CONTRACT["views"]
PATCH: int = _VIEWS["patch"]
"""Side of a vision token in pixels of the view."""
TILE: int = _VIEWS["tile"]
MAX_TILES: int = _VIEWS["max_tiles"]


@dataclass(frozen=True, slots=True)
class Mode:
    """`side`: side of the whole view in pixels. `stretch`: the page is resized without keeping its aspect ratio.
    `tiled`: a large page is also cut into tiles.
    """

    name: str
    side: int
    stretch: bool
    tiled: bool


MODES = {name: Mode(name, **view) for name, view in _VIEWS["modes"].items()}
"""The modes of DeepSeek-OCR, from the fewest vision tokens to the most."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a model cuts a page into views, and the order of their tokens.

    `modes`: from the fewest vision tokens to the most. `tile`: side of a tile in pixels. `rows`: the tiles are one grid
    and a newline token follows each row of tokens; otherwise the tokens of each view are one block without newlines.
    """

    modes: Mapping[str, Mode]
    tile: int = TILE
    max_tiles: int = MAX_TILES
    rows: bool = True


_SUCCESSORS = {name: MODES[name] for name in ("base", "gundam")}
DEEPSEEK_OCR = Layout(MODES)
DEEPSEEK_OCR_2 = Layout(_SUCCESSORS, tile=768, rows=False)
UNLIMITED_OCR = Layout(_SUCCESSORS, max_tiles=32)


def tile_grid(width: int, height: int, max_tiles: int = MAX_TILES, tile: int = TILE) -> tuple[int, int]:
    """(columns, rows) of the grid of 2 to `max_tiles` tiles whose aspect ratio is closest to the page's.

    In an exact tie, a later grid wins if the page has more than half of the grid's pixels.
    """
    # As in the official code: grids with equal products are in the order in which CPython iterates over a set.
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
        enough = width * height > 0.5 * tile * tile * columns * rows
        if distance < nearest or (distance == nearest and enough):
            best, nearest = (columns, rows), distance
    return best


def tiling(size: tuple[int, int], mode: str, layout: Layout = DEEPSEEK_OCR) -> tuple[int, int] | None:
    """(columns, rows) of the tiles of a page of `size` pixels; `None` if it is not cut into tiles."""
    if not layout.modes[mode].tiled or max(size) <= layout.tile:
        return None
    return tile_grid(*size, layout.max_tiles, layout.tile)


def valid_tokens(size: tuple[int, int], mode: str, layout: Layout = DEEPSEEK_OCR) -> int:
    """Vision tokens that show the page and not the border, for a page of `size` pixels. Equal to `Views.valid`."""
    known = layout.modes[mode]
    tokens = (known.side // PATCH) ** 2
    if known.stretch:
        return tokens
    columns, rows = tiling(size, mode, layout) or (0, 0)
    return int(tokens * min(size) / max(size)) + columns * rows * (layout.tile // PATCH) ** 2


def patches(mode: str, tiles: tuple[int, int] | None, layout: Layout = DEEPSEEK_OCR) -> int:
    """Vision tokens without newlines and separator. `tiles`: (columns, rows) if the page is cut into tiles."""
    columns, rows = tiles or (0, 0)
    return (layout.modes[mode].side // PATCH) ** 2 + columns * rows * (layout.tile // PATCH) ** 2


def positions(mode: str, tiles: tuple[int, int] | None, layout: Layout = DEEPSEEK_OCR) -> int:
    """Positions in the decoder: vision tokens, a newline after each row if the layout has them, and the separator."""
    newlines = 0
    if layout.rows:
        newlines = layout.modes[mode].side // PATCH + (tiles[1] * layout.tile // PATCH if tiles else 0)
    return patches(mode, tiles, layout) + newlines + 1
