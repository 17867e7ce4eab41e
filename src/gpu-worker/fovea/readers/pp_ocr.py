"""`pp-ocr`: PP-OCR's text detector and line recognizer (`fovea.recognition`) and the layout rules (`fovea.layout`).

| variable | default | |
|---|---|---|
| `FOVEA_THREADS` | all cores | threads of each of its models, and of OpenCV |
"""

import hashlib
import os
import time
from functools import partial

import numpy as np

from fovea.pages.documents import Raster
from fovea.readers.base import TASKS, InvalidOptions, ReadRequest, check_languages
from fovea.recognition.blocks import blocks_of
from fovea.recognition.engine import TextEngine, models_digest
from fovea.recognition.languages import PP_OCR, SCRIPT
from fovea.recognition.page import PageLines, read_page
from fovea.recognition.regions import LayoutModel
from fovea.recognition.scripts import ScriptReader
from fovea.recognition.tesseract import find_tesseract
from fovea.recognition.verdict import judge, judge_layer
from fovea.result.markdown import paragraphs, to_markdown
from fovea.result.page_result import Attempt, Block, PageResult
from fovea.settings import Settings

RULES = b"pp-ocr rules 9"
"""Part of the digest. Raise the number when a change of layout, Markdown or verdicts changes results."""
TESSERACT_SHARE = 0.1
"""Of a page's time: the longest that one call of Tesseract may take."""


PICTURES = "The pictures of the document are not read; this page has {}."


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
        self._layout = LayoutModel(threads, self._engine.runtime)
        tesseract = find_tesseract()
        limit_s = TESSERACT_SHARE * settings.page_timeout_s
        self._scripts = tesseract and ScriptReader(tesseract, self._engine.alphabet, limit_s)
        added = self._scripts.languages if self._scripts else []
        self.languages = tuple(sorted([*PP_OCR, *added]))
        self._readable = frozenset(SCRIPT[tag] for tag in self.languages)
        parts = RULES + models_digest(self._engine.runtime) + self._layout.digest
        parts += tesseract.digest if tesseract and added else b""
        self.digest = f"sha256:{hashlib.sha256(parts).hexdigest()}"

    def check(self, request: ReadRequest) -> None:
        if request.task not in TASKS[self.name]:
            raise InvalidOptions(f"{self.name} has the tasks {', '.join(TASKS[self.name])}.")
        if request.prompt:
            raise InvalidOptions("pp-ocr does not support a prompt.")
        check_languages(self.name, request.languages, self.languages)

    def read(self, raster: Raster, request: ReadRequest) -> PageResult:
        started = time.perf_counter()
        if raster.content is not None:
            return self._from_file(raster, list(raster.content), request)
        pixels = np.ascontiguousarray(np.asarray(raster.image)[:, :, ::-1])  # (H, W, 3) BGR
        only_layer = request.text_layer == "only"
        second = self._scripts and partial(self._scripts.read, wanted=request.languages)
        read = read_page(pixels, self._engine, raster.layer, only_layer, second)
        regions = self._layout.regions(read.frame.image)
        blocks, tangled = blocks_of(read.frame, read.lines, regions, read.marks)
        verdict, warnings = (
            judge_layer(read)
            if only_layer
            else judge(read, blocks, tangled, self._engine.alphabet, self._readable)
        )
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
            turned=read.frame.quarters,
            text_source=_source(read, only_layer),
            timings_ms={"decode": (time.perf_counter() - started) * 1000},
        )

    def _from_file(self, raster: Raster, blocks: list[Block], request: ReadRequest) -> PageResult:
        """The page of a converted document: its text is that of the file."""
        text = to_markdown(blocks) if request.task == "markdown" else paragraphs(blocks)
        pictures = sum(block.type == "image" for block in blocks)
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
            verdict="suspect" if pictures and pictures == len(blocks) else "ok",
            warnings=[PICTURES.format(pictures)] if pictures else [],
            attempts=[Attempt("native", None, "stop")],
            text_source="file",
        )


def _source(read: PageLines, only_layer: bool) -> str:
    """`text_source` of the page result."""
    if only_layer or (read.layer is not None and not read.mixed):
        return "text_layer"
    return "recognition" if read.layer is None else "mixed"
