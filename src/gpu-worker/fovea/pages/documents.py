"""From a document's bytes to pixels: PDF pages by PDFium, images by Pillow, both with hard limits; texts by
`fovea.pages.render`.

PDFium is not thread-safe: two threads in it at once give wrong pixels without a word. Every call into it
happens under `_PDFIUM`. Documents of strangers are opened by `fovea.pages.isolated`, in a process of their own.
"""

import ctypes
import io
import threading
import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
from PIL import Image, ImageOps, UnidentifiedImageError

from fovea.contract import CONTRACT
from fovea.errors import DocumentError, PageError

_PDFIUM = threading.Lock()

# Pillow only warns up to twice its own limit; ours is checked before anything is decoded.
Image.MAX_IMAGE_PIXELS = None
SIDE_LIMIT = 65_500
"""Pixels. Longer sides overflow decoders, however thin the image."""

IMAGE_FORMATS = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "TIFF": "image/tiff"}
TEXT_TYPES = tuple(CONTRACT["text_types"])
MAX_TEXT_BYTES = 1 << 20
SIGNATURES = (b"\x89PNG", b"\xff\xd8\xff", b"RIFF", b"II*\0", b"MM\0*")


@dataclass(frozen=True, slots=True)
class Raster:
    """A page as pixels: `image` is RGB, `dpi` is `None` for images, which have their own size."""

    page: int
    image: Image.Image
    dpi: float | None
    characters: int | None = None
    """Of the PDF's text layer, where somebody asked for them."""
    source: str | None = None
    """The page's part of the text, where the document is one."""
    missing: str = ""
    """Characters of it that are only boxes in the image: no font has them."""


class Document(ABC):
    media_type: str
    page_count: int

    @abstractmethod
    def raster(self, page: int, dpi: int) -> Raster:
        """Blocks. Raises `PageError`."""

    def characters(self, page: int) -> int | None:
        """How many the page's text layer holds; `None` where there is none or it cannot be read. Blocks."""
        return None

    def close(self) -> None:  # noqa: B027 - most documents hold nothing open
        pass


def _broken_image() -> DocumentError:
    return DocumentError("document_broken", "The image is broken and cannot be opened.")


def open_document(data: bytes, max_pixels: int, media_type: str = "", mode: str = "auto") -> Document:
    """`media_type` is what was announced: it decides only whether the document is a text, which is laid out for `mode`.
    Blocks. Raises `DocumentError`.
    """
    if not data:
        raise DocumentError("document_empty", "The document is empty.")
    # Some servers announce as text whatever they do not know.
    if media_type in TEXT_TYPES and not data.startswith((b"%PDF-", *SIGNATURES)):
        return TextDocument(data, media_type, mode)
    if b"%PDF-" in data[:1024]:
        return PdfDocument(data, max_pixels)
    return ImageDocument(data, max_pixels)


def _too_large(width: float, height: float, max_pixels: int) -> PageError:
    return PageError(
        "page_too_large",
        f"The page has {width * height / 1e6:.0f} megapixels ({width:.0f} × {height:.0f}); "
        f"the limit is {max_pixels / 1e6:.0f}.",
    )


class PdfDocument(Document):
    media_type = "application/pdf"

    def __init__(self, data: bytes, max_pixels: int):
        self._max_pixels = max_pixels
        with _PDFIUM:
            try:
                self._pdf = pdfium.PdfDocument(data)
            except pdfium.PdfiumError:
                if pdfium_c.FPDF_GetLastError() in (
                    pdfium_c.FPDF_ERR_PASSWORD,
                    pdfium_c.FPDF_ERR_SECURITY,
                ):
                    raise DocumentError("document_encrypted", "The PDF is protected by a password.") from None
                raise DocumentError("document_broken", "The PDF is broken and cannot be opened.") from None
            self.page_count = len(self._pdf)
            if self.page_count == 0:
                self._pdf.close()
                raise DocumentError("document_empty", "The PDF has no pages.")

    def raster(self, page: int, dpi: int) -> Raster:
        with _PDFIUM:
            try:
                sheet = self._pdf[page - 1]
            except pdfium.PdfiumError:
                raise PageError("page_unreadable", "The page's description in the PDF is broken.") from None
            try:
                width, height = (side * dpi / 72 for side in sheet.get_size())
                if width * height > self._max_pixels or max(width, height) > SIDE_LIMIT:
                    raise _too_large(width, height, self._max_pixels)
                if min(width, height) <= 0:
                    raise PageError("page_unreadable", "The page has no area.")
                bitmap = sheet.render(scale=dpi / 72, may_draw_forms=False)
                image = bitmap.to_pil().convert("RGB").copy()
                bitmap.close()
            except (pdfium.PdfiumError, ctypes.ArgumentError, MemoryError):
                raise PageError("page_unreadable", "The page cannot be drawn.") from None
            finally:
                sheet.close()
        return Raster(page, image, float(dpi))

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

    def close(self) -> None:
        with _PDFIUM:
            self._pdf.close()


class TextDocument(Document):
    """The pages of a text, as they are seen best in a mode. `dpi` means nothing to them."""

    def __init__(self, data: bytes, media_type: str, mode: str):
        if len(data) > MAX_TEXT_BYTES:
            raise DocumentError("document_too_large", f"A text may have at most {MAX_TEXT_BYTES >> 20} MiB.")
        try:
            text = data.decode()
        except UnicodeDecodeError:
            raise DocumentError("document_broken", "The text is not UTF-8.") from None
        if not text.strip("\ufeff \t\r\n"):
            raise DocumentError("document_empty", "The text is empty.")
        # Not above: each document has a process of its own, and most are no texts.
        from fovea.pages import render

        self.media_type = media_type
        self._pages = render.paginate(text, media_type, mode)
        self.page_count = len(self._pages)

    def raster(self, page: int, dpi: int) -> Raster:
        sheet = self._pages[page - 1]
        image, missing = sheet.draw()
        return Raster(page, image.convert("RGB"), None, source=sheet.source, missing="".join(missing))

    def characters(self, page: int) -> int | None:
        return len(self._pages[page - 1].source)


class ImageDocument(Document):
    def __init__(self, data: bytes, max_pixels: int):
        self._data = data
        self._max_pixels = max_pixels
        try:
            with self._open() as image:
                if image.format not in IMAGE_FORMATS:
                    raise UnidentifiedImageError
                self.media_type = IMAGE_FORMATS[image.format]
                # Only TIFF has pages; the frames of an animation are one picture.
                self.page_count = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1
        except UnidentifiedImageError:
            if data.startswith(SIGNATURES):
                raise _broken_image() from None
            raise DocumentError(
                "document_unsupported", "The document is not a PDF, PNG, JPEG, WebP, TIFF or announced text."
            ) from None
        except Exception:  # A broken TIFF makes Pillow raise almost anything.
            raise _broken_image() from None

    def _open(self) -> Image.Image:
        return Image.open(io.BytesIO(self._data), formats=list(IMAGE_FORMATS))

    def raster(self, page: int, dpi: int) -> Raster:
        try:
            with warnings.catch_warnings(), self._open() as image:
                warnings.simplefilter("ignore")
                image.seek(page - 1)
                width, height = image.size
                if width * height > self._max_pixels or max(width, height) > SIDE_LIMIT:
                    raise _too_large(width, height, self._max_pixels)
                return Raster(page, on_white(ImageOps.exif_transpose(image)), None)
        except PageError:
            raise
        except Exception:
            raise PageError("page_unreadable", "The image is broken and cannot be decoded.") from None


def on_white(image: Image.Image) -> Image.Image:
    """RGB as it looks on paper: transparency becomes white, 16-bit grey becomes 8-bit."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        _low, high = image.getextrema()
        scale = 255 / max(high, 255 if high <= 255 else 65535)
        return image.convert("F").point(lambda value: value * scale).convert("L").convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        paper = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        return Image.alpha_composite(paper, rgba).convert("RGB")
    return image.convert("RGB")
