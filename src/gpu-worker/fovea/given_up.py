"""How whoever waits for a page tells those who work on it that they may stop."""

import threading
from collections.abc import Callable


class GivenUp:
    """Whether anybody still waits for a page; tells those who want to stop working on it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._set = False
        self._calls: list[Callable[[], None]] = []

    def is_set(self) -> bool:
        return self._set

    def set(self) -> None:
        with self._lock:
            self._set, calls, self._calls = True, self._calls, []
        for call in calls:
            call()

    def call(self, function: Callable[[], None]) -> None:
        """Runs `function` when the page is given up; at once where it is already."""
        with self._lock:
            if not self._set:
                self._calls.append(function)
                return
        function()
