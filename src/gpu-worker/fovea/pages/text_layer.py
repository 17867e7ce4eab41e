"""The text layer of a PDF page: words with their places, and the fonts in which they are drawn."""

import ctypes
import math
from dataclasses import astuple, dataclass
from typing import Any

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from fovea.result.page_result import Box

MAX_CHARACTERS = 200_000
INVISIBLE = 3
"""Text render mode of text that is not drawn (PDF 32000-1, 9.3.6): recognized text under a scan."""
BOLD_WEIGHT = 600
SLANT = 4.0
"""In degrees: letters that are turned further, and not upright, are slanted."""
FIXED_PITCH, FORCE_BOLD = 1 << 0, 1 << 18
"""Flags of a font descriptor (PDF 32000-1, 9.8.2)."""


@dataclass(frozen=True, slots=True)
class LayerWord:
    """A word without white space. The box is in 0..1 of the rendered page."""

    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    bold: bool
    mono: bool
    """Whether its font has a fixed pitch."""
    visible: bool
    """Whether it is drawn."""

    def to_json(self) -> list[Any]:
        return list(astuple(self))


def layer_words(sheet: pdfium.PdfPage) -> list[LayerWord]:
    """The words in the order of the file; empty if the page has no text layer. The caller holds PDFium's lock."""
    layer = sheet.get_textpage()
    try:
        return _words(sheet, layer)
    finally:
        layer.close()


def _words(sheet: pdfium.PdfPage, layer: pdfium.PdfTextPage) -> list[LayerWord]:
    count = min(layer.count_chars(), MAX_CHARACTERS)
    place = Place(sheet)
    words: list[LayerWord] = []
    run: list[tuple[str, tuple[float, float, float, float]]] = []
    style: tuple | None = None

    def close() -> None:
        nonlocal run
        if run and style is not None:
            text = "".join(character for character, _ in run)
            boxes = [box for _, box in run]
            box = (
                min(b[0] for b in boxes),
                min(b[1] for b in boxes),
                max(b[2] for b in boxes),
                max(b[3] for b in boxes),
            )
            words.append(LayerWord(text, *box, *style[1:]))
        run = []

    for index in range(count):
        code = pdfium_c.FPDFText_GetUnicode(layer, index)
        character = chr(code) if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else "\ufffd"
        if character.isspace() or code in (0xFFFE, 0x02, 0xAD):
            # PDFium marks a hyphen at the end of a line with U+0002.
            if code in (0xFFFE, 0x02) and run:
                run.append(("-", run[-1][1]))
            close()
            continue
        if _is_slanted(layer, index):
            close()  # a watermark: the box around such a letter says nothing about its line
            continue
        now = _style(layer, index)
        box = place.box(layer, index)
        if style is not None and run and (now != style or _apart(run[-1][1], box, place)):
            close()
        style = now
        run.append((character, box))
    close()
    return words


def _apart(last: tuple, box: tuple, place: "Place") -> bool:
    """Whether two characters are too far apart for one word, although no space lies between them."""
    tall = max(last[3] - last[1], box[3] - box[1])
    gap = (box[0] - last[2]) * place.width
    return gap > 0.6 * tall * place.height or min(last[3], box[3]) - max(last[1], box[1]) < 0.1 * tall


def _is_slanted(layer: pdfium.PdfTextPage, index: int) -> bool:
    """Whether a character is turned by something else than quarter turns."""
    turn = math.degrees(pdfium_c.FPDFText_GetCharAngle(layer, index)) % 90
    return SLANT < turn < 90 - SLANT


def _style(layer: pdfium.PdfTextPage, index: int) -> tuple[float, bool, bool, bool]:
    size = pdfium_c.FPDFText_GetFontSize(layer, index)
    flags = ctypes.c_int(0)
    name = ctypes.create_string_buffer(128)
    pdfium_c.FPDFText_GetFontInfo(layer, index, name, 128, ctypes.byref(flags))
    weight = pdfium_c.FPDFText_GetFontWeight(layer, index)
    called = name.value.decode("utf-8", "replace").lower()
    bold = weight >= BOLD_WEIGHT or bool(flags.value & FORCE_BOLD) or "bold" in called or "black" in called
    mono = bool(flags.value & FIXED_PITCH) or "mono" in called or "courier" in called or "consol" in called
    visible = (
        pdfium_c.FPDFTextObj_GetTextRenderMode(pdfium_c.FPDFText_GetTextObject(layer, index)) != INVISIBLE
    )
    return round(size, 2), bold, mono, visible


class Place:
    """Turns the coordinates of a page into those of its picture."""

    def __init__(self, sheet: pdfium.PdfPage):
        self._sheet = sheet
        self.width, self.height = sheet.get_size()

    def box(self, layer: pdfium.PdfTextPage, index: int) -> Box:
        left, right, bottom, top = (ctypes.c_double() for _ in range(4))
        rect = pdfium_c.FS_RECTF()
        if pdfium_c.FPDFText_GetLooseCharBox(layer, index, ctypes.byref(rect)):
            return self.corners(rect.left, rect.bottom, rect.right, rect.top)
        pdfium_c.FPDFText_GetCharBox(
            layer, index, ctypes.byref(left), ctypes.byref(right), ctypes.byref(bottom), ctypes.byref(top)
        )
        return self.corners(left.value, bottom.value, right.value, top.value)

    def corners(self, left: float, bottom: float, right: float, top: float) -> Box:
        """A rectangle of the page as a box in 0..1 of its picture."""
        xs, ys = zip(*(self._device(*corner) for corner in ((left, top), (right, bottom))), strict=True)
        return min(xs), min(ys), max(xs), max(ys)

    def _device(self, x: float, y: float) -> tuple[float, float]:
        width, height = 100_000, 100_000
        at_x, at_y = ctypes.c_int(), ctypes.c_int()
        pdfium_c.FPDF_PageToDevice(
            self._sheet, 0, 0, width, height, 0, x, y, ctypes.byref(at_x), ctypes.byref(at_y)
        )
        return at_x.value / width, at_y.value / height
