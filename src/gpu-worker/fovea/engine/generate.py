"""Greedy generation for one page: the reference implementation, without an engine."""

import time
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from fovea.engine.answer import Answer, Generation
from fovea.engine.sampling import NgramGuard, TokenClasses, pick, sampling_mask, tails
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
    exempt: tuple[int, ...] = ()  # tokens that no guard forbids

    @classmethod
    def of(cls, tokenizer: Tokenizer, vocab_size: int, ngram: tuple[int, int] | None = None) -> "Rules":
        """The rules for a tokenizer. `ngram` (n, window) enables the n-gram guard; table markers are exempt from it.

        The begin, padding and image tokens occur only in prompts, so they are never sampled.
        """
        allowed = sampling_mask(tokenizer, vocab_size)
        allowed[[tokenizer.bos, tokenizer.pad, tokenizer.image]] = False
        exempt = tuple(tokenizer.ids_of(sorted(TABLE_MARKERS)))
        guard = NgramGuard(*ngram, exempt) if ngram is not None else None
        return cls(allowed, tokenizer.eos, TokenClasses.of(tokenizer), guard, exempt)

    def answer(self, limit: int, ngram: tuple[int, int] | None = None) -> Answer:
        """A new answer of at most `limit` tokens. `ngram` (n, window) replaces the guard."""
        guard = NgramGuard(*ngram, self.exempt) if ngram is not None else self.guard
        return Answer(self.eos, self.classes, limit, guard)

    def to(self, device: torch.device | str) -> "Rules":
        return Rules(self.allowed.to(device), self.eos, self.classes, self.guard, self.exempt)


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
    answer = rules.answer(max_new, ngram)
    cache = decoder.new_cache(1, prompt.shape[1] + max_new)
    logits = decoder.step(prompt, cache)
    prefilled = None
    while True:
        banned = None
        if answer.guard:
            recent = tails([answer.ids], answer.guard.window).to(prompt.device)
            banned = answer.guard.banned(recent, logits.shape[-1])
        token, log_prob = pick(logits, rules.allowed, banned)
        continues = answer.add(int(token), float(log_prob))
        prefilled = prefilled or time.perf_counter()
        if not continues or (deadline is not None and time.monotonic() > deadline):
            return answer.generation(prefilled - started, time.perf_counter() - prefilled)
        logits = decoder.step(decoder.embed(token[:, None]), cache)
