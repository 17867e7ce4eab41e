"""The five modes: how many vision tokens a page of a size becomes. No pixels here, and no torch."""

from dataclasses import dataclass

from fovea.contract import CONTRACT

_VIEWS = CONTRACT["views"]
PATCH: int = _VIEWS["patch"]
"""Pixels of a view's side for one vision token."""
TILE: int = _VIEWS["tile"]
MAX_TILES: int = _VIEWS["max_tiles"]


@dataclass(frozen=True, slots=True)
class Mode:
    """`side`: of the view of the whole page. `stretch`: resized to it without regard to its aspect. `tiled`: a large
    page is also cut into tiles."""

    name: str
    side: int
    stretch: bool
    tiled: bool


MODES = {name: Mode(name, **view) for name, view in _VIEWS["modes"].items()}
"""From the fewest vision tokens to the most."""


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


def valid_tokens(size: tuple[int, int], mode: str, max_tiles: int = MAX_TILES) -> int:
    """Vision tokens that show page and not border, of a page of `size` pixels: what `Views.valid` will say."""
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
    """Vision tokens without newlines and separator; `tiles`: (columns, rows) where the page was cut."""
    columns, rows = tiles or (0, 0)
    return (MODES[mode].side // PATCH) ** 2 + columns * rows * (TILE // PATCH) ** 2


def positions(mode: str, tiles: tuple[int, int] | None) -> int:
    """Decoder positions: one newline for each row, one separator at the end."""
    columns, rows = tiles or (0, 0)
    side, tile = MODES[mode].side // PATCH, TILE // PATCH
    return (tile * columns + 1) * tile * rows + side * (side + 1) + 1
