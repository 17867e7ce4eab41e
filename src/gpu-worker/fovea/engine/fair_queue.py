"""Which sequence is next: the next place goes to the owner with the fewest running sequences.

Among equals it goes to the owner that was served least recently. An owner's sequences are served in order. Every engine
uses this rule; what a sequence needs in order to start is the engine's matter.
"""

import itertools
from collections import Counter, OrderedDict, deque
from collections.abc import Iterator

from fovea.engine.sequence import Sequence


class FairQueue:
    def __init__(self) -> None:
        self._waiting: OrderedDict[str, deque[Sequence]] = OrderedDict()  # least recently served owner first
        self._running: Counter[str] = Counter()

    def __len__(self) -> int:
        """Number of sequences that wait."""
        return sum(len(queue) for queue in self._waiting.values())

    def __iter__(self) -> Iterator[Sequence]:
        return itertools.chain(*self._waiting.values())

    def add(self, sequence: Sequence) -> None:
        self._waiting.setdefault(sequence.owner, deque()).append(sequence)

    def requeue(self, sequence: Sequence) -> None:
        """Puts a preempted sequence at the head of its owner's queue."""
        self._waiting.setdefault(sequence.owner, deque()).appendleft(sequence)
        self._waiting.move_to_end(sequence.owner, last=False)

    def heads(self) -> list[Sequence]:
        """The first sequence of each owner, in the order in which they are to be served."""
        owners = sorted(self._waiting, key=lambda owner: self._running[owner])  # stable: then by last service
        return [self._waiting[owner][0] for owner in owners]

    def start(self, sequence: Sequence) -> None:
        """One of `heads` runs from now on."""
        self._waiting[sequence.owner].popleft()
        self._waiting.move_to_end(sequence.owner)
        self._tidy(sequence.owner)
        self._running[sequence.owner] += 1

    def stop(self, sequence: Sequence) -> None:
        """A running sequence has ended, or was preempted."""
        self._running[sequence.owner] -= 1
        if not self._running[sequence.owner]:
            del self._running[sequence.owner]

    def drop(self, sequence: Sequence) -> None:
        """Removes a sequence that waits."""
        self._waiting[sequence.owner].remove(sequence)
        self._tidy(sequence.owner)

    def _tidy(self, owner: str) -> None:
        if not self._waiting[owner]:
            del self._waiting[owner]
