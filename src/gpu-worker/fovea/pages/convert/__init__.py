"""Converts Office documents, web pages, books and CSV to blocks: headings, paragraphs, lists, tables, pictures.

Their text is in the file, so nothing is recognised (docs/decisions/0043-documents-with-their-own-text.md). The kind of
a ZIP container is found by what is in it. Runs in the process of the document (`fovea.pages.isolated`), which has no
network and limits of time and memory.
"""

from fovea.errors import DocumentError
from fovea.pages.convert.container import CONTAINER, OLE, Container
from fovea.pages.convert.content import MAX_AREA, MAX_CELLS, MAX_TEXT, Content, Converted, Part

__all__ = ["CONTAINER", "DECLARED", "OLE", "RULES", "Content", "Converted", "Part", "convert"]

RULES = 2
"""Part of the digest. Raise the number when a change converts a document differently."""
DECLARED = ("text/html", "text/csv")
"""Types without a signature: what is declared counts."""


def convert(data: bytes, media_type: str) -> tuple[str, Converted]:
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
        converted = _converted(container, data)
    except DocumentError:
        raise
    except Exception:  # the libraries raise many kinds of errors for broken documents
        raise DocumentError("document_broken", "The document is broken and cannot be opened.") from None
    return container.media_type, _checked(converted)


def _converted(container: Container, data: bytes) -> Converted:
    match container.kind:
        case "docx":
            from fovea.pages.convert.words import docx_parts

            return docx_parts(container)
        case "pptx":
            from fovea.pages.convert.slides import pptx_parts

            return pptx_parts(data)
        case "xlsx":
            from fovea.pages.convert.sheets import xlsx_parts

            return xlsx_parts(container)
        case _:
            from fovea.pages.convert.markup import epub_parts

            return epub_parts(container)


def _checked(converted: Converted) -> Converted:
    """The parts that have something on them. Raises `DocumentError`."""
    found = [
        part for part in converted.parts if any(content.has_words for content in part) or _pictures(part)
    ]
    if not found:
        raise DocumentError("document_empty", "The document has no text.")
    contents = [content for part in found for content in part]
    cells = sum(len(content.cells) for content in contents)
    if cells > MAX_CELLS or any(content.area > MAX_AREA for content in contents):
        raise DocumentError(
            "document_too_large", f"The tables of a document can have at most {MAX_CELLS} cells."
        )
    if sum(content.size for content in contents) > MAX_TEXT:
        raise DocumentError(
            "document_too_large", f"The text of a document can have at most {MAX_TEXT} characters."
        )
    return Converted(found, converted.notes)


def _pictures(part: Part) -> bool:
    return any(content.kind == "image" for content in part)
