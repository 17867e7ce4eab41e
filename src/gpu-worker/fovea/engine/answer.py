"""An answer while it is generated. Every engine, and the plain loop, ends answers by this one rule.

An answer ends with `stop` (the end token), `loop` (it repeats itself, and the repetition is cut to one copy) or
`length` (no room or time is left).
"""

from dataclasses import dataclass

from fovea.engine.sampling.guard import NgramGuard
from fovea.engine.sampling.loops import Loop, LoopDetector, TokenClasses

LOOK = 32
"""Tokens between two looks of the loop detector. A loop is noticed up to `LOOK - 1` tokens late; its cut is exact."""


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


class Answer:
    """The tokens so far. `reason` tells why the answer has ended, and is None before."""

    def __init__(self, eos: int, classes: TokenClasses, limit: int, guard: NgramGuard | None = None):
        """`limit`: most tokens. `guard`: the n-gram guard that the engine must apply."""
        self.ids: list[int] = []
        self.log_probs: list[float] = []
        self.reason: str | None = None
        self.guard = guard
        self._eos, self._limit = eos, limit
        self._detector = LoopDetector(classes)
        self._loop: Loop | None = None

    def add(self, token: int, log_prob: float) -> bool:
        """Adds a sampled token. Returns whether the answer continues."""
        if token == self._eos:
            self._end("stop")
            return False
        self.ids.append(token)
        self.log_probs.append(log_prob)
        if len(self.ids) >= self._limit:
            self._end("length")
        elif len(self.ids) % LOOK == 0:
            self._end(None)
        return self.reason is None

    def _end(self, reason: str | None) -> None:
        """Ends the answer for this reason, or because it loops."""
        self._loop = self._detector.find(self.ids)
        self.reason = "loop" if self._loop else reason

    def generation(self, prefill_s: float = 0.0, decode_s: float = 0.0) -> Generation:
        """The result. An answer that has not ended is one whose time has run out."""
        if self.reason is None:
            self._end(None)
        kept = self._loop.kept if self._loop else len(self.ids)
        return Generation(
            self.ids[:kept],
            self.log_probs[:kept],
            self.reason or "length",
            len(self.ids),
            out_of_time=self.reason is None,
            prefill_s=prefill_s,
            decode_s=decode_s,
            period=self._loop.period if self._loop else 0,
        )
