"""Work counted in place of seconds, which depend on the machine and on what else runs on it."""

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

HANG_S = 60.0


@contextmanager
def ends() -> Iterator[None]:
    """Fails what takes a minute of the processor's time: a hang, which `re` would not come back from by itself."""

    def stop(*_: Any) -> None:
        raise AssertionError("it hangs")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, HANG_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


class Visits:
    """Counts the characters that the compiled patterns of some modules, and searches in `Text`, look at."""

    def __init__(self) -> None:
        self.characters = 0

    def watch(self, monkeypatch: Any, *modules: ModuleType) -> "Visits":
        for module in modules:
            for name, value in list(vars(module).items()):
                if isinstance(value, re.Pattern):
                    monkeypatch.setattr(module, name, _Pattern(value, self))
        return self

    def text(self, text: str) -> "Text":
        counted = Text(text)
        counted.visits = self
        return counted


class Text(str):
    """A text in which searches are counted."""

    visits: Visits

    def find(self, what: str, start: int = 0, end: int | None = None) -> int:
        end = len(self) if end is None else end
        found = super().find(what, start, end)
        self.visits.characters += max(0, (end if found < 0 else found + len(what)) - start)
        return found


class _Pattern:
    """A match costs the characters up to its end; where there is none, those up to the end of the search."""

    def __init__(self, pattern: re.Pattern[str], visits: Visits):
        self._pattern, self._visits = pattern, visits

    def _once(self, method: str, text: str, start: int = 0, end: int | None = None) -> re.Match[str] | None:
        end = len(text) if end is None else end
        match = getattr(self._pattern, method)(text, start, end)
        self._visits.characters += (match.end() if match else end) - start
        return match

    def search(self, *arguments: Any) -> re.Match[str] | None:
        return self._once("search", *arguments)

    def match(self, *arguments: Any) -> re.Match[str] | None:
        return self._once("match", *arguments)

    def fullmatch(self, *arguments: Any) -> re.Match[str] | None:
        return self._once("fullmatch", *arguments)

    def finditer(self, text: str, start: int = 0, end: int | None = None) -> Iterator[re.Match[str]]:
        end = len(text) if end is None else end
        self._visits.characters += end - start
        return self._pattern.finditer(text, start, end)

    def findall(self, text: str) -> list[Any]:
        self._visits.characters += len(text)
        return self._pattern.findall(text)

    def sub(self, new: Any, text: str) -> str:
        self._visits.characters += len(text)
        return self._pattern.sub(new, text)

    def split(self, text: str) -> list[str]:
        self._visits.characters += len(text)
        return self._pattern.split(text)
