"""The pages of a reading as the loaders of other frameworks want them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext
from typing import Any

from ._async.client import AsyncFovea
from ._source import Source
from ._sync.client import Fovea
from .errors import FoveaError
from .models import FailedPage
from .reading import Reading


def open_client(client: Fovea | None) -> AbstractContextManager[Fovea]:
    """The client, which its owner closes, or one for the environment, which is closed at the end."""
    return Fovea() if client is None else nullcontext(client)


def open_async_client(client: AsyncFovea | None) -> AbstractAsyncContextManager[AsyncFovea]:
    return AsyncFovea() if client is None else nullcontext(client)


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
