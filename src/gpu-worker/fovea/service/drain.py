"""Ending without losing a page.

Cog drops what runs when it is told to stop. So the supervisor, told to stop, first asks the worker to drain: it
makes the file that `Settings.drain_file` names. From then on no page is begun; those being read are finished and
pushed. All shards end together, when the last page is done: the edge sees which of their pages are missing and
dispatches those again, and by then this server is gone, so that they go elsewhere. The worker says that it is
done by writing `DONE` into the file.
"""

import asyncio
import threading
import time
from pathlib import Path

DONE = "drained"
LOOK_S = 0.1


class Drain:
    """`asked` is set once the process is to end; `page()` around the reading and pushing of each page."""

    def __init__(self) -> None:
        self.asked = threading.Event()
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
        return self.asked.is_set() and self._pages == 0

    async def finished(self) -> None:
        """Returns when no page of any shard is being read any more."""
        while not self.done:
            await asyncio.sleep(LOOK_S / 2)

    def watch(self, path: Path) -> None:
        """Looks for the file from a thread of its own."""

        def look() -> None:
            while not path.exists():
                time.sleep(LOOK_S)
            self.asked.set()
            while not self.done:
                time.sleep(LOOK_S / 2)
            path.write_text(DONE)

        threading.Thread(target=look, name="drain", daemon=True).start()


DRAIN = Drain()
"""The process has one end."""
