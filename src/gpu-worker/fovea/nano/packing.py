"""Packs lines of text into strips. `fovea-nano` sees these strips instead of the page, which is mostly empty paper.

The lines are cut out, scaled to one size and stacked in strips of 512 × 128 px, which take 16 vision tokens each. The
mode sets the rows of a strip: more rows mean smaller type and fewer tokens. A line that is longer than a row is cut
between words.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from fovea.nano.lines import TextLine

WIDTH, HEIGHT = 512, 128
MARGIN = 6  # pixels at both ends of a row
EM_OF_ROW = 0.8
"""Em size of packed type as a share of the row's height."""
X_OF_EM = 0.5
"""x-height as a share of the em size, in most fonts."""
BASE_BELOW_MIDDLE = 0.33
"""Distance of the baseline below the middle of a row, in em sizes."""
MAX_SCALE = 4.0
TOKENS = (WIDTH // 64) * (HEIGHT // 64)


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of the line with index `line`. `pixels` (row height, width) are grey."""

    line: int
    pixels: np.ndarray
    scale: float
    """Pixels of the segment per pixel of the page."""
    left: float
    top: float
    """The point of the upright page at the segment's first pixel."""

    def at(self, x: float, y: float) -> tuple[float, float]:
        """A point of the upright page in the segment's coordinates."""
        return (x - self.left) * self.scale, (y - self.top) * self.scale


def cut(upright: np.ndarray, lines: list[TextLine], rows: int) -> list[Segment]:
    """All segments of the lines, in order. `upright`: (H, W), grey, dark on light; `rows`: rows of a strip."""
    segments = []
    for number, line in enumerate(lines):
        row, scale, top = _scaled(upright, line, HEIGHT // rows)
        left = float(max(0, line.x0))
        for piece in _pieces(row):
            segments.append(Segment(number, piece, scale, left, top))
            left += piece.shape[1] / scale
    return segments


def pack(segments: list[Segment], rows: int) -> list[list[int]]:
    """The indices of the segments in each strip."""
    return [list(range(start, min(start + rows, len(segments)))) for start in range(0, len(segments), rows)]


def draw(segments: list[Segment], rows: int) -> np.ndarray:
    """One strip (HEIGHT, WIDTH), grey, of at most `rows` segments. Empty parts have the color of the paper."""
    papers = [np.median(segment.pixels) for segment in segments]
    strip = np.full((HEIGHT, WIDTH), np.median(papers), np.uint8)
    pitch = HEIGHT // rows
    for row, (segment, paper) in enumerate(zip(segments, papers, strict=True)):
        strip[row * pitch : (row + 1) * pitch] = paper
        strip[row * pitch : (row + 1) * pitch, MARGIN : MARGIN + segment.pixels.shape[1]] = segment.pixels
    return strip


def _scaled(upright: np.ndarray, line: TextLine, pitch: int) -> tuple[np.ndarray, float, float]:
    """The line as a row (pitch, width), its scale, and the page's y at the top of the row."""
    em = EM_OF_ROW * pitch
    scale = min(X_OF_EM * em / line.size, 0.96 * pitch / line.height, MAX_SCALE)
    # Choose the window on the page so that the baseline is where it was in training.
    below = min(BASE_BELOW_MIDDLE * em, pitch / 2 - scale * (line.y1 - line.base))
    top = line.base - (pitch / 2 + max(below, 0)) / scale
    top = min(top, float(line.y0)) if scale * (line.y1 - min(top, line.y0)) <= pitch else top
    width = max(1, round((line.x1 - line.x0) * scale))
    x0, x1 = max(0, line.x0), min(upright.shape[1], line.x1)
    y0, y1 = int(np.floor(top)), int(np.ceil(top + pitch / scale))
    inside = upright[max(0, y0) : max(0, y1), x0 : max(x1, x0 + 1)]
    below_page = max(0, y1 - max(y0, 0) - len(inside))
    paper = float(np.median(inside))
    window = cv2.copyMakeBorder(inside, max(0, -y0), below_page, 0, 0, cv2.BORDER_CONSTANT, value=paper)
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    full = cv2.resize(window, (width, max(pitch, round(len(window) * scale))), interpolation=kind)
    first = round((top - y0) * scale)
    first = min(first, len(full) - pitch)
    return full[first : first + pitch], scale, y0 + first / scale


def _pieces(row: np.ndarray) -> list[np.ndarray]:
    """A row cut into pieces that fit into a strip, between words if there are gaps."""
    room = WIDTH - 2 * MARGIN
    pieces = []
    while row.shape[1] > room:
        at = _gap(row, room)
        pieces.append(row[:, :at])
        row = row[:, at:]
    return [*pieces, row]


def _gap(row: np.ndarray, room: int) -> int:
    """The x at which to cut: the middle of the last wide gap (75 % of the widest) near the end of `room`."""
    parts = -(-row.shape[1] // room)
    first = min(int(0.75 * room), int(0.8 * row.shape[1] / parts))
    paper = float(np.median(row))
    dark = np.clip(paper - row[:, first:room].astype(np.float32), 0, None).max(0)
    clear = dark < 0.25 * max(float(dark.max()), 1.0)
    gaps: list[tuple[int, int]] = []  # (width, middle)
    start = None
    for x, free in enumerate([*clear, False]):
        if free and start is None:
            start = x
        elif not free and start is not None:
            gaps.append((x - start, (x + start) // 2))
            start = None
    if not gaps:
        return first + int(dark.argmin())
    widest = max(width for width, _ in gaps)
    return first + max(middle for width, middle in gaps if width >= 0.75 * widest)
