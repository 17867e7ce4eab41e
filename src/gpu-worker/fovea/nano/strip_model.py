"""`fovea-nano`'s model: strips in, characters out. All strips that are asked for at the same time, of whatever
page, are seen and decoded together by the engine.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fovea.cancellation import Cancellation
from fovea.engine import Engine, EngineConfig
from fovea.engine.generate import Generation, Rules
from fovea.language.tasks import prompt_for
from fovea.language.tokenizer import Tokenizer
from fovea.model import OcrModel
from fovea.nano import places

CELL = 64
"""Pixels of a vision token's side."""


@dataclass(frozen=True, slots=True)
class StripAnswers:
    """One answer a strip; seconds that went by in each part."""

    answers: list[Generation]
    seen: list[Tensor]
    """The vision tokens of each strip."""
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
        """Takes over `model`, see `Engine`. `close` it."""
        rules = Rules.of(tokenizer, model.config.decoder.vocab)
        rules.allowed[places.FIRST : places.FIRST + places.COUNT] = True
        self._tokenizer = tokenizer
        self.engine = Engine(model, rules, config)

    def see(
        self, pixels: Tensor, deadline: float | None = None, cancellation: Cancellation | None = None
    ) -> list[Tensor]:
        """Vision tokens of strips (B, 3, H, W). Blocks, and raises, as `read`."""
        looks = [self.engine.look(view, deadline=deadline) for view in pixels.to(self.engine.device)]
        if cancellation:
            cancellation.on_cancel(lambda: [look.cancel() for look in looks])
        return [look.result() for look in looks]

    def read(
        self,
        pixels: Tensor,
        most: int,
        owner: str = "",
        deadline: float | None = None,
        cancellation: Cancellation | None = None,
        kept: Sequence[Tensor] = (),
    ) -> StripAnswers:
        """pixels (B, 3, H, W) in −1..1, all of one size; `most` tokens of an answer. Blocks.

        `kept`: their vision tokens, where they were seen before. `owner`, `deadline`: as in `Engine.submit`.
        Raises `Busy` where other strips held the model until time was up, `Canceled` when the page is given up.
        """
        prompt = strip_prompt(self._tokenizer, pixels.shape[3], pixels.shape[2])
        return self.ask(prompt, pixels, most, owner, deadline, cancellation, kept)

    def ask(
        self,
        ids: list[int],
        pixels: Tensor,
        most: int,
        owner: str = "",
        deadline: float | None = None,
        cancellation: Cancellation | None = None,
        kept: Sequence[Tensor] = (),
    ) -> StripAnswers:
        """`ids`: a question with its vision tokens. The rest as in `read`."""
        began = time.perf_counter()
        engine = self.engine
        seen = list(kept) or self.see(pixels, deadline, cancellation)
        encoded = time.perf_counter()
        shown = torch.tensor(ids) == self._tokenizer.image
        question = engine.embed(ids)
        room = min(most, engine.config.max_new, engine.context - len(ids))
        handles = []
        for tokens in seen:
            prompt = question.clone()
            prompt[shown] = tokens.to(prompt.device, prompt.dtype)
            handles.append(engine.submit(prompt, max_new=room, owner=owner, deadline=deadline))
        if cancellation:
            cancellation.on_cancel(lambda: [handle.cancel() for handle in handles])
        answers = [handle.result() for handle in handles]
        prefill_s = max((answer.prefill_s for answer in answers), default=0.0)
        decode_s = time.perf_counter() - encoded - prefill_s
        return StripAnswers(answers, seen, encoded - began, prefill_s, max(decode_s, 0.0))

    def close(self) -> None:
        self.engine.close()


def strip_prompt(tokenizer: Tokenizer, width: int, height: int) -> list[int]:
    """The question about a view of that size: the task `free`, with its vision tokens."""
    positions = height // CELL * (width // CELL + 1) + 1
    return prompt_for("free", None, False).ids(tokenizer, positions)
