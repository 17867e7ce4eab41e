"""A reader for LlamaIndex: `pip install fovea-client[llama-index]`.

`SimpleDirectoryReader(folder, file_extractor={".pdf": FoveaReader()})` reads the PDFs of a folder.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from llama_index.core.readers.base import BaseReader
from llama_index.core.schema import Document
from typing_extensions import Unpack

from ._async.client import AsyncFovea
from ._pages import open_async_client, open_client, read_pages
from ._source import Source
from ._sync.client import Fovea
from .params import OcrOptions
from .reading import Reading


class FoveaReader(BaseReader):
    """Reads documents: a LlamaIndex `Document` with the Markdown of each page.

    Args:
        client: default: a client for the service and key in the environment.
        skip_failed: leave out pages that could not be read. Without it they raise a `FoveaError`.
        options: the fields of `POST /v1/ocr`, such as `pages="1-3"`.
    """

    def __init__(
        self,
        *,
        client: Fovea | None = None,
        async_client: AsyncFovea | None = None,
        skip_failed: bool = False,
        **options: Unpack[OcrOptions],
    ) -> None:
        self._client = client
        self._async_client = async_client
        self._skip_failed = skip_failed
        self._options = options

    def load_data(self, file: Source, extra_info: dict[str, Any] | None = None, **_: Any) -> list[Document]:
        with open_client(self._client) as client:
            reading = client.read(file, **self._options)
        return self._documents(reading, file, extra_info)

    def lazy_load_data(
        self, file: Source, extra_info: dict[str, Any] | None = None, **_: Any
    ) -> Iterable[Document]:
        return self.load_data(file, extra_info)

    async def aload_data(
        self, file: Source, extra_info: dict[str, Any] | None = None, **_: Any
    ) -> list[Document]:
        async with open_async_client(self._async_client) as client:
            reading = await client.read(file, **self._options)
        return self._documents(reading, file, extra_info)

    def _documents(self, reading: Reading, file: Source, more: dict[str, Any] | None) -> list[Document]:
        pages = read_pages(reading, file, skip_failed=self._skip_failed)
        return [Document(text=text, metadata={**metadata, **(more or {})}) for text, metadata in pages]
