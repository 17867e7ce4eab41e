"""Who is next. No tensors here: rules over sequences and block numbers.

- A sequence waits until there are blocks for its prompt; it is refused only if it could never fit.
- Of those that ask, the next is from whoever has the fewest in the batch, and among equals from whoever was
  not served for longest. Within one owner, in the order of asking.
- New prompts are computed in chunks, `prefill_tokens` a step, so running pages go on beside them.
- When a running sequence needs a block and none is free, the one that came last is set aside: it keeps what
  it has said and waits at the head of its owner's queue.
- A sequence whose beginning another one is just computing waits for that and shares its blocks.
"""

import itertools
from collections import Counter, OrderedDict, deque
from collections.abc import Hashable

from fovea.engine.config import EngineConfig
from fovea.engine.kv_cache import SHARES, Blocks, Prefix
from fovea.engine.sequence import Sequence


class Scheduler:
    def __init__(self, config: EngineConfig, blocks: Blocks):
        self.config, self.blocks = config, blocks
        self.waiting: OrderedDict[str, deque[Sequence]] = OrderedDict()  # least recently served owner first
        self.prefilling: list[Sequence] = []
        self.running: list[Sequence] = []  # by row
        self._owners: Counter[str] = Counter()
        self._prefixes: dict[Hashable, Prefix] = {}
        self._order = itertools.count(1)

    def fits(self, positions: int) -> bool:
        return self._blocks_for(positions) <= self.blocks.count

    @property
    def waits(self) -> int:
        return sum(len(queue) for queue in self.waiting.values())

    @property
    def idle(self) -> bool:
        return not (self.waiting or self.prefilling or self.running)

    def add(self, sequence: Sequence) -> None:
        self.waiting.setdefault(sequence.owner, deque()).append(sequence)

    def sequences(self) -> list[Sequence]:
        """All of them, in no order."""
        return [*itertools.chain(*self.waiting.values()), *self.prefilling, *self.running]

    # -- in --------------------------------------------------------------------------------------------

    def admit(self) -> list[Sequence]:
        """Lets in whoever has room, and gives them the blocks of their prompt."""
        admitted = []
        while len(self.prefilling) + len(self.running) < self.config.max_batch:
            sequence = self._next()
            if sequence is None or not self._let_in(sequence):
                break
            admitted.append(sequence)
        return admitted

    def _next(self) -> Sequence | None:
        owners = sorted(self.waiting, key=lambda owner: self._owners[owner])  # stable: then by last service
        for owner in owners:
            sequence = self.waiting[owner][0]
            prefix = self._prefixes.get(sequence.prefix[0]) if sequence.prefix else None
            if prefix is None or prefix.ready:
                return sequence
        return None

    def _let_in(self, sequence: Sequence) -> bool:
        common = self._common(sequence)
        needed = self._blocks_for(len(sequence.inputs) + 1) - len(common)
        # One block for each that runs is left to them, or the newcomer would be set aside at once.
        spare = len(self.running) if self.running or self.prefilling else 0
        if self.blocks.free < needed + spare:
            return False
        self.blocks.share(common)
        sequence.blocks = common + self.blocks.take(needed)
        sequence.computed = len(common) * self.config.block
        sequence.order = next(self._order)
        self._enter(sequence, common)
        queue = self.waiting[sequence.owner]
        queue.popleft()
        self.waiting.move_to_end(sequence.owner)
        if not queue:
            del self.waiting[sequence.owner]
        self._owners[sequence.owner] += 1
        self.prefilling.append(sequence)
        return True

    def _common(self, sequence: Sequence) -> list[int]:
        """Blocks that are there already: all of the prefix, so that its users keep it alive, or none. At least
        one position is left to compute."""
        if not sequence.prefix:
            return []
        prefix = self._prefixes.get(sequence.prefix[0])
        if prefix is None or len(prefix.users) >= SHARES:
            return []
        most = min(sequence.prefix[1], len(sequence.inputs) - 1) // self.config.block
        return prefix.blocks if len(prefix.blocks) <= most else []

    def _enter(self, sequence: Sequence, common: list[int]) -> None:
        """Notes that it uses a prefix, or that it is the one who computes it."""
        if not sequence.prefix:
            return
        key, length = sequence.prefix
        if common:
            self._prefixes[key].users.add(sequence)
        elif key not in self._prefixes and min(length, len(sequence.inputs) - 1) >= self.config.block:
            self._prefixes[key] = Prefix(length, sequence, users={sequence})

    # -- a step ----------------------------------------------------------------------------------------

    def chunks(self) -> list[tuple[Sequence, int]]:
        """Which prompts go on in this step, and by how many positions."""
        left, chosen = self.config.prefill_tokens, []
        for sequence in self.prefilling:
            if left == 0:
                break
            count = min(left, sequence.left)
            chosen.append((sequence, count))
            left -= count
        return chosen

    def computed(self, sequence: Sequence, count: int) -> bool:
        """`count` more positions of its prompt are in the cache; whether that was all."""
        sequence.computed += count
        prefix = self._prefixes.get(sequence.prefix[0]) if sequence.prefix else None
        if prefix is not None and prefix.writer is sequence:
            full = min(prefix.length, len(sequence.inputs) - 1) // self.config.block
            if sequence.computed >= full * self.config.block:
                prefix.blocks, prefix.writer = sequence.blocks[:full], None
        return sequence.left == 0

    def run(self, sequence: Sequence) -> int:
        """Its prompt is read: it gets the next row."""
        self.prefilling.remove(sequence)
        sequence.row = len(self.running)
        self.running.append(sequence)
        return sequence.row

    def grow(self, sequence: Sequence) -> int | None:
        """One more block, or None: then somebody has to be set aside."""
        taken = self.blocks.take(1)
        if taken is None:
            return None
        sequence.blocks += taken
        return taken[0]

    def last(self) -> Sequence:
        """Who is to be set aside."""
        return max((*self.prefilling, *self.running), key=lambda sequence: sequence.order)

    # -- out -------------------------------------------------------------------------------------------

    def leave(self, sequence: Sequence) -> int | None:
        """Takes a sequence out, wherever it is. Returns the row that now has to move to its own, if any."""
        moved = None
        if sequence.row is not None:
            last = self.running.pop()
            if last is not sequence:
                moved, last.row = last.row, sequence.row
                self.running[sequence.row] = last
        elif sequence in self.prefilling:
            self.prefilling.remove(sequence)
        else:
            queue = self.waiting[sequence.owner]
            queue.remove(sequence)
            if not queue:
                del self.waiting[sequence.owner]
            return None
        sequence.row = None
        self._release(sequence)
        return moved

    def wait_again(self, sequence: Sequence) -> None:
        """Back to the head of its owner's queue, after `leave`."""
        self.waiting.setdefault(sequence.owner, deque()).appendleft(sequence)
        self.waiting.move_to_end(sequence.owner, last=False)

    def _release(self, sequence: Sequence) -> None:
        self._owners[sequence.owner] -= 1
        if not self._owners[sequence.owner]:
            del self._owners[sequence.owner]
        if sequence.prefix and (prefix := self._prefixes.get(sequence.prefix[0])):
            prefix.users.discard(sequence)
            if not prefix.users or prefix.writer is sequence:
                del self._prefixes[sequence.prefix[0]]
        self.blocks.release(sequence.blocks)
        sequence.blocks, sequence.computed = [], 0

    def _blocks_for(self, positions: int) -> int:
        return -(-positions // self.config.block)
