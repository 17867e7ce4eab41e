from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ._base import Record
from .models import FailedPage, Job, PageError, StoredPageResult

PageOutcome = StoredPageResult | FailedPage
"""A page of a result: `isinstance(page, FailedPage)` tells which; `page.error` is `None` if it was read."""


@dataclass(frozen=True)
class Reading:
    """A document that has been read: each page has a result or an error."""

    job: Job
    pages: Sequence[PageOutcome]

    @property
    def markdown(self) -> str:
        """The Markdown of all pages in order, without the pages that failed."""
        texts = (page.markdown.strip() for page in self.pages if isinstance(page, StoredPageResult))
        return "\n\n".join(text for text in texts if text)

    @property
    def failed(self) -> list[FailedPage]:
        """The pages that failed."""
        return [page for page in self.pages if isinstance(page, FailedPage)]


class Extraction(Record):
    """Data that a model has extracted from the pages of a job (docs/EXTRACTION.md)."""

    id: str
    job_id: str
    state: str
    """`queued` or `running`, then `succeeded` or `failed`."""
    error: PageError | None
    data: dict[str, Any] | None = None
    """Matches the schema. Only when it has succeeded."""
    citations: dict[str, Any] | None = None
    """As `data`, with the place of each value, or `None` if the value is not on the pages."""
