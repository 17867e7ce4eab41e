"""The generated tokens of a batch, one row per sequence."""

import torch


class History:
    """`ids` (B, capacity) int64, padded with -1; `lengths` (B,) int64."""

    def __init__(self, batch: int, capacity: int, device: torch.device | str = "cpu"):
        self.ids = torch.full((batch, capacity), -1, dtype=torch.int64, device=device)
        self.lengths = torch.zeros(batch, dtype=torch.int64, device=device)

    @property
    def capacity(self) -> int:
        return self.ids.shape[1]

    def push(self, tokens: torch.Tensor, active: torch.Tensor) -> None:
        """Appends `tokens` (B,) to the rows in which `active` (B,) is true. A full row must not be active."""
        at = self.lengths.clamp(max=self.capacity - 1)[:, None]  # (B, 1)
        kept = self.ids.gather(1, at)
        self.ids.scatter_(1, at, torch.where(active[:, None], tokens[:, None], kept))
        self.lengths += active

    def part(self, rows: slice) -> "History":
        """A view of some rows."""
        part = History.__new__(History)
        part.ids, part.lengths = self.ids[rows], self.lengths[rows]
        return part

    def row(self, index: int) -> list[int]:
        """The tokens of one sequence."""
        return self.ids[index, : int(self.lengths[index])].tolist()
