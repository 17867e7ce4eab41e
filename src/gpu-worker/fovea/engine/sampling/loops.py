"""Detects sequences that repeat themselves, with any period.

For every period p, a counter has the number of consecutive tokens that are equal to the token p positions earlier. One
comparison of the new token with the whole history updates all counters. So every exact loop is detected, from one
repeated token to passages of thousands of tokens.

The length at which a repetition counts as a loop depends on its contents:

- text: 128 tokens and three copies, or two copies for periods of 512 tokens and more, which do not repeat by chance;
- table rows with content: 512 tokens, because tables do repeat ("0", "yes", "-");
- fill only (empty cells, leader dots, rules, spaces): 1,536 tokens, a full page of an empty form.

Counting loops ("1. 2. 3. …") are not exact repetitions; they end at the length limit.
"""

from dataclasses import dataclass

import torch

from fovea.engine.sampling.history import History
from fovea.engine.sampling.masks import tokens_matching
from fovea.language.tokenizer import TABLE_MARKERS, Tokenizer

TEXT_RUN, TABLE_RUN, FILL_RUN = 128, 512, 1536
LONG_PERIOD = 512

# Leader dots, rules, white space and the bars of Markdown tables.
FILL = r"[\s.·․‥…_\-‐‑–—=|]+"


@dataclass(frozen=True)
class TokenClasses:
    """(V,) bool each: `structure` are table markers, `fill` are tokens without content, including structure."""

    structure: torch.Tensor
    fill: torch.Tensor

    @classmethod
    def of(cls, tokenizer: Tokenizer, vocab_size: int) -> "TokenClasses":
        structure = torch.zeros(vocab_size, dtype=torch.bool)
        structure[tokenizer.ids_of(sorted(TABLE_MARKERS))] = True
        fill = structure.clone()
        fill[: tokenizer.size] |= tokens_matching(tokenizer, FILL)
        return cls(structure, fill)

    def to(self, device: torch.device | str) -> "TokenClasses":
        return TokenClasses(self.structure.to(device), self.fill.to(device))


class LoopDetector:
    """For each row of a `History`, the run length of every period up to half of the capacity."""

    def __init__(self, history: History, classes: TokenClasses):
        batch, device = len(history.lengths), history.ids.device
        self._history, self._classes = history, classes.to(device)
        self.periods = torch.arange(1, history.capacity // 2 + 1, device=device)  # (P,)
        self.runs = torch.zeros(batch, len(self.periods), dtype=torch.int64, device=device)
        # Prefix sums of content tokens and of structure tokens, to classify any range in constant time.
        self._content = torch.zeros(batch, history.capacity + 1, dtype=torch.int64, device=device)
        self._structure = torch.zeros_like(self._content)
        copies = torch.where(self.periods < LONG_PERIOD, 2, 1)  # beyond the first
        self._least = (copies * self.periods).clamp(min=TEXT_RUN)  # (P,)

    def update(self, active: torch.Tensor) -> torch.Tensor:
        """Processes the token that was just pushed to the active rows.

        Returns (B,) int64: the shortest period with which a row loops, or 0.
        """
        lengths, ids = self._history.lengths, self._history.ids
        last = (lengths - 1).clamp(min=0)[:, None]  # (B, 1)
        token = ids.gather(1, last)  # (B, 1)
        self._count(self._content, ~self._classes.fill, token, last, active)
        self._count(self._structure, self._classes.structure, token, last, active)

        earlier = last - self.periods  # (B, P)
        same = (ids.gather(1, earlier.clamp(min=0)) == token) & (earlier >= 0)
        self.runs.copy_(torch.where(active[:, None], (self.runs + 1) * same, self.runs))

        since = (lengths[:, None] - self.periods).clamp(min=0)
        content = self._content.gather(1, lengths[:, None]) - self._content.gather(1, since)
        structure = self._structure.gather(1, lengths[:, None]) - self._structure.gather(1, since)
        needed = torch.where(structure > 0, self._least.clamp(min=TABLE_RUN), self._least)
        needed = torch.where(content == 0, self._least.clamp(min=FILL_RUN), needed)
        loops = (self.runs >= needed) & active[:, None]
        return torch.where(loops.any(1), self.periods[loops.int().argmax(1)], 0)

    def part(self, rows: slice, longest: int) -> "LoopDetector":
        """A view for `History.part(rows)` while no row has more than `longest` tokens.

        It updates only periods up to `longest`, which makes early steps cheap.
        """
        part = LoopDetector.__new__(LoopDetector)
        part._history, part._classes = self._history.part(rows), self._classes
        part.periods, part._least = self.periods[:longest], self._least[:longest]
        part.runs = self.runs[rows, :longest]
        part._content, part._structure = self._content[rows], self._structure[rows]
        return part

    @property
    def tensors(self) -> tuple[torch.Tensor, ...]:
        """The state of the rows, with rows as the first dimension."""
        return self.runs, self._content, self._structure

    def kept(self, row: int, period: int) -> int:
        """Number of tokens that remain when a loop is cut to one copy."""
        return int(self._history.lengths[row] - self.runs[row, period - 1])

    @staticmethod
    def _count(sums, table, token, last, active):
        """Extends prefix sums (B, capacity + 1) by the class of the last token."""
        grown = sums.gather(1, last) + table[token.clamp(min=0)]
        kept = sums.gather(1, last + 1)
        sums.scatter_(1, last + 1, torch.where(active[:, None], grown, kept))
