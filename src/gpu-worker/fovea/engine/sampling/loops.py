"""Detects answers that repeat themselves, with any period.

A repetition with period p is a run of tokens that are each equal to the token p positions earlier. Coordinates may
change: all numbers inside `<|det|>` … `<|/det|>` count as equal, because a model that is stuck often moves its boxes.

The length at which a repetition counts as a loop depends on its contents:

- text: 128 tokens and three copies, or two copies for periods of 512 tokens and more, which do not repeat by chance;
- table rows and boxes with content: 512 tokens, because tables and forms do repeat ("0", "yes", "-");
- fill only (empty cells, boxes without text, leader dots, rules, spaces): 1,536 tokens, a full page of an empty form.

Counting loops ("1. 2. 3. …") are not repetitions; they end at the length limit.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fovea.engine.sampling.masks import tokens_matching
from fovea.language.tokenizer import TABLE_MARKERS, Tokenizer

TEXT_RUN, TABLE_RUN, FILL_RUN = 128, 512, 1536
LONG_PERIOD = 512
LONGEST_MARKUP = FILL_RUN
"""Markup that is not closed within as many tokens counts as text."""
NUMBER = -1
"""Stands for every number inside a box."""

# Leader dots, rules, white space and the bars of Markdown tables.
FILL = r"[\s.·․‥…_\-‐‑–—=|]+"


@dataclass(frozen=True)
class TokenClasses:
    """`structure` are table markers; `fill` are tokens without content, including structure; `numbers` are numbers.

    `pairs` maps the markers that begin a label or boxes to the markers that end them; `boxes` begins boxes.
    """

    structure: frozenset[int] = frozenset()
    fill: frozenset[int] = frozenset()
    numbers: frozenset[int] = frozenset()
    pairs: tuple[tuple[int, int], ...] = ()
    boxes: int = -1

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> "TokenClasses":
        structure = frozenset(tokenizer.ids_of(sorted(TABLE_MARKERS)))
        ref, end_ref, det, end_det = tokenizer.ids_of(["<|ref|>", "<|/ref|>", "<|det|>", "<|/det|>"])
        matching = lambda pattern: tokens_matching(tokenizer, pattern).nonzero().flatten().tolist()  # noqa: E731
        return cls(
            structure,
            structure | frozenset(matching(FILL)),
            frozenset(matching(r"\s*[0-9]+")),
            ((ref, end_ref), (det, end_det)),
            det,
        )


class Loop(NamedTuple):
    period: int
    kept: int
    """Number of tokens that remain when the repetition is cut to one copy."""


class LoopDetector:
    """Judges one answer. The cost of `find` is a comparison of the last token with the answer, unless it repeats."""

    def __init__(self, classes: TokenClasses):
        self._classes = classes
        self._ends = dict(classes.pairs)
        self._markup = self._begun = None  # the marker that began the markup, and its position
        self._kinds: list[int] = []  # the tokens, with `NUMBER` for numbers inside boxes
        # Prefix sums, to classify any range in constant time.
        self._content, self._structure = [0], [0]

    def find(self, ids: list[int]) -> Loop | None:
        """The loop with the shortest period at the end of `ids`: all tokens of the answer, more with every call."""
        for token in ids[len(self._kinds) :]:
            self._add(token)
        kinds = np.array(self._kinds, dtype=np.int32)
        size = len(kinds)
        if size <= TEXT_RUN:
            return None
        starts = np.flatnonzero(kinds[:-1] == kinds[-1])  # the last token of each possible earlier copy
        for back in range(1, TEXT_RUN):
            starts = starts[starts >= back]
            starts = starts[kinds[starts - back] == kinds[size - 1 - back]]
            if not len(starts):
                return None
        for period in (size - 1 - starts)[::-1].tolist():
            needed = self._needed(period)
            if size - period < needed:
                continue
            changes = np.flatnonzero(kinds[period:] != kinds[:-period])
            kept = period + int(changes[-1]) + 1 if len(changes) else period
            if size - kept >= needed:
                return Loop(period, kept)
        return None

    def _needed(self, period: int) -> int:
        """Length of the run from which on a repetition with this period is a loop."""
        copies = 2 if period < LONG_PERIOD else 1  # beyond the first
        least = max(copies * period, TEXT_RUN)
        if self._content[-1] == self._content[-1 - period]:
            return max(least, FILL_RUN)
        return max(least, TABLE_RUN) if self._structure[-1] > self._structure[-1 - period] else least

    def _add(self, token: int) -> None:
        classes, place = self._classes, len(self._kinds)
        if self._markup is None and token in self._ends:
            self._markup, self._begun = token, place
        elif self._markup is not None and place - self._begun > LONGEST_MARKUP:
            self._markup = None
        inside = self._markup is not None
        number = inside and self._markup == classes.boxes and token in classes.numbers
        self._kinds.append(NUMBER if number else token)
        self._content.append(self._content[-1] + (not inside and token not in classes.fill))
        self._structure.append(self._structure[-1] + (inside or token in classes.structure))
        if inside and token == self._ends[self._markup]:
            self._markup = None
