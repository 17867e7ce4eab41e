"""A page that ends its process costs that page, and no other."""

from fovea.corpus.drawn import Row
from fovea.corpus.guard import MOST_KILLS, Tries, read_guarded


class Killed(BaseException):
    """Stands for the end of the process."""


class Deadly:
    """Ends the process at some pages; `times`: how often."""

    def __init__(self, pages, times=99):
        self._pages, self._times = pages, times
        self.batches = []

    def read(self, rows):
        self.batches.append([row.page for row in rows])
        for row in rows:
            if row.page in self._pages and self._times > 0:
                self._times -= 1
                raise Killed
        return [row._replace(state="done") if row.state == "drawn" else row for row in rows]


ROWS = [Row(1, 1, 0, "document", b""), *(Row(1, 1, page, "drawn", b"") for page in range(1, 6))]


def read(reader, tries, rows=ROWS):
    """As Ray does: the same batch again until it is read. Returns the rows and how often the process ended."""
    for ends in range(20):
        try:
            return read_guarded(reader, rows, tries.begin, tries.end), ends
        except Killed:
            continue
    raise AssertionError("it never ends")


def test_a_batch_is_read_at_once():
    reader = Deadly(())
    rows, ends = read(reader, Tries())
    assert [row.state for row in rows] == ["document", *["done"] * 5]
    assert (ends, reader.batches) == (0, [[0, 1, 2, 3, 4, 5]])


def test_a_page_that_ends_the_process_each_time_fails_alone():
    rows, ends = read(Deadly((2, 4)), Tries())
    assert [row.state for row in rows] == ["document", "done", "failed", "done", "failed", "done"]
    assert b"process_killed" in rows[2].body
    assert ends == 1 + 2 * MOST_KILLS


def test_a_process_that_was_killed_by_chance_costs_no_page():
    tries = Tries()
    rows, ends = read(Deadly((3,), times=2), tries)
    assert [row.state for row in rows] == ["document", *["done"] * 5]
    assert ends == 2
    assert not tries._begun
