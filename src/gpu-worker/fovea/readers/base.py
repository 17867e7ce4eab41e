"""What a reader is: anything that turns the pixels of a page into a page result."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from fovea.contract import CONTRACT
from fovea.given_up import GivenUp
from fovea.pages.documents import Raster
from fovea.result.page_result import PageResult
from fovea.vision.plan import Density

TRANSCRIPTIONS = tuple(CONTRACT["transcriptions"])
"""The tasks whose answer is the page's own text: its length can be estimated, and a witness can check it."""
ENCODE: str = CONTRACT["encode"]
"""The task that reads nothing: the reader only makes the page's vision tokens."""
TASKS: dict[str, list[str]] = CONTRACT["tasks"]
"""The tasks of each reader, by its name."""


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """The options of a shard, as the edge sends them; and for each page whose it is and if it is given up.

    `witness`: whether pages are checked by `fovea.result.witness`. `keep_tokens`: whether the page's vision tokens
    are wanted beside its result.
    """

    mode: str = "auto"
    task: str = "markdown"
    prompt: str | None = None
    witness: bool = False
    keep_tokens: bool = False
    recall: Callable[[str], bytes | None] = field(default=lambda mode: None, compare=False, repr=False)
    """The file of vision tokens that was kept of the page in a mode, or `None`. Blocks (`fovea.readers.kept`)."""
    digest: str | None = field(default=None, compare=False)
    """By what kept tokens are named, where that is more than the reader's digest: of a text also what lays it out."""
    owner: str = field(default="", compare=False)
    """The prediction: a reader that reads several pages at once serves them in turn."""
    given_up: GivenUp = field(default_factory=GivenUp, compare=False, repr=False)


class InvalidOptions(ValueError):
    """The reader cannot do what is asked. The message is for the person who asked."""


class Reader(Protocol):
    """A reader is made once for each process and called from several threads.

    One with an attribute `parallel` is given that many pages of a shard at once, one with `takes_blank` also those
    without ink.
    """

    name: str
    digest: str
    """`sha256:` and 64 hexadecimal digits over everything that decides what is read: weights and rules."""
    modes: tuple[str, ...]
    """Those over which a token budget can be spread; none where a page's vision tokens are not known beforehand."""

    def check(self, request: ReadRequest) -> None:
        """Raises `InvalidOptions`, before any page is read."""
        ...

    def spread(self, pages: Sequence[Density], budget: int) -> list[str]:
        """A mode for each page, such that all together take at most `budget` vision tokens. Only with `modes`."""
        ...

    def read(self, raster: Raster, request: ReadRequest) -> PageResult:
        """Blocks for as long as the page takes. `timings_ms["raster"]` is filled in by the caller."""
        ...
