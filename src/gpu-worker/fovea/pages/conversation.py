"""Conversations as pages: the messages of a context, which `fovea-render` makes images of.

A message is a text of its own: it is parsed alone, so what it leaves open ends with it. Before it stands its label,
number and role, in white on a black box that begins at the edge of the page. No message can imitate a label: what it
says stays within its column, and its own filled areas are grey (`glyphs.AREAS`).

Messages follow each other without page breaks between them. `blocks` says where each one stands. All characters are
drawn with the shipped fonts; those that the fonts lack are spelled.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from typing import Any

from fovea.contract import CONTRACT, schema_fault
from fovea.errors import DocumentError
from fovea.pages import glyphs, markup, render
from fovea.pages.markup import Piece, normalize
from fovea.pages.render import Line, Placed, Sheet
from fovea.result.page_result import Block, Box

CONVERSATION: str = CONTRACT["conversation_type"]
MAX_BYTES = 8 << 20
"""Of the JSON, in which characters can take six times as much room as in the text."""
MAX_TEXT_BYTES = 1 << 20
LONGEST_NAME = 24
GAP = 1.75
"""Between a label and the text next to it, in type sizes. In a gap of 1, `pp-ocr` often reads no space."""
LEAST_WIDTH, LEAST_HEIGHT = 12, 5
"""Of a page, in type sizes: the room for a label, and for two lines."""
SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Message:
    """`text` is normalized."""

    number: int
    role: str
    name: str | None
    text: str

    def label(self, sheet: Sheet, more: str = "") -> str:
        """What stands before the message; without its name if that does not fit."""
        name = re.sub(r"[^\w.-]", "_", self.name or "", flags=re.ASCII)
        if len(name) > LONGEST_NAME:
            name = f"{name[:LONGEST_NAME]}…"
        whole, short = f"{self.number} {self.role} ({name}){more}", f"{self.number} {self.role}{more}"
        return whole if name and render.label_width(whole, sheet.size) < sheet.column else short


@dataclass(frozen=True, slots=True)
class ConversationPage:
    page: render.Page
    blocks: list[Block]
    spelled: str
    """Characters that are spelled because they have no glyph."""


def pages_of(data: bytes) -> list[ConversationPage]:
    """The pages of a document of the type `CONVERSATION`; at least one. Raises `DocumentError`."""
    sheet, row, messages = _parsed(data)
    lines = [line for part, message in enumerate(messages) for line in _lines(part, message, sheet)]

    def opening(line: Line) -> Line | None:
        """The label of a message that goes on from the page before."""
        return None if line.label else _label(line.part, messages[line.part].label(sheet, " …"), sheet)

    pages = [(sheet, placed) for placed in render.fill(lines, sheet, opening)]
    if row is not None:
        pages[-1] = _cut(pages[-1][1], sheet, row)
    return list(_pages(pages, messages))


def _parsed(data: bytes) -> tuple[Sheet, int | None, list[Message]]:
    """The page format, the step of heights of the last page, and the messages."""
    if len(data) > MAX_BYTES:
        raise DocumentError("document_too_large", f"A conversation can have at most {MAX_BYTES >> 20} MiB.")
    try:
        body: Any = json.loads(data)
    except (ValueError, RecursionError):
        raise DocumentError("document_broken", "The conversation is not valid JSON.") from None
    if fault := schema_fault("Conversation", body):
        raise DocumentError("document_broken", f"The conversation does not match its schema: {fault[:200]}.")
    messages = [
        Message(each["number"], each["role"], each["name"], normalize(SURROGATE.sub("\ufffd", each["text"])))
        for each in body["messages"]
    ]
    if any(before.number >= after.number for before, after in pairwise(messages)):
        raise DocumentError("document_broken", "The messages of the conversation are not in order.")
    if sum(len(message.text.encode()) for message in messages) > MAX_TEXT_BYTES:
        limit = f"{MAX_TEXT_BYTES >> 20} MiB"
        raise DocumentError("document_too_large", f"The texts of a conversation can have at most {limit}.")
    page = body["page"]
    size = page["size"]
    if page["width"] < LEAST_WIDTH * size or page["height"] < LEAST_HEIGHT * size:
        least = f"{LEAST_WIDTH * size} × {LEAST_HEIGHT * size}"
        raise DocumentError(
            "document_broken", f"Pages for type of {size} pixels have at least {least} pixels."
        )
    return Sheet(page["width"], page["height"], size, edge=margin(size)), page.get("row"), messages


def margin(size: int) -> int:
    """Pixels around the page. Labels begin in them."""
    return max(5, size // 2)


def _lines(part: int, message: Message, sheet: Sheet) -> list[Line]:
    """The lines of a message. The first one has the label, and the beginning of the text if that is running text."""
    blocks = markup.parse(message.text, "text/markdown")
    label = message.label(sheet)
    begin = _begin(label, sheet)
    beside = bool(blocks) and _joins(blocks[0]) and begin <= sheet.column // 2
    lines: list[Line] = []
    for block in blocks:
        begin = begin if beside and not lines else 0
        lines += render.lines_of(_with_spellings(block), sheet.column, sheet.size, begin, flat=True)
    if lines:
        lines[0].gap = 0
    if not beside:
        lines.insert(0, _label(part, label, sheet))
    lines[0].label, lines[0].gap = label, round(0.4 * sheet.size)
    for line in lines:
        line.part = part
    return lines


def _begin(label: str, sheet: Sheet) -> int:
    """Where the text begins next to a label, in pixels from the left side of the column."""
    return render.label_width(label, sheet.size) + round(GAP * sheet.size)


def _joins(block: markup.Block) -> bool:
    """Whether a block can begin in the line of the label."""
    return block.kind in ("text", "heading") and not (block.marker or block.indent or block.bars)


def _label(part: int, label: str, sheet: Sheet) -> Line:
    """A line that has only a label."""
    line = next(iter(render.lines_of(markup.Block("text", 0), sheet.column, sheet.size)))
    line.part, line.label, line.keep = part, label, True
    return line


def _with_spellings(block: markup.Block) -> markup.Block:
    pieces = list(_spelled(block.pieces))
    rows = [(at, [list(_spelled(cell)) for cell in cells]) for at, cells in block.rows]
    return replace(block, pieces=pieces, rows=rows)


def _spelled(pieces: list[Piece]) -> Iterator[Piece]:
    for piece in pieces:
        if piece.text.isascii():
            yield piece
            continue
        for text, offset, whole in glyphs.spelled(piece.text):
            yield replace(piece, text=text, at=piece.at + offset, whole=whole or piece.whole)


def _cut(placed: list[Placed], sheet: Sheet, row: int) -> tuple[Sheet, list[Placed]]:
    """The last page, as low as its lines allow. Its columns become equally long."""
    lines = [line for _, _, line in placed]
    for height in range(row, sheet.height, row):
        lower = replace(sheet, height=height)
        tried = render.fill(lines, lower)
        if len(tried) == 1 and all(y + line.height <= height for _, y, line in tried[0]):
            return lower, tried[0]
    return sheet, placed


@dataclass(slots=True)
class _Stretch:
    """Lines of one message below each other in one column. `at` is where they begin in its text."""

    part: int
    at: int
    x: int
    box: Box


def _pages(pages: list[tuple[Sheet, list[Placed]]], messages: list[Message]) -> Iterator[ConversationPage]:
    several = Counter(line.part for _, placed in pages for _, _, line in placed)
    found = [
        list(_stretches(sheet, [each for each in placed if _says(each[2], several)]))
        for sheet, placed in pages
    ]
    offsets: dict[int, list[int]] = {}
    for stretch in (each for stretches in found for each in stretches):
        offsets.setdefault(stretch.part, []).append(stretch.at)
    texts = {
        part: iter(
            [messages[part].text[start:end] for start, end in render.cuts(at[1:], len(messages[part].text))]
        )
        for part, at in offsets.items()
    }
    for (sheet, placed), stretches in zip(pages, found, strict=True):
        blocks = []
        for number, each in enumerate(stretches, 1):
            box = _in_page(each.box, sheet)
            blocks.append(
                Block(number, "text", box, next(texts[each.part]), message=messages[each.part].number)
            )
        source = "\n\n".join(
            f"**{messages[part].label(sheet)}**\n\n{''.join(block.text for block, _ in of).strip()}"
            for part, of in groupby(zip(blocks, stretches, strict=True), lambda pair: pair[1].part)
        )
        spelled = {character for block in blocks for character in block.text if glyphs.is_spelled(character)}
        yield ConversationPage(render.Page(sheet, source, placed), blocks, "".join(sorted(spelled)))


def _says(line: Line, several: Counter[int]) -> bool:
    """Whether a line has something of its message. That of a message without text is the one with its label."""
    return bool(line.words or not line.label or several[line.part] == 1)


def _stretches(sheet: Sheet, placed: list[Placed]) -> Iterator[_Stretch]:
    """The places of the messages on a page. A line that begins with a label is a place of its own."""
    last: _Stretch | None = None
    labeled = False
    for x, y, line in placed:
        right, bottom = x + sheet.column, y + line.height
        if last and not (labeled or line.label) and (last.part, last.x) == (line.part, x):
            last.box = (*last.box[:3], bottom)
            continue
        if last:
            yield last
        begin = min(_begin(line.label, sheet), sheet.column - 1) if line.label else 0
        last, labeled = _Stretch(line.part, line.at, x, (x + begin, y, right, bottom)), bool(line.label)
    if last:
        yield last


def _in_page(box: Box, sheet: Sheet) -> Box:
    """In 0..1 of the page."""
    x0, y0, x1, y1 = box
    return x0 / sheet.width, y0 / sheet.height, min(1.0, x1 / sheet.width), min(1.0, y1 / sheet.height)
