"""The pages of a reading as the loaders of other frameworks want them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from ._source import Source
from .errors import FoveaError
from .models import FailedPage
from .reading import Reading


def read_pages(
    reading: Reading, source: Source, *, skip_failed: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Markdown and metadata of each page.

    Raises:
        FoveaError: a page could not be read, unless `skip_failed`.
    """
    name = str(source) if isinstance(source, str | os.PathLike) else reading.job.file_id
    for page in reading.pages:
        if isinstance(page, FailedPage):
            if skip_failed:
                continue
            raise FoveaError(f"Page {page.page} was not read: {page.error.code}: {page.error.message}")
        yield (
            page.markdown,
            {
                "source": name,
                "page": page.page,
                "verdict": page.verdict,
                "model": page.model,
                "job_id": reading.job.id,
                "file_id": reading.job.file_id,
            },
        )
