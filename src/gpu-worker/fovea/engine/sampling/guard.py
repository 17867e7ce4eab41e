"""The windowed n-gram guard of the official scripts, as tensor operations."""

from dataclasses import dataclass

import torch

from fovea.engine.sampling.history import History


@dataclass(frozen=True)
class NgramGuard:
    """Forbids tokens that would repeat an n-gram of the last `window` generated tokens.

    The official scripts use n/window 20/50 (PDF), 40/90 (benchmark) and 30/90 (README), and exempt only the two td
    tokens; here all four table tokens are exempt. The guard breaks only loops with a period up to window - n + 1 and
    corrupts text that really repeats, so it does not replace the loop detector.
    """

    n: int
    window: int
    exempt: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not 2 <= self.n <= self.window:
            raise ValueError("the n-gram guard requires 2 <= n <= window")

    def banned(self, history: History, vocab_size: int) -> torch.Tensor:
        """(B, vocab_size) bool: tokens that are forbidden as the next one."""
        device = history.ids.device
        # The last `window` tokens of each row, right-aligned; short rows are padded with -2.
        back = torch.arange(-self.window, 0, device=device)  # (w,)
        at = history.lengths[:, None] + back  # (B, w)
        tail = history.ids.gather(1, at.clamp(min=0, max=history.capacity - 1))
        tail = tail.masked_fill(at < 0, -2)
        grams = tail.unfold(1, self.n, 1)  # (B, w-n+1, n): every n-gram that ends inside the window
        prefix = tail[:, None, self.window - self.n + 1 :]  # (B, 1, n-1): the last n-1 tokens
        repeats = (grams[..., :-1] == prefix).all(-1) & (grams[..., 0] >= 0)  # (B, w-n+1)
        banned = torch.zeros(len(history.lengths), vocab_size + 1, dtype=torch.bool, device=device)
        # N-grams that ban nothing write to the extra column.
        banned.scatter_(1, torch.where(repeats, grams[..., -1], vocab_size), True)
        banned[:, list(self.exempt)] = False
        return banned[:, :vocab_size]
