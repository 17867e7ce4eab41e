"""The five modes: how many vision tokens a page of a given size takes. Pure arithmetic."""

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
"""The modes, from the fewest vision tokens to the most."""


def tile_grid(width: int, height: int, max_tiles: int = MAX_TILES) -> tuple[int, int]:
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
        enough = width * height > 0.5 * TILE * TILE * columns * rows
        if distance < nearest or (distance == nearest and enough):
            best, nearest = (columns, rows), distance
    return best


def valid_tokens(size: tuple[int, int], mode: str, max_tiles: int = MAX_TILES) -> int:
    """Vision tokens that show the page and not the border, for a page of `size` pixels. Equal to `Views.valid`."""
    known = MODES[mode]
    tokens = (known.side // PATCH) ** 2
    if known.stretch:
        return tokens
    valid = int(tokens * min(size) / max(size))
    if not known.tiled or max(size) <= TILE:
        return valid
    columns, rows = tile_grid(*size, max_tiles)
    return valid + columns * rows * (TILE // PATCH) ** 2


def patches(mode: str, tiles: tuple[int, int] | None) -> int:
    """Vision tokens without newlines and separator. `tiles`: (columns, rows) if the page is cut into tiles."""
    columns, rows = tiles or (0, 0)
    return (MODES[mode].side // PATCH) ** 2 + columns * rows * (TILE // PATCH) ** 2


def positions(mode: str, tiles: tuple[int, int] | None) -> int:
    """Positions in the decoder: vision tokens, a newline after each row, and the separator."""
    columns, rows = tiles or (0, 0)
    side, tile = MODES[mode].side // PATCH, TILE // PATCH
    return (tile * columns + 1) * tile * rows + side * (side + 1) + 1
