"""A document loader for LangChain: `pip install fovea-client[langchain]`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from langchain_core.document_loaders import BaseLoader
from langchain_core.documents import Document
from typing_extensions import Unpack

from ._async.client import AsyncFovea
from ._pages import open_async_client, open_client, read_pages
from ._source import Source
from ._sync.client import Fovea
from .params import OcrOptions
from .reading import Reading


class FoveaLoader(BaseLoader):
    """Reads a document: a LangChain `Document` with the Markdown of each page.

    Args:
        source: a path, URL, `file_…` id, bytes or an open file.
        client: default: a client for the service and key in the environment.
        skip_failed: leave out pages that could not be read. Without it they raise a `FoveaError`.
        options: the fields of `POST /v1/ocr`, such as `pages="1-3"`.
    """

    def __init__(
        self,
        source: Source,
        *,
        client: Fovea | None = None,
        async_client: AsyncFovea | None = None,
        skip_failed: bool = False,
        **options: Unpack[OcrOptions],
    ) -> None:
        self._source = source
        self._client = client
        self._async_client = async_client
        self._skip_failed = skip_failed
        self._options = options

    def lazy_load(self) -> Iterator[Document]:
        with open_client(self._client) as client:
            reading = client.read(self._source, **self._options)
        yield from self._documents(reading)

    async def alazy_load(self) -> AsyncIterator[Document]:
        async with open_async_client(self._async_client) as client:
            reading = await client.read(self._source, **self._options)
        for document in self._documents(reading):
            yield document

    def _documents(self, reading: Reading) -> Iterator[Document]:
        for text, metadata in read_pages(reading, self._source, skip_failed=self._skip_failed):
            yield Document(page_content=text, metadata=metadata)
