"""The pictures of a page, cut out of its raster, so that the edge can store them next to the page's result."""

import io

import numpy as np
from PIL import Image

from fovea.contract import CONTRACT
from fovea.result.geometry import pixels
from fovea.result.page_result import Block, PageResult

MAX_FIGURES: int = CONTRACT["figures"]["max_count"]
"""Most figures of a page that are kept; the largest count."""
MAX_FIGURE_BYTES: int = CONTRACT["figures"]["max_bytes"]
MAX_FIGURES_BYTES: int = CONTRACT["figures"]["max_page_bytes"]
"""Of all figures of a page together."""
LONGEST_SIDE = 2000
"""Pixels. Larger figures are reduced."""
SMALL_PNG = 128 << 10
"""Bytes. A larger PNG becomes a JPEG if that is smaller: it is a photograph, or a scan."""
QUARTER_TURNS = {1: Image.Transpose.ROTATE_270, 2: Image.Transpose.ROTATE_180, 3: Image.Transpose.ROTATE_90}


def attach_figures(result: PageResult, image: Image.Image) -> None:
    """Attaches a PNG or a JPEG for each `image` block, upright. `image`: the raster of the page.

    A figure beyond the limits is left out, with a warning.
    """
    blocks = [block for block in result.blocks if block.type == "image"]
    left = MAX_FIGURES_BYTES
    kept = 0
    for block in sorted(blocks, key=_area, reverse=True)[:MAX_FIGURES]:
        box = tuple(min(1.0, max(0.0, value)) for value in block.bbox)
        picture = image.crop(pixels(box, *image.size))
        if result.turned:
            picture = picture.transpose(QUARTER_TURNS[result.turned])
        picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
        data, kind = _encoded(picture)
        if len(data) > min(left, MAX_FIGURE_BYTES):
            continue
        left -= len(data)
        kept += 1
        block.figure = {
            "media_type": kind,
            "width": picture.width,
            "height": picture.height,
            "bytes": len(data),
        }
        result.attachments[f"figures/{block.id}"] = data
    if kept < len(blocks):
        result.warnings.append(f"Only {kept} of {len(blocks)} figures are kept as images.")


def _area(block: Block) -> float:
    x0, y0, x1, y1 = block.bbox
    return (x1 - x0) * (y1 - y0)


def _encoded(picture: Image.Image) -> tuple[bytes, str]:
    """The file and its media type. A picture without colors becomes a grey one."""
    colors = np.asarray(picture)
    if (colors[..., :1] == colors).all():
        picture = picture.getchannel(0)
    png = _file(picture, "PNG")
    if len(png) > SMALL_PNG and len(jpeg := _file(picture, "JPEG", quality=85)) < len(png):
        return jpeg, "image/jpeg"
    return png, "image/png"


def _file(picture: Image.Image, kind: str, **options: int) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()
