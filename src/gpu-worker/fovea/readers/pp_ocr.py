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
from fovea.recognition.legibility import half_known
from fovea.recognition.page import PageLines, read_page
from fovea.recognition.regions import LayoutModel
from fovea.result.markdown import paragraphs, to_markdown
from fovea.result.page_result import Attempt, PageResult
from fovea.settings import Settings

RULES = b"pp-ocr rules 6"
"""Part of the digest. Raise the number when a change of layout or Markdown changes results."""

MIN_CONFIDENCE = 0.6
"""A page is `suspect` if the mean confidence of its characters is lower."""
MAX_UNREAD = 0.05
"""A page is `suspect` if a larger share of its letters was not read."""


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
        blocks = blocks_of(read.frame, read.lines, self._layout.regions(read.frame.image))
        verdict, warnings = self._judge(read)
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

    def _judge(self, read: PageLines) -> tuple[str, list[str]]:
        """The verdict on a page, and warnings."""
        lines, warnings = read.lines, []
        letters = sum(len(line.text) for line in lines)
        if not lines:
            if read.unread:
                return "unreadable", [f"None of the {read.unread} lines of the page could be read."]
            return "unreadable", ["The page is not blank, but no text was found."]
        verdict = "ok"
        if read.refused:
            warnings.append("The PDF's text layer says something else than the page; it was not used.")
        mean = sum(line.confidence * len(line.text) for line in lines) / letters
        if mean < MIN_CONFIDENCE:
            verdict = "suspect"
            warnings.append(f"The mean confidence of the characters is only {mean:.2f}.")
        if read.drawn > MAX_UNREAD * (letters + read.drawn):
            verdict = "suspect"
            warnings.append(
                f"{read.unread} of {len(lines) + read.unread} lines could not be read. Their script may be one that "
                f"{self.name} does not know."
            )
        recognized = " ".join(line.text for line in lines) if read.layer is None else ""
        if script := half_known(recognized, self._engine.alphabet):
            verdict = "suspect"
            warnings.append(
                f"The text seems to be {script}, of which {self.name} does not know every letter."
            )
        return verdict, warnings
