"""Documents are opened and drawn in a process of their own, one for each document.

Documents are hostile: a PDF of two kilobytes can keep PDFium busy for hours, and a broken one can crash it.
Neither can be stopped from within. A process can: it is killed when a page takes too long, and started again
for the next one, while other documents are drawn beside it. It has no secrets in its environment.

Over its pipes: a JSON line and the document's bytes in; then for each request a JSON line, answered by a
JSON line and, for a page, by its RGB pixels.
"""

import contextlib
import json
import logging
import os
import resource
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image

from fovea.errors import DocumentError, FoveaError, PageError
from fovea.pages.documents import Document, Raster, open_document
from fovea.parent import exit_with_parent

log = logging.getLogger(__name__)

OPEN_LIMIT_S = 60.0
DRAW_LIMIT_S = 60.0
MEMORY_BYTES = 4 << 30
INHERITED = ("PATH", "LD_LIBRARY_PATH", "LANG", "TMPDIR")


class _Ended(Exception):
    """The process is gone: it crashed, or its time was up."""


class IsolatedDocument(Document):
    """A `Document` that is elsewhere. Blocks like one; raises `DocumentError` when it cannot be opened."""

    def __init__(
        self,
        data: bytes,
        max_pixels: int,
        *,
        media_type: str = "",
        mode: str = "auto",
        open_limit_s: float = OPEN_LIMIT_S,
        draw_limit_s: float = DRAW_LIMIT_S,
    ):
        self._data = data
        self._head = {
            "bytes": len(data),
            "max_pixels": max_pixels,
            "media_type": media_type,
            "mode": mode,
        }
        self._open_limit_s, self._draw_limit_s = open_limit_s, draw_limit_s
        # One conversation with the process at a time; `close` does not wait for its end.
        self._talk = threading.Lock()
        self._state = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False
        try:
            opened = self._start()
        except _Ended:
            raise DocumentError("document_broken", "The document cannot be opened.") from None
        if "code" in opened:
            self.close()
            raise DocumentError(opened["code"], opened["message"])
        self.media_type: str = opened["media_type"]
        self.page_count: int = opened["page_count"]

    def raster(self, page: int, dpi: int) -> Raster:
        with self._talk:
            try:
                if self._process is None:
                    self._start()
                return self._draw(page, dpi)
            except _Ended as end:
                self._kill()
                if end.args[0]:
                    limit = f"{self._draw_limit_s:.0f} seconds"
                    raise PageError("page_timeout", f"The page was not drawn within {limit}.") from None
                raise PageError("page_unreadable", "The page cannot be drawn.") from None

    def characters(self, page: int) -> int | None:
        with self._talk:
            try:
                if self._process is None:
                    self._start()
                return self._ask({"characters": page}, b"", self._draw_limit_s)[0].get("characters")
            except _Ended:
                self._kill()
                return None

    def close(self) -> None:
        with self._state:
            self._closed = True
        self._kill()

    def _draw(self, page: int, dpi: int) -> Raster:
        answer, pixels = self._ask({"page": page, "dpi": dpi}, b"", self._draw_limit_s)
        if "code" in answer:
            raise PageError(answer["code"], answer["message"])
        image = Image.frombytes("RGB", (answer["width"], answer["height"]), pixels)
        return Raster(page, image, answer["dpi"], source=answer["source"], missing=answer["missing"])

    def _start(self) -> dict[str, Any]:
        with self._state:
            if self._closed:
                raise _Ended(False)
            self._process = subprocess.Popen(
                [sys.executable, "-m", "fovea.pages.isolated"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={
                    "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
                    **{name: os.environ[name] for name in INHERITED if name in os.environ},
                },
            )
        try:
            return self._ask(self._head, self._data, self._open_limit_s)[0]
        except _Ended:
            self._kill()
            raise

    def _ask(self, request: dict[str, Any], data: bytes, limit_s: float) -> tuple[dict[str, Any], bytes]:
        """The answer and the pixels after it. Raises `_Ended(whether time was up)`."""
        process = self._process
        if process is None:
            raise _Ended(False)
        late = threading.Event()

        def stop() -> None:
            late.set()
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
            raise _Ended(late.is_set()) from None
        finally:
            timer.cancel()
        if "detail" in answer:
            log.warning("an unforeseen fault of a document: %s", answer["detail"])
        return answer, pixels

    def _kill(self) -> None:
        with self._state:
            process, self._process = self._process, None
        if process:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):
                    pipe.close()


def _send(pipe: BinaryIO, head: dict[str, Any], data: bytes = b"") -> None:
    pipe.write(json.dumps(head).encode() + b"\n")
    pipe.write(data)
    pipe.flush()


# -- the process itself --------------------------------------------------------------------------------


def _serve(requests: BinaryIO, answers: BinaryIO) -> None:
    head = json.loads(requests.readline())
    data = requests.read(head["bytes"])
    try:
        document = open_document(data, head["max_pixels"], head["media_type"], head["mode"])
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
            raster = document.raster(request["page"], request["dpi"])
        except FoveaError as error:
            _send(answers, error.to_json())
        except Exception as error:
            fault = PageError("page_unreadable", "The page cannot be drawn.").to_json()
            _send(answers, {**fault, "detail": repr(error)[:500]})
        else:
            pixels = raster.image.tobytes()
            width, height = raster.image.size
            answer = {"width": width, "height": height, "dpi": raster.dpi, "bytes": len(pixels)}
            _send(answers, {**answer, "source": raster.source, "missing": raster.missing}, pixels)


def _main() -> None:
    exit_with_parent()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    # What a library prints must not get between the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    _main()
