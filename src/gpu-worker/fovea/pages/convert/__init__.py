"""Converts Office documents, web pages, books and CSV to blocks: headings, paragraphs, lists, tables, pictures.

Their text is in the file, so nothing is recognised (docs/decisions/0043-documents-with-their-own-text.md). The kind of
a ZIP container is found by what is in it. Runs in the process of the document (`fovea.pages.isolated`), which has no
network and limits of time and memory.
"""

from fovea.errors import DocumentError
from fovea.pages.convert.container import CONTAINER, OLE, Container
from fovea.pages.convert.content import MAX_CELLS, MAX_TEXT, Content, Part

__all__ = ["CONTAINER", "DECLARED", "OLE", "RULES", "Content", "Part", "convert"]

RULES = 1
"""Part of the digest. Raise the number when a change converts a document differently."""
DECLARED = ("text/html", "text/csv")
"""Types without a signature: what is declared counts."""


def convert(data: bytes, media_type: str) -> tuple[str, list[Part]]:
    """The media type and the parts: sections, slides, sheets, chapters. Raises `DocumentError`."""
    # Imported here because every document has its own process, and needs one of them.
    if data.startswith(OLE):
        raise DocumentError(
            "document_encrypted",
            "The Office document is encrypted, or in the format of before 2007; neither is read.",
        )
    if not data.startswith(CONTAINER):
        if media_type == "text/csv":
            from fovea.pages.convert.sheets import csv_parts

            return media_type, _checked(csv_parts(data))
        from fovea.pages.convert.markup import html_parts

        return "text/html", _checked(html_parts(data))
    container = Container(data)
    try:
        parts = _parts(container, data)
    except DocumentError:
        raise
    except Exception:  # the libraries raise many kinds of errors for broken documents
        raise DocumentError("document_broken", "The document is broken and cannot be opened.") from None
    return container.media_type, _checked(parts)


def _parts(container: Container, data: bytes) -> list[Part]:
    match container.kind:
        case "docx":
            from fovea.pages.convert.markup import docx_parts

            return docx_parts(data)
        case "pptx":
            from fovea.pages.convert.slides import pptx_parts

            return pptx_parts(data)
        case "xlsx":
            from fovea.pages.convert.sheets import xlsx_parts

            return xlsx_parts(data)
        case _:
            from fovea.pages.convert.markup import epub_parts

            return epub_parts(container)


def _checked(parts: list[Part]) -> list[Part]:
    """The parts that have something on them. Raises `DocumentError`."""
    found = [part for part in parts if any(content.has_words for content in part) or _pictures(part)]
    if not found:
        raise DocumentError("document_empty", "The document has no text.")
    cells = sum(len(content.cells) for part in found for content in part)
    size = sum(content.size for part in found for content in part)
    if cells > MAX_CELLS:
        raise DocumentError(
            "document_too_large", f"The document has {cells} cells; the limit is {MAX_CELLS}."
        )
    if size > MAX_TEXT:
        raise DocumentError(
            "document_too_large", f"The text of a document can have at most {MAX_TEXT} characters."
        )
    return found


def _pictures(part: Part) -> bool:
    return any(content.kind == "image" for content in part)
