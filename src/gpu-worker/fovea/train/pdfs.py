"""Pages of real PDF files with their text layer, for measuring readers on real print."""

import gzip
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pypdfium2
from PIL import Image

from fovea.train import packed_data

HELD_OUT = 128
"""Of 256 files by hash. The others are used only for training."""
ROOTS = ("/usr/share/doc", "/usr/share/R/doc", "/usr/share/developers-reference")
MIN_CHARACTERS, MAX_CHARACTERS = 900, 5000
"""Limits of a page's characters."""
PRINTABLE = re.compile(r"[\x20-\x7e\n\r]")
SAME = str.maketrans(
    {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2013": "-", "\u2014": "-"}
)
LIGATURES = {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl"}


@dataclass(frozen=True, slots=True)
class PdfPage:
    name: str
    page: int
    text: str
    data: bytes

    def image(self, dpi: int) -> Image.Image:
        document = pypdfium2.PdfDocument(self.data)
        try:
            return document[self.page - 1].render(scale=dpi / 72).to_pil().convert("RGB")
        finally:
            document.close()


def held_out(data: bytes) -> bool:
    return hashlib.sha256(data).digest()[0] < HELD_OUT


def letters(text: str) -> str:
    """The text with ligatures split and all hyphens as `-`."""
    for one, two in LIGATURES.items():
        text = text.replace(one, two)
    return text.replace("\x02", "-").replace("\ufffe", "-").replace("\u2212", "-").replace("\u2010", "-")


def plain(text: str) -> str:
    """The text for comparisons: `letters`, with typographic quotes and dashes as ASCII."""
    return letters(text).translate(SAME)


def files(evaluation: bool, data: Path | None = None) -> Iterator[tuple[str, bytes]]:
    """Names and bytes of the PDF files of this machine, or of `data`, in one split, without duplicates, by path."""
    seen: set[str] = set()
    here = packed_data.folder(data)
    roots = [here / packed_data.PDFS] if here else ROOTS
    for path in sorted(path for root in roots for path in Path(root).rglob("*.pdf*") if path.is_file()):
        file = path.read_bytes()
        if path.suffix == ".gz":
            file = gzip.decompress(file)
        digest = hashlib.sha256(file).hexdigest()
        if digest not in seen and held_out(file) == evaluation:
            seen.add(digest)
            yield path.name, file


def text_pages(most_of_a_file: int = 4) -> list[PdfPage]:
    """Held-out pages of running text in one column, without pictures and with few characters beyond ASCII."""
    found: list[PdfPage] = []
    for name, data in files(evaluation=True):
        try:
            document = pypdfium2.PdfDocument(data)
        except pypdfium2.PdfiumError:
            continue
        pages = range(len(document))
        step = max(1, len(document) // (3 * most_of_a_file))
        taken = 0
        for number in pages[min(3, len(document) // 3) :: step]:
            if taken == most_of_a_file:
                break
            text = _text_of(document[number])
            if text:
                found.append(PdfPage(name, number + 1, text, data))
                taken += 1
        document.close()
    return found


def _text_of(page: pypdfium2.PdfPage) -> str | None:
    """The text of a page, or `None` if the page is not suitable."""
    kinds = [thing.type for thing in page.get_objects(max_depth=2)]
    if kinds.count(3) or kinds.count(2) > 12 or page.get_rotation():  # images; paths
        return None
    layer = page.get_textpage()
    text = plain(layer.get_text_range())
    if not MIN_CHARACTERS <= len(text) <= MAX_CHARACTERS or len(PRINTABLE.findall(text)) < 0.995 * len(text):
        return None
    boxes = [layer.get_rect(i) for i in range(layer.count_rects())]
    lefts = np.array([box[0] for box in boxes])
    widths = np.array([box[2] - box[0] for box in boxes])
    # In one column, hardly any text starts in the right half of the page.
    if (widths[lefts > 0.5 * page.get_width()].sum()) > 0.15 * widths.sum():
        return None
    return text
