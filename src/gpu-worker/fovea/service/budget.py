"""A token budget of one document: how many vision tokens each of its pages may take.

The budget is spread over all pages that were asked for, also over those that other shards read, so that every shard of
a document comes to the same modes by itself.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence

from fovea.errors import FoveaError
from fovea.pages.documents import Document, Raster
from fovea.readers.base import Reader
from fovea.vision.plan import Density, least_tokens, measure

SURVEY_PAGES = 100
"""Of longer documents the pages are not looked at beforehand: each has an equal share of the budget."""

_KEPT = 64
_surveys: OrderedDict[tuple, dict[int, Density]] = OrderedDict()
"""The last ones: the shards of a document come one after the other."""
_lock = threading.Lock()


class Budget:
    """`mode(raster)` says how a page is to be read; `pages` are all that the `tokens` are for."""

    def __init__(self, reader: Reader, pages: Sequence[int], tokens: int):
        self._reader, self._pages, self._tokens = reader, tuple(pages), tokens
        self._modes: dict[int, str] = {}
        self.warning: str | None = None
        """For every page, where the budget cannot be kept."""

    def survey(self, document: Document, data: bytes, dpi: int) -> None:
        """Looks at every page and spreads the budget. `data`: the document's bytes. Blocks for as long as it takes
        to draw the pages; what was seen is kept for the document's other shards.
        """
        if len(self._pages) > SURVEY_PAGES:
            return
        key = (hashlib.sha256(data).digest(), self._pages, dpi)
        with _lock:
            known = _surveys.get(key)
        if known is None:
            known = {page: seen for page in self._pages if (seen := _look(document, page, dpi))}
            with _lock:
                _surveys[key] = known
                while len(_surveys) > _KEPT:
                    _surveys.popitem(last=False)
        densities = [*known.values()]
        self._modes = dict(zip(known, self._reader.spread(densities, self._tokens), strict=True))
        self._check(least_tokens(densities))

    def mode(self, raster: Raster) -> str:
        if raster.page in self._modes:
            return self._modes[raster.page]
        density = measure(raster.image, raster.characters)
        count = max(1, len(self._pages))
        self._check(least_tokens([density]) * count)
        return self._reader.spread([density], self._tokens // count)[0]

    def _check(self, least: int) -> None:
        if least > self._tokens:
            self.warning = (
                f"The pages take at least {least} vision tokens; the budget of {self._tokens} was exceeded."
            )


def _look(document: Document, page: int, dpi: int) -> Density | None:
    """`None` for a page that cannot be drawn: it will fail, and takes no tokens."""
    try:
        return measure(document.raster(page, dpi).image, document.characters(page))
    except FoveaError:
        return None
