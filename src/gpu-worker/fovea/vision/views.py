"""A page as the views that the encoder sees, in the five modes; pixel for pixel what the official code makes
with Pillow.
"""

from dataclasses import dataclass, field

from PIL import Image, ImageOps

from fovea.vision.modes import MAX_TILES, MODES, TILE, Mode, patches, positions, tile_grid, valid_tokens

GREY = (127, 127, 127)  # int(0.5 · 255), the colour around a page that was fitted into a square


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
    """`image`: upright and RGB (`fovea.pages.documents` sees to that). Raises `KeyError` for an unknown mode."""
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
    """What the encoder sees of a page, as one image: the view without the border around it, or the tiles side by side.

    Views of this image in the same mode are those of the page; only the whole view beside tiles is resampled twice.
    """
    views = make_views(image, mode, max_tiles)
    if views.tiles:
        whole = Image.new("RGB", (views.columns * TILE, views.rows * TILE))
        for i, tile in enumerate(views.tiles):
            whole.paste(tile, (i % views.columns * TILE, i // views.columns * TILE))
        return whole
    if views.mode.tiled:  # too small for tiles: enlarged, it would get some
        return image
    if views.mode.stretch:
        return views.whole
    side = views.mode.side
    return ImageOps.contain(image, (side, side), Image.Resampling.BICUBIC)
