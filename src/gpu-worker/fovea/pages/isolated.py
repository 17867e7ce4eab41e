"""Opens and renders each document in a separate process.

Documents are untrusted: a PDF of two kilobytes can keep PDFium busy for hours, and a broken one can crash it. The
process is killed if a page takes too long, and started again for the next page. Other documents are not affected. Its
environment contains no secrets.

Protocol over the process's pipes: first a JSON line and the document's bytes. Then each request is a JSON line, and
its answer is a JSON line, followed by the RGB pixels if it is a page.
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
from fovea.pages.text_layer import LayerWord
from fovea.parent import exit_with_parent

log = logging.getLogger(__name__)

OPEN_LIMIT_S = 60.0
RENDER_LIMIT_S = 60.0
MEMORY_BYTES = 4 << 30
INHERITED = ("PATH", "LD_LIBRARY_PATH", "LANG", "TMPDIR")


class _Ended(Exception):
    """The process crashed, or was killed at its time limit. The argument says whether it was the time limit."""


class IsolatedDocument(Document):
    """A `Document` in another process. Blocks. Raises `DocumentError` if the document cannot be opened."""

    def __init__(
        self,
        data: bytes,
        max_pixels: int,
        *,
        media_type: str = "",
        mode: str = "auto",
        open_limit_s: float = OPEN_LIMIT_S,
        render_limit_s: float = RENDER_LIMIT_S,
    ):
        self._data = data
        self._head = {
            "bytes": len(data),
            "max_pixels": max_pixels,
            "media_type": media_type,
            "mode": mode,
        }
        self._open_limit_s, self._render_limit_s = open_limit_s, render_limit_s
        # `_request` allows one request at a time. `_state` is separate, so that `close` does not wait for a request.
        self._request = threading.Lock()
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

    def raster(self, page: int, dpi: int, least_side: int = 0) -> Raster:
        with self._request:
            try:
                if self._process is None:
                    self._start()
                return self._render(page, dpi, least_side)
            except _Ended as end:
                self._kill()
                if end.args[0]:
                    limit = f"{self._render_limit_s:.0f} seconds"
                    raise PageError("page_timeout", f"The page was not rendered within {limit}.") from None
                raise PageError("page_unreadable", "The page cannot be rendered.") from None

    def characters(self, page: int) -> int | None:
        with self._request:
            try:
                if self._process is None:
                    self._start()
                return self._ask({"characters": page}, b"", self._render_limit_s)[0].get("characters")
            except _Ended:
                self._kill()
                return None

    def text_layer(self, page: int) -> tuple[LayerWord, ...]:
        with self._request:
            try:
                if self._process is None:
                    self._start()
                answer, _ = self._ask({"text_layer": page}, b"", self._render_limit_s)
                return tuple(LayerWord(*word) for word in answer.get("words", ()))
            except _Ended:
                self._kill()
                return ()

    def close(self) -> None:
        with self._state:
            self._closed = True
        self._kill()

    def _render(self, page: int, dpi: int, least_side: int) -> Raster:
        request = {"page": page, "dpi": dpi, "least_side": least_side}
        answer, pixels = self._ask(request, b"", self._render_limit_s)
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
        """Sends a request and returns the answer and its pixels. Raises `_Ended`."""
        process = self._process
        if process is None:
            raise _Ended(False)
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
            raise _Ended(timed_out.is_set()) from None
        finally:
            timer.cancel()
        if "detail" in answer:
            log.warning("unexpected error in a document: %s", answer["detail"])
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


# -- in the other process ------------------------------------------------------------------------------


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
            _send(answers, {**answer, "source": raster.source, "missing": raster.missing}, pixels)


def _main() -> None:
    exit_with_parent()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    # Redirect stdout to stderr, so that output of libraries does not mix with the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    _main()
