"""The encoder's own queue: views of many pages, batched by their size."""

from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field

import torch
from torch import Tensor

from fovea.engine.config import EngineConfig
from fovea.model import OcrModel


@dataclass(slots=True, eq=False)
class Page:
    """`whole` (3, H, W) and `tiles` (n, 3, T, T), `columns` in a row: as in `OcrModel.encode_page`."""

    whole: Tensor
    tiles: Tensor | None = None
    columns: int = 0
    deadline: float | None = None
    future: "Future[Tensor]" = field(default_factory=Future)
    left: int = 0
    tokens: list[Tensor | None] = field(default_factory=list)  # of each view, the whole first

    def views(self) -> list[Tensor]:
        return [self.whole, *(self.tiles if self.tiles is not None else ())]


class EncodeQueue:
    """First come, first served; views of the same size that wait further behind come along."""

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
        """Takes out the views that are encoded next: at least one, all of one size."""
        shape = self._views[0][2].shape
        most = max(1, self._pixels // (shape[-1] * shape[-2]))
        chosen, rest = [], deque()
        for view in self._views:
            (chosen if view[2].shape == shape and len(chosen) < most else rest).append(view)
        self._views = rest
        return chosen

    def encode(self, views: list[tuple[Page, int, Tensor]]) -> list[Page]:
        """Returns the pages that are complete now. A view that fails fails its page only."""
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
        for (page, number, _), some in zip(views, tokens, strict=True):
            page.tokens[number] = some
            page.left -= 1
            if not page.left and not page.future.done():
                done.append(page)
        return done

    def arranged(self, page: Page) -> Tensor:
        whole, *tiles = page.tokens
        return self._model.arrange(whole, torch.stack(tiles) if tiles else None, page.columns)
