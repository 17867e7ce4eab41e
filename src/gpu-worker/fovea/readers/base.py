"""The interface of a reader: it turns the pixels of a page into a page result."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from fovea.cancellation import Cancellation
from fovea.contract import CONTRACT
from fovea.pages.documents import Raster
from fovea.recognition.languages import matching
from fovea.result.page_result import PageResult
from fovea.vision.plan import Density

TRANSCRIPTIONS = tuple(CONTRACT["transcriptions"])
"""Tasks whose answer is the text of the page. A witness can check them, and the text's length can be estimated."""
ENCODE: str = CONTRACT["encode"]
"""The task that returns only the page's vision tokens, without a text."""
TASKS: dict[str, list[str]] = CONTRACT["tasks"]
"""The tasks of each reader, by the reader's name."""


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """The options of a shard, as sent by the edge, and what the worker adds for each page."""

    mode: str = "auto"
    task: str = "markdown"
    prompt: str | None = None
    witness: bool = False
    """Whether `fovea.result.witness` checks the page."""
    text_layer: str = "auto"
    """Whether characters come from the text layer of a PDF: `auto`, `never`, `only`. Not for readers without
    `takes_text_layer`."""
    languages: tuple[str, ...] = ()
    """BCP-47 tags of the document's languages: a hint, for readers with `languages`."""
    keep_tokens: bool = False
    """Whether the page's vision tokens are pushed next to its result."""
    recall: Callable[[str], bytes | None] = field(default=lambda mode: None, compare=False, repr=False)
    """From a mode to the page's stored file of vision tokens, or to `None`. Blocks (`fovea.readers.kept`)."""
    digest: str | None = field(default=None, compare=False)
    """Digest for stored tokens if it differs from the reader's: for texts it covers the page layout, too."""
    owner: str = field(default="", compare=False)
    """The prediction. A reader that reads several pages at once takes turns between owners."""
    cancellation: Cancellation = field(default_factory=Cancellation, compare=False, repr=False)


def check_languages(name: str, wanted: Sequence[str], available: Sequence[str]) -> None:
    """Raises `InvalidOptions` if a wanted language is none of the reader's."""
    _, missing = matching(wanted, available)
    if missing:
        raise InvalidOptions(f"{name} does not have {', '.join(missing)}; it has {', '.join(available)}.")


class InvalidOptions(ValueError):
    """The reader does not support these options. Clients see the message."""


class Reader(Protocol):
    """One instance serves the whole process and is called from several threads.

    Optional attributes: `parallel` is the number of a shard's pages to read at once (default 1); with `takes_blank`
    the reader gets blank pages, too; with `takes_text_layer` it gets `Raster.layer`; `least_side` is the least length
    of the longer side of a PDF page's picture, in pixels; `languages` are the BCP-47 tags of those that it reads;
    `read_document` reads several pages in one sequence (`fovea.readers.unlimited_ocr`).
    """

    name: str
    digest: str
    """`sha256:` and 64 hexadecimal digits over everything that determines the result: weights and rules."""
    modes: tuple[str, ...]
    """Modes for a token budget; empty if the number of a page's vision tokens is not known before it is read."""

    def check(self, request: ReadRequest) -> None:
        """Raises `InvalidOptions`. Called before any page is read."""
        ...

    def spread(self, pages: Sequence[Density], budget: int) -> list[str]:
        """A mode for each page, so that all pages together use at most `budget` vision tokens. Only with `modes`."""
        ...

    def read(self, raster: Raster, request: ReadRequest) -> PageResult:
        """Blocks until the page is read. The caller fills in `timings_ms["raster"]`. Raises `PageError`."""
        ...
