"""Finds the lines of text on a page by its ink, without a model.

1. Deskew: rotate the page by the angle at which its row sums are sharpest.
2. Ink: pixels that are darker than the paper around them. Its connected components are letters and parts of letters.
3. Lines: components of similar height, side by side and at most a word gap apart. Rules, pictures and specks are left
   out by their size.
"""

import itertools
from dataclasses import dataclass
from statistics import median

import cv2
import numpy as np
from PIL import Image, ImageOps

from fovea.recognition.frame import Frame

WORD_GAP = 1.6
"""Largest gap inside a line, in x-heights. Wider gaps separate columns or cells of a table."""
WIDE_GAP = 1.7
"""Largest gap inside a line, in steps from letter to letter; used for typewriter faces and spaced type."""
MARK_GAP = 0.8
"""Largest distance of a mark from its line, as a share of the largest gap inside the line."""
MAX_SKEW = 3.0  # degrees
MAX_HEIGHT = 0.12
"""Largest height of a letter as a share of the page's height."""
MIN_OVERLAP = 0.45
"""Least vertical overlap of two letters of one line, as a share of the smaller height."""
CONTRAST = 22
"""Least difference between ink and the paper around it, in grey levels."""


@dataclass(frozen=True, slots=True)
class TextLine:
    """A line's box in pixels of the upright page, with some margin."""

    x0: int
    y0: int
    x1: int
    y1: int
    base: float
    """y of the baseline."""
    size: float
    """Median height of its letters in pixels: the x-height, or the height of capitals and digits."""

    @property
    def height(self) -> int:
        return self.y1 - self.y0


@dataclass(frozen=True, slots=True)
class Found:
    """`upright`: (H, W), grey, dark on light, rotated by `angle` degrees around its center."""

    upright: np.ndarray
    angle: float
    lines: list[TextLine]

    @property
    def frame(self) -> Frame:
        """The upright page in colour, and the way back to the original page."""
        height, width = self.upright.shape
        turn = np.deg2rad(self.angle)
        cos, sin, x, y = np.cos(turn), np.sin(turn), width / 2, height / 2
        back = np.array([[cos, -sin, x - x * cos + y * sin], [sin, cos, y - x * sin - y * cos], [0, 0, 1]])
        return Frame(cv2.cvtColor(self.upright, cv2.COLOR_GRAY2BGR), back, width, height)


def find_lines(image: Image.Image) -> Found:
    """The lines of an RGB page from top to bottom, without regard to columns."""
    grey = np.asarray(ImageOps.grayscale(image))
    if np.median(grey) < 110:  # light letters on a dark page
        grey = 255 - grey
    angle = skew(ink_of(grey))
    upright = turned(grey, angle)
    return Found(upright, angle, _lines(ink_of(upright)))


def turned(grey: np.ndarray, angle: float) -> np.ndarray:
    """`grey` (H, W) rotated counterclockwise by `angle` degrees; new corners get the color of the paper."""
    if not angle:
        return grey
    height, width = grey.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
    paper = float(np.median(grey))
    return cv2.warpAffine(grey, matrix, (width, height), flags=cv2.INTER_CUBIC, borderValue=paper)


def ink_of(grey: np.ndarray) -> np.ndarray:
    """(H, W) bool: pixels clearly darker than the paper around them. Uneven light does not count as ink."""
    smooth = cv2.GaussianBlur(grey, (3, 3), 0)
    side = max(15, min(grey.shape) // 30) | 1
    # Paper: morphological closing removes dark strokes but keeps wide dark areas.
    paper = cv2.GaussianBlur(
        cv2.morphologyEx(smooth, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8)), (side, side), 0
    )
    # Wide dark areas are the background of a photographed page. Their edges are not letters.
    beyond = cv2.dilate((paper < 0.55 * np.median(paper)).astype(np.uint8), np.ones((side, side), np.uint8))
    depth = paper.astype(np.int16) - smooth
    depth[beyond.astype(bool)] = 0
    strong = depth[depth > CONTRAST]
    level = max(CONTRAST, 0.4 * float(np.percentile(strong, 75))) if len(strong) else CONTRAST
    return depth > level


def skew(ink: np.ndarray) -> float:
    """The counterclockwise rotation in degrees that makes the rows level; 0 if unclear."""
    scale = min(1.0, 800 / max(ink.shape))
    small = cv2.resize(ink.astype(np.float32), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    height, width = small.shape

    def sharpness(angle: float) -> float:
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
        rows = cv2.warpAffine(small, matrix, (width, height)).sum(1)
        return float(np.square(np.diff(rows)).sum())

    level = sharpness(0.0)
    angles = [step * 0.25 for step in range(int(-MAX_SKEW * 4), int(MAX_SKEW * 4) + 1)]
    coarse = max(angles, key=sharpness)
    fine = max((coarse + step * 0.05 for step in range(-4, 5)), key=sharpness)
    return fine if abs(fine) >= 0.1 and sharpness(fine) > 1.1 * level else 0.0


def _lines(ink: np.ndarray) -> list[TextLine]:
    height, width = ink.shape
    count, _labels, stats, middles = cv2.connectedComponentsWithStats(ink.astype(np.uint8), connectivity=8)
    if count < 2:
        return []
    w, h, area = stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT], stats[:, cv2.CC_STAT_AREA]
    letters = (h >= 4) & (h < MAX_HEIGHT * height) & (w < 12 * h) & (area >= 6) & (area > 0.06 * w * h)
    letters[0] = False
    if not letters.any():
        return []
    small = (area >= 2) & (h < 0.03 * height) & (w < 0.05 * width)
    small[0] = False
    pieces = [
        _Piece(number, *map(int, (x, y, x + bw, y + bh)), bool(letters[number]))
        for number, (x, y, bw, bh, _) in enumerate(stats)
        if letters[number] or small[number]
    ]
    rows = _rows(pieces, WORD_GAP)
    gap = WIDE_GAP * _step(rows)
    if gap > WORD_GAP:
        rows = _rows(pieces, gap)
    # Dots, accents and commas belong to the line next to them; all others are specks.
    small[[piece.number for row in rows for piece in row.pieces]] = False
    lines = []
    for row in rows:
        tops, bottoms = ([getattr(piece, side) for piece in row.pieces] for side in ("y0", "y1"))
        y0, y1 = float(np.median(tops)), float(np.median(bottoms))
        tall = max(y1 - y0, 4.0)
        x0, x1 = row.x0, row.x1
        top = min(float(np.percentile(tops, 5)), y1 - tall)
        bottom = max(float(np.percentile(bottoms, 95)), y1)
        near = (
            small
            & (middles[:, 1] > top - 0.6 * tall)
            & (middles[:, 1] < bottom + 0.4 * tall)
            & (middles[:, 0] > x0 - 0.9 * tall)
            & (middles[:, 0] < x1 + 0.9 * tall)
        )
        if near.any():
            x0 = min(x0, int(stats[near, cv2.CC_STAT_LEFT].min()))
            x1 = max(x1, int((stats[near, cv2.CC_STAT_LEFT] + w[near]).max()))
        margin = max(2, round(0.22 * tall))
        lines.append(
            TextLine(
                max(0, x0 - margin),
                max(0, int(top) - margin),
                min(width, x1 + margin),
                min(height, int(np.ceil(bottom)) + margin),
                y1,
                tall,
            )
        )
    return sorted(lines, key=lambda line: (line.base, line.x0))


@dataclass(frozen=True, slots=True)
class _Piece:
    number: int
    x0: int
    y0: int
    x1: int
    y1: int
    letter: bool
    """Whether it can begin a line. Dots, commas, accents and dirt cannot."""


class _Row:
    """Pieces from left to right. `y0` and `y1` follow its last letters, so that a row may slope a little."""

    __slots__ = ("gap", "pieces", "x0", "x1", "y0", "y1")

    def __init__(self, piece: _Piece, gap: float):
        self.pieces, self.gap = [piece], gap
        self.x0, self.x1 = piece.x0, piece.x1
        self.y0, self.y1 = float(piece.y0), float(piece.y1)

    def add(self, piece: _Piece) -> None:
        self.x0, self.x1 = min(self.x0, piece.x0), max(self.x1, piece.x1)
        if not self._is_letter(piece):
            return
        self.pieces.append(piece)
        last = self.pieces[-6:]
        self.y0, self.y1 = median(p.y0 for p in last), median(p.y1 for p in last)

    @property
    def tall(self) -> float:
        return max(self.y1 - self.y0, 4.0)

    def _is_letter(self, piece: _Piece) -> bool:
        """Whether the piece is as tall as a letter of this row."""
        return piece.letter and self.tall <= 1.6 * (piece.y1 - piece.y0)

    def overlap(self, piece: _Piece) -> float:
        """Vertical overlap with the piece, as a share of the smaller height; 0 if the piece is not of this line."""
        own, tall = piece.y1 - piece.y0, self.tall
        gap = piece.x0 - self.x1
        if not self._is_letter(piece):
            # A full stop, a dash or a quotation mark, after which the line goes on.
            beside = self.y0 - 0.5 * tall < (piece.y0 + piece.y1) / 2 < self.y1 + 0.3 * tall
            return float(beside and gap < MARK_GAP * self.gap * tall)
        if own > 3 * tall or gap > self.gap * max(tall, min(own, 1.5 * tall)):
            return 0.0
        return (min(self.y1, piece.y1) - max(self.y0, piece.y0)) / min(own, tall)


def _step(rows: list[_Row]) -> float:
    """Median distance between the starts of neighboring letters, in x-heights."""
    steps = [
        (after.x0 - before.x0) / row.tall
        for row in rows
        if len(row.pieces) > 3
        for before, after in itertools.pairwise(row.pieces)
    ]
    return median(steps) if steps else 0.0


def _rows(pieces: list[_Piece], gap: float) -> list[_Row]:
    """Adds each piece, from left to right, to the row that it continues, at most `gap` x-heights away."""
    rows: list[_Row] = []
    within_reach: list[_Row] = []
    for piece in sorted(pieces, key=lambda piece: piece.x0):
        within_reach = [row for row in within_reach if piece.x0 - row.x1 < 1.5 * gap * row.tall]
        best = max(within_reach, key=lambda row: row.overlap(piece), default=None)
        if best is not None and best.overlap(piece) >= MIN_OVERLAP:
            best.add(piece)
        elif piece.letter:
            rows.append(_Row(piece, gap))
            within_reach.append(rows[-1])
    return _joined([row for row in rows if len(row.pieces) > 1 or row.tall >= 6])


def _joined(rows: list[_Row]) -> list[_Row]:
    """Merges a row into another if it lies inside the other's height and next to it, such as a quotation mark."""
    kept: list[_Row] = []
    for row in sorted(rows, key=lambda row: len(row.pieces), reverse=True):
        y0, y1 = median(p.y0 for p in row.pieces), median(p.y1 for p in row.pieces)
        for other in kept:
            top, bottom = min(p.y0 for p in other.pieces), max(p.y1 for p in other.pieces)
            tall = median(p.y1 - p.y0 for p in other.pieces)
            inside = y0 >= top - 0.2 * tall and y1 <= bottom + 0.2 * tall
            reach = row.gap * tall
            if inside and row.x0 < other.x1 + reach and row.x1 > other.x0 - reach:
                other.pieces += row.pieces
                other.x0, other.x1 = min(other.x0, row.x0), max(other.x1, row.x1)
                break
        else:
            kept.append(row)
    return kept
