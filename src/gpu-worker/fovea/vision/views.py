"""The encoder's views of a page in each mode. The pixels are identical to those of the official code."""

from dataclasses import dataclass, field

from PIL import Image, ImageOps

from fovea.vision.modes import DEEPSEEK_OCR, Layout, Mode, patches, positions, tiling, valid_tokens

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
    layout: Layout = DEEPSEEK_OCR

    @property
    def tiling(self) -> tuple[int, int] | None:
        """(columns, rows)."""
        return (self.columns, self.rows) if self.tiles else None

    @property
    def patches(self) -> int:
        return patches(self.mode.name, self.tiling, self.layout)

    @property
    def positions(self) -> int:
        return positions(self.mode.name, self.tiling, self.layout)


def make_views(image: Image.Image, mode: str, layout: Layout = DEEPSEEK_OCR) -> Views:
    """The views of an upright RGB page. Raises `KeyError` for a mode that the layout lacks."""
    known = layout.modes[mode]
    side, valid = known.side, valid_tokens(image.size, mode, layout)
    if known.stretch:
        whole = image.resize((side, side), Image.Resampling.BICUBIC)
    else:
        whole = ImageOps.pad(image, (side, side), Image.Resampling.BICUBIC, color=GREY)
    columns, rows = tiling(image.size, mode, layout) or (0, 0)
    tiles, tile = [], layout.tile
    if columns:
        stretched = image.resize((columns * tile, rows * tile), Image.Resampling.BICUBIC)
        tiles = [
            stretched.crop((x * tile, y * tile, (x + 1) * tile, (y + 1) * tile))
            for y in range(rows)
            for x in range(columns)
        ]
    return Views(known, whole, tiles, columns, rows, valid, layout)


def picture(image: Image.Image, mode: str, layout: Layout = DEEPSEEK_OCR) -> Image.Image:
    """What the encoder sees of a page, as one image: the view without its border, or the tiles side by side.

    In the same mode, this image has the same views as the page; only the whole view next to tiles is resampled twice.
    """
    views, tile = make_views(image, mode, layout), layout.tile
    if views.tiles:
        whole = Image.new("RGB", (views.columns * tile, views.rows * tile))
        for i, part in enumerate(views.tiles):
            whole.paste(part, (i % views.columns * tile, i // views.columns * tile))
        return whole
    if views.mode.tiled:  # the page is too small for tiles; if it were enlarged, it would get some
        return image
    if views.mode.stretch:
        return views.whole
    side = views.mode.side
    return ImageOps.contain(image, (side, side), Image.Resampling.BICUBIC)
