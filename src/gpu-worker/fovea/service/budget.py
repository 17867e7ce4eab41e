"""Token budget of a document: how many vision tokens each of its pages may use.

The budget covers all requested pages, including those that other shards read. So every shard of a document computes
the same modes on its own.
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
"""Above this number of pages nothing is measured in advance: every page gets an equal share of the budget."""

_CACHE_SIZE = 64
_surveys: OrderedDict[tuple, dict[int, Density]] = OrderedDict()
"""Recent surveys, for the other shards of the same document."""
_lock = threading.Lock()


class Budget:
    """Chooses the mode of each page. All `pages` together may use `tokens` vision tokens."""

    def __init__(self, reader: Reader, pages: Sequence[int], tokens: int):
        self._reader, self._pages, self._tokens = reader, tuple(pages), tokens
        self._modes: dict[int, str] = {}
        self.warning: str | None = None
        """Added to every page if the budget is too small."""

    def survey(self, document: Document, data: bytes, dpi: int) -> None:
        """Measures every page and spreads the budget. `data` is the document's bytes.

        Blocks while the pages are rendered. The result is cached for the document's other shards.
        """
        if len(self._pages) > SURVEY_PAGES:
            return
        key = (hashlib.sha256(data).digest(), self._pages, dpi)
        with _lock:
            known = _surveys.get(key)
        if known is None:
            known = {page: density for page in self._pages if (density := _density(document, page, dpi))}
            with _lock:
                _surveys[key] = known
                while len(_surveys) > _CACHE_SIZE:
                    _surveys.popitem(last=False)
        densities = [*known.values()]
        self._modes = dict(zip(known, self._reader.spread(densities, self._tokens), strict=True))
        self._check(least_tokens(densities))

    def mode(self, raster: Raster) -> str:
        """The mode in which to read the page."""
        if raster.page in self._modes:
            return self._modes[raster.page]
        density = measure(raster.image, raster.characters)
        count = max(1, len(self._pages))
        self._check(least_tokens([density]) * count)
        return self._reader.spread([density], self._tokens // count)[0]

    def _check(self, least: int) -> None:
        if least > self._tokens:
            self.warning = (
                f"The pages need at least {least} vision tokens; the budget of {self._tokens} was exceeded."
            )


def _density(document: Document, page: int, dpi: int) -> Density | None:
    """`None` for a page that cannot be rendered: it will fail and use no tokens."""
    try:
        return measure(document.raster(page, dpi).image, document.characters(page))
    except FoveaError:
        return None
