"""Presentations: each slide is a part, with its notes. `python-pptx` reads them."""

import io
from collections.abc import Iterator
from typing import Any

from fovea.pages.convert.content import (
    BREAK,
    Anchor,
    Cells,
    Content,
    Converted,
    Part,
    Piece,
    flowed,
    in_one_line,
    raised,
)
from fovea.pages.convert.formats import plain
from fovea.pages.convert.formulas import formula_text
from fovea.pages.convert.labels import label
from fovea.pages.convert.opc import attribute, name, xml
from fovea.pages.links import safe_url

MAX_DEPTH = 10
"""Of groups in groups."""
MAX_CATEGORIES = 1000
"""Of a chart."""
NOTES = "Notes"
HIDDEN = "Hidden slides, which are not read: {}."
COMMENTS = "The comments of the slides are not read."
NUMBERS = {
    "arabic": "decimal",
    "alphaLc": "lowerLetter",
    "alphaUc": "upperLetter",
    "romanLc": "lowerRoman",
    "romanUc": "upperRoman",
}
"""Formats of numbers by the beginning of their names (ECMA-376, part 1, section 20.1.10.61)."""


def pptx_parts(data: bytes) -> Converted:
    """Visible slides: texts, tables and pictures from top to bottom. Of charts the data, of diagrams the texts."""
    from pptx import Presentation

    slides = list(Presentation(io.BytesIO(data)).slides)
    shown = [slide for slide in slides if slide.element.get("show") not in ("0", "false")]
    notes = [HIDDEN.format(len(slides) - len(shown))] if len(shown) < len(slides) else []
    if any(
        relation.reltype.endswith("/comments") for slide in shown for relation in slide.part.rels.values()
    ):
        notes.append(COMMENTS)
    return Converted([_slide(slide) for slide in shown], notes)


def _slide(slide: Any) -> Part:
    _choose(slide.element)
    title = slide.shapes.title
    shapes = [shape for shape in _flat(slide.shapes, 0) if title is None or shape.shape_id != title.shape_id]
    shapes.sort(key=lambda shape: (shape.top or 0, shape.left or 0))
    found: Part = []
    if title is not None:
        pieces = [piece for paragraph in title.text_frame.paragraphs for piece in _line(paragraph, title)]
        text, links = flowed(pieces)
        found += [Content("title", text, links=links)] if text else []
    found += [content for shape in shapes for content in _contents(shape)]
    return found + list(_notes(slide))


def _choose(slide: Any) -> None:
    """Puts the first description of what is described twice into its place: `python-pptx` reads neither."""
    for twice in slide.xpath(".//*[local-name()='AlternateContent']"):
        for choice in twice[:1]:
            for one in choice:
                twice.addprevious(one)
        twice.getparent().remove(twice)


def _notes(slide: Any) -> Iterator[Content]:
    """What the speaker has noted, below a heading."""
    frame = slide.notes_slide.notes_text_frame if slide.has_notes_slide else None
    if frame is None or not frame.text.strip():
        return
    yield Content("sub_title", NOTES, level=3)
    for paragraph in frame.paragraphs:
        text, links = flowed(_pieces(paragraph, slide.notes_slide))
        if text:
            yield Content("text", text, links=links)


def _flat(shapes: Any, depth: int) -> Iterator[Any]:
    for shape in shapes:
        if hasattr(shape, "shapes") and depth < MAX_DEPTH:
            yield from _flat(shape.shapes, depth + 1)
        elif shape._element.xpath(".//*[local-name()='cNvPr'][1]/@hidden") not in (["1"], ["true"]):
            yield shape


def _contents(shape: Any) -> Iterator[Content]:
    from pptx.shapes.graphfrm import GraphicFrame
    from pptx.shapes.picture import Picture

    if getattr(shape, "has_table", False):
        cells = Cells()
        for number, row in enumerate(shape.table.rows):
            for column, cell in enumerate(row.cells):
                if not cell.is_spanned:
                    pieces = [piece for one in cell.text_frame.paragraphs for piece in _line(one, shape)]
                    cells.add(number, column, cell.span_height, cell.span_width, pieces)
        yield cells.content
    elif getattr(shape, "has_chart", False) and (table := _chart(shape)):
        yield table
    elif isinstance(shape, GraphicFrame) and (texts := list(_diagram(shape))):
        yield from texts
    elif isinstance(shape, (Picture, GraphicFrame)):
        properties = shape._element.xpath(".//*[local-name()='cNvPr']/@descr")
        text = in_one_line(properties[0]) if properties else ""
        url = _address(shape._element, shape)
        yield Content("image", text, links=[Anchor(url, 0, len(text))] if url else [])
    elif shape.has_text_frame:
        yield from _texts(shape)


def _chart(shape: Any) -> Content | None:
    """The data of a chart: a column for each series. `None` if it has none, or others than numbers of categories."""
    try:
        plots = [plot for plot in shape.chart.plots if len(plot.categories)]
        categories = [str(label) for label in plots[0].categories] if plots else []
        series = [one for plot in plots for one in plot.series]
    except Exception:  # a broken chart does not break the presentation
        return None
    if not categories:
        return None
    cells = Cells()
    for column, name_ in enumerate(["", *(one.name or "" for one in series)]):
        cells.add(0, column, 1, 1, [Piece(name_)])
    for row, category in enumerate(categories[:MAX_CATEGORIES], 1):
        cells.add(row, 0, 1, 1, [Piece(category)])
        for column, one in enumerate(series, 1):
            value = one.values[row - 1] if row <= len(one.values) else None
            cells.add(row, column, 1, 1, [Piece("" if value is None else plain(value))])
    return cells.content


def _diagram(shape: Any) -> Iterator[Content]:
    """The texts of the shapes of a diagram (SmartArt)."""
    for ids in shape._element.xpath(".//*[local-name()='relIds']"):
        relation = shape.part.rels.get(attribute(ids, "dm") or "")
        if relation is None or relation.is_external:
            continue
        for point in xml(relation.target_part.blob).iter():
            words = [one.text or "" for one in point.iter() if name(one) == "t" and len(one) == 0]
            if name(point) == "pt" and (text := in_one_line(" ".join(words))):
                yield Content("list", text, marker="•")


def _texts(shape: Any) -> Iterator[Content]:
    # The text of a body placeholder is a list, whose signs are in the layout.
    is_list = shape.is_placeholder and shape.placeholder_format.type in (2, 7)  # BODY, OBJECT
    numbers: dict[int, int] = {}
    for paragraph in shape.text_frame.paragraphs:
        level = paragraph.level
        marker = _marker(paragraph, is_list or level > 0, numbers)
        text, links = flowed(_line(paragraph, shape) if marker else _pieces(paragraph, shape))
        if text and marker:
            yield Content("list", text, level=level + 1, marker=marker, links=links)
        elif text:
            yield Content("text", text, links=links)


def _marker(paragraph: Any, is_list: bool, numbers: dict[int, int]) -> str:
    """The sign of an item; empty for other paragraphs. `numbers`: the last one of each level."""
    properties = paragraph._p.pPr
    for one in properties if properties is not None else ():
        match name(one):
            case "buNone":
                return ""
            case "buChar" | "buBlip":
                return "•"
            case "buAutoNum":
                if not paragraph.text.strip():
                    return "•"
                level = paragraph.level
                for deeper in [other for other in numbers if other > level]:
                    del numbers[deeper]
                start = attribute(one, "startAt") or "1"
                first = int(start) if start.isdigit() and len(start) < 6 else 1
                numbers[level] = numbers.get(level, first - 1) + 1
                kind = attribute(one, "type") or ""
                form = next((form for begin, form in NUMBERS.items() if kind.startswith(begin)), "decimal")
                sign = label(numbers[level], form)
                return f"({sign})" if "Both" in kind else f"{sign})" if "ParenR" in kind else f"{sign}."
    return "•" if is_list else ""


def _line(paragraph: Any, shape: Any) -> Iterator[Piece]:
    """A paragraph in one line, and the space behind it."""
    for piece in _pieces(paragraph, shape):
        yield Piece(" ") if piece.text == BREAK else piece
    yield Piece(" ")


def _pieces(paragraph: Any, shape: Any) -> Iterator[Piece]:
    for one in paragraph._p.iter():
        match name(one):
            case "oMath":
                yield Piece(formula_text(one))
            case "t" if not any(name(outer) == "oMath" for outer in one.iterancestors()):
                text = (one.text or "").replace("\v", " ")
                properties = next((of for of in one.getparent() if name(of) == "rPr"), None)
                baseline = attribute(properties, "baseline") or "0"
                is_raised = baseline.rstrip("%").isdigit() and int(baseline.rstrip("%")) > 0
                yield Piece(raised(text) if is_raised else text, _address(one.getparent(), shape))
            case "br":
                yield Piece(BREAK)


def _address(run: Any, shape: Any) -> str | None:
    """Of a run, or of a picture."""
    for link in run.xpath(
        "(./*[local-name()='rPr'] | ./*/*[local-name()='cNvPr'])/*[local-name()='hlinkClick']"
    ):
        relation = shape.part.rels.get(attribute(link, "id") or "")
        if relation is not None and relation.is_external:
            return safe_url(relation.target_ref)
    return None
