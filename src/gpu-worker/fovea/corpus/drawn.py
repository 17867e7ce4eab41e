"""Pages on their way from the process that draws them to the process that reads them."""

import pickle
import zlib
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from PIL import Image

from fovea.errors import PageError
from fovea.pages.documents import Document, Raster
from fovea.pages.text_layer import LayerWord
from fovea.result.page_result import Block

LEVEL = 1
"""Of zlib: pages are mostly paper, so the fastest one makes them 10 to 30 times smaller."""


class Row(NamedTuple):
    """What the stages pass on. `page` 0: the document itself."""

    shard: int
    line: int
    page: int
    state: str
    """`document`, `drawn`, `done` or `failed`."""
    body: bytes
    """By state: JSON of an `opening.Opened`; a pickled `DrawnPage`; a page record; an error."""
    note: bytes = b""
    """Of a page that is done: JSON of a `filters.Note`."""


@dataclass(frozen=True, slots=True)
class DrawnPage:
    """A drawn page, or why it cannot be drawn, with what its record says of the document."""

    page: int
    page_count: int
    document_sha256: str
    media_type: str
    custom_id: str | None
    raster: Raster | None
    error: dict[str, str] | None = None

    def pack(self) -> bytes:
        raster, pixels, size = self.raster, b"", (0, 0)
        if raster is not None:
            pixels, size = zlib.compress(raster.image.tobytes(), LEVEL), raster.image.size
            raster = replace(raster, image=None)
        return pickle.dumps((replace(self, raster=raster), pixels, size), protocol=5)

    @classmethod
    def unpack(cls, data: bytes) -> "DrawnPage":
        page, pixels, size = pickle.loads(data)
        if page.raster is None:
            return page
        image = Image.frombytes("RGB", size, zlib.decompress(pixels))
        return replace(page, raster=replace(page.raster, image=image))


class DrawnDocument(Document):
    """A document of which one page was drawn elsewhere."""

    def __init__(self, drawn: DrawnPage):
        self.media_type, self.page_count = drawn.media_type, drawn.page_count
        self._drawn = drawn

    def raster(self, page: int, dpi: int, least_side: int = 0) -> Raster:
        if self._drawn.raster is None:
            raise PageError(**(self._drawn.error or {}))
        return self._drawn.raster

    def characters(self, page: int) -> int | None:
        return self._known.characters

    def text_layer(self, page: int) -> tuple[LayerWord, ...]:
        return self._known.layer

    def content(self, page: int) -> tuple[Block, ...] | None:
        return self._known.content

    @property
    def _known(self) -> Any:
        return self._drawn.raster
