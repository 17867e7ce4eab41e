"""Opens and renders each document in a separate process.

Documents are untrusted: a PDF of two kilobytes can keep PDFium busy for hours, and a broken one can crash it. The
process is killed if a page takes too long, and started again for the next page. If it ends by itself, the request is
tried once more in a new process, because the reason need not be the page: the kernel kills processes when memory is
short. Other documents are not affected. Its environment contains no secrets.

Protocol over the process's pipes: first a JSON line and the document's bytes. Then each request is a JSON line, and
its answer is a JSON line, followed by the RGB pixels if it is a page.
"""

import contextlib
import json
import logging
import os
import resource
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from PIL import Image

from fovea.errors import DocumentError, FoveaError, PageError
from fovea.pages.documents import Document, Raster, open_document
from fovea.pages.links import FoundLink
from fovea.pages.text_layer import LayerWord
from fovea.parent import exit_with_parent
from fovea.result.page_result import Block, TableCell

log = logging.getLogger(__name__)
T = TypeVar("T")

OPEN_LIMIT_S = 60.0
RENDER_LIMIT_S = 60.0
END_LIMIT_S = 5.0
"""Time in which a process that no longer answers ends, before it is killed."""
MEMORY_BYTES = 4 << 30
INHERITED = ("PATH", "LD_LIBRARY_PATH", "LANG", "TMPDIR")


class _Ended(Exception):
    """The process has ended."""


class _TimedOut(_Ended):
    """It was killed at its time limit."""


class _Closed(_Ended):
    """The document was closed."""


class _Killed(_Ended):
    """Someone else killed it: the kernel, because memory was short, or an operator."""


class IsolatedDocument(Document):
    """A `Document` in another process. `close` ends the process at any time, even while another thread waits for it."""

    def __init__(
        self,
        data: bytes,
        max_pixels: int,
        *,
        media_type: str = "",
        mode: str = "auto",
        password: str | None = None,
        open_limit_s: float = OPEN_LIMIT_S,
        render_limit_s: float = RENDER_LIMIT_S,
    ):
        """Starts nothing: `open` does."""
        self._data = data
        self._head = {
            "bytes": len(data),
            "max_pixels": max_pixels,
            "media_type": media_type,
            "mode": mode,
            "password": password,
        }
        self._open_limit_s, self._render_limit_s = open_limit_s, render_limit_s
        # `_request` allows one request at a time. `_state` is separate, so that `close` does not wait for a request.
        self._request = threading.Lock()
        self._state = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._reaper: weakref.finalize | None = None
        self._closed = False

    def open(self) -> "IsolatedDocument":
        """Blocks until the document is open. Raises `DocumentError`."""
        with self._request:
            try:
                opened = self._twice(self._start)
            except _TimedOut:
                limit = f"{self._open_limit_s:.0f} seconds"
                raise DocumentError(
                    "document_broken", f"The document was not opened within {limit}."
                ) from None
            except _Killed:
                message = "The process that opens the document was killed twice."
                raise DocumentError("process_killed", message) from None
            except _Ended:
                raise DocumentError("document_broken", "The document cannot be opened.") from None
        if "code" in opened:
            self.close()
            raise DocumentError(opened["code"], opened["message"])
        self.media_type: str = opened["media_type"]
        self.page_count: int = opened["page_count"]
        return self

    def raster(self, page: int, dpi: int, least_side: int = 0) -> Raster:
        with self._request:
            try:
                return self._twice(lambda: self._render(page, dpi, least_side))
            except _TimedOut:
                limit = f"{self._render_limit_s:.0f} seconds"
                raise PageError("page_timeout", f"The page was not rendered within {limit}.") from None
            except _Killed:
                message = "The process that renders the page was killed twice."
                raise PageError("process_killed", message) from None
            except _Ended:
                raise PageError("page_unreadable", "The page cannot be rendered.") from None

    def characters(self, page: int) -> int | None:
        with self._request:
            try:
                return self._twice(lambda: self._characters(page))
            except _Ended:
                return None

    def text_layer(self, page: int) -> tuple[LayerWord, ...]:
        with self._request:
            try:
                return self._twice(lambda: self._text_layer(page))
            except _Ended:
                return ()

    def content(self, page: int) -> tuple[Block, ...] | None:
        with self._request:
            try:
                return self._twice(lambda: self._content(page))
            except _Ended:
                raise PageError("page_unreadable", "The page cannot be read.") from None

    def close(self) -> None:
        with self._state:
            self._closed = True
        self._kill()

    def _twice(self, request: Callable[[], T]) -> T:
        """The answer of `request`, in a second process if the first one ends by itself. Raises `_Ended`."""
        try:
            return request()
        except (_TimedOut, _Closed):
            raise
        except _Ended as end:
            log.warning("the process of a document has ended: %r", end)
            return request()

    def _characters(self, page: int) -> int | None:
        return self._ask({"characters": page}, b"", self._render_limit_s)[0].get("characters")

    def _text_layer(self, page: int) -> tuple[LayerWord, ...]:
        answer, _ = self._ask({"text_layer": page}, b"", self._render_limit_s)
        return tuple(LayerWord(*word) for word in answer.get("words", ()))

    def _content(self, page: int) -> tuple[Block, ...] | None:
        return _blocks(self._ask({"content": page}, b"", self._render_limit_s)[0].get("blocks"))

    def _render(self, page: int, dpi: int, least_side: int) -> Raster:
        request = {"page": page, "dpi": dpi, "least_side": least_side}
        answer, pixels = self._ask(request, b"", self._render_limit_s)
        if "code" in answer:
            raise PageError(answer["code"], answer["message"])
        image = Image.frombytes("RGB", (answer["width"], answer["height"]), pixels)
        return Raster(
            page,
            image,
            answer["dpi"],
            source=answer["source"],
            missing=answer["missing"],
            damage=tuple(answer["damage"]),
            stretches=_blocks(answer["stretches"]),
            links=tuple(map(FoundLink.from_json, answer["links"])),
            notes=tuple(answer["notes"]),
        )

    def _start(self) -> dict[str, Any]:
        with self._state:
            if self._closed:
                raise _Closed
            self._process = subprocess.Popen(
                [sys.executable, "-m", "fovea.pages.isolated"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                # Signals to the worker's group, such as those of a restart, must not look like a kill of this process.
                process_group=0,
                env={
                    "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
                    **{name: os.environ[name] for name in INHERITED if name in os.environ},
                },
            )
            # Ends the process of a document that is forgotten without being closed.
            self._reaper = weakref.finalize(self, _end, self._process)
        return self._exchange(self._head, self._data, self._open_limit_s)[0]

    def _ask(self, request: dict[str, Any], data: bytes, limit_s: float) -> tuple[dict[str, Any], bytes]:
        """Sends a request, to a new process if there is none. Returns the answer and its pixels. Raises `_Ended`."""
        if self._process is None:
            self._start()
        return self._exchange(request, data, limit_s)

    def _exchange(self, request: dict[str, Any], data: bytes, limit_s: float) -> tuple[dict[str, Any], bytes]:
        process = self._process
        if process is None:
            raise _Closed
        timed_out = threading.Event()

        def stop() -> None:
            timed_out.set()
            process.kill()

        timer = threading.Timer(limit_s, stop)
        timer.daemon = True
        timer.start()
        try:
            _send(process.stdin, request, data)
            answer = json.loads(process.stdout.readline())
            size = answer.get("bytes", 0)
            pixels = process.stdout.read(size)
            if len(pixels) != size:
                raise EOFError
        except (OSError, ValueError, EOFError):
            timer.cancel()
            raise self._ended(process, timed_out.is_set()) from None
        finally:
            timer.cancel()
        if "detail" in answer:
            log.warning("unexpected error in a document: %s", answer["detail"])
        return answer, pixels

    def _ended(self, process: subprocess.Popen[bytes], timed_out: bool) -> _Ended:
        """Why the process does not answer."""
        status = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            status = process.wait(END_LIMIT_S)
        self._kill()
        if self._closed:
            return _Closed()
        if timed_out:
            return _TimedOut()
        killed = status in (-signal.SIGKILL, -signal.SIGTERM)
        return (_Killed if killed else _Ended)(status)

    def _kill(self) -> None:
        with self._state:
            process, self._process = self._process, None
            reaper, self._reaper = self._reaper, None
        if reaper:
            reaper()
        if process:
            process.wait()


def _blocks(bodies: list[dict[str, Any]] | None) -> tuple[Block, ...] | None:
    return None if bodies is None else tuple(map(_block, bodies))


def _block(body: dict[str, Any]) -> Block:
    cells = body.pop("cells", None)
    return Block(
        **{**body, "bbox": tuple(body["bbox"])},
        cells=None if cells is None else [TableCell(**cell) for cell in cells],
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError, ValueError):
            pipe.close()


def _send(pipe: BinaryIO, head: dict[str, Any], data: bytes = b"") -> None:
    pipe.write(json.dumps(head).encode() + b"\n")
    pipe.write(data)
    pipe.flush()


# -- in the other process ------------------------------------------------------------------------------


def _serve(requests: BinaryIO, answers: BinaryIO) -> None:
    head = json.loads(requests.readline())
    data = requests.read(head["bytes"])
    try:
        document = open_document(data, head["max_pixels"], head["media_type"], head["mode"], head["password"])
    except FoveaError as error:
        _send(answers, error.to_json())
        return
    _send(answers, {"media_type": document.media_type, "page_count": document.page_count})
    for line in requests:
        request = json.loads(line)
        try:
            if "characters" in request:
                _send(answers, {"characters": document.characters(request["characters"])})
                continue
            if "content" in request:
                _send(answers, {"blocks": _bodies(document.content(request["content"]))})
                continue
            if "text_layer" in request:
                words = document.text_layer(request["text_layer"])
                _send(answers, {"words": [word.to_json() for word in words]})
                continue
            raster = document.raster(request["page"], request["dpi"], request["least_side"])
        except FoveaError as error:
            _send(answers, error.to_json())
        except Exception as error:
            known = PageError("page_unreadable", "The page cannot be rendered.").to_json()
            _send(answers, {**known, "detail": repr(error)[:500]})
        else:
            pixels = raster.image.tobytes()
            width, height = raster.image.size
            answer = {"width": width, "height": height, "dpi": raster.dpi, "bytes": len(pixels)}
            answer |= {"source": raster.source, "missing": raster.missing, "damage": raster.damage}
            answer["stretches"] = _bodies(raster.stretches)
            answer |= {"links": [link.to_json() for link in raster.links], "notes": raster.notes}
            _send(answers, answer, pixels)


def _bodies(blocks: tuple[Block, ...] | None) -> list[dict[str, Any]] | None:
    return None if blocks is None else [block.to_json() for block in blocks]


REFUSED = (
    "socket.",
    "subprocess.",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "ftplib.",
    "urllib.",
)
"""Audit events: https://docs.python.org/3/library/audit_events.html."""


def _refuse(event: str, _arguments: tuple[Any, ...]) -> None:
    """A document never needs the network or another program."""
    if event.startswith(REFUSED):
        raise PermissionError(event)


def _main() -> None:
    exit_with_parent()
    sys.addaudithook(_refuse)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    # Redirect stdout to stderr, so that output of libraries does not mix with the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    _main()
