"""`fovea-nano`'s model: reads strips as text. The engine batches all strips that are submitted at the same time."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fovea.cancellation import Cancellation
from fovea.engine import EngineConfig, NativeEngine
from fovea.engine.answer import Generation
from fovea.engine.generate import Rules
from fovea.language.tasks import prompt_for
from fovea.language.tokenizer import Tokenizer
from fovea.model import OcrModel
from fovea.nano import places

CELL = 64
"""Side of a vision token in pixels."""


@dataclass(frozen=True, slots=True)
class StripAnswers:
    """One answer and the vision tokens of each strip, and the time of each phase in seconds."""

    answers: list[Generation]
    vision_tokens: list[Tensor]
    encode_s: float = 0.0
    prefill_s: float = 0.0
    decode_s: float = 0.0


class StripModel:
    def __init__(
        self,
        model: OcrModel,
        tokenizer: Tokenizer,
        config: EngineConfig | None = None,
    ):
        """Owns `model` from now on, like `NativeEngine`. Call `close` at the end."""
        rules = Rules.of(tokenizer, model.config.decoder.vocab)
        rules.allowed[places.FIRST : places.FIRST + places.COUNT] = True
        self._tokenizer = tokenizer
        self.engine = NativeEngine(model, rules, config)

    def encode(
        self, pixels: Tensor, deadline: float | None = None, cancellation: Cancellation | None = None
    ) -> list[Tensor]:
        """The vision tokens of strips (B, 3, H, W). Blocks. Raises like `read`."""
        handles = [
            self.engine.encode_views(view, deadline=deadline) for view in pixels.to(self.engine.device)
        ]
        if cancellation:
            cancellation.on_cancel(lambda: [handle.cancel() for handle in handles])
        return [handle.result() for handle in handles]

    def read(
        self,
        pixels: Tensor,
        max_new: int,
        owner: str = "",
        deadline: float | None = None,
        cancellation: Cancellation | None = None,
        stored: Sequence[Tensor] = (),
    ) -> StripAnswers:
        """Reads strips (B, 3, H, W) in −1..1, all of the same size, with at most `max_new` tokens each. Blocks.

        `stored`: their vision tokens from an earlier reading, if any. `owner`, `deadline`: as in `Engine.submit`.
        Raises `Busy` if other strips keep the engine busy until the deadline, and `Canceled`.
        """
        prompt = strip_prompt(self._tokenizer, pixels.shape[3], pixels.shape[2])
        return self.generate(prompt, pixels, max_new, owner, deadline, cancellation, stored)

    def generate(
        self,
        ids: list[int],
        pixels: Tensor,
        max_new: int,
        owner: str = "",
        deadline: float | None = None,
        cancellation: Cancellation | None = None,
        stored: Sequence[Tensor] = (),
    ) -> StripAnswers:
        """Like `read`, with the prompt `ids`, which includes the placeholders of the vision tokens."""
        started = time.perf_counter()
        engine = self.engine
        vision_tokens = list(stored) or self.encode(pixels, deadline, cancellation)
        encoded = time.perf_counter()
        placeholders = torch.tensor(ids) == self._tokenizer.image
        embedded = engine.embed(ids)
        max_new = min(max_new, engine.config.max_new, engine.context - len(ids))
        handles = []
        for tokens in vision_tokens:
            prompt = embedded.clone()
            prompt[placeholders] = tokens.to(prompt.device, prompt.dtype)
            handles.append(engine.submit(prompt, max_new=max_new, owner=owner, deadline=deadline))
        if cancellation:
            cancellation.on_cancel(lambda: [handle.cancel() for handle in handles])
        answers = [handle.result() for handle in handles]
        prefill_s = max((answer.prefill_s for answer in answers), default=0.0)
        decode_s = time.perf_counter() - encoded - prefill_s
        return StripAnswers(answers, vision_tokens, encoded - started, prefill_s, max(decode_s, 0.0))

    def close(self) -> None:
        self.engine.close()


def strip_prompt(tokenizer: Tokenizer, width: int, height: int) -> list[int]:
    """The prompt of the task `free` for a view of `width` × `height` pixels, as token ids."""
    positions = height // CELL * (width // CELL + 1) + 1
    return prompt_for("free", None, False).ids(tokenizer, positions)
