"""PP-OCR's text detector and line recognizer (`rapidocr`, with the models in its wheel).

OpenVINO runs the models where it is installed, ONNX Runtime elsewhere: the lines are the same, the former is faster.
Both models keep state, so each runs one call at a time. A call is a band of a page or a few lines, and the pages of
several documents take turns between calls.
"""

import hashlib
import importlib.util
import logging
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rapidocr
from rapidocr import EngineType
from rapidocr.ch_ppocr_det import TextDetector
from rapidocr.ch_ppocr_rec import TextRecInput, TextRecognizer

CROP_HEIGHT = 48
"""Pixels: the height of a line in the recognizer's input."""
MAX_CROP_WIDTH = 3200
"""Pixels at `CROP_HEIGHT`. Longer lines are read in parts."""
BATCH = 6

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

    def __init__(self, threads: int | None = None) -> None:
        logging.getLogger("RapidOCR").setLevel(logging.WARNING)
        threads = threads or len(os.sched_getaffinity(0))
        kind = EngineType.OPENVINO if importlib.util.find_spec("openvino") else EngineType.ONNXRUNTIME
        self.runtime: str = kind.value
        settings = rapidocr.RapidOCR(
            params={
                "Global.log_level": "warning",
                "Det.engine_type": kind,
                "Det.limit_side_len": 32,  # `detect` gets images of the right size
                "Rec.engine_type": kind,
                "Rec.rec_batch_num": BATCH,
                "EngineConfig.onnxruntime.intra_op_num_threads": threads,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
                "EngineConfig.openvino.inference_num_threads": threads,
                "EngineConfig.openvino.num_streams": 1,
            }
        ).cfg
        for part in (settings.Det, settings.Rec):
            part.engine_cfg = settings.EngineConfig[kind.value]
            part.model_root_dir = settings.Global.model_root_dir
        settings.Rec.font_path = None
        self._detector, self._recognizer = TextDetector(settings.Det), TextRecognizer(settings.Rec)
        self._detecting, self._recognizing = threading.Lock(), threading.Lock()
        self.alphabet = frozenset(self._recognizer.postprocess_op.character)
        """Every character that the recognizer can write."""

    def detect(self, image: np.ndarray) -> Quads:
        """Lines of text in an image: (H, W, 3) BGR. Blocks."""
        with self._detecting:
            boxes = self._detector(image).boxes
        return np.zeros((0, 4, 2), np.float32) if boxes is None else np.asarray(boxes, np.float32)

    def recognize(self, crops: Sequence[np.ndarray]) -> list[Text]:
        """Reads images of single lines: (H, W, 3) BGR, in the direction of the text. Blocks."""
        parts = [(number, part) for number, one in enumerate(crops) for part in _parts(one)]
        order = sorted(range(len(parts)), key=lambda i: parts[i][1].shape[1])
        read: dict[int, Text] = {}
        for start in range(0, len(order), BATCH):
            some = order[start : start + BATCH]
            with self._recognizing:
                result = self._recognizer(TextRecInput(img=[parts[i][1] for i in some], return_word_box=True))
            for i, text, confidence, words in zip(
                some, result.txts, result.scores, result.word_results, strict=True
            ):
                read[i] = Text(text, float(confidence), _places(words), _confidences(text, words))
        texts: list[list[tuple[Text, int]]] = [[] for _ in crops]
        for i, (number, part) in enumerate(parts):
            texts[number].append((read[i], part.shape[1]))
        return [_joined(some) for some in texts]


def crop(image: np.ndarray, quad: np.ndarray) -> np.ndarray:
    """The image inside a quad, made level, `CROP_HEIGHT` pixels high if it is wider than high."""
    width = max(np.linalg.norm(quad[0] - quad[1]), np.linalg.norm(quad[2] - quad[3]), 1)
    height = max(np.linalg.norm(quad[0] - quad[3]), np.linalg.norm(quad[1] - quad[2]), 1)
    size = (max(1, round(width)), max(1, round(height)))
    corners = np.array([[0, 0], [size[0], 0], size, [0, size[1]]], np.float32)
    matrix = cv2.getPerspectiveTransform(np.asarray(quad, np.float32), corners)
    return cv2.warpPerspective(image, matrix, size, borderMode=cv2.BORDER_REPLICATE, flags=cv2.INTER_CUBIC)


def models_digest(runtime: str) -> bytes:
    """The models' bytes, hashed. The runtime counts, because it changes the last digits."""
    hashed = hashlib.sha256(runtime.encode())
    for path in sorted((Path(rapidocr.__file__).parent / "models").glob("*.onnx")):
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
