"""What speaks against a reading, as numbers that a verdict can be made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import cv2
import numpy as np

from fovea.layout.line import CJK
from fovea.recognition.engine import crop
from fovea.recognition.frame import Frame, levels
from fovea.recognition.marks import fill_of_frame
from fovea.result.page_result import Box

NEAR = 0.8
"""Letters of a row are not further apart than this, in heights of a line."""
LEAST_ROW = 3
"""Letters that make a row."""


@dataclass(slots=True)
class Doubts:
    """Of one page. Letters that were not read are estimates."""

    words: int = 0
    """Words that were recognized; each character of Chinese and Japanese is one."""
    right: float = 0.0
    """How many of them are expected to be right."""
    unread: int = 0
    """Lines that were found and could not be read."""
    drawn: int = 0
    """Letters of these lines."""
    loose: int = 0
    """Letters in rows that belong to no line."""
    boxes: int = 0
    """Letters that are drawn as empty boxes, because the font of the page lacks them."""
    cut: int = 0
    """Lines that are cut off at the left or right edge of the page."""
    height: float = 0.0
    """Median height of the lines in pixels of the raster."""


def right_words(text: str, sure: Sequence[float]) -> tuple[int, float]:
    """The words of a line, and how many of them are expected to be right.

    `sure`: the confidence of each character that is not white space. A word is right if all its characters are, and
    a confidence is the probability that one is. Bullets, boxes and leaders are no words.
    """
    words, at = [], 0
    for word in text.split():
        of_word = sure[at : at + len(word)]
        at += len(word)
        if not any(map(str.isalnum, word)):
            continue
        words += [[one] for one in of_word] if CJK.search(word) else [of_word]
    return len(words), float(sum(prod(word) for word in words))


def loose_rows(frame: Frame, quads: Sequence[np.ndarray], height: float) -> list[tuple[Box, int]]:
    """Rows of letters outside of all lines: their boxes, and about how many letters each has.

    `quads`: the page's lines, those that could not be read, too. `height`: that of a line.
    """
    if height < 4:
        return []
    ink = frame.ink.copy()
    for quad in quads:
        middle = quad.mean(axis=0)
        cv2.fillConvexPoly(
            ink, np.round(middle + (quad - middle) * _growth(quad, 0.3 * height)).astype(int), 0
        )
    _, labels, stats, centers = cv2.connectedComponentsWithStats(ink, connectivity=8)
    wide, tall, area = (stats[:, at] for at in (cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT, cv2.CC_STAT_AREA))
    letters = (
        (tall >= 0.3 * height)
        & (tall <= 1.3 * height)
        & (wide <= 2 * height)
        & (area >= 0.12 * wide * tall)
        & (area >= 0.02 * height**2)
    )
    letters[0] = False
    for label in np.flatnonzero(letters & (wide > 0.8 * tall) & (wide < 1.25 * tall)):
        x, y = stats[label, cv2.CC_STAT_LEFT], stats[label, cv2.CC_STAT_TOP]
        part = labels[y : y + tall[label], x : x + wide[label]] == label
        letters[label] = fill_of_frame(part) is None  # a box to tick or to write into
    if letters.sum() < LEAST_ROW:
        return []
    rows = letters[labels].astype(np.uint8)
    rows = cv2.morphologyEx(rows, cv2.MORPH_CLOSE, np.ones((1, max(3, round(NEAR * height))), np.uint8))
    _, row_of, row_stats, _ = cv2.connectedComponentsWithStats(rows, connectivity=8)
    at = np.round(centers[letters]).astype(int)
    # The center of a letter may lie in its hole: the closed row covers it nearly always.
    counts = np.bincount(row_of[at[:, 1], at[:, 0]], minlength=len(row_stats))
    is_row = (counts >= LEAST_ROW) & (row_stats[:, cv2.CC_STAT_HEIGHT] <= 1.8 * height)
    is_row[0] = False
    found = []
    for row in np.flatnonzero(is_row):
        x, y, w, h, _ = (int(value) for value in row_stats[row])
        found.append(((x, y, x + w, y + h), int(counts[row])))
    return found


def _growth(quad: np.ndarray, pad: float) -> np.ndarray:
    """The factors by which a quad grows on all sides by `pad` pixels."""
    size = np.maximum(np.ptp(quad, axis=0), 1)
    return 1 + 2 * pad / size


def boxed_letters(image: np.ndarray, quad: np.ndarray) -> int:
    """Empty boxes close to letters of a line. `image`: (H, W, 3) BGR. A box to tick stands apart or first."""
    grey = cv2.cvtColor(crop(image, quad), cv2.COLOR_BGR2GRAY)
    height = grey.shape[0]
    if height < 12:
        return 0
    _, ink = cv2.threshold(grey, 0, 1, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    parts = [(x, y, w, h, label) for label, (x, y, w, h, _) in enumerate(stats) if label and h > 0.2 * height]
    count = 0
    for x, y, w, h, label in parts:
        if w < 5 or h < 0.3 * height or not 0.2 < w / h < 1.4:
            continue
        filled = fill_of_frame(labels[y : y + h, x : x + w] == label, 0.95)
        if filled is None or filled > 0.25:
            continue
        others = [(a, c) for a, _, c, _, other in parts if other != label]
        left = [x - a - c for a, c in others if a < x]
        right = [a - x - w for a, _ in others if a > x]
        count += bool(left) and min([*left, *right]) < 0.15 * height
    return count


def cut_lines(frame: Frame, quads: Sequence[np.ndarray]) -> int:
    """Lines of which letters go through the left or the right edge of the page."""
    count = 0
    for quad in quads:
        (x0, y0), (x1, y1) = quad.min(axis=0), quad.max(axis=0)
        near = 0.6 * (y1 - y0)
        rows = frame.grey[max(0, round(float(y0))) : max(0, round(float(y1)))]
        edges = [
            edge
            for is_near, edge in ((x0 < near, rows[:, :2]), (x1 > frame.width - near, rows[:, -2:]))
            if is_near
        ]
        if not edges or not rows.size:
            continue
        [paper] = levels(rows, 0.8)
        for edge in edges:
            # Less than all of the edge is dark: it is no frame and no shadow of a scanner.
            if 0.04 < float((edge < paper - 60).mean()) < 0.8:
                count += 1
                break
    return count
