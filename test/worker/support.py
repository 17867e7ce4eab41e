"""What the worker's tests share: documents made on the spot, and a stub of the edge's callback routes."""

import io
import json
import re
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from fovea.pages.documents import Raster
from fovea.result.page_result import Attempt, Block, PageResult

DIGEST = "sha256:" + "d" * 64


def picture(text: str = "", size: tuple[int, int] = (800, 600), height: int = 32) -> Image.Image:
    image = Image.new("RGB", size, "white")
    ImageDraw.Draw(image).text((60, 60), text, "black", font=ImageFont.load_default(height), spacing=14)
    return image


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def pdf(pages: int, size: tuple[float, float] = (595, 842), more: str = "") -> bytes:
    """A PDF whose pages hold a black square that moves with the number. Hand-written, valid."""
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Count {pages} /Kids [{' '.join(f'{3 + 2 * i} 0 R' for i in range(pages))}] >>",
    ]
    for i in range(pages):
        draw = f"{50 + 20 * i} 400 100 100 re f"
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {size[0]} {size[1]}] "
            f"/Contents {4 + 2 * i} 0 R {more} >>"
        )
        objects.append(stream(draw.encode()))
    return pdf_of(objects)


def stream(data: bytes, entries: str = "") -> bytes:
    """A stream of a PDF; `entries` of its dictionary go before the length."""
    return f"<< {entries} /Length {len(data)} >>\nstream\n".encode() + data + b"\nendstream"


def pdf_of(objects: list[str | bytes]) -> bytes:
    """A PDF of objects numbered from 1. The first one is the catalog; `b""` leaves a number without an object."""
    out = b"%PDF-1.4\n"
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        body = body.encode() if isinstance(body, str) else body
        if body:
            out += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    start = len(out)
    size_line = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
    trailer = f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n"
    return out + size_line.encode() + trailer.encode()


def until(condition: Callable[[], Any], limit_s: float = 90) -> Any:
    """What `condition` answers as soon as that is true. The limit is no measure: it ends a test that hangs."""
    end = time.monotonic() + limit_s
    while not (value := condition()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)
    return value


class EchoReader:
    """A reader that needs no weights: says how large the page is. `fail_on` raises, `wait` sleeps."""

    name = "echo"
    digest = DIGEST
    modes = ()

    def __init__(self, fail_on: int = 0, wait=lambda page: None):
        self.fail_on = fail_on
        self.wait = wait
        self.read_pages: list[int] = []

    def check(self, request) -> None:
        if request.task != "markdown":
            from fovea.readers.base import InvalidOptions

            raise InvalidOptions("echo has the task markdown.")

    def read(self, raster: Raster, request) -> PageResult:
        self.read_pages.append(raster.page)
        self.wait(raster.page)
        if raster.page == self.fail_on:
            raise RuntimeError("secret internal detail")
        width, height = raster.image.size
        return PageResult(
            page=raster.page,
            width=width,
            height=height,
            dpi=raster.dpi,
            model=self.name,
            model_digest=self.digest,
            blocks=[Block(1, "text", (0, 0, 1, 1), f"{width} × {height}")],
            markdown=f"{width} × {height}",
            attempts=[Attempt("native", None, "stop")],
        )


class EdgeStub:
    """Takes pushes and serves files on loopback. `answers`: statuses for a path, the last one kept.

    `files`: by path, with the query or without.
    """

    def __init__(self, files: dict[str, bytes] | None = None):
        self.pushes: list[tuple[str, dict | bytes]] = []
        self.asked: list[str] = []
        self.digests: list[str] = []
        """Those that images came with."""
        self.queries: list[str] = []
        self.traces: list[str | None] = []
        self.answers: dict[str, list[int]] = {}
        self.headers: dict[str, dict[str, str]] = {}
        stub, files = self, files or {}

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self):
                path, _, query = self.path.partition("?")
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers["content-type"] == "image/png":
                    stub.digests.append(self.headers["x-model-digest"])
                if self.headers["content-type"] == "application/json":
                    body = json.loads(body)
                stub.queries.append(query)
                stub.traces.append(self.headers["traceparent"])
                statuses = stub.answers.get(path.removeprefix("/shard"), [204])
                status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
                if status == 204:
                    stub.pushes.append((path.removeprefix("/shard"), body))
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                stub.pushes.append((self.path, body))
                stub.headers[self.path] = {name.lower(): value for name, value in self.headers.items()}
                self.send_response(204)
                self.end_headers()

            def do_GET(self):
                stub.asked.append(self.path)
                data = files.get(self.path, files.get(self.path.partition("?")[0]))
                self.send_response(stub.answers.get(self.path, [200 if data is not None else 404])[0])
                for name, value in stub.headers.get(self.path, {}).items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(data or b"")))
                self.end_headers()
                self.wfile.write(data or b"")

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.origin = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.push_url = f"{self.origin}/shard?signature=s"

    def pages(self) -> list[int]:
        return [body["page"] for path, body in self.pushes if re.fullmatch(r"/pages/\d+", path)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


def scrambled_weights(folder):
    """Replaces the matrices of a checkpoint by random ones of the same scale."""
    import torch
    from safetensors.torch import load_file, save_file

    generator = torch.Generator().manual_seed(1)
    for file in folder.glob("*.safetensors"):
        tensors = load_file(file)
        for name, tensor in tensors.items():
            if tensor.dim() > 1:
                noise = torch.randn(tensor.shape, generator=generator) * tensor.float().std()
                tensors[name] = noise.to(tensor.dtype)
        save_file(tensors, file)
