"""Strips cut out of real PDF pages, with the same code as in reading.

Unlike synthetic strips, they have real kerning, ligatures, fonts and surroundings of lines. The text layer gives the
text and the position of each character.
"""

from contextlib import closing, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium_c
from PIL import Image

from fovea.nano.lines import TextLine, find_lines
from fovea.nano.packing import HEIGHT, MARGIN, Segment, cut, draw
from fovea.train import pdfs
from fovea.train.degrade import degrade
from fovea.train.strips import Strip, Style
from fovea.train.texts import KNOWN

SCALES, OF_A_PAGE = 3, 16
"""Sizes in which a page is cut, and most strips per size. Several are cut because finding lines is expensive."""
MIN_CHARACTERS = 300
"""Pages with fewer characters are not used."""
MIN_OF_ROW = 12
"""Strips with fewer characters per row on average are not used: tables of glyphs and numbers."""
DPI = (70, 220)


@dataclass(frozen=True, slots=True)
class _Layer:
    """A page's text layer: for each character its left and right end and its vertical center, in pixels."""

    text: str
    x0: np.ndarray
    x1: np.ndarray
    y: np.ndarray


@cache
def files(data: Path | None = None) -> tuple[tuple[bytes, int], ...]:
    """The training PDF files of this machine, or of `data`, each with its number of pages."""
    counted = []
    for _, file in pdfs.files(evaluation=False, data=data):
        with suppress(pypdfium2.PdfiumError), closing(pypdfium2.PdfDocument(file)) as document:
            counted.append((file, len(document)))
    return tuple(counted)


def real_strips(seed: int, count: int, style: Style) -> list[Strip]:
    """Strips, deterministic for the arguments. Raises `RuntimeError` if there are no PDF files."""
    if count and not files(style.data):
        raise RuntimeError("no PDF files were found to cut strips from")
    random = Random(f"real {seed}")
    strips: list[Strip] = []
    for _ in range(20 * count):
        if len(strips) >= count:
            break
        strips += _of_page(random, style)[: count - len(strips)]
    return strips


def _of_page(random: Random, style: Style) -> list[Strip]:
    """Strips of a random page; none if it has no plain text."""
    known = files(style.data)
    file, pages = random.choices(known, [pages**0.5 for _, pages in known])[0]
    with closing(pypdfium2.PdfDocument(file)) as document:
        page = document[random.randrange(pages)]
        scale = DPI[0] * (DPI[1] / DPI[0]) ** random.random() / 72
        layer = _layer(page, scale)
        if len(layer.text) < MIN_CHARACTERS or page.get_rotation():
            return []
        image = page.render(scale=scale).to_pil().convert("RGB")
    found = find_lines(image)
    if found.angle:
        return []
    strips: list[Strip] = []
    for rows in random.sample(style.rows, min(SCALES, len(style.rows))):
        read = [
            (segment, text)
            for segment in cut(found.upright, found.lines, rows)
            if (text := _text(segment, found.lines[segment.line], layer, HEIGHT // rows))
        ]
        groups = [read[start : start + rows] for start in range(0, len(read), rows)]
        groups = [some for some in groups if sum(len(text) for _, text in some) > MIN_OF_ROW * len(some)]
        random.shuffle(groups)
        strips += [_strip(group, rows, style, random) for group in groups[:OF_A_PAGE]]
    return strips


def _layer(page: pypdfium2.PdfPage, scale: float) -> _Layer:
    layer = page.get_textpage()
    left, _, _, top = page.get_cropbox()
    count = layer.count_chars()
    boxes = np.array([layer.get_charbox(number) for number in range(count)]).reshape(-1, 4)
    return _Layer(
        "".join(chr(pdfium_c.FPDFText_GetUnicode(layer, number)) for number in range(count)),
        (boxes[:, 0] - left) * scale,
        (boxes[:, 2] - left) * scale,
        (top - (boxes[:, 1] + boxes[:, 3]) / 2) * scale,
    )


def _text(
    segment: Segment, line: TextLine, layer: _Layer, pitch: int
) -> list[tuple[str, float, float]] | None:
    """The characters of a segment with their positions (character, x, y); `None` if they are not plain text."""
    middle, _ = segment.at((layer.x0 + layer.x1) / 2, layer.y)
    inside = (line.y0 <= layer.y) & (layer.y <= line.y1) & (middle >= 0) & (middle < segment.pixels.shape[1])
    told: list[tuple[str, float, float]] = []
    before: int | None = None
    for number in np.flatnonzero(inside).tolist():
        if layer.text[number].isspace() or layer.text[number] == "\0":
            continue
        letters = pdfs.letters(layer.text[number])
        x0, y = segment.at(layer.x0[number], layer.y[number])
        x1, _ = segment.at(layer.x1[number], layer.y[number])
        y = min(max(y, 0), pitch - 1)
        if not KNOWN.issuperset(letters) or (told and x1 < told[-1][1]):
            return None  # an unknown character, or the text layer is not in the order of the line
        if before is not None and number > before + 1:
            if not layer.text[before + 1 : number].isspace():
                return None
            told.append((" ", (told[-1][1] + x0) / 2, y))
        told += [(letter, x0 + (x1 - x0) * (i + 0.5) / len(letters), y) for i, letter in enumerate(letters)]
        before = number
    return told or None


def _strip(
    read: list[tuple[Segment, list[tuple[str, float, float]]]], rows: int, style: Style, random: Random
) -> Strip:
    pitch = HEIGHT // rows
    grey = draw([segment for segment, _ in read], rows)
    lines, places = [], []
    for row, (_, told) in enumerate(read):
        if lines:
            places.append(places[-1])  # for the line break
        lines.append("".join(letter for letter, _, _ in told))
        places += [(x + MARGIN, y + row * pitch) for _, x, y in told]
    strip = Strip(
        Image.fromarray(grey).convert("RGB"),
        "\n".join(lines),
        np.array(places, dtype=np.float32).reshape(-1, 2),
        round(0.8 * pitch),
        "",
        lines,
    )
    if random.random() >= style.clean:
        paper = (int(np.median(grey)),) * 3
        strip.image, strip.places = degrade(strip.image, strip.places, random, paper)
    return strip
