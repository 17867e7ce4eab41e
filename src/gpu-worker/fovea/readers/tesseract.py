"""`tesseract`: Tesseract's lines and the layout rules (`fovea.layout`), in every language whose data is installed.

Tesseract is a program of the system: `apt-get install tesseract-ocr tesseract-ocr-rus`.
"""

import hashlib
import time

import cv2
import numpy as np

from fovea.layout.line import Line
from fovea.pages.documents import Raster
from fovea.readers.base import TASKS, InvalidOptions, ReadRequest, check_languages
from fovea.recognition.blocks import blocks_of
from fovea.recognition.frame import Frame
from fovea.recognition.languages import matching
from fovea.recognition.page import LEGIBLE, black_on_white
from fovea.recognition.tesseract import find_tesseract
from fovea.result.markdown import paragraphs, to_markdown
from fovea.result.page_result import Attempt, PageResult
from fovea.settings import Settings

RULES = b"tesseract rules 1"
"""Part of the digest. Raise the number when a change of layout or Markdown changes results."""
WHOLE_PAGE = 3
"""Tesseract's segmentation mode for pages of any layout."""
GOOD_SIDE = 2400
"""Pixels. Smaller pages are enlarged, up to twice: Tesseract is made for 300 dpi."""
TIME_SHARE = 0.8
"""Of a page's time, for Tesseract."""
MIN_CONFIDENCE = 0.7
"""A page is `suspect` if the mean confidence of its characters is lower. The wrong language gives 0.2 to 0.5."""
MAX_UNREAD = 0.05
"""A page is `suspect` if a larger share of its characters is in lines that were not read."""


class TesseractReader:
    name = "tesseract"
    modes = ()
    least_side = GOOD_SIDE

    def __init__(self, settings: Settings | None = None) -> None:
        """Raises `ValueError` if Tesseract or its data is not installed."""
        settings = settings or Settings.from_environment()
        tesseract = find_tesseract()
        if tesseract is None:
            raise ValueError("FOVEA_MODELS: tesseract is not installed, or has no data for a language")
        self._tesseract = tesseract
        self._limit_s = TIME_SHARE * settings.page_timeout_s
        self.languages = tesseract.languages
        self.digest = f"sha256:{hashlib.sha256(RULES + tesseract.digest).hexdigest()}"

    def check(self, request: ReadRequest) -> None:
        if request.task not in TASKS[self.name]:
            raise InvalidOptions(f"{self.name} has the tasks {', '.join(TASKS[self.name])}.")
        if request.prompt:
            raise InvalidOptions(f"{self.name} does not support a prompt.")
        check_languages(self.name, request.languages, self.languages)

    def read(self, raster: Raster, request: ReadRequest) -> PageResult:
        started = time.perf_counter()
        image = black_on_white(np.ascontiguousarray(np.asarray(raster.image)[:, :, ::-1]))  # (H, W, 3) BGR
        scale = min(2.0, GOOD_SIDE / max(image.shape[:2]))
        if scale > 1:
            image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        languages, _ = matching(request.languages, self.languages)
        found = self._tesseract.lines(image, languages or self._usual(), WHOLE_PAGE, self._limit_s)
        lines = [line for line in found if line.confidence >= LEGIBLE]
        blocks, _ = blocks_of(Frame.of(image), lines)
        verdict, warnings = _judge(found, lines)
        return PageResult(
            page=raster.page,
            width=raster.image.width,
            height=raster.image.height,
            dpi=raster.dpi,
            model=self.name,
            model_digest=self.digest,
            task=request.task,
            blocks=blocks,
            markdown=to_markdown(blocks) if request.task == "markdown" else paragraphs(blocks),
            verdict=verdict,
            warnings=warnings,
            attempts=[Attempt("native", None, "stop")],
            timings_ms={"decode": (time.perf_counter() - started) * 1000},
        )

    def _usual(self) -> list[str]:
        """The language of a document that nobody named."""
        return ["en"] if "en" in self.languages else list(self.languages[:1])


def _judge(found: list[Line], lines: list[Line]) -> tuple[str, list[str]]:
    """The verdict on a page, and warnings."""
    if not lines:
        return "unreadable", ["The page is not blank, but no text could be read in the given languages."]
    letters = sum(len(line.text) for line in lines)
    mean = sum(line.confidence * len(line.text) for line in lines) / letters
    unread = sum(len(line.text) for line in found) - letters
    warnings = []
    if mean < MIN_CONFIDENCE:
        warnings.append(f"The mean confidence of the characters is only {mean:.2f}; check `languages`.")
    if unread > MAX_UNREAD * (letters + unread):
        warnings.append(f"{len(found) - len(lines)} of {len(found)} lines could not be read.")
    return ("suspect" if warnings else "ok"), warnings
