"""PP-OCR's text detector and line recognizer: the models in the wheel of `rapidocr`, and what goes before and after.

A call is a band of a page or a few lines. Each model runs one call at a time, and the pages of several documents take
turns between calls.
"""

import hashlib
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rapidocr
from rapidocr.ch_ppocr_det import TextDetector
from rapidocr.ch_ppocr_det.utils import DBPostProcess
from rapidocr.ch_ppocr_rec.utils import CTCLabelDecode

from fovea.recognition.network import Network, installed_runtime

MODELS = Path(rapidocr.__file__).parent / "models"
DETECTOR, RECOGNIZER = MODELS / "PP-OCRv6_det_small.onnx", MODELS / "PP-OCRv6_rec_small.onnx"
CROP_HEIGHT = 48
"""Pixels: the height of a line in the recognizer's input."""
MAX_CROP_WIDTH = 3200
"""Pixels at `CROP_HEIGHT`. Longer lines are read in parts."""
BUCKET = 64
"""Pixels. The recognizer's inputs have widths of a multiple, because a runtime prepares itself for each new shape."""

Quads = np.ndarray
"""(N, 4, 2) float32, pixels: corners clockwise from the top left of the text."""


@dataclass(frozen=True, slots=True)
class Text:
    """What the recognizer read in the image of a line."""

    text: str
    confidence: float
    """Mean over the characters, 0..1."""
    places: tuple[float, ...]
    """Center of each character that is not white space, as a share of the width of the image."""
    confidences: tuple[float, ...] = ()
    """Of the same characters, 0..1."""


class TextEngine:
    """Thread-safe."""

    def __init__(self, threads: int | None = None, runtime: str | None = None) -> None:
        """`threads`: all cores if `None`; OpenCV's, too. `runtime`: see `fovea.recognition.network`."""
        threads = threads or len(os.sched_getaffinity(0))
        cv2.setNumThreads(threads)
        self.runtime = runtime or installed_runtime()
        self._detector = Network(DETECTOR, threads, self.runtime)
        self._recognizer = Network(RECOGNIZER, threads, self.runtime)
        # The values of rapidocr's config.yaml.
        self._boxes = DBPostProcess(thresh=0.3, box_thresh=0.5, unclip_ratio=1.6, use_dilation=True)
        self._decoder = CTCLabelDecode(self._recognizer.characters)
        self._detecting, self._recognizing = threading.Lock(), threading.Lock()
        self.alphabet = frozenset(self._decoder.character)
        """Every character that the recognizer can write."""

    def detect(self, image: np.ndarray) -> Quads:
        """Lines of text in an image: (H, W, 3) BGR, sides a multiple of 32. Blocks."""
        batch = cv2.dnn.blobFromImage(image, 1 / 127.5, mean=(127.5, 127.5, 127.5))  # (1, 3, H, W), -1..1
        with self._detecting:
            boxes, _ = self._boxes(self._detector(batch)[0], image.shape[:2])
        return np.asarray(TextDetector.sorted_boxes(boxes), np.float32).reshape(-1, 4, 2)

    def recognize(self, crops: Sequence[np.ndarray]) -> list[Text]:
        """Reads images of single lines: (H, W, 3) BGR, in the direction of the text. Blocks."""
        return [_joined([(self._read(part), part.shape[1]) for part in _parts(one)]) for one in crops]

    def _read(self, part: np.ndarray) -> Text:
        """One line in a call: batches are no faster, and would hold up the lines of other documents."""
        height, width = part.shape[:2]
        width = max(1, -(-width * CROP_HEIGHT // height))
        image = cv2.resize(part, (width, CROP_HEIGHT))
        batch = np.zeros((1, 3, CROP_HEIGHT, -(-width // BUCKET) * BUCKET), np.float32)
        batch[0, :, :, :width] = image.transpose(2, 0, 1) / np.float32(127.5) - 1
        with self._recognizing:
            scores = self._recognizer(batch)[0]  # (1, columns, classes)
            best = scores.argmax(axis=2)
            sure = np.take_along_axis(scores, best[:, :, None], axis=2)[:, :, 0]
        share = width / batch.shape[3]
        [(text, confidence)], [words] = self._decoder.decode(
            best, sure, True, [share], 1.0, remove_duplicate=True
        )
        return Text(text, float(confidence), _places(words), _confidences(text, words))


def crop(image: np.ndarray, quad: np.ndarray) -> np.ndarray:
    """The image inside a quad, made level, `CROP_HEIGHT` pixels high if it is wider than high."""
    width = max(np.linalg.norm(quad[0] - quad[1]), np.linalg.norm(quad[2] - quad[3]), 1)
    height = max(np.linalg.norm(quad[0] - quad[3]), np.linalg.norm(quad[1] - quad[2]), 1)
    size = (max(1, round(width)), max(1, round(height)))
    corners = np.array([[0, 0], [size[0], 0], size, [0, size[1]]], np.float32)
    matrix = cv2.getPerspectiveTransform(np.asarray(quad, np.float32), corners)
    return cv2.warpPerspective(image, matrix, size, borderMode=cv2.BORDER_REPLICATE, flags=cv2.INTER_CUBIC)


def models_digest(runtime: str) -> bytes:
    """The models' bytes, hashed. The runtime counts, because it changes the last digits; buckets do, too."""
    hashed = hashlib.sha256(f"{runtime} {BUCKET}".encode())
    for path in (DETECTOR, RECOGNIZER):
        hashed.update(path.name.encode())
        hashed.update(path.read_bytes())
    return hashed.digest()


def _parts(image: np.ndarray) -> list[np.ndarray]:
    """The image of a line at the recognizer's height, cut at its lightest places if it is too long."""
    image = np.ascontiguousarray(image)
    height, width = image.shape[:2]
    scale = CROP_HEIGHT / height
    if scale < 1:
        size = (max(1, round(width * scale)), CROP_HEIGHT)
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        height, width = image.shape[:2]
        scale = 1.0
    longest = round(MAX_CROP_WIDTH / scale)
    parts, start = [], 0
    while width - start > longest:
        window = image[:, start + longest // 2 : start + longest].astype(np.int32)
        busy = np.abs(np.diff(window.sum(axis=2), axis=0)).sum(axis=0)
        calm = np.convolve(busy, np.ones(max(3, round(0.3 * height))), "same")
        cut = start + longest // 2 + int(np.argmin(calm))
        parts.append(image[:, start:cut])
        start = cut
    return [*parts, image[:, start:]]


def _joined(parts: list[tuple[Text, int]]) -> Text:
    if len(parts) == 1:
        return parts[0][0]
    total = sum(width for _, width in parts)
    places, left = [], 0
    for text, width in parts:
        places += [(left + place * width) / total for place in text.places]
        left += width
    count = max(1, sum(len(text.text) for text, _ in parts))
    return Text(
        " ".join(text.text.strip() for text, _ in parts),
        sum(text.confidence * len(text.text) for text, _ in parts) / count,
        tuple(places),
        tuple(confidence for text, _ in parts for confidence in text.confidences),
    )


def _places(words: Any) -> tuple[float, ...]:
    """Column numbers of the recognizer's output as shares of the width."""
    if not words or not words.line_txt_len:
        return ()
    return tuple((column + 0.5) / words.line_txt_len for columns in words.word_cols for column in columns)


def _confidences(text: str, words: Any) -> tuple[float, ...]:
    """Confidences of the characters that are not white space."""
    if not words or len(words.confs) != len(text):
        return ()
    return tuple(
        float(sure) for character, sure in zip(text, words.confs, strict=True) if not character.isspace()
    )
