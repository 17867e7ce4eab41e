"""What a reader is: anything that turns the pixels of a page into a page result."""

from dataclasses import dataclass
from typing import Protocol

from fovea.pages import Raster
from fovea.result import PageResult


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """The options of a shard, as the edge sends them."""

    mode: str = "auto"
    task: str = "markdown"
    prompt: str | None = None


class InvalidOptions(ValueError):
    """The reader cannot do what is asked. The message is for the person who asked."""


class Reader(Protocol):
    """A reader is made once for each process and called from several threads."""

    name: str
    digest: str
    """`sha256:` and 64 hexadecimal digits over everything that decides what is read: weights and rules."""

    def check(self, request: ReadRequest) -> None:
        """Raises `InvalidOptions`, before any page is read."""
        ...

    def read(self, raster: Raster, request: ReadRequest) -> PageResult:
        """Blocks for as long as the page takes. `timings_ms["raster"]` is filled in by the caller."""
        ...
