"""`pp-ocr`: PP-OCR's text detector and line recognizer, run by `rapidocr` with the models in its wheel.

| variable | default | |
|---|---|---|
| `FOVEA_THREADS` | all cores | threads of the recognizer |
"""

import hashlib
import logging
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rapidocr

from fovea.errors import PageError
from fovea.pages.documents import Raster
from fovea.readers.base import TASKS, InvalidOptions, ReadRequest
from fovea.result.layout import Line, lay_out
from fovea.result.markdown import paragraphs, to_markdown
from fovea.result.page_result import Attempt, PageResult
from fovea.settings import Settings

RULES = b"pp-ocr rules 4"
"""Part of the digest. Raise the number when a change of layout or Markdown changes results."""

MIN_CONFIDENCE = 0.6
"""A page is `suspect` if the mean confidence of its characters is lower."""

CONFIDENT = 0.9
"""If a page was turned by 180° and the mean confidence of its lines is lower, it is read unturned, too."""

BUSY_LIMIT_S = 270.0
"""How long a page waits for other pages to be read."""

MAX_SIDE = 4000
"""Pixels. The detector reduces larger pages."""


class PpOcr:
    name = "pp-ocr"
    modes = ()

    def __init__(self, settings: Settings | None = None) -> None:
        """`settings` default to those of the environment."""
        settings = settings or Settings.from_environment()
        logging.getLogger("RapidOCR").setLevel(logging.WARNING)
        threads = settings.threads or len(os.sched_getaffinity(0))
        self._engine = rapidocr.RapidOCR(
            params={
                "Global.log_level": "warning",
                "Global.max_side_len": MAX_SIDE,
                "EngineConfig.onnxruntime.intra_op_num_threads": threads,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            }
        )
        self._may_turn, self._turned = True, False
        self._classify = self._engine.cls_and_rotate
        self._engine.cls_and_rotate = self._turn_lines
        # The engine keeps state between its three models, so it reads one page at a time.
        self._lock = threading.Lock()
        self.digest = _digest()

    def check(self, request: ReadRequest) -> None:
        if request.task not in TASKS[self.name]:
            raise InvalidOptions(f"{self.name} has the tasks {', '.join(TASKS[self.name])}.")
        if request.prompt:
            raise InvalidOptions("pp-ocr does not support a prompt.")

    def read(self, raster: Raster, request: ReadRequest) -> PageResult:
        started = time.perf_counter()
        width, height = raster.image.size
        lines = self._lines(raster)
        blocks = lay_out(lines, width, height)
        warnings = []
        verdict = "ok"
        characters = sum(len(line.text) for line in lines)
        mean = sum(line.confidence * len(line.text) for line in lines) / characters if characters else 0.0
        if not lines:
            verdict = "unreadable"
            warnings.append("The page is not blank, but no text was found.")
        elif mean < MIN_CONFIDENCE:
            verdict = "suspect"
            warnings.append(f"The mean confidence of the characters is only {mean:.2f}.")
        text = to_markdown(blocks) if request.task == "markdown" else paragraphs(blocks)
        return PageResult(
            page=raster.page,
            width=width,
            height=height,
            dpi=raster.dpi,
            model=self.name,
            model_digest=self.digest,
            task=request.task,
            blocks=blocks,
            markdown=text,
            verdict=verdict,
            warnings=warnings,
            attempts=[Attempt("native", None, "stop")],
            timings_ms={"decode": (time.perf_counter() - started) * 1000},
        )

    def _turn_lines(self, lines: list[np.ndarray]) -> tuple[list[np.ndarray], Any]:
        """Replaces the engine's `cls_and_rotate`: turns either all images of lines by 180° or none.

        The engine would turn each line on its own, but its classifier misjudges some lines of small type. All lines of
        a page have the same direction, so the majority decides. Returns the images and the classifier's results.
        """
        _, results = self._classify(list(lines))
        upside_down = sum(label == "180" for label, _score in results.cls_res)
        self._turned = self._may_turn and 2 * upside_down > len(lines)
        if self._turned:
            lines = [cv2.rotate(line, cv2.ROTATE_180) for line in lines]
        return lines, results

    def _lines(self, raster: Raster) -> list[Line]:
        pixels = np.ascontiguousarray(np.asarray(raster.image)[:, :, ::-1])  # (H, W, 3) BGR
        if not self._lock.acquire(timeout=BUSY_LIMIT_S):
            raise PageError("page_timeout", "The model was busy with other pages for too long.")
        try:
            self._may_turn, self._turned = True, False
            found = self._engine(pixels)
            if self._turned and _mean(found.scores) < CONFIDENT:
                # The classifier misjudges some italics: read both ways and take the more confident result.
                self._may_turn = False
                found = max(found, self._engine(pixels), key=lambda result: _mean(result.scores))
        finally:
            self._lock.release()
        if found.boxes is None:
            return []
        return [
            Line.of_quad(quad, text.strip(), float(score))
            for quad, text, score in zip(found.boxes, found.txts, found.scores, strict=True)
            if text.strip()
        ]


def _mean(scores: Sequence[float] | None) -> float:
    return sum(scores) / len(scores) if scores else 0.0


def _digest() -> str:
    digest = hashlib.sha256(RULES)
    for path in sorted((Path(rapidocr.__file__).parent / "models").glob("*.onnx")):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return f"sha256:{digest.hexdigest()}"
