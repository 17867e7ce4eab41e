"""Isolates pages that end the process that reads them: a crash of native code, or too little memory for one page.

Ray starts the process again and gives it the same batch. What was begun and not ended is known outside the process, so
the second try reads each page by itself, and a page that ends the process each time fails by itself.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from fovea.corpus.drawn import Row
from fovea.corpus.reading import failed_row

Key = tuple[int, int, int]
"""Shard, line and page; the shard is negative for tries in which the page was read by itself."""
MOST_KILLS = 3
"""A page is given up when the process is killed so often while it reads this page and no other."""
KILLED = {"code": "process_killed", "message": "The process that reads the page was killed each time."}


class Tries:
    """How often each page was begun since it was last ended."""

    def __init__(self) -> None:
        self._begun: dict[Key, int] = {}

    def begin(self, pages: list[Key]) -> int:
        """Counts another try of these pages; the most tries that one of them has had."""
        for page in pages:
            self._begun[page] = self._begun.get(page, 0) + 1
        return max((self._begun[page] for page in pages), default=0)

    def end(self, pages: list[Key]) -> None:
        for page in pages:
            self._begun.pop(page, None)


class BatchReader(Protocol):
    def read(self, rows: Sequence[Row]) -> list[Row]: ...


def read_guarded(
    reader: BatchReader,
    rows: Sequence[Row],
    begin: Callable[[list[Key]], int],
    end: Callable[[list[Key]], None],
) -> list[Row]:
    """The rows with drawn pages read. `begin` and `end`: of `Tries` that outlive this process."""
    pages = [(row.shard, row.line, row.page) for row in rows if row.state == "drawn"]
    again = begin(pages) > 1
    read = [_read_alone(reader, row, begin, end) for row in rows] if again else reader.read(rows)
    end(pages)
    return read


def _read_alone(
    reader: BatchReader, row: Row, begin: Callable[[list[Key]], int], end: Callable[[list[Key]], None]
) -> Row:
    if row.state != "drawn":
        return row
    key = [(-row.shard, row.line, row.page)]
    if begin(key) > MOST_KILLS:
        return failed_row(row, KILLED)
    read = reader.read([row])
    end(key)
    return read[0]
