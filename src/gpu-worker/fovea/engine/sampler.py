"""Samples the next token of all rows of the batch and keeps their tokens.

Guard, choice, probability, loop detection and end are tensor operations over all rows. The only data that is read back
from the device in each step is one flag per row: whether and why it has ended.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from fovea.engine.generate import Rules
from fovea.engine.sampling import History, LoopDetector, NgramGuard, pick

RUNNING, STOP, LOOP, LENGTH = range(4)
REASONS = {STOP: "stop", LOOP: "loop", LENGTH: "length"}


@dataclass(frozen=True, slots=True)
class RowOutput:
    """The output of a row. Fields as in `Generation`."""

    ids: list[int]
    log_probs: list[float]
    sampled: int
    period: int


class Rows:
    """The state of all rows. Rows are dense: the first n are in use."""

    def __init__(self, rules: Rules, rows: int, longest: int, device: torch.device | str = "cpu"):
        self.rules = rules.to(device)
        self.guards: list[NgramGuard | None] = [rules.guard] * rows  # kept on the host
        self.history = History(rows, longest, device)
        self.detector = LoopDetector(self.history, rules.classes)
        self.log_probs = torch.zeros(rows, longest, device=device)
        self.limits = torch.zeros(rows, dtype=torch.int64, device=device)
        self.tokens = torch.zeros(rows, dtype=torch.int64, device=device)  # the last token of each row
        self.ends = torch.zeros(rows, dtype=torch.int64, device=device)  # RUNNING … LENGTH
        self.periods = torch.zeros(rows, dtype=torch.int64, device=device)

    @property
    def _tensors(self) -> tuple[Tensor, ...]:
        return (
            self.history.ids,
            self.history.lengths,
            *self.detector.tensors,
            self.log_probs,
            self.limits,
            self.tokens,
            self.ends,
            self.periods,
        )

    def start(self, row: int, limit: int, ngram: tuple[int, int] | None = None) -> None:
        """Resets a row. It ends after `limit` tokens. `ngram` (n, window) replaces the n-gram guard of the rules."""
        self.guards[row] = self.rules.guard_of(ngram)
        for tensor in self._tensors:
            tensor[row] = 0
        self.history.ids[row] = -1
        self.limits[row] = limit

    def move(self, source: int, target: int) -> None:
        self.guards[target] = self.guards[source]
        for tensor in self._tensors:
            tensor[target] = tensor[source]

    def save(self, row: int) -> tuple[Tensor, ...]:
        return tuple(tensor[row].clone() for tensor in self._tensors)

    def load(self, row: int, saved: tuple[Tensor, ...], ngram: tuple[int, int] | None = None) -> None:
        """Restores a row that was saved by `save`. `ngram` as for `start`."""
        self.guards[row] = self.rules.guard_of(ngram)
        for tensor, value in zip(self._tensors, saved, strict=True):
            tensor[row] = value

    def sample(self, logits: Tensor, first: int, longest: int) -> Tensor:
        """Samples the next token of n rows, from row `first` on, with logits (n, V). Returns their `ends` (n,).

        `longest`: upper limit of the rows' tokens, including the new one. Rows that have ended do not change.
        """
        rows = slice(first, first + len(logits))
        history, rules = self.history.part(rows), self.rules
        tokens, log_probs = pick(logits, rules.allowed, self._banned(history, self.guards[rows], logits))
        runs = self.ends[rows] == RUNNING
        stops = tokens == rules.eos
        active = runs & ~stops
        at = history.lengths.clamp(max=history.capacity - 1)[:, None]
        part = self.log_probs[rows]
        part.scatter_(1, at, torch.where(active, log_probs, part.gather(1, at)[:, 0])[:, None])
        history.push(tokens, active)
        periods = self.detector.part(rows, longest).update(active)
        ends = torch.where(history.lengths >= self.limits[rows], LENGTH, RUNNING)
        ends = torch.where(periods > 0, LOOP, ends)
        ends = torch.where(stops, STOP, ends)
        self.periods[rows] = torch.where(active, periods, self.periods[rows])
        self.tokens[rows] = torch.where(active, tokens, self.tokens[rows])
        self.ends[rows] = torch.where(runs, ends, self.ends[rows])
        return self.ends[rows]

    @staticmethod
    def _banned(history: History, guards: list[NgramGuard | None], logits: Tensor) -> Tensor | None:
        """(n, V) bool: the tokens that the guard of each row forbids; `None` if no row has a guard."""
        banned = None
        for guard in {guard for guard in guards if guard}:
            part = guard.banned(history, logits.shape[-1])
            rows = [other == guard for other in guards]
            if not all(rows):
                part &= torch.tensor(rows, device=part.device)[:, None]
            banned = part if banned is None else banned | part
        return banned

    def output(self, row: int) -> RowOutput:
        """The output of a row. A loop is cut to one copy."""
        return self.output_of(tuple(tensor[row] for tensor in self._tensors))

    @staticmethod
    def output_of(saved: tuple[Tensor, ...]) -> RowOutput:
        """The output of a row that was saved by `save`."""
        ids, length, runs, _, _, log_probs, *_, period = saved
        length, period = int(length), int(period)
        kept = length - int(runs[period - 1]) if period else length
        return RowOutput(ids[:kept].tolist(), log_probs[:kept].tolist(), length, period)
