"""Cancels the work on a page across threads."""

import threading
from collections.abc import Callable


class Cancellation:
    """Whether a page is canceled, and functions to call when it is. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._canceled = False
        self._callbacks: list[Callable[[], None]] = []

    @property
    def canceled(self) -> bool:
        return self._canceled

    def cancel(self) -> None:
        with self._lock:
            self._canceled, callbacks, self._callbacks = True, self._callbacks, []
        for callback in callbacks:
            callback()

    def on_cancel(self, callback: Callable[[], None]) -> None:
        """Calls `callback` when the page is canceled; at once if it already is."""
        with self._lock:
            if not self._canceled:
                self._callbacks.append(callback)
                return
        callback()
