"""`pp-ocr`: a text detector and a line recogniser, PP-OCR by `rapidocr` with the models in its wheel.

| variable | default | |
|---|---|---|
| `FOVEA_THREADS` | all cores | threads of the recogniser |
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
from fovea.result.markdown import to_markdown
from fovea.result.page_result import Attempt, PageResult
from fovea.settings import Settings

RULES = b"pp-ocr rules 3"
"""Part of the digest: raise the number when layout or Markdown change what is answered."""

LEAST_CONFIDENCE = 0.6
"""Mean confidence of a page's characters below which it is `suspect`."""

SURE = 0.9
"""Mean confidence of its lines above which a page that was turned stays turned."""

BUSY_LIMIT_S = 270.0
"""How long a page waits for others to be read."""

MAX_SIDE = 4000
"""Pixels; longer pages are shrunk by the detector itself."""


class PpOcr:
    name = "pp-ocr"
    modes = ()

    def __init__(self, settings: Settings | None = None) -> None:
        """Without `settings` they are those of the environment."""
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
        self._may_turn, self._down = True, False
        self._turned = self._engine.cls_and_rotate
        self._engine.cls_and_rotate = self._upright
        # The engine keeps state between its three models: one page at a time.
        self._lock = threading.Lock()
        self.digest = _digest()

    def check(self, request: ReadRequest) -> None:
        if request.task not in TASKS[self.name]:
            raise InvalidOptions(f"{self.name} has the tasks {', '.join(TASKS[self.name])}.")
        if request.prompt:
            raise InvalidOptions("pp-ocr takes no prompt.")

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
            warnings.append("There is something on the page, but no text was found.")
        elif mean < LEAST_CONFIDENCE:
            verdict = "suspect"
            warnings.append(f"The characters were recognised with a mean confidence of only {mean:.2f}.")
        text = to_markdown(blocks) if request.task == "markdown" else "\n\n".join(b.text for b in blocks)
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

    def _upright(self, lines: list[np.ndarray]) -> tuple[list[np.ndarray], Any]:
        """The images of lines the right way up, and what the engine's classifier said of each.

        It takes some lines of small type for upside down. The lines of a page stand the same way: most of them decide.
        """
        _, verdicts = self._turned(list(lines))
        down = sum(label == "180" for label, _score in verdicts.cls_res)
        self._down = self._may_turn and 2 * down > len(lines)
        if self._down:
            lines = [cv2.rotate(line, cv2.ROTATE_180) for line in lines]
        return lines, verdicts

    def _lines(self, raster: Raster) -> list[Line]:
        pixels = np.ascontiguousarray(np.asarray(raster.image)[:, :, ::-1])  # (H, W, 3) BGR
        if not self._lock.acquire(timeout=BUSY_LIMIT_S):
            raise PageError("page_timeout", "The model was busy with other pages for too long.")
        try:
            self._may_turn, self._down = True, False
            found = self._engine(pixels)
            if self._down and _mean(found.scores) < SURE:
                # The classifier takes some italics for upside down: the way that reads better is the right one.
                self._may_turn = False
                found = max(found, self._engine(pixels), key=lambda one: _mean(one.scores))
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
