"""The encoder's views of a page in the five modes. The pixels are identical to those of the official code."""

from dataclasses import dataclass, field

from PIL import Image, ImageOps

from fovea.vision.modes import MAX_TILES, MODES, TILE, Mode, patches, positions, tile_grid, valid_tokens

GREY = (127, 127, 127)  # int(0.5 · 255), the color around a page that is padded to a square


@dataclass(frozen=True, slots=True)
class Views:
    """`whole` is a square view of the page. `tiles` are in row order in a grid of `columns` × `rows`, or empty."""

    mode: Mode
    whole: Image.Image
    tiles: list[Image.Image] = field(default_factory=list)
    columns: int = 0
    rows: int = 0
    valid: int = 0
    """Vision tokens that show the page and not the border, counted as in the paper."""

    @property
    def tiling(self) -> tuple[int, int] | None:
        """(columns, rows)."""
        return (self.columns, self.rows) if self.tiles else None

    @property
    def patches(self) -> int:
        return patches(self.mode.name, self.tiling)

    @property
    def positions(self) -> int:
        return positions(self.mode.name, self.tiling)


def make_views(image: Image.Image, mode: str, max_tiles: int = MAX_TILES) -> Views:
    """The views of an upright RGB page. Raises `KeyError` for an unknown mode."""
    known = MODES[mode]
    side, valid = known.side, valid_tokens(image.size, mode, max_tiles)
    if known.stretch:
        return Views(known, image.resize((side, side), Image.Resampling.BICUBIC), valid=valid)
    whole = ImageOps.pad(image, (side, side), Image.Resampling.BICUBIC, color=GREY)
    if not known.tiled or max(image.size) <= TILE:
        return Views(known, whole, valid=valid)
    columns, rows = tile_grid(*image.size, max_tiles)
    stretched = image.resize((columns * TILE, rows * TILE), Image.Resampling.BICUBIC)
    tiles = [
        stretched.crop((x * TILE, y * TILE, (x + 1) * TILE, (y + 1) * TILE))
        for y in range(rows)
        for x in range(columns)
    ]
    return Views(known, whole, tiles, columns, rows, valid)


def picture(image: Image.Image, mode: str, max_tiles: int = MAX_TILES) -> Image.Image:
    """What the encoder sees of a page, as one image: the view without its border, or the tiles side by side.

    In the same mode, this image has the same views as the page; only the whole view next to tiles is resampled twice.
    """
    views = make_views(image, mode, max_tiles)
    if views.tiles:
        whole = Image.new("RGB", (views.columns * TILE, views.rows * TILE))
        for i, tile in enumerate(views.tiles):
            whole.paste(tile, (i % views.columns * TILE, i // views.columns * TILE))
        return whole
    if views.mode.tiled:  # the page is too small for tiles; if it were enlarged, it would get some
        return image
    if views.mode.stretch:
        return views.whole
    side = views.mode.side
    return ImageOps.contain(image, (side, side), Image.Resampling.BICUBIC)
