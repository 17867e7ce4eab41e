"""The windowed n-gram guard of the official scripts, as tensor operations."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

LONGEST_WINDOW = 1024
NONE = -2
"""Pads the tails of short answers."""


@dataclass(frozen=True)
class NgramGuard:
    """Forbids tokens that would repeat an n-gram of the last `window` generated tokens.

    The official scripts use n/window 20/50 (PDF), 40/90 (benchmark) and 30/90 (README), and exempt only the two td
    tokens; here all four table tokens are exempt. The guard breaks only loops with a period up to window - n + 1 and
    corrupts text that really repeats. So it is optional and does not replace the loop detector.
    """

    n: int
    window: int
    exempt: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        check(self.n, self.window)

    def banned(self, tails: Tensor, vocab_size: int) -> Tensor:
        """(B, vocab_size) bool: tokens that are forbidden as the next one.

        tails (B, w) int64, w ≥ n: the last tokens of each row, right-aligned and padded with `NONE`. What is beyond the
        window must be padding, too.
        """
        banned = repeats(tails, self.n, vocab_size)
        banned[:, list(self.exempt)] = False
        return banned


def check(n: int, window: int) -> None:
    """Raises `ValueError` if no guard has these sizes."""
    if not 2 <= n <= window <= LONGEST_WINDOW:
        raise ValueError(f"the n-gram guard requires 2 <= n <= window <= {LONGEST_WINDOW}")


def repeats(tails: Tensor, n: int, vocab_size: int) -> Tensor:
    """(B, vocab_size) bool: tokens that would repeat an n-gram of `tails` (B, w), see `NgramGuard.banned`."""
    width = tails.shape[1]
    grams = tails.unfold(1, n, 1)  # (B, w-n+1, n): every n-gram that ends inside the window
    prefix = tails[:, None, width - n + 1 :]  # (B, 1, n-1): the last n-1 tokens
    found = (grams[..., :-1] == prefix).all(-1) & (grams[..., 0] >= 0)  # (B, w-n+1)
    banned = torch.zeros(len(tails), vocab_size + 1, dtype=torch.bool, device=tails.device)
    # N-grams that ban nothing write to the extra column.
    banned.scatter_(1, torch.where(found, grams[..., -1], vocab_size), True)
    return banned[:, :vocab_size]


def tails(answers: Sequence[Sequence[int]], window: int) -> Tensor:
    """(B, window) int64: the last `window` tokens of each answer, for `NgramGuard.banned`."""
    ends = [list(ids[-window:]) for ids in answers]
    return torch.tensor([[NONE] * (window - len(end)) + end for end in ends])
