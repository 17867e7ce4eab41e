"""The paged KV cache: keys and values in blocks (as in PagedAttention).

A sequence owns a list of blocks of `block` positions each, so it takes only the memory that it fills. `Blocks`
allocates blocks and counts their users, because several sequences can share the blocks of a prefix. `PagedKv` holds the
tensors and the block tables of the batch.

There are two implementations of attention. `attend_gathered`, the reference, copies the blocks of each sequence into
one tensor. `attend_in_place` copies nothing: it multiplies each block with the queries of all rows that own it, and
then each row combines the partial results of its blocks (as in FlashDecoding). It wastes no work on rows of unequal
length and reads a shared block only once.
"""

import heapq
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from fovea.model import DecoderConfig
from fovea.model.decoder import visible

SHARES = 8  # most rows that share a block
MASKED = (
    -1e30
)  # score of a masked position; unlike -inf, it gives no NaN in a block that is masked as a whole


class Blocks:
    """Allocates blocks. Block 0 is never allocated: padding is written there."""

    def __init__(self, count: int):
        if count < 2:
            raise ValueError("the cache has no room for a block")
        self._free = list(range(1, count))  # a heap: lowest numbers first, so that used blocks are contiguous
        self._uses = [1] + [0] * (count - 1)
        self.high = 1  # all blocks from this number on are free

    @property
    def free(self) -> int:
        return len(self._free)

    @property
    def count(self) -> int:
        """Blocks that can be allocated, free or not."""
        return len(self._uses) - 1

    def take(self, number: int) -> list[int] | None:
        """Allocates `number` blocks; `None` if fewer are free."""
        if number > len(self._free):
            return None
        taken = [heapq.heappop(self._free) for _ in range(number)]
        for block in taken:
            self._uses[block] = 1
            self.high = max(self.high, block + 1)
        return taken

    def share(self, blocks: list[int]) -> None:
        for block in blocks:
            self._uses[block] += 1

    def release(self, blocks: list[int]) -> None:
        """Releases blocks. A block becomes free when its last user releases it."""
        for block in blocks:
            self._uses[block] -= 1
            if not self._uses[block]:
                heapq.heappush(self._free, block)
        while self.high > 1 and not self._uses[self.high - 1]:
            self.high -= 1


@dataclass(slots=True, eq=False)
class Prefix:
    """A shared prefix of sequences. `blocks` are its full blocks after `writer` has computed them."""

    length: int
    writer: object
    blocks: list[int] = field(default_factory=list)
    users: set = field(default_factory=set)

    @property
    def ready(self) -> bool:
        return self.writer is None


@dataclass(frozen=True, slots=True)
class Step:
    """Indices of one decode step, the same for all layers."""

    block: Tensor  # (n,) block of each row's new position
    offset: Tensor  # (n,) and its offset in the block
    owner: Tensor  # (high, S) row; `rows` means no owner
    bias: Tensor  # (high, 1, S, block): 0 or MASKED
    shares: Tensor  # (n, W) index into (high · S): each row's blocks in order
    dead: Tensor  # (n, W, 1) bool: beyond the row's last block


class PagedKv:
    """The tensors of the cache and its block tables."""

    def __init__(
        self,
        config: DecoderConfig,
        blocks: int,
        block: int,
        rows: int,
        dtype: torch.dtype,
        device: torch.device | str,
    ):
        self.block, self.rows, self.window = block, rows, config.window
        shape = (config.depth, blocks, config.heads, block, config.head_dim)
        # Not initialized: a CPU allocates memory when it is first written, and `clear` precedes every use.
        self.keys = torch.empty(shape, dtype=dtype, device=device)
        self.values = torch.empty(shape, dtype=dtype, device=device)
        self.clear([0])
        whole = {"dtype": torch.int64, "device": device}
        width = min(-(-config.context // block), blocks)
        self.lengths = torch.zeros(rows + 1, **whole)  # positions in the cache
        self.prompts = torch.zeros(rows + 1, **whole)  # of these, positions of the prompt
        self.table = torch.zeros(rows, width, **whole)  # row, index -> block
        self.column = torch.zeros(rows, width, **whole)  # row, index -> the row's column in `owner`
        self.owner = torch.full((blocks, SHARES), rows, **whole)  # block, column -> row
        self.start = torch.zeros(blocks, **whole)  # block -> first position
        self._taken = [0] * blocks  # bits: columns in use
        self._columns = np.zeros(SHARES, dtype=np.int64)  # blocks that use each column
        self._own: list[list[tuple[int, int]]] = [[] for _ in range(rows)]  # row -> (block, column)
        self._offsets = torch.arange(block, device=device)
        self._places = torch.arange(width, device=device) * block

    @staticmethod
    def bytes_per_block(config: DecoderConfig, block: int, dtype: torch.dtype) -> int:
        return 2 * config.depth * config.heads * config.head_dim * block * dtype.itemsize

    # -- rows ------------------------------------------------------------------------------------------

    def clear(self, blocks: list[int]) -> None:
        """Zeroes blocks before they get a new owner. Masked values are still multiplied, and 0 · NaN is NaN, so a NaN
        of one page would break the next.
        """
        self.keys[:, blocks], self.values[:, blocks] = 0, 0

    def attach(self, row: int, blocks: list[int], length: int, prompt: int) -> None:
        """Makes `row` the owner of these blocks, in which `length` positions are filled, first the prompt's."""
        self.lengths[row], self.prompts[row] = length, prompt
        for block in blocks:
            self.append(row, block)

    def append(self, row: int, block: int) -> None:
        own = self._own[row]
        column = (~self._taken[block] & (self._taken[block] + 1)).bit_length() - 1  # the lowest free bit
        if column >= SHARES:
            raise ValueError("too many rows share a block")
        self._taken[block] |= 1 << column
        self._columns[column] += 1
        self.start[block] = len(own) * self.block
        self.owner[block, column] = row
        self.table[row, len(own)], self.column[row, len(own)] = block, column
        own.append((block, column))

    def drop(self, row: int, index: int) -> None:
        """Gives up a row's block that no later position sees. Block 0, which is masked as a whole, takes its place."""
        self._disown(*self._own[row][index])
        self._own[row][index] = (0, 0)
        self.table[row, index], self.column[row, index] = 0, 0

    def _disown(self, block: int, column: int) -> None:
        if block:
            self._taken[block] &= ~(1 << column)
            self._columns[column] -= 1
            self.owner[block, column] = self.rows

    def detach(self, row: int) -> None:
        for block, column in self._own[row]:
            self._disown(block, column)
        self._own[row] = []
        self.lengths[row] = 0
        self.table[row] = 0

    def move(self, source: int, target: int) -> None:
        """Moves row `source` to row `target`, which must be empty."""
        own = self._own[target] = self._own[source]
        self._own[source] = []
        blocks, columns = zip(*((block, column) for block, column in own if block), strict=True)
        self.owner[list(blocks), list(columns)] = target
        for tensor in (self.lengths, self.prompts, self.table, self.column):
            tensor[target] = tensor[source]
        self.lengths[source] = 0
        self.table[source] = 0

    # -- attention -------------------------------------------------------------------------------------

    def step(self, rows: int, high: int) -> Step:
        """Adds a position to each of the first `rows` rows. `high`: all blocks from this number on are free."""
        at = self.lengths[:rows]
        place = at // self.block
        block = self.table[:rows].gather(1, place[:, None])[:, 0]
        offset = at % self.block
        at += 1
        most = max((len(own) for own in self._own[:rows]), default=1) or 1
        share = int(np.flatnonzero(self._columns).max(initial=0)) + 1
        return self.view(rows, high, most, share, block, offset)

    def view(self, rows: int, high: int, most: int, share: int, block: Tensor, offset: Tensor) -> Step:
        owner = self.owner[:high, :share]
        last = self.lengths[owner] - 1  # (high, S)
        places = self.start[:high, None] + self._offsets  # (high, block)
        seen = places[:, None] <= last[..., None]
        if self.window:
            near = last[..., None] - places[:, None] < self.window
            seen &= near | (places[:, None] < self.prompts[owner][..., None])
        bias = torch.where(seen, 0.0, MASKED)[:, None]  # (high, 1, S, block)
        shares = self.table[:rows, :most] * share + self.column[:rows, :most]
        dead = (self._places[:most] >= self.lengths[:rows, None])[..., None]
        return Step(block, offset, owner, bias, shares, dead)

    def write(self, layer: int, block: Tensor, offset: Tensor, k: Tensor, v: Tensor) -> None:
        """Writes k, v (N, heads, D) of N positions into their blocks."""
        self.keys[layer][block, :, offset] = k
        self.values[layer][block, :, offset] = v

    def attend_in_place(self, layer: int, q: Tensor, step: Step) -> Tensor:
        """Attention of one new position per row: q (n, heads, D) -> (n, heads, D)."""
        n, heads, width = q.shape
        high, share = step.owner.shape
        if n == share == 1:
            return self._attend_alone(layer, q, step)
        keys, values = self.keys[layer, :high].flatten(0, 1), self.values[layer, :high].flatten(0, 1)
        queries = F.pad(q * width**-0.5, (0, 0, 0, 0, 0, self.rows + 1 - n))[
            step.owner
        ]  # (high, S, heads, D)
        queries = queries.transpose(1, 2).reshape(high * heads, share, width)
        scores = torch.bmm(queries, keys.transpose(1, 2)).view(high, heads, share, self.block)
        scores = scores.float() + step.bias
        top = scores.amax(-1, keepdim=True)  # (high, heads, S, 1)
        scores = (scores - top).exp_()
        sums = scores.sum(-1)  # (high, heads, S)
        parts = torch.bmm(scores.view(high * heads, share, self.block).to(values.dtype), values)
        parts = parts.view(high, heads, share, width)

        # Gather each row's blocks in order: (n, W, heads) and (n, W, heads, D). Without scatter, the order of the sum
        # is the same on every device.
        tops = top.squeeze(-1).transpose(1, 2).reshape(high * share, heads)[step.shares]
        tops = tops.masked_fill(step.dead, MASKED)
        weights = (tops - tops.amax(1, keepdim=True)).exp_()
        weights = weights.masked_fill(step.dead, 0.0)
        total = (weights * sums.transpose(1, 2).reshape(high * share, heads)[step.shares]).sum(
            1
        )  # (n, heads)
        parts = parts.transpose(1, 2).reshape(high * share, heads, width)[step.shares].float()
        return ((weights[..., None] * parts).sum(1) / total[..., None]).to(q.dtype)

    def _attend_alone(self, layer: int, q: Tensor, step: Step) -> Tensor:
        """The same for a single row without shared blocks: one softmax over its own blocks."""
        blocks = step.shares[0]
        keys, values = (
            side[layer].index_select(0, blocks).transpose(0, 1) for side in (self.keys, self.values)
        )
        heads, width = q.shape[1:]
        bias = step.bias[blocks].view(1, -1)
        query = (q * width**-0.5).view(heads, 1, width)
        scores = torch.bmm(query, keys.reshape(heads, -1, width).transpose(1, 2)).squeeze(
            1
        )  # (heads, W · block)
        weights = (scores.float() + bias).softmax(-1).to(values.dtype)
        return torch.bmm(weights[:, None], values.reshape(heads, -1, width)).view(1, heads, width)

    def attend_gathered(
        self, layer: int, q: Tensor, table: Tensor, positions: Tensor, prompts: Tensor
    ) -> Tensor:
        """Attention of q (B, heads, T, D) at `positions` (B, T) to blocks `table` (B, W) -> (B, heads, T, D).

        `prompts` (B,): lengths of the prompts.
        """
        batch, heads, _, width = q.shape
        k, v = (
            side[layer][table].transpose(1, 2).reshape(batch, heads, -1, width)  # (B, heads, W · block, D)
            for side in (self.keys, self.values)
        )
        keys = torch.arange(k.shape[2], device=q.device)
        mask = visible(positions, keys, prompts, self.window)  # (B, T, W · block)
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None])
