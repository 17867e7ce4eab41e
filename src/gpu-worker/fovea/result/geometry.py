"""Boxes between the frames that a page passes through.

The model writes boxes in 0..999. The official code reads them as fractions of the *original* image,
v / 999 · width, even though the model saw it padded or cut into tiles, so a plain answer needs no other step.
A crop that was read again, a page that was turned before reading, or a model that was trained on boxes of the
padded view does: for those, every step of the way is a `Map` of unit coordinates, and steps compose and
invert.

All of them are axis-aligned: a signed permutation of the axes, a scale and an offset.
"""

from dataclasses import dataclass

UnitBox = tuple[float, float, float, float]
FULL: UnitBox = (0.0, 0.0, 1.0, 1.0)
BINS = 999


@dataclass(frozen=True, slots=True)
class Map:
    """x' = a·x + b·y + c,  y' = d·x + e·y + f, from one frame's 0..1 to another's."""

    a: float = 1.0
    b: float = 0.0
    c: float = 0.0
    d: float = 0.0
    e: float = 1.0
    f: float = 0.0

    def point(self, x: float, y: float) -> tuple[float, float]:
        return self.a * x + self.b * y + self.c, self.d * x + self.e * y + self.f

    def box(self, box: UnitBox) -> UnitBox:
        """The image of a box, its corners in order again."""
        (x0, y0), (x1, y1) = self.point(box[0], box[1]), self.point(box[2], box[3])
        return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)

    def then(self, after: "Map") -> "Map":
        """This step and then `after`."""
        c, f = after.point(self.c, self.f)
        return Map(
            after.a * self.a + after.b * self.d, after.a * self.b + after.b * self.e, c,
            after.d * self.a + after.e * self.d, after.d * self.b + after.e * self.e, f,
        )  # fmt: skip

    def inverse(self) -> "Map":
        """The way back. Raises `ZeroDivisionError` for a frame without area."""
        det = self.a * self.e - self.b * self.d
        a, b, d, e = self.e / det, -self.b / det, -self.d / det, self.a / det
        return Map(a, b, -(a * self.c + b * self.f), d, e, -(d * self.c + e * self.f))


def padded(width: int, height: int, side: int) -> Map:
    """Page to the square view of `side` pixels that `PIL.ImageOps.pad` makes: fit, then centre."""
    fit_w, fit_h = side, side
    if width > height:
        fit_h = max(1, round(height / width * side))
    elif height > width:
        fit_w = max(1, round(width / height * side))
    left, top = round((side - fit_w) * 0.5), round((side - fit_h) * 0.5)
    return Map(a=fit_w / side, c=left / side, e=fit_h / side, f=top / side)


def tile(column: int, row: int, columns: int, rows: int) -> Map:
    """Page to one tile of a grid that the whole page is stretched over."""
    return Map(a=columns, c=-column, e=rows, f=-row)


def crop(box: UnitBox) -> Map:
    """Page to the part of it inside `box`."""
    width, height = box[2] - box[0], box[3] - box[1]
    return Map(a=1 / width, c=-box[0] / width, e=1 / height, f=-box[1] / height)


# EXIF orientation: how the stored image becomes the upright one (TIFF 6.0, tag 274).
_EXIF = {
    1: Map(),
    2: Map(a=-1, c=1),
    3: Map(a=-1, c=1, e=-1, f=1),
    4: Map(e=-1, f=1),
    5: Map(a=0, b=1, d=1, e=0),
    6: Map(a=0, b=-1, c=1, d=1, e=0),
    7: Map(a=0, b=-1, c=1, d=-1, e=0, f=1),
    8: Map(a=0, b=1, d=-1, e=0, f=1),
}


def exif(orientation: int) -> Map:
    """Stored image to upright image; unknown orientations count as upright, as in Pillow."""
    return _EXIF.get(orientation, _EXIF[1])


def turned(quarters: int) -> Map:
    """Page to the same page turned counter-clockwise by quarter turns, as `Image.rotate(90·quarters)`."""
    return (_EXIF[1], _EXIF[8], _EXIF[3], _EXIF[6])[quarters % 4]


def from_bins(box: tuple[int, int, int, int]) -> UnitBox:
    """0..999 to 0..1: corners put in order, and never without area (one bin wide at least)."""
    x0, x1 = sorted((box[0], box[2]))
    y0, y1 = sorted((box[1], box[3]))
    if x0 == x1:
        x0, x1 = (x0, x0 + 1) if x0 < BINS else (x0 - 1, x0)
    if y0 == y1:
        y0, y1 = (y0, y0 + 1) if y0 < BINS else (y0 - 1, y0)
    return x0 / BINS, y0 / BINS, x1 / BINS, y1 / BINS


def to_bins(box: UnitBox) -> tuple[int, int, int, int]:
    """0..1 to the nearest of the 0..999 that the model writes."""
    return tuple(round(min(1.0, max(0.0, value)) * BINS) for value in box)


def on_page(box: UnitBox, to_frame: Map) -> UnitBox:
    """A box of some frame on the page itself, clipped to it. `to_frame` maps the page to that frame."""
    return tuple(min(1.0, max(0.0, value)) for value in to_frame.inverse().box(box))


def union(boxes: list[UnitBox]) -> UnitBox:
    """The smallest box around all."""
    return (
        min(box[0] for box in boxes), min(box[1] for box in boxes),
        max(box[2] for box in boxes), max(box[3] for box in boxes),
    )  # fmt: skip


def common(a: UnitBox, b: UnitBox) -> float:
    """The area that two boxes share."""
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def pixels(box: UnitBox, width: int, height: int) -> tuple[int, int, int, int]:
    """The whole pixels that a box touches: never empty, never outside."""
    x0, y0 = min(int(box[0] * width), width - 1), min(int(box[1] * height), height - 1)
    x1, y1 = -int(-box[2] * width // 1), -int(-box[3] * height // 1)
    return x0, y0, min(max(x1, x0 + 1), width), min(max(y1, y0 + 1), height)
