"""Greedy generation for one page: the reference implementation, without the engine.

An answer ends with `stop` (the end token), `loop` (it repeats itself, and the repetition is cut to one copy) or
`length` (no room or time is left).
"""

import time
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from fovea.engine.sampling import History, LoopDetector, NgramGuard, TokenClasses, pick, sampling_mask
from fovea.language.tokenizer import TABLE_MARKERS, Tokenizer


class Decoder(Protocol):
    """The part of a model that turns embeddings into logits, token by token."""

    def embed(self, ids: torch.Tensor) -> torch.Tensor:
        """ids (B, T) -> (B, T, C)."""
        ...

    def new_cache(self, batch: int, capacity: int) -> Any:
        """A cache for the keys and values of `capacity` positions."""
        ...

    def step(self, embeddings: torch.Tensor, cache: Any) -> torch.Tensor:
        """Appends embeddings (B, T, C) to the cached positions. Returns the logits (B, V) of the last position."""
        ...


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules of sampling: allowed tokens, the end token, the token classes of the loop detector, the n-gram guard."""

    allowed: torch.Tensor  # (V,) bool
    eos: int
    classes: TokenClasses
    guard: NgramGuard | None = None

    @classmethod
    def of(cls, tokenizer: Tokenizer, vocab_size: int, ngram: tuple[int, int] | None = None) -> "Rules":
        """The rules for a tokenizer. `ngram` (n, window) enables the n-gram guard; table markers are exempt from it.

        The begin, padding and image tokens occur only in prompts, so they are never sampled.
        """
        allowed = sampling_mask(tokenizer, vocab_size)
        allowed[[tokenizer.bos, tokenizer.pad, tokenizer.image]] = False
        guard = None
        if ngram is not None:
            guard = NgramGuard(*ngram, exempt=tuple(tokenizer.ids_of(sorted(TABLE_MARKERS))))
        return cls(allowed, tokenizer.eos, TokenClasses.of(tokenizer, vocab_size), guard)

    def guard_of(self, ngram: tuple[int, int] | None) -> NgramGuard | None:
        """The guard with `ngram` (n, window) and the exemptions of these rules' guard, which it replaces.

        Without `ngram`, or if these rules have no guard, their own.
        """
        if ngram is None or self.guard is None:
            return self.guard
        return NgramGuard(*ngram, exempt=self.guard.exempt)

    def to(self, device: torch.device | str) -> "Rules":
        return Rules(self.allowed.to(device), self.eos, self.classes.to(device), self.guard)


@dataclass(slots=True)
class Generation:
    """An answer: `ids` without the end token, their `log_probs`, and times in seconds.

    `sampled` counts all sampled tokens, including those that were cut as a repetition. `period` is the loop's, or 0.
    """

    ids: list[int]
    log_probs: list[float]
    finish_reason: str
    sampled: int
    out_of_time: bool = False
    prefill_s: float = 0.0
    decode_s: float = 0.0
    period: int = 0


@torch.inference_mode()
def generate(
    decoder: Decoder,
    prompt: torch.Tensor,
    rules: Rules,
    max_new: int,
    deadline: float | None = None,
    ngram: tuple[int, int] | None = None,
) -> Generation:
    """Generates from `prompt` (1, T, C), the embeddings of text and vision tokens.

    `ngram` (n, window) replaces the n-gram guard of the rules. `deadline` is a `time.monotonic()` instant. `rules` must
    be on the prompt's device. Raises `ValueError` if `max_new` is less than 1.
    """
    if max_new < 1:
        raise ValueError("the prompt leaves no room for an answer")
    started = time.perf_counter()
    device = prompt.device
    history = History(1, max_new, device)
    detector, guard = LoopDetector(history, rules.classes), rules.guard_of(ngram)
    active = torch.ones(1, dtype=torch.bool, device=device)
    cache = decoder.new_cache(1, prompt.shape[1] + max_new)
    log_probs: list[float] = []
    reason, period, late = "length", 0, False
    logits = decoder.step(prompt, cache)
    prefilled = None
    for count in range(1, max_new + 1):
        banned = guard.banned(history, logits.shape[-1]) if guard else None
        token, log_prob = pick(logits, rules.allowed, banned)
        chosen = int(token)  # the only synchronization with the device in a step
        prefilled = prefilled or time.perf_counter()
        if chosen == rules.eos:
            reason = "stop"
            break
        history.push(token, active)
        log_probs.append(float(log_prob))
        if period := int(detector.update(active)):
            reason = "loop"
            break
        late = deadline is not None and time.monotonic() > deadline
        if late or count == max_new:
            break
        logits = decoder.step(decoder.embed(token[:, None]), cache)
    ids = history.row(0)
    kept = detector.kept(0, period) if period else len(ids)
    return Generation(
        ids=ids[:kept],
        log_probs=log_probs[:kept],
        finish_reason=reason,
        sampled=len(ids),
        out_of_time=late,
        prefill_s=prefilled - started,
        decode_s=time.perf_counter() - prefilled,
        period=period,
    )
