"""How far a run is: a line for people, and `metrics.json` for machines."""

import json
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from fovea.corpus.drawn import Row
from fovea.corpus.opening import Opened

WINDOW_S = 120.0
"""The rate is that of the last two minutes."""
EVERY_S = 10.0


@dataclass(slots=True)
class Progress:
    """`documents`: of the whole plan; `finished`: of shards that an earlier start has written."""

    documents: int
    finished: int
    readers: int
    price: float
    """Dollars that one reader costs an hour."""
    started: float = field(default_factory=time.time)
    pages: int = 0
    failed: int = 0
    opened: int = 0
    announced: int = 0
    """Pages of the documents that have been opened."""
    shards: int = 0
    _marks: deque[tuple[float, int]] = field(default_factory=lambda: deque([(time.time(), 0)]))
    _said: float = 0.0

    def add(self, row: Row) -> None:
        if row.state == "document":
            self.opened += 1
            self.announced += Opened.decode(row.body).pages
        else:
            self.pages += row.state == "done"
            self.failed += row.state == "failed"

    def due(self) -> bool:
        """Whether something should be said now; at most every `EVERY_S` seconds."""
        now = time.time()
        if now - self._said < EVERY_S:
            return False
        self._said = now
        return True

    @property
    def rate(self) -> float:
        """Pages per second."""
        now, done = time.time(), self.pages + self.failed
        self._marks.append((now, done))
        while len(self._marks) > 2 and now - self._marks[0][0] > WINDOW_S:
            self._marks.popleft()
        since, before = self._marks[0]
        return (done - before) / (now - since) if now > since else 0.0

    def to_json(self) -> dict[str, Any]:
        """`eta_s`: expected seconds until all pages are read, if documents to come are as long as those so far."""
        now, rate, done = time.time(), self.rate, self.pages + self.failed
        to_open = self.documents - self.finished - self.opened
        left = self.announced - done + (to_open * self.announced / self.opened if self.opened else 0)
        hours = self.readers * (now - self.started) / 3600
        cost = hours * self.price
        return {
            "time": round(now, 3),
            "seconds": round(now - self.started, 1),
            "documents": self.documents,
            "documents_finished_before": self.finished,
            "documents_opened": self.opened,
            "pages_read": self.pages,
            "pages_failed": self.failed,
            "shards_written": self.shards,
            "readers": self.readers,
            "pages_per_s": round(rate, 3),
            "eta_s": round(left / rate) if rate and self.opened else None,
            "reader_hours": round(hours, 4),
            "cost": round(cost, 4),
            "cost_per_1000_pages": round(1000 * cost / done, 4) if done else None,
        }

    def line(self) -> str:
        said = self.to_json()
        eta = "?" if said["eta_s"] is None else _clock(said["eta_s"])
        seen = self.finished + self.opened
        text = f"{seen:,} of {self.documents:,} documents opened, {self.pages:,} pages read"
        text += f", {self.failed:,} failed, {said['pages_per_s']:.1f} pages/s, {eta} left"
        return text + (f", ${said['cost']:.2f}" if self.price else "")

    def encode(self) -> bytes:
        return json.dumps(self.to_json(), indent=1).encode() + b"\n"


def _clock(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    return f"{hours} h {rest // 60:02d} min" if hours else f"{rest // 60} min {rest % 60:02d} s"
