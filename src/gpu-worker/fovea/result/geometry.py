"""Boxes in three units: 0..1 of the page, the model's bins 0..999, and pixels.

Bins are fractions of the *original* image (v / 999 · width), even if the model saw it padded or cut into tiles. The
official DeepSeek-OCR code does the same.
"""

from fovea.result.page_result import Box

FULL: Box = (0.0, 0.0, 1.0, 1.0)
BINS = 999


def from_bins(box: tuple[int, int, int, int]) -> Box:
    """0..999 to 0..1. Corners are put in order; a box is at least one bin wide and high."""
    x0, x1 = sorted((box[0], box[2]))
    y0, y1 = sorted((box[1], box[3]))
    if x0 == x1:
        x0, x1 = (x0, x0 + 1) if x0 < BINS else (x0 - 1, x0)
    if y0 == y1:
        y0, y1 = (y0, y0 + 1) if y0 < BINS else (y0 - 1, y0)
    return x0 / BINS, y0 / BINS, x1 / BINS, y1 / BINS


def to_bins(box: Box) -> tuple[int, int, int, int]:
    """0..1 to the nearest bins 0..999."""
    return tuple(round(min(1.0, max(0.0, value)) * BINS) for value in box)


def union(boxes: list[Box]) -> Box:
    """The smallest box that contains all boxes."""
    return (
        min(box[0] for box in boxes), min(box[1] for box in boxes),
        max(box[2] for box in boxes), max(box[3] for box in boxes),
    )  # fmt: skip


def area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def common(a: Box, b: Box) -> float:
    """The area of the intersection."""
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def pixels(box: Box, width: int, height: int) -> tuple[int, int, int, int]:
    """The pixels (x0, y0, x1, y1) that a box touches: at least one, all inside the image."""
    x0, y0 = min(int(box[0] * width), width - 1), min(int(box[1] * height), height - 1)
    x1, y1 = -int(-box[2] * width // 1), -int(-box[3] * height // 1)
    return x0, y0, min(max(x1, x0 + 1), width), min(max(y1, y0 + 1), height)
