"""From the raster of a page to its upright, level picture, and back."""

import math
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from fovea.result.page_result import Box

LEAST_SKEW, MOST_SKEW = math.radians(0.12), math.radians(15)
INK = 40
"""Least difference of ink and the paper around it in grey levels."""


@dataclass(frozen=True)
class Frame:
    """`image`: (H, W, 3) BGR. `to_raster`: (3, 3), turns `(x, y, 1)` of the image into pixels of the raster."""

    image: np.ndarray
    to_raster: np.ndarray
    raster_width: int
    raster_height: int

    @classmethod
    def of(cls, image: np.ndarray) -> "Frame":
        height, width = image.shape[:2]
        return cls(image, np.eye(3), width, height)

    @property
    def width(self) -> int:
        return self.image.shape[1]

    @property
    def height(self) -> int:
        return self.image.shape[0]

    @cached_property
    def grey(self) -> np.ndarray:
        """(H, W)."""
        return cv2.cvtColor(self.image, cv2.COLOR_BGR2GRAY)

    @cached_property
    def ink(self) -> np.ndarray:
        """(H, W): 1 where a pixel is darker than the paper around it. Not to be written to."""
        quarter = (max(1, self.width // 4), max(1, self.height // 4))
        paper = cv2.medianBlur(cv2.resize(self.grey, quarter, interpolation=cv2.INTER_AREA), 31)
        paper = cv2.resize(paper, (self.width, self.height), interpolation=cv2.INTER_LINEAR)
        return (cv2.subtract(paper, self.grey) > INK).astype(np.uint8)

    @property
    def quarters(self) -> int:
        """Quarter turns, clockwise, from the raster to this picture."""
        across, down = self.to_raster[0, 0], self.to_raster[1, 0]
        return round(-math.atan2(down, across) / (math.pi / 2)) % 4

    def turned(self, quarters: int) -> "Frame":
        """Turned clockwise by a multiple of 90°."""
        if quarters % 4 == 0:
            return self
        image = np.ascontiguousarray(np.rot90(self.image, -quarters))
        w, h = self.width, self.height
        back = {
            1: np.array([[0, 1, 0], [-1, 0, h], [0, 0, 1]], float),
            2: np.array([[-1, 0, w], [0, -1, h], [0, 0, 1]], float),
            3: np.array([[0, -1, w], [1, 0, 0], [0, 0, 1]], float),
        }[quarters % 4]
        return Frame(image, self.to_raster @ back, self.raster_width, self.raster_height)

    def level(self, skew: float) -> tuple["Frame", np.ndarray]:
        """Turned back by `skew` radians, and the matrix (3, 3) that moves points along."""
        w, h = self.width, self.height
        cos, sin = math.cos(skew), math.sin(skew)
        wide, tall = round(w * cos + h * abs(sin)), round(h * cos + w * abs(sin))
        x = wide / 2 - cos * w / 2 - sin * h / 2
        y = tall / 2 + sin * w / 2 - cos * h / 2
        there = np.array([[cos, sin, x], [-sin, cos, y], [0, 0, 1]])
        image = cv2.warpAffine(
            self.image, there[:2], (wide, tall), flags=cv2.INTER_LINEAR, borderValue=(255, 255, 255)
        )
        frame = Frame(image, self.to_raster @ np.linalg.inv(there), self.raster_width, self.raster_height)
        return frame, there

    def bbox(self, box: Box) -> Box:
        """The box around a box of the image, in 0..1 of the raster."""
        x0, y0, x1, y1 = box
        corners = np.array([[x0, x1, x1, x0], [y0, y0, y1, y1], [1, 1, 1, 1]], float)
        xs, ys, _ = self.to_raster @ corners
        return (
            float(xs.min() / self.raster_width),
            float(ys.min() / self.raster_height),
            float(xs.max() / self.raster_width),
            float(ys.max() / self.raster_height),
        )


def skew_of(quads: np.ndarray) -> float:
    """The angle of the lines of a page in radians, clockwise; 0 if it is small or not clear."""
    angles, weights = [], []
    for quad in quads:
        along = quad[1] - quad[0] + quad[2] - quad[3]
        across = quad[3] - quad[0] + quad[2] - quad[1]
        long = float(np.linalg.norm(along))
        if long > 3 * float(np.linalg.norm(across)):
            angles.append(math.atan2(along[1], along[0]))
            weights.append(long)
    if len(angles) < 3:
        return 0.0
    order = np.argsort(angles)
    total = np.cumsum(np.array(weights)[order])
    skew = angles[int(order[int(np.searchsorted(total, total[-1] / 2))])]
    return skew if LEAST_SKEW < abs(skew) < MOST_SKEW else 0.0


def levels(grey: np.ndarray, *shares: float) -> list[int]:
    """The grey levels below which these shares of the pixels of (H, W) uint8 lie. Faster than `numpy.percentile`."""
    counts = np.cumsum(cv2.calcHist([grey], [0], None, [256], [0, 256]))
    return [int(np.searchsorted(counts, share * counts[-1])) for share in shares]
