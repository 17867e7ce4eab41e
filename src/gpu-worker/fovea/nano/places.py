"""Place tokens: `fovea-nano` writes where in the image it is reading.

At the start of a line and whenever the line enters the next column of vision tokens (64 px wide), the model writes a
*place*: the line's row of 16-px patches and the column. So the decoder does not have to count lines and characters to
find its position, and every few characters have a box.
"""

from dataclasses import dataclass

ROW, COLUMN = 16, 64
"""Height and width of a place in pixels."""
ROWS, COLUMNS = 8, 8
"""Places in a view of 128 × 512 px."""
FIRST = 271
"""Id of the first place. It follows the byte vocabulary."""
COUNT = ROWS * COLUMNS


@dataclass(frozen=True, slots=True)
class Place:
    row: int
    column: int

    @classmethod
    def at(cls, x: float, y: float) -> "Place":
        """The place of a point in pixels. A point outside the view is moved to its edge."""
        return cls(min(max(int(y // ROW), 0), ROWS - 1), min(max(int(x // COLUMN), 0), COLUMNS - 1))

    @classmethod
    def of(cls, token: int) -> "Place | None":
        return cls(*divmod(token - FIRST, COLUMNS)) if FIRST <= token < FIRST + COUNT else None

    @property
    def token(self) -> int:
        return FIRST + self.row * COLUMNS + self.column

    @property
    def cell(self) -> int:
        """Index of the vision token that shows the place, in row order, without newlines."""
        return self.row * ROW // 64 * COLUMNS + self.column


def with_places(
    ids: list[int], points: list[tuple[float, float]], newline: int
) -> list[tuple[int, Place, int]]:
    """A text's tokens with place tokens inserted: (token, its place, its index in `ids`, or −1 for a place token).

    `points`: the center of each token in pixels.
    """
    result: list[tuple[int, Place, int]] = []
    here: Place | None = None
    for number, (token, (x, y)) in enumerate(zip(ids, points, strict=True)):
        if token == newline:
            result.append((token, here or Place.at(x, y), number))
            here = None
            continue
        place = Place.at(x, y)
        if here is None or place.column != here.column:
            here = place
            result.append((here.token, here, -1))
        result.append((token, here, number))
    return result
