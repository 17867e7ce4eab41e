"""The options of a run. All of them, with the plan and the reader's digest, determine the bytes of the output."""

from dataclasses import asdict, dataclass, field
from typing import Any

from fovea.readers.base import ReadRequest
from fovea.service.shard import ShardRequest

VERDICTS = ("ok", "blank", "suspect", "unreadable")
"""Verdicts of pages that have a result."""
FORMATS = ("jsonl", "parquet")
MODES = ("auto", "tiny", "small", "base", "large", "gundam")
MAX_PAGES = 5000
"""Longer documents are refused, as by the service."""


class InputError(Exception):
    """What was asked for cannot be done. The message is for the operator; nothing has been started."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How pages are read, and which of them."""

    model: str
    mode: str = "auto"
    task: str = "markdown"
    prompt: str | None = None
    dpi: int = 144
    text_layer: str = "auto"
    languages: tuple[str, ...] = ()
    """BCP-47 tags of the documents' languages: a hint for the reader."""
    witness: bool = False
    sample: float = 1.0
    """Share of the pages that are read, 0..1."""
    pages_per_document: int | None = None
    """Most pages of a document that are read."""
    seed: int = 0
    """Of both choices."""

    def request(self) -> ReadRequest:
        return ReadRequest(
            mode=self.mode,
            task=self.task,
            prompt=self.prompt,
            witness=self.witness,
            text_layer=self.text_layer,
            languages=self.languages,
        )

    def shard_request(self) -> ShardRequest:
        return ShardRequest(document="", model=self.model, options=self.request(), dpi=self.dpi)


@dataclass(frozen=True, slots=True)
class Filters:
    """Which pages become training data."""

    verdicts: tuple[str, ...] = ("ok",)
    languages: tuple[str, ...] = ()
    """ISO 639-1 codes; empty: all languages."""
    min_confidence: float = 0.0
    keep_near_duplicates: bool = False
    """Whether pages are kept that say nearly the same as an earlier one."""


@dataclass(frozen=True, slots=True)
class Options:
    reading: Reading
    filters: Filters = field(default_factory=Filters)
    shard_documents: int = 64
    format: str = "jsonl"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def fault(self) -> str | None:
        """Why the options are not valid; `None` if they are."""
        reading, filters = self.reading, self.filters
        if not 36 <= reading.dpi <= 400:
            return "--dpi is a number from 36 to 400."
        if not 0 < reading.sample <= 1:
            return "--sample is a share of the pages, above 0 and at most 1."
        if reading.pages_per_document is not None and reading.pages_per_document < 1:
            return "--pages-per-document is at least 1."
        if not 0 <= filters.min_confidence <= 1:
            return "--min-confidence is a number from 0 to 1."
        if unknown := set(filters.verdicts) - set(VERDICTS):
            return f"--verdicts: {', '.join(sorted(unknown))} is none of {', '.join(VERDICTS)}."
        if self.shard_documents < 1:
            return "--shard-documents is at least 1."
        return None
