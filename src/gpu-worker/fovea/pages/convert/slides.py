"""Presentations: each slide is a part. `python-pptx` reads them."""

import io
from collections.abc import Iterator
from typing import Any

from fovea.pages.convert.content import Content, Part
from fovea.result.page_result import TableCell

MAX_DEPTH = 10
"""Of groups in groups."""


def pptx_parts(data: bytes) -> list[Part]:
    """Visible slides: texts, tables and pictures from top to bottom, no notes. Charts and diagrams are pictures."""
    from pptx import Presentation

    return [
        _slide(slide) for slide in Presentation(io.BytesIO(data)).slides if slide.element.get("show") != "0"
    ]


def _slide(slide: Any) -> Part:
    title = slide.shapes.title
    shapes = [shape for shape in _flat(slide.shapes, 0) if title is None or shape.shape_id != title.shape_id]
    shapes.sort(key=lambda shape: (shape.top or 0, shape.left or 0))
    heading = (
        [Content("title", words)] if title is not None and (words := _words(title.text_frame.text)) else []
    )
    return heading + [content for shape in shapes for content in _contents(shape)]


def _flat(shapes: Any, depth: int) -> Iterator[Any]:
    for shape in shapes:
        if hasattr(shape, "shapes") and depth < MAX_DEPTH:
            yield from _flat(shape.shapes, depth + 1)
        else:
            yield shape


def _contents(shape: Any) -> Iterator[Content]:
    from pptx.shapes.graphfrm import GraphicFrame
    from pptx.shapes.picture import Picture

    if getattr(shape, "has_table", False):
        yield Content("table", cells=list(_cells(shape.table)))
    elif isinstance(shape, (Picture, GraphicFrame)):
        properties = shape._element.xpath(".//*[local-name()='cNvPr']/@descr")
        yield Content("image", _words(properties[0]) if properties else "")
    elif shape.has_text_frame:
        # The text of a body placeholder is a list, whose signs are in the layout.
        is_list = shape.is_placeholder and shape.placeholder_format.type in (2, 7)  # BODY, OBJECT
        for paragraph in shape.text_frame.paragraphs:
            if not (words := _words(paragraph.text)):
                continue
            if is_list or paragraph.level > 0:
                yield Content("list", words, level=paragraph.level + 1, marker="•")
            else:
                yield Content("text", words)


def _cells(table: Any) -> Iterator[TableCell]:
    for number, row in enumerate(table.rows):
        for column, cell in enumerate(row.cells):
            if not cell.is_spanned:
                yield TableCell(number, column, cell.span_height, cell.span_width, _words(cell.text))


def _words(text: str) -> str:
    return " ".join(text.split())
