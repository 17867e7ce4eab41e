"""Pages of real PDF files with the text that lies in them: for measuring what a reader makes of real print."""

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
"""Of 256 files by hash: none of the others is used for anything but training."""
ROOTS = ("/usr/share/doc", "/usr/share/R/doc", "/usr/share/developers-reference")
LEAST, MOST = 900, 5000
"""Characters of a page."""
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
    """What stands there: ligatures taken apart, hyphens at the ends of lines as such."""
    for one, two in LIGATURES.items():
        text = text.replace(one, two)
    return text.replace("\x02", "-").replace("\ufffe", "-").replace("\u2212", "-").replace("\u2010", "-")


def plain(text: str) -> str:
    """What is compared: `letters`, and typographic quotes and dashes as typewritten ones."""
    return letters(text).translate(SAME)


def files(evaluation: bool) -> Iterator[tuple[str, bytes]]:
    """Names and bytes of the machine's different PDF files that belong to one split, in the order of their paths."""
    seen: set[str] = set()
    roots = [packed_data.folder() / packed_data.PDFS] if packed_data.folder() else ROOTS
    for path in sorted(path for root in roots for path in Path(root).rglob("*.pdf*") if path.is_file()):
        data = path.read_bytes()
        if path.suffix == ".gz":
            data = gzip.decompress(data)
        digest = hashlib.sha256(data).hexdigest()
        if digest not in seen and held_out(data) == evaluation:
            seen.add(digest)
            yield path.name, data


def text_pages(most_of_a_file: int = 4) -> list[PdfPage]:
    """Held-out pages of running text in one column: no pictures, few characters beyond ASCII, level lines."""
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
    """The text of a page that is fit for it."""
    kinds = [thing.type for thing in page.get_objects(max_depth=2)]
    if kinds.count(3) or kinds.count(2) > 12 or page.get_rotation():  # images; paths
        return None
    layer = page.get_textpage()
    text = plain(layer.get_text_range())
    if not LEAST <= len(text) <= MOST or len(PRINTABLE.findall(text)) < 0.995 * len(text):
        return None
    boxes = [layer.get_rect(i) for i in range(layer.count_rects())]
    lefts = np.array([box[0] for box in boxes])
    widths = np.array([box[2] - box[0] for box in boxes])
    # One column: hardly any text begins in the right half of the page.
    if (widths[lefts > 0.5 * page.get_width()].sum()) > 0.15 * widths.sum():
        return None
    return text
