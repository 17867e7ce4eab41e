"""The interface of an engine: pages in, vision tokens and answers out. Readers do not know which engine they use.

    encode(image, mode) ──▶ VisionTokens ──▶ decode(tokens, ids) ──▶ Handle ──▶ Generation

`native` (`fovea.engine.native`) is the readable one, for CPUs. `vllm` (`fovea.engine.vllm_engine`) is the one for GPUs:
Fovea encodes, vLLM decodes.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from PIL import Image
from torch import Tensor

from fovea.engine.metrics import Metrics
from fovea.engine.vision_tokens import VisionTokens
from fovea.model.pixels import to_pixels
from fovea.vision.modes import DEEPSEEK_OCR, Layout
from fovea.vision.views import make_views

OnTokens = Callable[[list[int], list[float]], None]
"""Receives the new tokens of an answer and their log-probabilities. Runs in the engine's thread, so it must be quick.
Tokens that a loop's cut removes from the result have been reported, too."""


@dataclass(frozen=True, slots=True)
class Handle:
    """A pending result. `result` blocks; it raises `Canceled`, `Busy`, or the error that ended the request."""

    future: "Future[Any]"
    _cancel: Callable[[], None]

    def result(self, timeout: float | None = None) -> Any:
        return self.future.result(timeout)

    def done(self) -> bool:
        return self.future.done()

    def cancel(self) -> None:
        """Cancels the request before the next step. Has no effect if it is done."""
        self._cancel()


class Sizes(Protocol):
    @property
    def max_new(self) -> int:
        """Longest answer in tokens."""
        ...


class Engine(ABC):
    """Calls return at once, except `encode`, which blocks. All methods are thread-safe."""

    name: str
    """As in `FOVEA_ENGINE`."""
    config: Sizes
    metrics: Metrics
    context: int
    """Most positions of a prompt and its answer together: the model's context, or the cache if it is smaller."""
    width: int
    """Size of an embedding."""
    device: torch.device
    """Where views are encoded."""
    layout: Layout = DEEPSEEK_OCR
    """How pages are cut into views."""

    @abstractmethod
    def submit(
        self,
        prompt: Tensor,
        *,
        max_new: int,
        owner: str = "",
        deadline: float | None = None,
        prefix: tuple[Hashable, int] | None = None,
        ngram: tuple[int, int] | None = None,
        on_tokens: OnTokens | None = None,
    ) -> Handle:
        """Starts generating from `prompt` (T, C), the embeddings of text and vision tokens.

        `owner`: owners are served in turn. `deadline`: an instant of the engine's clock at which the answer ends as it
        is. `prefix` (name, length): prompts with the same name have equal first positions, so the engine can share
        them. `ngram` (n, window) replaces the n-gram guard of the rules. `on_tokens` gets the tokens of every step.
        The result is a `Generation`. Raises `ValueError` if the request can never fit.
        """

    def check_size(self, prompt: Tensor, max_new: int) -> None:
        """Raises `ValueError` if a request can never fit."""
        if prompt.dim() != 2 or prompt.shape[1] != self.width or not len(prompt):
            raise ValueError(f"a prompt has the shape (positions, {self.width}), not {tuple(prompt.shape)}")
        if max_new < 1:
            raise ValueError("the prompt leaves no room for an answer")
        if max_new > self.config.max_new:
            raise ValueError(f"answers are limited to {self.config.max_new} tokens")
        if len(prompt) + max_new > self.context:
            raise ValueError(
                f"{len(prompt)} positions and {max_new} tokens do not fit into the context or the cache"
            )

    @abstractmethod
    def embed(self, ids: list[int]) -> Tensor:
        """Embeddings (len(ids), C)."""

    @abstractmethod
    def encode_views(
        self, whole: Tensor, tiles: Tensor | None = None, columns: int = 0, deadline: float | None = None
    ) -> Handle:
        """Starts encoding a page. Arguments and result are those of `OcrModel.encode_page`."""

    @abstractmethod
    def close(self) -> None:
        """Ends the engine's threads. Pending requests end with `Canceled`."""

    def encode(
        self,
        image: Image.Image,
        mode: str,
        deadline: float | None = None,
        on_submit: Callable[[Handle], None] = lambda handle: None,
    ) -> VisionTokens:
        """The vision tokens of an RGB image in a mode of `layout`. Blocks, and raises what `Handle.result` raises.

        `on_submit` gets the handle, with which another thread can cancel the request.
        """
        views = make_views(image, mode, self.layout)
        tiles = to_pixels(views.tiles) if views.tiles else None
        handle = self.encode_views(to_pixels([views.whole])[0], tiles, views.columns, deadline)
        on_submit(handle)
        # A page that is too thin to fill a token still counts as one.
        return VisionTokens(
            handle.result(), views.patches, max(views.valid, 1), views.tiling, self.layout.max_tiles
        )

    def decode(
        self,
        vision_tokens: VisionTokens,
        ids: list[int],
        image_token: int,
        *,
        max_new: int,
        owner: str = "",
        deadline: float | None = None,
        ngram: tuple[int, int] | None = None,
        on_tokens: OnTokens | None = None,
    ) -> Handle:
        """Starts answering a prompt about a page. `ids` must have one `image_token` for each position of the page.

        Prompts about the same page share a prefix: everything up to the last vision token. The other arguments are
        those of `submit`.
        """
        places = [place for place, token in enumerate(ids) if token == image_token]
        if len(places) != vision_tokens.positions:
            raise ValueError(
                f"the prompt has {len(places)} image tokens for {vision_tokens.positions} vision tokens"
            )
        prompt = self.embed(ids).clone()
        prompt[places] = vision_tokens.embeddings.to(prompt.device, prompt.dtype)
        prefix = ((vision_tokens.key, tuple(ids[: places[0]])), places[-1] + 1)
        max_new = min(max_new, self.context - len(ids), self.config.max_new)
        return self.submit(
            prompt,
            max_new=max_new,
            owner=owner,
            deadline=deadline,
            prefix=prefix,
            ngram=ngram,
            on_tokens=on_tokens,
        )
