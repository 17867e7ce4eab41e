from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .models import Extraction, FailedPage, Job, StoredPageResult

PageOutcome = StoredPageResult | FailedPage
"""A page of a result: `isinstance(page, FailedPage)` tells which; `page.error` is `None` if it was read."""


@dataclass(frozen=True)
class Reading:
    """A document that has been read: each page has a result or an error."""

    job: Job
    pages: Sequence[PageOutcome]
    extraction: Extraction | None = None
    """What was extracted by the `schema` of the request: its `data`, or the `error`. `None` without a schema."""

    @property
    def markdown(self) -> str:
        """The Markdown of all pages in order, without the pages that failed."""
        texts = (page.markdown.strip() for page in self.pages if isinstance(page, StoredPageResult))
        return "\n\n".join(text for text in texts if text)

    @property
    def failed(self) -> list[FailedPage]:
        """The pages that failed."""
        return [page for page in self.pages if isinstance(page, FailedPage)]
