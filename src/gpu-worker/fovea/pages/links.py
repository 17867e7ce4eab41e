"""Links of documents: which addresses are passed on, and the link annotations of PDF pages."""

import ctypes
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from fovea.contract import CONTRACT
from fovea.pages.text_layer import Place
from fovea.result.links import MAX_LINKS, MAX_TEXT
from fovea.result.page_result import Box

MAX_URL: int = CONTRACT["links"]["max_url"]
"""Characters of an address."""
HIDDEN = 1 << 1 | 1 << 5
"""Flags of annotations that no program shows: hidden, and not viewed (PDF 32000-1, 12.5.3)."""
MAX_QUADS = 50
"""Parts of one annotation, such as the lines of its words."""
WEB = ("http", "https")
OTHERS = ("mailto", "tel")
KEPT = "%/:?#[]@!$&()*+,;=~|"
"""Characters of an address that stay as they are, beside letters, digits and `-._`."""
_HIDDEN = re.compile(r"[\x00-\x20\x7f-\xa0\u200b-\u200f\u2028-\u202e\u2060-\u2064\u2066-\u2069\ufeff]+")
"""What browsers drop from an address, and what changes how it looks."""
_BEFORE_QUERY = re.compile(r"\A[^?#]*")


@dataclass(frozen=True, slots=True)
class FoundLink:
    """A link as the document has it."""

    url: str
    text: str
    """The words that the document says it has; empty if it does not say."""
    boxes: tuple[Box, ...]
    """Where it stands, in 0..1 of the page's picture: a box for each line."""
    block: int | None = None
    """Of a converted document: the block that contains it, and where its words begin in the block's text."""
    start: int | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> "FoundLink":
        return cls(**{**body, "boxes": tuple(map(tuple, body["boxes"]))})


def safe_url(address: str) -> str | None:
    """The address in ASCII, as it may be shown; `None` if it is none of the web, of mail or of a telephone.

    An address without a scheme is one of the web only if it begins with `www.`, as programs take it.
    """
    address = _HIDDEN.sub("", address.strip().replace(" ", "%20"))
    if address[:4].lower() == "www.":
        address = f"http://{address}"
    if len(address) > MAX_URL:
        return None
    scheme, _, rest = address.partition(":")
    scheme = scheme.lower()
    if scheme in WEB:
        # As browsers read it (WHATWG URL, "path state"). Otherwise the host would be another than the one shown.
        rest = _BEFORE_QUERY.sub(lambda found: found[0].replace("\\", "/"), rest)
    try:
        parts = urlsplit(f"{scheme}:{rest}")
        if scheme in WEB and (not rest.startswith("//") or not parts.hostname):
            return None
    except ValueError:
        return None
    if scheme not in (*WEB, *OTHERS) or not rest:
        return None
    if scheme in WEB and not parts.netloc.isascii():
        return (
            None if (host := _ascii(parts.netloc)) is None else safe_url(parts._replace(netloc=host).geturl())
        )
    url = f"{scheme}:{quote(rest, safe=KEPT)}"
    return url if len(url) <= MAX_URL else None


def _ascii(netloc: str) -> str | None:
    try:
        return netloc.encode("idna").decode()
    except UnicodeError:
        return None


def pdf_links(pdf: pdfium.PdfDocument, sheet: pdfium.PdfPage) -> tuple[list[FoundLink], int]:
    """The links of a page to addresses, and how many were left out because there are too many.

    The caller holds PDFium's lock. Links within the document, to files and to programs are ignored.
    """
    found: list[FoundLink] = []
    left_out = 0
    layer: pdfium.PdfTextPage | None = None
    try:
        for link in _annotations(sheet):
            url = _address(pdf, link)
            if url is None:
                continue
            if len(found) >= MAX_LINKS:
                left_out += 1
                continue
            layer = layer or sheet.get_textpage()
            for rectangle in _rectangles(link):
                box = Place(sheet).corners(*rectangle)
                if box[0] < box[2] and box[1] < box[3]:
                    found.append(FoundLink(url, _words(layer, rectangle), (box,)))
    finally:
        if layer:
            layer.close()
    return found[:MAX_LINKS], left_out + max(0, len(found) - MAX_LINKS)


def _annotations(sheet: pdfium.PdfPage) -> Iterator[Any]:
    at, link = ctypes.c_int(0), pdfium_c.FPDF_LINK()
    while pdfium_c.FPDFLink_Enumerate(sheet.raw, ctypes.byref(at), ctypes.byref(link)):
        if not _is_hidden(sheet, link):
            yield link


def _is_hidden(sheet: pdfium.PdfPage, link: Any) -> bool:
    annotation = pdfium_c.FPDFLink_GetAnnot(sheet.raw, link)
    if not annotation:
        return False
    flags = pdfium_c.FPDFAnnot_GetFlags(annotation)
    pdfium_c.FPDFPage_CloseAnnot(annotation)
    return bool(flags & HIDDEN)


def _address(pdf: pdfium.PdfDocument, link: Any) -> str | None:
    action = pdfium_c.FPDFLink_GetAction(link)
    if not action or pdfium_c.FPDFAction_GetType(action) != pdfium_c.PDFACTION_URI:
        return None
    size = pdfium_c.FPDFAction_GetURIPath(pdf.raw, action, None, 0)
    if not 1 < size <= 4 * MAX_URL:
        return None
    buffer = ctypes.create_string_buffer(size)
    pdfium_c.FPDFAction_GetURIPath(pdf.raw, action, buffer, size)
    # ASCII by the standard (PDF 32000-1, 12.6.4.7); writers put UTF-8 there, or UTF-16 with a mark.
    data = buffer.raw[: size - 1]
    if data.startswith((b"\xfe\xff", b"\xff\xfe")):
        return safe_url(data.decode("utf-16", "replace"))
    return safe_url(data.decode("utf-8", "replace"))


def _rectangles(link: Any) -> Iterator[tuple[float, float, float, float]]:
    """Left, bottom, right, top in the page's units: one for each line, or that of the annotation."""
    count = min(pdfium_c.FPDFLink_CountQuadPoints(link), MAX_QUADS)
    whole = pdfium_c.FS_RECTF()
    has_whole = pdfium_c.FPDFLink_GetAnnotRect(link, ctypes.byref(whole))
    quads = []
    for number in range(count):
        quad = pdfium_c.FS_QUADPOINTSF()
        if pdfium_c.FPDFLink_GetQuadPoints(link, number, ctypes.byref(quad)):
            xs, ys = (quad.x1, quad.x2, quad.x3, quad.x4), (quad.y1, quad.y2, quad.y3, quad.y4)
            quads.append((min(xs), min(ys), max(xs), max(ys)))
    # Without points PDFium names the rectangle as the only quad, and wrong points lie outside of it.
    if quads and has_whole and all(_touches(quad, whole) for quad in quads):
        yield from quads
    elif has_whole:
        yield (
            min(whole.left, whole.right),
            min(whole.bottom, whole.top),
            max(whole.left, whole.right),
            max(whole.bottom, whole.top),
        )


def _touches(quad: tuple[float, float, float, float], whole: Any) -> bool:
    left, right = sorted((whole.left, whole.right))
    bottom, top = sorted((whole.bottom, whole.top))
    return quad[0] <= right and quad[2] >= left and quad[1] <= top and quad[3] >= bottom


def _words(layer: pdfium.PdfTextPage, rectangle: tuple[float, float, float, float]) -> str:
    text = layer.get_text_bounded(*rectangle, errors="replace")
    return " ".join(text.replace("\ufffe", "-").split())[:MAX_TEXT]
