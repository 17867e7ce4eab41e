"""The windowed n-gram guard of the official scripts, as one tensor operation."""

from collections.abc import Sequence

import torch

from fovea.engine.sampling.history import History


class NgramGuard:
    """Forbids a token that would repeat an n-gram of the last `window` generated tokens.

    The official scripts use n/window 20/50 (PDF), 40/90 (benchmark) and 30/90 (README), and spare only the
    two td tokens; here all four table tokens are spared. The guard can only break loops of a period up to
    window - n + 1, and it corrupts text that rightly repeats, so it is an option beside the loop detector,
    not its replacement.
    """

    def __init__(self, n: int, window: int, exempt: Sequence[int] = ()):
        if not 2 <= n <= window:
            raise ValueError("the n-gram guard needs 2 <= n <= window")
        self.n, self.window = n, window
        self.exempt = list(exempt)

    def banned(self, history: History, vocab_size: int) -> torch.Tensor:
        """(B, vocab_size) bool: tokens that must not come next."""
        device = history.ids.device
        # The last `window` tokens of each row, right-aligned; -2 stands before the beginning of short rows.
        back = torch.arange(-self.window, 0, device=device)  # (w,)
        at = history.lengths[:, None] + back  # (B, w)
        tail = history.ids.gather(1, at.clamp(min=0, max=history.capacity - 1))
        tail = tail.masked_fill(at < 0, -2)
        grams = tail.unfold(1, self.n, 1)  # (B, w-n+1, n): every n-gram that ends inside the window
        prefix = tail[:, None, self.window - self.n + 1 :]  # (B, 1, n-1): the last n-1 tokens
        repeats = (grams[..., :-1] == prefix).all(-1) & (grams[..., 0] >= 0)  # (B, w-n+1)
        banned = torch.zeros(len(history.lengths), vocab_size + 1, dtype=torch.bool, device=device)
        # The extra column takes the n-grams that ban nothing.
        banned.scatter_(1, torch.where(repeats, grams[..., -1], vocab_size), True)
        banned[:, self.exempt] = False
        return banned[:, :vocab_size]
