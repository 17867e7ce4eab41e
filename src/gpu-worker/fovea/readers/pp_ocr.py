"""`pp-ocr`: PP-OCR's text detector and line recognizer (`fovea.recognition`) and the layout rules (`fovea.layout`).

| variable | default | |
|---|---|---|
| `FOVEA_THREADS` | all cores | threads of the recognizer |
"""

import hashlib
import os
import time

import numpy as np

from fovea.pages.documents import Raster
from fovea.readers.base import TASKS, InvalidOptions, ReadRequest
from fovea.recognition.blocks import blocks_of
from fovea.recognition.engine import TextEngine, models_digest
from fovea.recognition.page import read_page
from fovea.recognition.regions import LayoutModel
from fovea.recognition.verdict import judge
from fovea.result.markdown import paragraphs, to_markdown
from fovea.result.page_result import Attempt, PageResult
from fovea.settings import Settings

RULES = b"pp-ocr rules 6"
"""Part of the digest. Raise the number when a change of layout, Markdown or verdicts changes results."""


class PpOcr:
    name = "pp-ocr"
    modes = ()
    takes_text_layer = True
    least_side = 1500

    def __init__(self, settings: Settings | None = None) -> None:
        """`settings` default to those of the environment."""
        settings = settings or Settings.from_environment()
        threads = settings.threads or len(os.sched_getaffinity(0))
        self._engine = TextEngine(threads)
        self._layout = LayoutModel(threads)
        parts = RULES + models_digest(self._engine.runtime) + self._layout.digest
        self.digest = f"sha256:{hashlib.sha256(parts).hexdigest()}"

    def check(self, request: ReadRequest) -> None:
        if request.task not in TASKS[self.name]:
            raise InvalidOptions(f"{self.name} has the tasks {', '.join(TASKS[self.name])}.")
        if request.prompt:
            raise InvalidOptions("pp-ocr does not support a prompt.")

    def read(self, raster: Raster, request: ReadRequest) -> PageResult:
        started = time.perf_counter()
        pixels = np.ascontiguousarray(np.asarray(raster.image)[:, :, ::-1])  # (H, W, 3) BGR
        read = read_page(pixels, self._engine, raster.layer)
        blocks, tangled = blocks_of(read.frame, read.lines, self._layout.regions(read.frame.image))
        verdict, warnings = judge(read, blocks, tangled, self._engine.alphabet)
        text = to_markdown(blocks) if request.task == "markdown" else paragraphs(blocks)
        return PageResult(
            page=raster.page,
            width=raster.image.width,
            height=raster.image.height,
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
