"""Where a document comes from: bytes to upload, an uploaded file, or a URL that the service fetches."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from io import BytesIO, TextIOBase
from pathlib import Path
from typing import IO, BinaryIO

from pydantic_core import to_json

Source = str | os.PathLike[str] | bytes | BinaryIO
"""
- a path, as a `str` or `Path`
- `https:` and `data:` URLs as a `str`: the service fetches them
- the id of an uploaded file, `file_…`
- `bytes`, or a file opened for reading in binary, which is read from its present position
"""

CHUNK = 256 * 1024
IN_MEMORY = 8 * 1024 * 1024
"""Size from which a copy of bytes that cannot be read twice is kept in a temporary file."""
TEXTS = {
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".txt": "text/plain",
    ".csv": "text/csv",
    ".htm": "text/html",
    ".html": "text/html",
}
"""Files without a signature: the service believes what is declared. It detects all other formats by content."""


@dataclass(frozen=True)
class Body:
    """Bytes that can be sent again, and in parts, without being held in memory."""

    open: Callable[[], AbstractContextManager[IO[bytes]]]
    first: int
    """Position of the first byte in the opened file."""
    length: int
    name: str | None = None
    media_type: str = "application/octet-stream"
    copy: IO[bytes] | None = None
    """The file to close when the body is not needed any more."""

    def __enter__(self) -> Body:
        return self

    def __exit__(self, *_: object) -> None:
        if self.copy is not None:
            self.copy.close()

    def chunks(self) -> Iterator[bytes]:
        left = self.length
        with self.open() as reader:
            reader.seek(self.first)
            while left > 0 and (chunk := reader.read(min(CHUNK, left))):
                left -= len(chunk)
                yield chunk

    def part(self, first: int, length: int) -> Body:
        return Body(self.open, self.first + first, length)

    def sha256(self) -> str:
        digest = hashlib.sha256()
        for chunk in self.chunks():
            digest.update(chunk)
        return digest.hexdigest()


def reference(source: Source) -> dict[str, str] | None:
    """How a request names the document, if it has nothing to upload: `file` or `url`."""
    if not isinstance(source, str):
        return None
    if re.fullmatch(r"file_[0-9a-z]{24}", source):
        return {"file": source}
    return {"url": source} if re.match(r"(https?|data):", source, re.IGNORECASE) else None


def body_of(source: Source, media_type: str | None = None) -> Body:
    """
    Raises:
        OSError: there is no readable file at the path.
        TypeError: the source is none that can be uploaded.
    """
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        # A folder or a missing file fails here, before any request.
        with path.open("rb") as file:
            length = os.fstat(file.fileno()).st_size
        kind = media_type or TEXTS.get(path.suffix.lower(), "application/octet-stream")
        return Body(lambda: path.open("rb"), 0, length, path.name, kind)
    kind = media_type or "application/octet-stream"
    if isinstance(source, bytes | bytearray | memoryview):
        data = bytes(source)
        return Body(lambda: BytesIO(data), 0, len(data), None, kind)
    if not hasattr(source, "read") or isinstance(source, TextIOBase):
        kinds = "a path, a URL, bytes or a file that is open in binary"
        raise TypeError(f"A document is {kinds}, not {type(source).__name__}.")
    name = getattr(source, "name", None)
    return _body_of_file(source, Path(name).name if isinstance(name, str) else None, kind)


def _body_of_file(file: IO[bytes], name: str | None, media_type: str) -> Body:
    if not file.seekable():
        copy = _temporary()
        shutil.copyfileobj(file, copy)
        return _body_of_copy(copy, name, media_type)
    first = file.tell()
    length = file.seek(0, os.SEEK_END) - first
    return Body(lambda: nullcontext(file), first, length, name, media_type)


def _body_of_copy(copy: IO[bytes], name: str | None, media_type: str) -> Body:
    return Body(lambda: nullcontext(copy), 0, copy.tell(), name, media_type, copy)


def manifest_of(manifest: Source | Iterable[Mapping[str, object]]) -> Body:
    """The lines of a batch, or a JSONL file of them, as a body."""
    if isinstance(manifest, str | os.PathLike | bytes) or hasattr(manifest, "read"):
        return body_of(manifest, "application/jsonl")  # type: ignore[arg-type]
    lines = _temporary()
    for line in manifest:
        lines.write(to_json(line) + b"\n")
    return _body_of_copy(lines, None, "application/jsonl")


def _temporary() -> IO[bytes]:
    return tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)
