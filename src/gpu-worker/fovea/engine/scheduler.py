"""The scheduler: which sequences run. Pure rules over sequences and block numbers, without tensors.

- A sequence waits until there are blocks for its prompt. It is rejected only if it can never fit.
- Owners take turns (`fovea.engine.fair_queue`).
- Prefill is chunked, `prefill_tokens` per step, so that running sequences continue.
- If a running sequence needs a block and none is free, the newest sequence is preempted: it keeps its tokens and waits
  at the head of its owner's queue.
- If another sequence is computing the same prefix, a sequence waits for it and then shares its blocks.
"""

import itertools
from collections.abc import Hashable

from fovea.engine.config import EngineConfig
from fovea.engine.fair_queue import FairQueue
from fovea.engine.kv_cache import SHARES, Blocks, Prefix
from fovea.engine.sequence import Sequence


class Scheduler:
    def __init__(self, config: EngineConfig, blocks: Blocks):
        self.config, self.blocks = config, blocks
        self.waiting = FairQueue()
        self.prefilling: list[Sequence] = []
        self.running: list[Sequence] = []  # by row
        self._prefixes: dict[Hashable, Prefix] = {}
        self._order = itertools.count(1)

    def fits(self, positions: int) -> bool:
        return self._blocks_for(positions) <= self.blocks.count

    @property
    def waiting_count(self) -> int:
        """Number of sequences that wait."""
        return len(self.waiting)

    @property
    def idle(self) -> bool:
        return not (self.waiting or self.prefilling or self.running)

    def add(self, sequence: Sequence) -> None:
        self.waiting.add(sequence)

    def sequences(self) -> list[Sequence]:
        """All sequences, in no particular order."""
        return [*self.waiting, *self.prefilling, *self.running]

    # -- admission -------------------------------------------------------------------------------------

    def admit(self) -> list[Sequence]:
        """Admits sequences while there is room, and allocates the blocks of their prompts."""
        admitted = []
        while len(self.prefilling) + len(self.running) < self.config.max_batch:
            sequence = self._next()
            if sequence is None or not self._admit(sequence):
                break
            admitted.append(sequence)
        return admitted

    def _next(self) -> Sequence | None:
        for sequence in self.waiting.heads():
            prefix = self._prefixes.get(sequence.prefix[0]) if sequence.prefix else None
            if prefix is None or prefix.ready:
                return sequence
        return None

    def _admit(self, sequence: Sequence) -> bool:
        shared = self._shared_blocks(sequence)
        needed = self._blocks_for(len(sequence.inputs) + 1) - len(shared)
        # Keep one free block per running sequence. Otherwise the new one would soon be preempted.
        reserve = len(self.running) if self.running or self.prefilling else 0
        if self.blocks.free < needed + reserve:
            return False
        self.blocks.share(shared)
        sequence.blocks = shared + self.blocks.take(needed)
        sequence.computed = len(shared) * self.config.block
        sequence.order = next(self._order)
        self._register_prefix(sequence, shared)
        self.waiting.start(sequence)
        self.prefilling.append(sequence)
        return True

    def _shared_blocks(self, sequence: Sequence) -> list[int]:
        """The blocks of the sequence's prefix, if they are computed: all of them or none.

        At least one position of the sequence is left to compute.
        """
        if not sequence.prefix:
            return []
        prefix = self._prefixes.get(sequence.prefix[0])
        if prefix is None or len(prefix.users) >= SHARES:
            return []
        most = min(sequence.prefix[1], len(sequence.inputs) - 1) // self.config.block
        return prefix.blocks if len(prefix.blocks) <= most else []

    def _register_prefix(self, sequence: Sequence, shared: list[int]) -> None:
        """Registers the sequence as a user of its prefix, or as the one that computes it."""
        if not sequence.prefix:
            return
        key, length = sequence.prefix
        if shared:
            self._prefixes[key].users.add(sequence)
        elif key not in self._prefixes and min(length, len(sequence.inputs) - 1) >= self.config.block:
            self._prefixes[key] = Prefix(length, sequence, users={sequence})

    # -- a step ----------------------------------------------------------------------------------------

    def chunks(self) -> list[tuple[Sequence, int]]:
        """The sequences that continue prefill in this step, and how many positions of each."""
        left, chosen = self.config.prefill_tokens, []
        for sequence in self.prefilling:
            if left == 0:
                break
            count = min(left, sequence.left)
            chosen.append((sequence, count))
            left -= count
        return chosen

    def computed(self, sequence: Sequence, count: int) -> bool:
        """Records that `count` more positions are in the cache. Returns whether prefill is complete."""
        sequence.computed += count
        prefix = self._prefixes.get(sequence.prefix[0]) if sequence.prefix else None
        if prefix is not None and prefix.writer is sequence:
            full = min(prefix.length, len(sequence.inputs) - 1) // self.config.block
            if sequence.computed >= full * self.config.block:
                prefix.blocks, prefix.writer = sequence.blocks[:full], None
        return sequence.left == 0

    def run(self, sequence: Sequence) -> int:
        """Moves a sequence from prefill to the next row of the batch. Returns the row."""
        self.prefilling.remove(sequence)
        sequence.row = len(self.running)
        self.running.append(sequence)
        return sequence.row

    def grow(self, sequence: Sequence) -> int | None:
        """Allocates one more block; `None` if none is free, so that a sequence must be preempted."""
        taken = self.blocks.take(1)
        if taken is None:
            return None
        sequence.blocks += taken
        return taken[0]

    def drop(self, sequence: Sequence, index: int) -> None:
        """Frees a sequence's block that no later position sees."""
        self.blocks.release([sequence.blocks[index]])
        sequence.blocks[index] = 0

    def newest(self) -> Sequence:
        """The sequence to preempt: the one that was admitted last."""
        return max((*self.prefilling, *self.running), key=lambda sequence: sequence.order)

    # -- removal ---------------------------------------------------------------------------------------

    def remove(self, sequence: Sequence) -> int | None:
        """Removes a sequence. Rows stay dense: returns the row that must move to the removed one's row, if any."""
        moved = None
        if sequence.row is not None:
            last = self.running.pop()
            if last is not sequence:
                moved, last.row = last.row, sequence.row
                self.running[sequence.row] = last
        elif sequence in self.prefilling:
            self.prefilling.remove(sequence)
        else:
            self.waiting.drop(sequence)
            return None
        sequence.row = None
        self._release(sequence)
        return moved

    def requeue(self, sequence: Sequence) -> None:
        """Puts a preempted sequence at the head of its owner's queue. Call it after `remove`."""
        self.waiting.requeue(sequence)

    def _release(self, sequence: Sequence) -> None:
        self.waiting.stop(sequence)
        if sequence.prefix and (prefix := self._prefixes.get(sequence.prefix[0])):
            prefix.users.discard(sequence)
            if not prefix.users or prefix.writer is sequence:
                del self._prefixes[sequence.prefix[0]]
        self.blocks.release([block for block in sequence.blocks if block])
        sequence.blocks, sequence.computed = [], 0

    def _blocks_for(self, positions: int) -> int:
        return -(-positions // self.config.block)
