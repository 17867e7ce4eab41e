"""The encoder as a stage of its own: batches the views of many pages by size.

The native engine gives it turns in its own thread. Beside vLLM it has its own thread (`EncoderThread`) and, on a GPU,
its own stream, so pages are encoded while others are decoded.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

import torch
from torch import Tensor

from fovea.engine.metrics import Metrics
from fovea.engine.sequence import Busy, Canceled
from fovea.model import OcrModel

log = logging.getLogger(__name__)

BATCHES = (16, 4, 1)
"""Numbers of views for which the encoder is compiled. Other batches are split into these."""


@dataclass(slots=True, eq=False)
class Page:
    """A page to encode: `whole` (3, H, W), `tiles` (n, 3, T, T) and `columns`, as in `OcrModel.encode_page`."""

    whole: Tensor
    tiles: Tensor | None = None
    columns: int = 0
    deadline: float | None = None
    future: "Future[Tensor]" = field(default_factory=Future)
    left: int = 0  # views that are not encoded yet
    tokens: list[Tensor | None] = field(default_factory=list)  # of each view; the whole view is first

    def views(self) -> list[Tensor]:
        return [self.whole, *(self.tiles if self.tiles is not None else ())]


class ViewEncoder:
    """Views of one size (B, 3, H, W) -> grids of tokens (B, H/64, W/64, C).

    With `compiler` (on a GPU: `torch.compile`) it is compiled for each size and the numbers of views in `BATCHES`, when
    they occur; the first batch of each size runs uncompiled. If compiling fails, a warning is logged and the encoder
    runs uncompiled from then on.
    """

    def __init__(self, model: OcrModel, compiler: Callable[[Callable], Callable] | None = None):
        self._model = model
        self._compiled = compiler(self._plain) if compiler else None
        self._seen: set[tuple[int, ...]] = set()  # sizes of views that were encoded uncompiled

    def __call__(self, pixels: Tensor) -> Tensor:
        if self._compiled is None or pixels.shape[1:] not in self._seen:
            grids = self._plain(
                pixels
            )  # raises for views that are not valid; resizes the tables of positions
            self._seen.add(pixels.shape[1:])
            return grids
        try:
            return torch.cat([self._compiled(part) for part in pixels.split(_parts(len(pixels)))])
        except torch.OutOfMemoryError:
            raise
        except Exception as error:
            log.warning("the encoder cannot be compiled and runs uncompiled: %s", error)
            self._compiled = None
            return self._plain(pixels)

    def _plain(self, pixels: Tensor) -> Tensor:
        return self._model.encode_grids(pixels)


def _parts(count: int) -> list[int]:
    """`count` as a sum of `BATCHES`."""
    parts = []
    for size in BATCHES:
        parts += [size] * (count // size)
        count %= size
    return parts


def compile_for_gpu(encode: Callable) -> Callable:
    """`torch.compile` with a graph for each size of a batch."""
    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, 64)
    return torch.compile(encode, dynamic=False)


class EncodeQueue:
    """First come, first served. Views of the same size further back in the queue join the batch."""

    def __init__(self, model: OcrModel, pixels: int, encoder: ViewEncoder | None = None):
        """`pixels`: most pixels in a batch (at least one view)."""
        self._model, self._pixels = model, pixels
        self._encoder = encoder or ViewEncoder(model)
        self._views: deque[tuple[Page, int, Tensor]] = deque()

    def __len__(self) -> int:
        return len(self._views)

    def add(self, page: Page) -> None:
        views = page.views()
        page.left, page.tokens = len(views), [None] * len(views)
        self._views.extend((page, number, view) for number, view in enumerate(views))

    def drop(self, page: Page) -> None:
        self._views = deque(view for view in self._views if view[0] is not page)

    def pages(self) -> list[Page]:
        return list(dict.fromkeys(page for page, _, _ in self._views))

    def batch(self) -> list[tuple[Page, int, Tensor]]:
        """Removes and returns the next views to encode: at least one, all of the same size."""
        shape = self._views[0][2].shape
        most = max(1, self._pixels // (shape[-1] * shape[-2]))
        chosen, rest = [], deque()
        for view in self._views:
            (chosen if view[2].shape == shape and len(chosen) < most else rest).append(view)
        self._views = rest
        return chosen

    def encode(self, views: list[tuple[Page, int, Tensor]]) -> list[Page]:
        """Encodes views and returns the pages that are now complete. If a view fails, only its page fails."""
        try:
            tokens = self._encoder(torch.stack([view for _, _, view in views]).to(self._model.device))
        except Exception as error:
            if len(views) > 1:
                return [page for view in views for page in self.encode([view])]
            page = views[0][0]
            self.drop(page)
            if not page.future.done():
                page.future.set_exception(error)
            return []
        done = []
        for (page, number, _), view_tokens in zip(views, tokens, strict=True):
            page.tokens[number] = view_tokens
            page.left -= 1
            if not page.left and not page.future.done():
                done.append(page)
        return done

    def arrange(self, page: Page) -> Tensor:
        """The vision tokens of a complete page (positions, C)."""
        whole, *tiles = page.tokens
        return self._model.arrange(whole, torch.stack(tiles) if tiles else None, page.columns)

    def expire(self, now: float) -> None:
        """Ends the pages whose deadline has passed."""
        for page in self.pages():
            if page.deadline is not None and page.deadline < now:
                self.drop(page)
                page.future.set_exception(Busy("the encoder was busy with other pages until the deadline"))


class EncoderThread:
    """An encoder with its own thread. Results are on the host, so no stream has to wait for another."""

    def __init__(
        self, model: OcrModel, pixels: int, metrics: Metrics, clock: Callable[[], float] = time.monotonic
    ):
        """`pixels`: most pixels in a batch. `clock` tells when deadlines have passed."""
        self._metrics, self._clock = metrics, clock
        self._gpu = model.device.type == "cuda"
        self._queue = EncodeQueue(model, pixels, ViewEncoder(model, compile_for_gpu if self._gpu else None))
        self._inbox: deque[tuple[str, Page]] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="encoder", daemon=True)
        self._thread.start()

    def add(self, page: Page) -> None:
        self._post("page", page)

    def cancel(self, page: Page) -> None:
        """Cancels a page before the next batch. Has no effect if it is done."""
        self._post("cancel", page)

    def close(self) -> None:
        """Ends the thread after the batch in progress. Pages that wait end with `Canceled`."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()

    def _post(self, kind: str, page: Page) -> None:
        with self._wake:
            if self._closing:
                raise RuntimeError("the engine is closed")
            self._inbox.append((kind, page))
            self._wake.notify()

    def _run(self) -> None:
        stream = torch.cuda.Stream() if self._gpu else None
        with torch.inference_mode(), torch.cuda.stream(stream):
            while self._receive():
                self._queue.expire(self._clock())
                if len(self._queue):
                    self._encode()
        for page in self._queue.pages():
            page.future.set_exception(Canceled("the engine was closed"))

    def _receive(self) -> bool:
        """Waits until there is work, and receives new requests. Returns False if the engine is closed."""
        with self._wake:
            while not (self._inbox or self._closing or len(self._queue)):
                self._wake.wait()
            inbox, self._inbox = self._inbox, deque()
        for kind, page in inbox:
            if page.future.done():
                continue
            if kind == "page":
                self._queue.add(page)
            else:
                self._queue.drop(page)
                page.future.set_exception(Canceled("canceled"))
        self._metrics.gauge("views_waiting", len(self._queue))
        return not self._closing

    def _encode(self) -> None:
        started = time.perf_counter()
        views = self._queue.batch()
        for page in self._queue.encode(views):
            try:
                page.future.set_result(self._queue.arrange(page).cpu())
            except Exception as error:
                page.future.set_exception(error)
        self._metrics.add("encode_seconds", time.perf_counter() - started)
        self._metrics.add("views", len(views))
