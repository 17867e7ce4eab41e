"""Draining: the worker stops without losing a page.

Cog drops running predictions when it is told to stop. So the supervisor first asks the worker to drain: it creates
the file `Settings.drain_file`. From then on the worker starts no page; it finishes and pushes the pages that are being
read, then writes `DONE` into the file. All shards wait for the last of these pages and end together. By then this
server is about to stop, so the edge dispatches their missing pages to another one.
"""

import asyncio
import threading
import time
from pathlib import Path

DONE = "drained"
POLL_S = 0.1


class Drain:
    """Counts the pages that are being read: `with drain:` around reading and pushing a page."""

    def __init__(self) -> None:
        self.requested = threading.Event()
        self._pages = 0
        self._lock = threading.Lock()

    def __enter__(self) -> "Drain":
        with self._lock:
            self._pages += 1
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._pages -= 1

    @property
    def done(self) -> bool:
        return self.requested.is_set() and self._pages == 0

    async def finished(self) -> None:
        """Returns when no shard is reading a page."""
        while not self.done:
            await asyncio.sleep(POLL_S / 2)

    def watch(self, path: Path) -> None:
        """Starts a thread that drains when `path` exists."""

        def drain() -> None:
            while not path.exists():
                time.sleep(POLL_S)
            self.requested.set()
            while not self.done:
                time.sleep(POLL_S / 2)
            path.write_text(DONE)

        threading.Thread(target=drain, name="drain", daemon=True).start()


DRAIN = Drain()
"""One for the whole process, because the process stops only once."""
