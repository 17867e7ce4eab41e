"""Makes blocks of the lines of a page: tables, pictures, furniture, reading order, and what each block is."""

import re
from dataclasses import dataclass
from statistics import median

from fovea.layout.aligned import aligned_tables
from fovea.layout.columns import find_gutters, whole_lines, zones
from fovea.layout.equations import is_equation
from fovea.layout.line import (
    Line,
    Page,
    Region,
    box_of,
    line_box,
    share_inside,
    unit_of,
)
from fovea.layout.listing import code_text, find_code
from fovea.layout.order import Item, reading_order
from fovea.layout.paragraphs import is_item, join_lines, paragraphs
from fovea.layout.pictures import CAPTION, CAPTION_START, find_pictures
from fovea.layout.ruled import ruled_tables
from fovea.layout.signs import with_signs
from fovea.layout.tables import Table
from fovea.result.geometry import union
from fovea.result.page_result import Block, Box

NUMBERED = re.compile(
    r"(?:(?:\d{1,2}\.)*\d{1,2}\.?|[IVX]{1,5}\.|[A-Z]\.|§\s?\d+|Chapter \d+|Part [IVX\d]+)\s+\S"
    r"|(?:[（(]?[一二三四五六七八九十]{1,3}[）)、．.]|第[一二三四五六七八九十百\d]{1,4}[章节節部篇])\s*\S"
)
PAGE_NUMBER = re.compile(
    r"\W*(?:page|seite|p\.)?\s*(?:\d{1,4}|[ivxlcdm]{1,7})\s*(?:(?:of|von|/)\s*\d{1,4})?\W*", re.I
)
FOOTNOTE = re.compile(r"(?:[*†‡§¶]{1,3}|[¹²³⁰⁴-⁹]{1,3}|\d{1,2}|[(\[]\d{1,2}[)\]])\s?(?=[^\W\d_])")
"""The mark before a footnote."""
SENTENCE_END = re.compile(r"[.!?;,:。；，]$")
TABLE_WORD = re.compile("tab|табл|表|표", re.IGNORECASE)
SMALL = 0.92
"""Height of the lines of footnotes and legends, in units: at most."""


@dataclass(slots=True)
class Draft:
    """A block in the making."""

    kind: str
    lines: list[Line]
    box: Box
    table: Table | None = None
    sure: bool = False
    """Whether the kind is known, not only assumed."""


def lay_out(page: Page) -> list[Block]:
    """Blocks in reading order, numbered from 1."""
    if not page.lines and not page.marks.pictures:
        return []
    unit = unit_of(page.lines)
    lines = whole_lines(with_signs(page.lines, page.marks, unit))
    pictures, lines = find_pictures(page, lines, unit)
    drafts = [Draft("image", inside, box, None, True) for box, inside in pictures]
    tables, lines = ruled_tables(lines, page.marks, unit)
    code, lines = find_code(lines, unit)
    drafts += [Draft("code", some, union([box_of(line) for line in some]), None, True) for some in code]
    gutters = find_gutters(lines, [box for box, _ in pictures], unit)
    rest: list[Line] = []
    for zone in zones(lines, gutters):
        more, others = aligned_tables(zone, page.regions, unit)
        tables += more
        rest += others
    drafts += [Draft("text", some, union([box_of(line) for line in some])) for some in paragraphs(rest, unit)]
    drafts += [Draft("table", table.lines, table.box, table, True) for table in tables]
    find_furniture(drafts, page, unit)
    find_footnotes(drafts, page, unit)
    find_equations(drafts, page.regions)
    find_captions(drafts, page.regions, unit)
    find_headings(drafts, page, unit)
    ordered = _in_order(drafts, page, unit)
    known = frozenset(re.findall(r"[\w-]+", " ".join(line.text for line in page.lines).lower()))
    blocks = []
    for draft in ordered:
        block = _block(len(blocks) + 1, draft, ordered, page, unit, known)
        block.lines = [line_box(line) for line in draft.lines]
        block.cells = draft.table.boxes() if draft.table else None
        blocks.append(block)
    return blocks


# -- furniture -----------------------------------------------------------------------------------------


def find_furniture(drafts: list[Draft], page: Page, unit: float) -> None:
    """Running heads, feet and page numbers: short lines at the edge of the page, apart from the text."""
    texts = [draft for draft in drafts if draft.kind == "text" and not draft.lines[0].turned]
    body = [draft for draft in drafts if len(draft.lines) > 1 or draft.kind != "text"]
    if not body:
        return
    for draft in texts:
        if len(draft.lines) > 2 or median(line.height for line in draft.lines) > 1.25 * unit:
            continue
        others = [other for other in drafts if other is not draft and not _beside(other, draft)]
        above = [
            other for other in others if other.box[3] <= draft.box[1] + 0.3 * unit and len(other.lines) > 0
        ]
        below = [
            other for other in others if other.box[1] >= draft.box[3] - 0.3 * unit and len(other.lines) > 0
        ]
        at_top = draft.box[3] < 0.1 * page.height and not [a for a in above if not _edge(a, page)]
        at_bottom = draft.box[1] > 0.9 * page.height and not [b for b in below if not _edge(b, page)]
        if not at_top and not at_bottom:
            continue
        text = " ".join(line.text for line in draft.lines)
        near = below if at_top else above
        gap = min((_apart(other, draft) for other in near if not _edge(other, page)), default=0.0)
        kind = "header" if at_top else "footer"
        seen = any(
            r.kind == kind and r.score > 0.5 and share_inside(draft.box, r.box) > 0.5 for r in page.regions
        )
        if gap > 1.8 * unit or (seen and gap > 0.8 * unit):
            if PAGE_NUMBER.fullmatch(text):
                draft.kind, draft.sure = "page_number", True
            elif seen or (
                gap > 2.2 * unit and draft.lines[0].height < 1.1 * unit and not draft.lines[0].bold
            ):
                draft.kind, draft.sure = kind, True


def find_footnotes(drafts: list[Draft], page: Page, unit: float) -> None:
    """Notes at the foot of a column: smaller type, behind a mark, in the lower half, with no other text below."""
    texts = [draft for draft in drafts if draft.kind == "text" and not draft.lines[0].turned]
    for draft in sorted(texts, key=lambda draft: -draft.box[1]):
        first = min(draft.lines, key=lambda line: line.y0)
        small = median(line.height for line in draft.lines) < SMALL * unit
        others = [
            other for other in drafts if other.kind not in (*_FURNITURE, "footnote") and other is not draft
        ]
        if (
            small
            and draft.box[1] > 0.5 * page.height
            and FOOTNOTE.match(first.text)
            and not any(_is_below(other, draft, unit) for other in others)
        ):
            draft.kind, draft.sure = "footnote", True


def _apart(a: Draft, b: Draft) -> float:
    """The level gap between two blocks, one above the other."""
    return max(a.box[1] - b.box[3], b.box[1] - a.box[3])


def _beside(a: Draft, b: Draft) -> bool:
    return min(a.box[3], b.box[3]) - max(a.box[1], b.box[1]) > 0.3 * min(
        a.box[3] - a.box[1], b.box[3] - b.box[1]
    )


def _edge(draft: Draft, page: Page) -> bool:
    return draft.box[3] < 0.1 * page.height or draft.box[1] > 0.9 * page.height


# -- captions ------------------------------------------------------------------------------------------


def find_captions(drafts: list[Draft], regions: list[Region], unit: float) -> None:
    """Texts beside a picture or a table that name it."""
    for draft in drafts:
        if draft.kind != "text" or len(draft.lines) > 6:
            continue
        text = draft.lines[0].text
        near = [
            other
            for other in drafts
            if other.kind in ("image", "table")
            and other.box[0] < draft.box[2]
            and other.box[2] > draft.box[0]
            and _apart(other, draft) < 2.5 * unit
        ]
        if not near:
            # The table or picture may stand at the top of the next column.
            if (
                CAPTION_START.match(text)
                and len(draft.lines) < 4
                and any(d.kind in ("image", "table") for d in drafts)
            ):
                draft.kind, draft.sure = caption_kind(text), True
            continue
        labels = ("figure_caption", "table_caption")
        seen = any(
            r.kind in labels and r.score > 0.5 and share_inside(draft.box, r.box) > 0.6 for r in regions
        )
        plain = not draft.lines[0].bold and not NUMBERED.match(text)
        short = plain and len(draft.lines) < 3 and len(text) < 120
        if CAPTION.match(text) or (short and (seen or _is_legend(draft, near[0], unit))):
            by_place = not CAPTION.match(text) and near[0].kind == "table"
            draft.kind, draft.sure = ("table_caption" if by_place else caption_kind(text)), True


def _is_legend(draft: Draft, picture: Draft, unit: float) -> bool:
    """Whether a text is set in small type right below a picture, and no wider than it."""
    return (
        picture.kind == "image"
        and 0 <= draft.box[1] - picture.box[3] + 0.3 * unit < 1.5 * unit
        and picture.box[0] - unit < draft.box[0]
        and draft.box[2] < picture.box[2] + unit
        and median(line.height for line in draft.lines) < SMALL * unit
    )


def caption_kind(text: str) -> str:
    return "table_caption" if TABLE_WORD.match(text) else "image_caption"


def find_equations(drafts: list[Draft], regions: list[Region]) -> None:
    for draft in drafts:
        if draft.kind == "text" and len(draft.lines) <= 4 and not is_item(draft.lines[0]):
            text = " ".join(line.text for line in draft.lines)
            if is_equation(text, draft.box, regions):
                draft.kind, draft.sure = "equation", True


# -- headings ------------------------------------------------------------------------------------------


def find_headings(drafts: list[Draft], page: Page, unit: float) -> None:
    """Headings: short, larger or bolder than the text, on lines of their own."""
    texts = [draft for draft in drafts if draft.kind == "text"]
    letters = sum(len(line.text) for draft in texts for line in draft.lines) or 1
    bold = sum(len(line.text) for draft in texts for line in draft.lines if line.bold) / letters
    body = [draft for draft in drafts if len(draft.lines) >= 2 or draft.kind in ("table", "image", "code")]
    for draft in texts:
        lines = draft.lines
        text = " ".join(line.text for line in lines)
        if len(lines) > 3 or len(text) > 200 or (is_item(lines[0]) and not NUMBERED.match(text)):
            continue
        if lines[0].turned or not any(map(str.isalpha, text)) or len(text) < 2:
            continue
        size = median(line.height for line in lines)
        seen = any(
            r.kind == "title" and r.score > 0.6 and share_inside(draft.box, r.box) > 0.6 for r in page.regions
        )
        ends = (
            SENTENCE_END.search(text) is not None and not text.endswith(("?", "!", ":"))
        ) or text.endswith(":")
        strong = all(line.bold for line in lines) and bold < 0.5
        large = size > 1.28 * unit
        followed = any(_is_below(other, draft, unit) for other in drafts if other is not draft)
        numbered = NUMBERED.match(text) and len(lines) == 1 and len(text) < 80
        if size > 1.6 * unit:
            draft.kind = "title"
        elif not ends and (
            large
            or (strong and followed and len(lines) <= 2)
            or (seen and followed and (numbered or (size > 1.12 * unit and body)))
        ):
            draft.kind = "sub_title"


def _is_below(other: Draft, draft: Draft, unit: float) -> bool:
    """Whether `other` is below `draft` in the same column."""
    x0, _, x1, y1 = draft.box
    return other.box[1] >= y1 - 0.4 * unit and other.box[0] < x1 and other.box[2] > x0


# -- order and text ------------------------------------------------------------------------------------


def _in_order(drafts: list[Draft], page: Page, unit: float) -> list[Draft]:
    heads = sorted((d for d in drafts if _at_top(d, page)), key=lambda d: (round(d.box[1] / unit), d.box[0]))
    feet = sorted(
        (d for d in drafts if _at_bottom(d, page)), key=lambda d: (round(d.box[1] / unit), d.box[0])
    )
    aside = [d for d in drafts if d.lines and d.lines[0].turned and d.kind == "text"]
    notes = sorted(
        (d for d in drafts if d.kind == "footnote"), key=lambda d: (round(d.box[0] / unit), d.box[1])
    )
    placed = {id(d) for d in (*heads, *feet, *aside, *notes)}
    body = [d for d in drafts if id(d) not in placed]
    items = [
        Item(d.box, d, d.kind in ("title", "sub_title"), d.kind != "text" or _is_prose(d.lines)) for d in body
    ]
    return [*heads, *(item.what for item in reading_order(items, unit)), *aside, *notes, *feet]


_FURNITURE = ("header", "footer", "page_number")


def _at_top(draft: Draft, page: Page) -> bool:
    return draft.kind in _FURNITURE and draft.box[1] < 0.5 * page.height


def _at_bottom(draft: Draft, page: Page) -> bool:
    return draft.kind in _FURNITURE and draft.box[1] >= 0.5 * page.height


def _is_prose(lines: list[Line]) -> bool:
    return len(lines) >= 3 and median(len(line.text) for line in lines) > 14


def _block(
    number: int, draft: Draft, drafts: list[Draft], page: Page, unit: float, known: frozenset[str]
) -> Block:
    x0, y0, x1, y1 = draft.box
    box = (x0, y0, x1, y1)
    lines = draft.lines
    characters = sum(len(line.text) for line in lines)
    confidence = sum(line.confidence * len(line.text) for line in lines) / characters if characters else None
    kind = draft.kind
    if draft.table:
        rows = draft.table.texts()
        text = "\n".join("\t".join(row) for row in rows)
        return Block(number, "table", box, text, confidence, html=draft.table.html())
    if kind == "image":
        return Block(number, "image", box, " ".join(line.text for line in lines), confidence)
    if kind == "code":
        return Block(number, "code", box, code_text(lines), confidence)
    right = _right_edge(draft, drafts, unit)
    if kind == "text" and is_item(lines[0]) and (len(lines) > 1 or _list_beside(draft, drafts, unit)):
        return Block(number, "list", box, _items(lines, right, known), confidence)
    return Block(number, kind, box, join_lines(lines, right, known), confidence)


def _right_edge(draft: Draft, drafts: list[Draft], unit: float) -> float:
    """The right edge of the column in which a block stands: of the blocks that begin at the same left edge."""
    x0, y0, x1, y1 = draft.box
    limit = min(
        (other.box[0] for other in drafts if other.box[0] >= x1 and other.box[1] < y1 and other.box[3] > y0),
        default=float("inf"),
    )
    ends = [line.x1 for line in draft.lines[:-1]]
    if len(ends) > 2 and sum(end > x1 - 0.6 * unit for end in ends) > 0.6 * len(ends):
        return x1  # the lines are justified
    edges = [
        other.box[2]
        for other in drafts
        if abs(other.box[0] - x0) < unit and other.kind in ("text", "list") and len(other.lines) > 1
    ]
    return max([x1, *(edge for edge in edges if edge <= limit)])


def _list_beside(draft: Draft, drafts: list[Draft], unit: float) -> bool:
    return any(
        other is not draft
        and other.kind == "text"
        and other.lines
        and is_item(other.lines[0])
        and abs(other.box[0] - draft.box[0]) < 2 * unit
        and _apart(other, draft) < 2 * unit
        for other in drafts
    )


def _items(lines: list[Line], right: float, known: frozenset[str]) -> str:
    """One item a line. Each level of nesting is indented by two spaces."""
    items: list[list[Line]] = []
    for line in lines:
        if is_item(line) or not items:
            items.append([line])
        else:
            items[-1].append(line)
    levels: list[float] = []
    texts = []
    for item in items:
        start = item[0].x0
        while levels and start < levels[-1] - 0.5 * item[0].height:
            levels.pop()
        if not levels or start > levels[-1] + 0.5 * item[0].height:
            levels.append(start)
        texts.append("  " * (len(levels) - 1) + join_lines(item, right, known).replace("\n", " "))
    return "\n".join(texts)
