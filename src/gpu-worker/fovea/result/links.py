"""Links of a page in its result: the block and the words of each, and where these stand in the Markdown.

The Markdown has no links. The edge puts them into the places that are found here, if a request wants them
(docs/decisions/0049-links-beside-the-text.md).
"""

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from fovea.contract import CONTRACT
from fovea.result.geometry import common, union
from fovea.result.page_result import Block, Box, Link, PageResult, WordBox

MAX_LINKS: int = CONTRACT["links"]["max_count"]
"""Links of a page."""
MAX_TEXT: int = CONTRACT["links"]["max_text"]
"""Characters of the words of a link."""
LEFT_OUT = "The page has more links than are kept; {} are left out."
UNLINKED = frozenset(("code", "equation", "image"))
"""Blocks whose Markdown shows a link as it is written."""
_WRITTEN = re.compile(
    r"\\(?P<escaped>[!-/:-@\[-`{-~])|(?P<entity>&(?:lt|gt|amp|quot|#39|nbsp);)|(?P<tag></?[a-z][^<>]*>)"
    r"|(?P<bar>\|)|(?P<plain>.)",
    re.DOTALL,
)


class Found(Protocol):
    """A link as the document has it (`fovea.pages.links`)."""

    url: str
    text: str
    boxes: tuple[Box, ...]
    block: int | None
    start: int | None


def attach_links(result: PageResult, found: Sequence[Found], is_known: bool = False) -> None:
    """Adds the links to the result, in the order of the text.

    `is_known`: the blocks are those of the document, so it names those of its links. Otherwise they are searched.
    """
    if not found:
        return
    blocks = {block.id: _Read(block) for block in result.blocks}
    order = {block.id: number for number, block in enumerate(result.blocks)}
    links = [link for one in found for link in _located(one, blocks, is_known)]
    links.sort(
        key=lambda link: (
            order.get(link.block, len(order)),
            link.start if link.start is not None else -1,
            link.bbox[1],
        )
    )
    joined = _joined(links, blocks)
    result.links = joined[:MAX_LINKS]
    if len(joined) > MAX_LINKS:
        result.warnings.append(LEFT_OUT.format(len(joined) - MAX_LINKS))
    for link in result.links:
        link.text = link.text[:MAX_TEXT]
    for block in result.blocks:
        _place(block, [link for link in result.links if link.block == block.id], result.markdown)


class _Read:
    """A block, and where its words stand in its text, found when they are needed."""

    def __init__(self, block: Block):
        self.block = block
        self.taken: set[tuple[int, int]] = set()
        """The words of links."""

    @cached_property
    def words(self) -> list[tuple[WordBox, tuple[int, int] | None]]:
        """A word that was divided at the end of a line stands there in another form, so its place is not known."""
        at, words = 0, []
        for word in (word for line in self.block.lines or [] for word in line.words or []):
            place = self.block.text.find(word.text, at, at + 2 * len(word.text) + 40)
            if place >= 0:
                at = place + len(word.text)
            words.append((word, (place, at) if place >= 0 else None))
        return words

    def inside(self, box: Box) -> "_Inside":
        """What the reader has found in a box."""
        within = [(word.text, span) for word, span in self.words if _is_inside(word.bbox, box)]
        text = " ".join(text for text, _ in within)
        if (start := self._cell_start(box)) is not None:
            return _Inside(text, start, None)
        if spans := [span for _, span in within if span]:
            return _Inside(text, spans[0][0], spans[-1][1])
        top, bottom = self.block.bbox[1], self.block.bbox[3]
        share = ((box[1] + box[3]) / 2 - top) / max(bottom - top, 1e-6)
        return _Inside(text, round(min(max(share, 0.0), 1.0) * len(self.block.text)), None)

    def _cell_start(self, box: Box) -> int | None:
        """Where the text of the cell begins in which the box lies: rows are lines, and tabs are between cells."""
        cells = [cell for cell in self.block.cells or [] if cell.bbox and common(cell.bbox, box) > 0]
        if not cells:
            return None
        cell = max(cells, key=lambda cell: common(cell.bbox, box))
        rows = self.block.text.split("\n")
        if cell.row >= len(rows) or cell.column >= len(columns := rows[cell.row].split("\t")):
            return None
        above = sum(len(row) + 1 for row in rows[: cell.row])
        return above + sum(len(text) + 1 for text in columns[: cell.column])


@dataclass(frozen=True, slots=True)
class _Inside:
    """Words in a box, and where about they stand in the block's text. `end` is `None` if that is a guess."""

    text: str
    start: int
    end: int | None


def _located(one: Found, blocks: dict[int, _Read], is_known: bool) -> Iterator[Link]:
    if is_known:
        yield Link(one.url, one.text, union(list(one.boxes)), one.block, one.start)
        return
    for box in one.boxes:
        read = max(blocks.values(), key=lambda read: common(box, read.block.bbox), default=None)
        if read is None or common(box, read.block.bbox) <= 0:
            yield Link(one.url, one.text, box)
        elif span := _span(one.text, box, read):
            yield Link(one.url, read.block.text[slice(*span)], box, read.block.id, span[0])
        else:
            yield Link(one.url, one.text, box, read.block.id)


def _span(text: str, box: Box, read: _Read) -> tuple[int, int] | None:
    """Where the words of a link stand in the text of its block."""
    inside, block = read.inside(box), read.block
    for words in (text, inside.text):
        if spans := [match.span() for match in _pattern(words, block.type).finditer(block.text)]:
            span = min(spans, key=lambda span: (span in read.taken, abs(span[0] - inside.start)))
            read.taken.add(span)
            return span
    return (inside.start, inside.end) if inside.end is not None else None


def _is_inside(word: Box, box: Box) -> bool:
    """Whether the middle of a word is in the box."""
    x, y = (word[0] + word[2]) / 2, (word[1] + word[3]) / 2
    return box[0] <= x <= box[2] and box[1] <= y <= box[3]


def _pattern(text: str, kind: str) -> re.Pattern[str]:
    """The text with any white space between its words; in a table, within a cell."""
    gap = r"[^\S\t\n]+" if kind == "table" else r"\s+"
    words = gap.join(map(re.escape, text.split()))
    return re.compile(words or r"(?!)")


def _joined(links: list[Link], blocks: dict[int, _Read]) -> list[Link]:
    """Without repetitions, and with the parts of a link on several lines as one.

    Words belong to one link, the shorter of two: a link may cover a whole page.
    """
    joined: list[Link] = []
    last: Link | None = None
    for link in links:
        if link.start is not None and last is not None and last.block == link.block:
            end = last.start + len(last.text)
            text = blocks[link.block].block.text
            if link.url == last.url and (link.start <= end or text[end : link.start].isspace()):
                last.text = text[last.start : max(end, link.start + len(link.text))]
                last.bbox = union([last.bbox, link.bbox])
                continue
            if link.start < end and len(link.text) < len(last.text):
                last.start = None
            elif link.start < end:
                link.start = None
        elif joined and link.start is None and _same(link, joined[-1]):
            joined[-1].bbox = union([joined[-1].bbox, link.bbox])
            continue
        joined.append(link)
        last = link if link.start is not None else last
    return joined


def _same(link: Link, other: Link) -> bool:
    return (link.url, link.text, link.block, None) == (other.url, other.text, other.block, other.start)


def _place(block: Block, links: list[Link], markdown: str) -> None:
    """Sets where the words of the block's links stand in the Markdown."""
    if block.type in UNLINKED or not any(link.start is not None for link in links):
        return
    page = _Plain(markdown[slice(*block.place)], block.type) if block.place else None
    table = _Plain(block.markdown, block.type, bars=True) if block.markdown else None
    for link in links:
        if link.start is None:
            continue
        pattern = _pattern(link.text, block.type)
        starts = [match.start() for match in pattern.finditer(block.text)]
        if link.start not in starts:
            continue
        number, count = starts.index(link.start), len(starts)
        if page and (found := page.find(pattern, number, count)):
            begin = block.place[0]
            link.place = (begin + found[0], begin + found[1])
        if table:
            link.table_place = table.find(pattern, number, count)


class _Plain:
    """Markdown, or the HTML of a table, as plain text, and where each of its characters is written."""

    def __init__(self, written: str, kind: str, bars: bool = False):
        characters: list[str] = []
        self._spans: list[tuple[int, int]] = []
        for match in _WRITTEN.finditer(written):
            if match["tag"]:
                shown = "\t" if kind == "table" else " "
            elif match["entity"]:
                shown = html.unescape(match["entity"])
            elif match["bar"] and bars:
                shown = "\t"
            else:
                shown = match["escaped"] or match[0]
            characters.append(shown)
            self._spans.append(match.span())
        self._text = "".join(characters)

    def find(self, pattern: re.Pattern[str], number: int, count: int) -> tuple[int, int] | None:
        """The place of one of the matches; `None` if there are not `count` of them."""
        matches = list(pattern.finditer(self._text))
        if len(matches) != count or not matches[number][0]:
            return None
        first, last = matches[number].span()
        return self._spans[first][0], self._spans[last - 1][1]
