"""One answer in the making: what was asked, what it holds of the cache, where it stands."""

from collections.abc import Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from fovea.engine.generate import Generation


class Canceled(Exception):
    """Whoever asked has taken it back."""


class Busy(Exception):
    """The time was up before there was room to begin."""


@dataclass(slots=True, eq=False)
class Sequence:
    """`prompt` (T, C) embeddings; `inputs` is what has to be in the cache before the next token can be chosen:
    the prompt and, after a sequence was set aside, what it had said.
    """

    prompt: Tensor
    max_new: int
    owner: str = ""
    deadline: float | None = None  # an instant of the engine's clock
    prefix: tuple[Hashable, int] | None = (
        None  # name and length of a beginning that others may have in common
    )
    future: "Future[Generation]" = field(default_factory=Future)
    # In the engine's hands:
    inputs: Tensor = field(init=False)
    order: int = 0  # of admission: the last to come is the first to be set aside
    row: int | None = None  # in the batch, once tokens are chosen
    blocks: list[int] = field(default_factory=list)
    computed: int = 0  # positions in the cache
    saved: Any = None  # the row's state while the sequence is set aside
    begun_at: float | None = None
    first_at: float | None = None

    def __post_init__(self) -> None:
        self.inputs = self.prompt

    @property
    def left(self) -> int:
        """Positions still to be computed before the next token."""
        return len(self.inputs) - self.computed
