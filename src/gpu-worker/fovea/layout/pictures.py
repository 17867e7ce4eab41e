"""Pictures and charts, with the labels inside them."""

import itertools
import re

from fovea.layout.line import Line, Marks, Page, box_of, share_inside
from fovea.result.geometry import union
from fovea.result.page_result import Box

CAPTION = re.compile(
    r"(?:fig(?:ur[ae]?|\.)?|tab(?:le(?:au)?|elle|ella|la|ela|ulka|\.)?|abb(?:ildung|\.)?|afb(?:eelding|\.)?"
    r"|rys(?:unek|\.)?|obr(?:ázek|\.)?|gr[aá]fico|graphique|grafik|diagramm?|chart|scheme|schema|plate|map|karte|carte"
    r"|photo(?:graph)?|foto|bild|image|imagen|ilustra[cç][ií]on|illustration|exhibit|рис(?:унок|\.)?|табл(?:ица|\.)?"
    r"|图表|图|圖|表|図|그림|표)\s*\.?\s*(?:\d|(?-i:[IVX]+\b|[A-Z]\b))",
    re.IGNORECASE,
)
CAPTION_START = re.compile(
    rf"(?:{CAPTION.pattern})[\dIVXivx.]*\s*[.:：–—-]|[图表図]\s?\d+[\s.:：]", re.IGNORECASE
)
"""A caption's beginning that is no reference in a text: a sign follows the number."""
LABELS = 3.0
"""Depth of the labels outside the axes of a chart, in units."""
LEAST_PICTURE = 4.0
"""In units: what is smaller and drawn is a picture only as a part of one."""
MUCH_TEXT = 0.3
"""A region whose lines cover a larger share of it is text."""


def find_pictures(
    page: Page, lines: list[Line], unit: float
) -> tuple[list[tuple[Box, list[Line]]], list[Line]]:
    """Pictures with the lines inside them (labels), and the other lines."""
    found = charts(page.marks, lines, unit)
    for region in page.regions:
        if region.kind != "figure" or region.score < 0.5 or any(_same(region.box, box) for box in found):
            continue
        drawn = [box for box in page.marks.pictures if share_inside(box, region.box) > 0.5]
        if sum(_area(box) for box in drawn) > 0.03 * _area(region.box):
            found.append(union([region.box, *drawn]))
    for box in page.marks.pictures:
        large = min(box[2] - box[0], box[3] - box[1]) > LEAST_PICTURE * unit
        if large and not any(_same(box, other) for other in found):
            found.append(box)
    pictures = []
    for box in found:
        inside = [line for line in lines if share_inside(box_of(line), box) > 0.6]
        captions = [line for line in inside if CAPTION.match(line.text)]
        if captions and len(inside) > len(captions):
            box = _without(box, captions)
            inside = [line for line in inside if share_inside(box_of(line), box) > 0.6]
        covered = sum(_area(box_of(line)) for line in inside) / max(1.0, _area(box))
        if sum(len(line.text) > 24 for line in inside) > 2 or covered > MUCH_TEXT:
            continue  # text on a picture, or a region that is none
        taken = set(map(id, inside))
        lines = [line for line in lines if id(line) not in taken]
        pictures.append((box, inside))
    return pictures, lines


def charts(marks: Marks, lines: list[Line], unit: float) -> list[Box]:
    """Charts: two axes that meet at the lower left, with drawn pieces between them or the ticks' labels beside both."""
    found: list[Box] = []
    short = [line for line in lines if _is_label(line)]
    for across, down in itertools.product(marks.across, marks.down):
        axes = union([across, down])
        if abs(down[3] - across[1]) > unit or abs(down[0] - across[0]) > unit or down[3] - down[1] < 4 * unit:
            continue
        pieces = [box for box in marks.pictures if share_inside(box, axes) > 0.5]
        x0, y0, x1, y1 = union([axes, *pieces])
        around = (x0 - LABELS * unit, y0 - unit, x1 + unit, y1 + LABELS * unit)
        labels = [line for line in short if share_inside(box_of(line), around) > 0.9]
        left = [line for line in labels if line.x1 < down[2] + 0.3 * unit]
        below = [line for line in labels if line.y0 > across[1] - 0.3 * unit]
        if len(pieces) < 2 and not (len(left) > 2 and len(below) > 0 and not _crossed(axes, lines)):
            continue
        box = union([(x0, y0, x1, y1), *map(box_of, labels)])
        if not any(_same(box, other) for other in found):
            found.append(box)
    return found


def _is_label(line: Line) -> bool:
    return not line.turned and (len(line.text) < 12 or not re.search(r"[^\W\d_]", line.text))


def _crossed(axes: Box, lines: list[Line]) -> bool:
    """Whether there is text between the axes, as in a table."""
    return sum(share_inside(box_of(line), axes) > 0.5 for line in lines) > 2


def _same(box: Box, other: Box) -> bool:
    return share_inside(box, other) > 0.5 or share_inside(other, box) > 0.5


def _without(box: Box, captions: list[Line]) -> Box:
    """The larger part of a box above or below its captions."""
    top, bottom = min(line.y0 for line in captions), max(line.y1 for line in captions)
    x0, y0, x1, y1 = box
    return (x0, y0, x1, top) if top - y0 > y1 - bottom else (x0, bottom, x1, y1)


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
