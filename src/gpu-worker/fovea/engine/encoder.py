"""The encoder's queue: batches the views of many pages by size."""

from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field

import torch
from torch import Tensor

from fovea.engine.config import EngineConfig
from fovea.model import OcrModel


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


class EncodeQueue:
    """First come, first served. Views of the same size further back in the queue join the batch."""

    def __init__(self, model: OcrModel, config: EngineConfig):
        self._model, self._pixels = model, config.encode_pixels
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
            tokens = self._model.encode_grids(torch.stack([view for _, _, view in views]))
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
