"""Places as tokens: how `fovea-nano` says where it is reading.

Before the first character of a line in a vision token's column it says a *place*: the row of 16-px patches in which
the line runs and the column of 64-px vision tokens. So the place in the picture is known at every step, the decoder
need not count lines and characters to find it again, and every few characters come with a box.
"""

from dataclasses import dataclass

ROW, COLUMN = 16, 64
"""Pixels of a place's height and width."""
ROWS, COLUMNS = 8, 8
"""Places of a view of 128 × 512 px."""
FIRST = 271
"""The first place's id: behind the byte vocabulary."""
COUNT = ROWS * COLUMNS


@dataclass(frozen=True, slots=True)
class Place:
    row: int
    column: int

    @classmethod
    def at(cls, x: float, y: float) -> "Place":
        """The place of a point in pixels; one outside the view counts as at its edge."""
        return cls(min(max(int(y // ROW), 0), ROWS - 1), min(max(int(x // COLUMN), 0), COLUMNS - 1))

    @classmethod
    def of(cls, token: int) -> "Place | None":
        return cls(*divmod(token - FIRST, COLUMNS)) if FIRST <= token < FIRST + COUNT else None

    @property
    def token(self) -> int:
        return FIRST + self.row * COLUMNS + self.column

    @property
    def cell(self) -> int:
        """Number of the vision token that shows it, row by row without newlines."""
        return self.row * ROW // 64 * COLUMNS + self.column


def with_places(
    ids: list[int], points: list[tuple[float, float]], newline: int
) -> list[tuple[int, Place, int]]:
    """A text's tokens with the places between them: (token, place where it is, its number in `ids` or −1).

    `points`: the middle of each token in pixels.
    """
    told: list[tuple[int, Place, int]] = []
    here: Place | None = None
    for number, (token, (x, y)) in enumerate(zip(ids, points, strict=True)):
        if token == newline:
            told.append((token, here or Place.at(x, y), number))
            here = None
            continue
        place = Place.at(x, y)
        if here is None or place.column != here.column:
            here = place
            told.append((here.token, here, -1))
        told.append((token, here, number))
    return told
