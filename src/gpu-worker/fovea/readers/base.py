"""What a reader is: anything that turns the pixels of a page into a page result."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from fovea.pages import Raster
from fovea.plan import Density
from fovea.result import PageResult

TRANSCRIPTIONS = ("markdown", "free", "deep")
"""The tasks whose answer is the page's own text: its length can be estimated, and a witness can check it."""


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """The options of a shard, as the edge sends them. `witness`: whether pages are checked by `fovea.witness`."""

    mode: str = "auto"
    task: str = "markdown"
    prompt: str | None = None
    witness: bool = False


class InvalidOptions(ValueError):
    """The reader cannot do what is asked. The message is for the person who asked."""


class Reader(Protocol):
    """A reader is made once for each process and called from several threads."""

    name: str
    digest: str
    """`sha256:` and 64 hexadecimal digits over everything that decides what is read: weights and rules."""
    modes: tuple[str, ...]
    """Those that it can be asked for beside `auto`; none for a reader without vision tokens."""

    def check(self, request: ReadRequest) -> None:
        """Raises `InvalidOptions`, before any page is read."""
        ...

    def spread(self, pages: Sequence[Density], budget: int) -> list[str]:
        """A mode for each page, such that all together take at most `budget` vision tokens. Only with `modes`."""
        ...

    def read(self, raster: Raster, request: ReadRequest) -> PageResult:
        """Blocks for as long as the page takes. `timings_ms["raster"]` is filled in by the caller."""
        ...
