"""Renders documents: PDF pages with PDFium, images with Pillow, both with hard limits; texts with `fovea.pages.render`.

What of a page is damaged is said in `Raster.damage`: decoders leave out what they cannot decode, without a word.

PDFium is not thread-safe: concurrent calls silently give wrong pixels. So all calls hold the lock `_PDFIUM`.
Untrusted documents are opened in a separate process (`fovea.pages.isolated`).
"""

import ctypes
import io
import threading
import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from fovea.contract import CONTRACT
from fovea.errors import DocumentError, PageError
from fovea.pages import convert
from fovea.pages.links import FoundLink, pdf_links
from fovea.pages.text_layer import LayerWord, layer_words
from fovea.result.links import LEFT_OUT
from fovea.result.page_result import Block

if TYPE_CHECKING:
    from fovea.pages.pdf_damage import PdfCheck

_PDFIUM = threading.Lock()
_PARTS_OF_IMAGES = threading.Lock()
"""Held while Pillow decodes broken images: the switch for it is global."""

# Disabled because the reader checks its own limit before it decodes anything.
Image.MAX_IMAGE_PIXELS = None
SIDE_LIMIT = 65_500
"""Pixels. Longer sides overflow decoders, even if the other side is short."""

MAX_ENLARGED = 4.0
"""How many times as large small PDF pages may be rendered as was asked for."""

IMAGE_FORMATS = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "WEBP": "image/webp",
    "TIFF": "image/tiff",
    # What Pillow makes of a JPEG that is followed by more pictures, as phones do it. The first one is read.
    "MPO": "image/jpeg",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "AVIF": "image/avif",
    "HEIF": "image/heic",
}
BRANDED_FORMATS = ["AVIF", "HEIF"]
FORMATS = [name for name in IMAGE_FORMATS if name not in ("MPO", *BRANDED_FORMATS)]
"""Pillow opens MPO as JPEG."""
TEXT_TYPES = tuple(CONTRACT["text_types"])
CONVERSATION = CONTRACT["conversation_type"]
LAID_OUT = (*TEXT_TYPES, *CONTRACT["converted_types"], CONVERSATION)
"""Types of documents whose pages the worker makes."""
MAX_TEXT_BYTES = 1 << 20
SIGNATURES = (b"\x89PNG", b"\xff\xd8\xff", b"RIFF", b"II*\0", b"MM\0*", b"GIF87a", b"GIF89a")
BRANDED = b"ftyp"
"""At offset 4 of HEIC and AVIF images."""

IMAGE_DAMAGED = "The image is damaged: {}."
IMAGE_NOT_DRAWN = "An image on the page cannot be decoded."
FORM_NOT_DRAWN = "The values of the form's fields cannot be drawn."
XFA_NOT_DRAWN = (
    "The form is described in XFA, which is not drawn; only the page that stands in for it was read."
)
MAX_TRIED_IMAGES = 16


@dataclass(frozen=True, slots=True)
class Raster:
    """A rendered page. `image` is RGB; `dpi` is `None` for images and texts."""

    page: int
    image: Image.Image
    dpi: float | None
    characters: int | None = None
    """Characters in the PDF's text layer; set only where a caller needs them."""
    source: str | None = None
    """The page's part of a text document."""
    missing: str = ""
    """Characters of `source` that are drawn as boxes because no font has them; of a conversation: that are spelled."""
    stretches: tuple[Block, ...] | None = None
    """Of a conversation: where its messages stand."""
    content: tuple[Block, ...] | None = None
    """The blocks that the file itself names; set only for readers that use text layers, and `None` for pages that have
    to be read."""
    layer: tuple[LayerWord, ...] = ()
    """The page's text layer; set only for readers that use it."""
    damage: tuple[str, ...] = ()
    """Sentences for the client: what of the page could not be drawn because the document is damaged."""
    links: tuple[FoundLink, ...] = ()
    """Links of the page to addresses."""
    notes: tuple[str, ...] = ()
    """Sentences for the client: what of the document is not on its pages."""


class Document(ABC):
    media_type: str
    page_count: int

    @abstractmethod
    def raster(self, page: int, dpi: int, least_side: int = 0) -> Raster:
        """Blocks. Raises `PageError`.

        `least_side`: pixels. A PDF page whose longer side has fewer is rendered with more dots per inch.
        """

    def characters(self, page: int) -> int | None:
        """Number of characters in the page's text layer; `None` if there is none or it is broken. Blocks."""
        return None

    def text_layer(self, page: int) -> tuple[LayerWord, ...]:
        """The words of the page's text layer; empty if there is none or it is broken. Blocks."""
        return ()

    def content(self, page: int) -> tuple[Block, ...] | None:
        """The blocks of a page of a converted document; `None` for documents whose pages have to be read."""
        return None

    def close(self) -> None:  # noqa: B027 - most documents have nothing to close
        pass


def _broken_image() -> DocumentError:
    return DocumentError("document_broken", "The image is broken and cannot be opened.")


def open_document(
    data: bytes, max_pixels: int, media_type: str = "", mode: str = "auto", password: str | None = None
) -> Document:
    """Opens a document. Blocks. Raises `DocumentError`.

    `media_type` is the declared type; it is used only to recognize texts, which are laid out for `mode`. A document
    that is not encrypted opens with any `password`.
    """
    if not data:
        raise DocumentError("document_empty", "The document is empty.")
    # Some servers declare unknown files as text, so signatures take precedence.
    if media_type == CONVERSATION:
        return ConversationDocument(data)
    if media_type in TEXT_TYPES and not (
        data.startswith((b"%PDF-", convert.CONTAINER, *SIGNATURES)) or data[4:8] == BRANDED
    ):
        return TextDocument(data, media_type, mode)
    if data.startswith((convert.CONTAINER, convert.OLE)) or _is_declared(data, media_type):
        return ConvertedDocument(data, media_type, mode)
    if b"%PDF-" in data[:1024]:
        return PdfDocument(data, max_pixels, password)
    return ImageDocument(data, max_pixels)


def _is_declared(data: bytes, media_type: str) -> bool:
    """Whether a document without a signature is one that is converted."""
    if data.startswith((b"%PDF-", *SIGNATURES)) or data[4:8] == BRANDED:
        return False
    return media_type in convert.DECLARED


def _locked(password: str | None) -> DocumentError:
    if password is None:
        return DocumentError(
            "document_encrypted", "The PDF is protected by a password: send it as `password`."
        )
    return DocumentError("password_wrong", "The password does not open the PDF.")


def _too_large(width: float, height: float, max_pixels: int) -> PageError:
    return PageError(
        "page_too_large",
        f"The page has {width * height / 1e6:.0f} megapixels ({width:.0f} × {height:.0f}); "
        f"the limit is {max_pixels / 1e6:.0f}.",
    )


class PdfDocument(Document):
    media_type = "application/pdf"

    def __init__(self, data: bytes, max_pixels: int, password: str | None = None):
        self._max_pixels = max_pixels
        with _PDFIUM:
            try:
                self._pdf = pdfium.PdfDocument(data, password=password)
            except pdfium.PdfiumError:
                if pdfium_c.FPDF_GetLastError() in (
                    pdfium_c.FPDF_ERR_PASSWORD,
                    pdfium_c.FPDF_ERR_SECURITY,
                ):
                    raise _locked(password) from None
                raise DocumentError("document_broken", "The PDF is broken and cannot be opened.") from None
            self._form_damage: tuple[str, ...] = ()
            try:
                # Values of fields are drawn only with a form environment that is older than any page. PDFium is built
                # without V8, so no script of the document runs.
                self._pdf.init_forms()
            except pdfium.PdfiumError:
                self._form_damage = (FORM_NOT_DRAWN,)
            self.page_count = len(self._pdf)
            if self.page_count == 0:
                self._pdf.close()
                raise DocumentError("document_empty", "The PDF has no pages.")
        self._data = data
        self._checking = threading.Lock()
        self._check: PdfCheck | None = None

    def raster(self, page: int, dpi: int, least_side: int = 0) -> Raster:
        with _PDFIUM:
            try:
                sheet = self._pdf[page - 1]
            except pdfium.PdfiumError:
                raise PageError("page_unreadable", "The page is broken in the PDF.") from None
            try:
                longer = max(sheet.get_size()) * dpi / 72
                if 0 < longer < least_side:
                    dpi = round(dpi * min(least_side / longer, MAX_ENLARGED))
                width, height = (side * dpi / 72 for side in sheet.get_size())
                if width * height > self._max_pixels or max(width, height) > SIDE_LIMIT:
                    raise _too_large(width, height, self._max_pixels)
                if min(width, height) <= 0:
                    raise PageError("page_unreadable", "The page has no area.")
                bitmap = sheet.render(scale=dpi / 72)
                image = bitmap.to_pil().convert("RGB").copy()
                bitmap.close()
                drawn = any(low < 255 for low, _high in image.getextrema())
                undrawn = () if drawn or _images_can_be_drawn(sheet) else (IMAGE_NOT_DRAWN,)
                links, left_out = pdf_links(self._pdf, sheet)
            except (pdfium.PdfiumError, ctypes.ArgumentError, MemoryError):
                raise PageError("page_unreadable", "The page cannot be rendered.") from None
            finally:
                sheet.close()
        damage = self._damage(page) or undrawn
        notes = (LEFT_OUT.format(left_out),) if left_out else ()
        return Raster(page, image, float(dpi), damage=damage, links=tuple(links), notes=notes)

    def _damage(self, page: int) -> tuple[str, ...]:
        # Imported here because only PDFs need it.
        from fovea.pages.pdf_damage import PdfCheck

        with self._checking:
            if self._check is None:
                self._check = PdfCheck(self._data, self.page_count, self._copy)
                if self._check.xfa_only():
                    self._form_damage += (XFA_NOT_DRAWN,)
            return self._form_damage + self._check.page(page)

    def _copy(self) -> bytes:
        """The document as PDFium understands it, without encryption."""
        out = io.BytesIO()
        with _PDFIUM:
            self._pdf.save(out, flags=pdfium_c.FPDF_REMOVE_SECURITY)
        return out.getvalue()

    def characters(self, page: int) -> int | None:
        with _PDFIUM:
            try:
                sheet = self._pdf[page - 1]
                try:
                    text = sheet.get_textpage()
                    count = text.count_chars()
                    text.close()
                finally:
                    sheet.close()
            except pdfium.PdfiumError:
                return None
        return count if count > 0 else None

    def text_layer(self, page: int) -> tuple[LayerWord, ...]:
        with _PDFIUM:
            try:
                sheet = self._pdf[page - 1]
                try:
                    return tuple(layer_words(sheet))
                finally:
                    sheet.close()
            except pdfium.PdfiumError:
                return ()

    def close(self) -> None:
        with _PDFIUM:
            self._pdf.close()


def _images_can_be_drawn(sheet: pdfium.PdfPage) -> bool:
    """Whether PDFium can decode the page's images; the first few are tried."""
    for tried, image in enumerate(sheet.get_objects(filter=(pdfium_c.FPDF_PAGEOBJ_IMAGE,))):
        if tried == MAX_TRIED_IMAGES:
            break
        try:
            image.get_bitmap().close()
        except pdfium.PdfiumError:
            return False
    return True


class TextDocument(Document):
    """A text, laid out on pages that fit the mode's views. `dpi` has no effect."""

    def __init__(self, data: bytes, media_type: str, mode: str):
        if len(data) > MAX_TEXT_BYTES:
            raise DocumentError("document_too_large", f"A text can have at most {MAX_TEXT_BYTES >> 20} MiB.")
        try:
            text = data.decode()
        except UnicodeDecodeError:
            raise DocumentError("document_broken", "The text is not valid UTF-8.") from None
        if not text.strip("\ufeff \t\r\n"):
            raise DocumentError("document_empty", "The text is empty.")
        # Imported here because every document has its own process, and only texts need it.
        from fovea.pages import render

        self.media_type = media_type
        self._pages = render.paginate(text, media_type, mode)
        self.page_count = len(self._pages)

    def raster(self, page: int, dpi: int, least_side: int = 0) -> Raster:
        sheet = self._pages[page - 1]
        image, missing = sheet.draw()
        return Raster(page, image.convert("RGB"), None, source=sheet.source, missing="".join(missing))

    def characters(self, page: int) -> int | None:
        return len(self._pages[page - 1].source)


class ConvertedDocument(Document):
    """An Office document, web page, book or CSV file, laid out on pages. `dpi` has no effect."""

    def __init__(self, data: bytes, media_type: str, mode: str):
        # Imported here because every document has its own process, and few need the fonts.
        from fovea.pages import converted

        self.media_type, found = convert.convert(data, media_type)
        self._pages = converted.pages_of(found.parts, mode)
        self._notes = tuple(found.notes)
        self.page_count = len(self._pages)

    def raster(self, page: int, dpi: int, least_side: int = 0) -> Raster:
        one = self._pages[page - 1]
        image, missing = one.page.draw()
        return Raster(
            page,
            image.convert("RGB"),
            None,
            source=one.page.source,
            missing="".join(missing),
            links=one.links,
            notes=self._notes if page == 1 else (),
        )

    def characters(self, page: int) -> int | None:
        return len(self._pages[page - 1].page.source)

    def content(self, page: int) -> tuple[Block, ...]:
        return tuple(self._pages[page - 1].blocks)


class ConversationDocument(Document):
    """Messages of a context, laid out on pages of the size that the document asks for. `dpi` has no effect."""

    media_type = CONVERSATION

    def __init__(self, data: bytes):
        # Imported here because every document has its own process, and few need the fonts.
        from fovea.pages import conversation

        self._pages = conversation.pages_of(data)
        self.page_count = len(self._pages)

    def raster(self, page: int, dpi: int, least_side: int = 0) -> Raster:
        one = self._pages[page - 1]
        image = one.page.draw()[0].convert("RGB")
        return Raster(
            page, image, None, source=one.page.source, missing=one.spelled, stretches=tuple(one.blocks)
        )

    def characters(self, page: int) -> int | None:
        return len(self._pages[page - 1].page.source)


class ImageDocument(Document):
    def __init__(self, data: bytes, max_pixels: int):
        self._data = data
        self._max_pixels = max_pixels
        try:
            with self._open() as image:
                if image.format not in IMAGE_FORMATS:
                    raise UnidentifiedImageError
                self.media_type = IMAGE_FORMATS[image.format]
                # Only TIFF has pages. Of an animation, and of several pictures in a file, one is read: the first, or
                # the one that the file names as its primary picture.
                self.page_count = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1
        except UnidentifiedImageError:
            if data.startswith((*SIGNATURES, b"BM")) or data[4:8] == BRANDED:
                raise _broken_image() from None
            raise DocumentError(
                "document_unsupported",
                "The document is no PDF, no image and no Office document of a kind that is read, and not declared as "
                "text.",
            ) from None
        except Exception:  # Pillow raises many kinds of errors for a broken TIFF
            raise _broken_image() from None

    def _open(self) -> Image.Image:
        if self._data[4:8] == BRANDED:
            # Imported here because every document has its own process, and few are HEIC.
            import pi_heif

            pi_heif.register_heif_opener()
            return Image.open(io.BytesIO(self._data), formats=BRANDED_FORMATS)
        return Image.open(io.BytesIO(self._data), formats=FORMATS)

    def raster(self, page: int, dpi: int, least_side: int = 0) -> Raster:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                image, fault = self._decoded(page)
                damage = (IMAGE_DAMAGED.format(fault),) if fault else ()
                return Raster(page, on_white(ImageOps.exif_transpose(image)), None, damage=damage)
        except PageError:
            raise
        except Exception:
            raise PageError("page_unreadable", "The image is broken and cannot be decoded.") from None

    def _decoded(self, page: int) -> tuple[Image.Image, str | None]:
        """The picture and how it is damaged. Of a broken picture, what can be decoded."""
        # Imported here because texts need none of it.
        from fovea.pages import damage

        try:
            with self._frame(page) as image, damage.complaints() as said:
                image.load()
        except PageError:
            raise
        except Exception:
            with _PARTS_OF_IMAGES, self._frame(page) as image:
                ImageFile.LOAD_TRUNCATED_IMAGES = True
                try:
                    image.load()
                finally:
                    ImageFile.LOAD_TRUNCATED_IMAGES = False
            return image, damage.ENDS_EARLY if self.media_type != "image/png" else damage.CORRUPT
        if self.media_type == "image/jpeg":
            return image, damage.jpeg_damage(self._data)
        if self.media_type == "image/png":
            return image, damage.png_damage(self._data)
        if self.media_type == "image/tiff":
            return image, damage.tiff_fault(b"".join(said)) or damage.fax_tiff_damage(image, self._data)
        return image, None

    def _frame(self, page: int) -> Image.Image:
        """The picture before it is decoded. Raises `PageError` if it is too large."""
        image = self._open()
        if self.page_count > 1:  # HEIC opens at the primary picture, which need not be the first
            image.seek(page - 1)
        width, height = image.size
        if width * height > self._max_pixels or max(width, height) > SIDE_LIMIT:
            raise _too_large(width, height, self._max_pixels)
        return image


def on_white(image: Image.Image) -> Image.Image:
    """The image as RGB on a white background; 16-bit grey is scaled to 8 bits."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        _low, high = image.getextrema()
        scale = 255 / max(high, 255 if high <= 255 else 65535)
        return image.convert("F").point(lambda value: value * scale).convert("L").convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        paper = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        return Image.alpha_composite(paper, rgba).convert("RGB")
    return image.convert("RGB")
