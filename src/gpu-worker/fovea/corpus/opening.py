"""Opens the documents of a shard one after the other, each in a process of its own, and draws their pages."""

import hashlib
import json
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field

from fovea.corpus.drawn import DrawnPage, Row
from fovea.corpus.manifest import WEB, PlannedDocument, media_type_of
from fovea.corpus.options import MAX_PAGES, Reading
from fovea.corpus.records import selection_text
from fovea.corpus.sampling import choose
from fovea.corpus.store import file_system
from fovea.errors import DocumentError, FoveaError, PageError
from fovea.outbound import Outbound
from fovea.pages.isolated import IsolatedDocument
from fovea.service.fetch import Fetched, fetch_document
from fovea.service.selection import select_pages
from fovea.service.shard import Needs, draw
from fovea.settings import Settings

log = logging.getLogger(__name__)

TRIES = 3
PAUSE_S = 2.0
"""After the first try; twice as long after the second."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What is known of a document before its pages are read. `pages`: how many rows of pages follow."""

    error: dict[str, str] | None = None
    document_sha256: str | None = None
    pages: int = 0
    selection: str = ""
    left_out: dict[str, int] = field(default_factory=dict)

    def encode(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def decode(cls, data: bytes) -> "Opened":
        return cls(**json.loads(data))


def open_shard(
    shard: int, documents: Sequence[PlannedDocument], reading: Reading, needs: Needs, settings: Settings
) -> Iterator[Row]:
    """For each document a row for itself, then one for each of its chosen pages. Raises nothing of a document."""
    for document in documents:
        yield from _open(shard, document, reading, needs, settings)


def _open(
    shard: int, document: PlannedDocument, reading: Reading, needs: Needs, settings: Settings
) -> Iterator[Row]:
    def head(opened: Opened) -> Row:
        return Row(shard, document.line, 0, "document", opened.encode())

    sha256 = None
    isolated = None
    try:
        fetched = fetch(document.url, settings)
        sha256 = hashlib.sha256(fetched.data).hexdigest()
        isolated = IsolatedDocument(
            fetched.data, settings.max_pixels, media_type=fetched.media_type, mode=reading.mode
        ).open()
        count = isolated.page_count
        if count > MAX_PAGES:
            message = f"The document has {count} pages; the limit is {MAX_PAGES}."
            raise DocumentError("too_many_pages", message)
        selected = select_pages(document.pages, count)
        pages, left_out = choose(selected, sha256, reading)
        whole = not document.pages and not left_out
        selection = "1-" if whole else selection_text(pages)
        yield head(Opened(None, sha256, len(pages), selection, dict(left_out)))
        for page in pages:
            drawn = _drawn(isolated, page, sha256, document.custom_id, reading, needs)
            yield Row(shard, document.line, page, "drawn", drawn.pack())
    except FoveaError as error:
        yield head(Opened(error.to_json(), sha256))
    except Exception:
        log.exception("document %s", document.url)
        known = DocumentError("document_broken", "The document cannot be opened.")
        yield head(Opened(known.to_json(), sha256))
    finally:
        if isolated:
            isolated.close()


def _drawn(
    document: IsolatedDocument,
    page: int,
    sha256: str,
    custom_id: str | None,
    reading: Reading,
    needs: Needs,
) -> DrawnPage:
    """A page that the document does not have is refused when it is read."""
    raster, fault = None, None
    try:
        if page <= document.page_count:
            raster = draw(document, page, reading.dpi, reading.request(), needs)
    except FoveaError as error:
        fault = error.to_json()
    except Exception:
        log.exception("page %d", page)
        fault = PageError("page_unreadable", "The page cannot be rendered.").to_json()
    return DrawnPage(page, document.page_count, sha256, document.media_type, custom_id, raster, fault)


class _Missing(DocumentError):
    """Another try finds no document either."""


def fetch(url: str, settings: Settings) -> Fetched:
    """The document's bytes. Tries again if its place does not answer. Raises `DocumentError`."""
    for attempt in range(1, TRIES + 1):
        try:
            if url.partition("://")[0] in WEB:
                return fetch_document(url, settings, Outbound(settings.allowed_origins))
            return _from_files(url, settings.max_document_bytes)
        except DocumentError as error:
            if isinstance(error, _Missing) or error.code != "document_unreachable" or attempt == TRIES:
                raise
            time.sleep(PAUSE_S * attempt)
    raise AssertionError


def _from_files(url: str, limit: int) -> Fetched:
    files, path = file_system(url)
    try:
        with files.open(path, "rb") as file:
            data = file.read(limit + 1)
    except FileNotFoundError:
        raise _Missing("document_unreachable", "The document does not exist.") from None
    except IsADirectoryError:
        raise _Missing("document_unreachable", "The document is a folder.") from None
    except Exception as error:
        log.warning("document %s: %r", url, error)
        raise DocumentError("document_unreachable", "The document cannot be fetched.") from None
    if len(data) > limit:
        raise DocumentError("document_too_large", f"The document is larger than {limit} bytes.")
    return Fetched(data, media_type_of(url))
