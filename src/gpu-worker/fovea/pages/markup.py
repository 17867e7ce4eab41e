"""Text and Markdown as a list of blocks, each piece of which knows where in the source it stands.

Markdown's marks become form (headings, bullets, bars, grids); everything that could carry meaning is kept as text:
HTML, entities, the addresses of links, the language of a code block. `parse` checks that, and sets a text whose
Markdown would lose a letter as it stands.
"""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from markdown_it import MarkdownIt
from markdown_it.token import Token

PROSE, BOLD, MONO = "prose", "bold", "mono"
TAB = 4


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text in one face; `at` is the place of its first character in the source."""

    text: str
    face: str
    at: int


@dataclass(slots=True)
class Block:
    """`kind`: `text`, `heading`, `code`, `table` or `rule`; `at` is where its first line begins in the source."""

    kind: str
    at: int
    pieces: list[Piece] = field(default_factory=list)
    """What is set; a line feed in a piece ends a line."""
    rows: list[tuple[int, list[list[Piece]]]] = field(default_factory=list)
    """Of a table: where each row begins in the source, and its cells. The first is the head."""
    level: int = 0
    """Of a heading."""
    indent: int = 0
    """Steps from the margin."""
    bars: tuple[int, ...] = ()
    """The steps at which a quotation's bar stands."""
    marker: str = ""
    """A bullet or number, set before the first line."""
    tight: bool = False
    """Whether it follows the block before without a gap."""


def normalise(text: str) -> str:
    """Line ends as line feeds, no byte order mark, and nothing that could not be stored."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    return text.replace("\0", "\ufffd")


def parse(source: str, media_type: str) -> list[Block]:
    """`source` is normalised. `text/plain` stands as it is, line by line."""
    if media_type == "text/markdown":
        blocks = list(_Markdown(source).blocks())
        if not _letters(source) - _letters("".join(_texts(blocks))):
            return blocks
    return list(_plain(source))


def _letters(text: str) -> Counter[str]:
    return Counter(filter(str.isalnum, text))


def _texts(blocks: list[Block]) -> Iterator[str]:
    for block in blocks:
        yield block.marker
        yield from (piece.text for piece in block.pieces)
        yield from (piece.text for _, cells in block.rows for cell in cells for piece in cell)


def _plain(source: str) -> Iterator[Block]:
    """A block for each paragraph; its lines end where the source's do."""
    for match in re.finditer(r"(?:[^\n]*\S[^\n]*(?:\n|$))+", source):
        yield Block("text", match.start(), [Piece(match[0].rstrip(), PROSE, match.start())])


class _Markdown:
    def __init__(self, source: str):
        self._source = source
        self._starts = [0, *(match.end() for match in re.finditer("\n", source))]
        self._parser = MarkdownIt("commonmark", {"html": False, "maxNesting": 100}).enable("table")
        # What these rules swallow would be missing on the page.
        self._parser.disable(["reference", "entity", "text_join"])
        self._parser.normalizeLink = self._parser.normalizeLinkText = lambda url: url
        self._parser.validateLink = lambda _url: True

    def blocks(self) -> Iterator[Block]:
        indent, bars, marker, tight, heading = 0, [], "", False, 0
        table: Block | None = None
        begins: int | None = None  # where the list item begins that the next block opens

        def made(kind: str, token: Token, **more) -> Block:
            nonlocal marker, begins, tight
            at = begins if begins is not None else self._line(token.map[0])
            block = Block(kind, at, indent=indent, bars=tuple(bars), marker=marker, tight=tight, **more)
            marker, begins, tight = "", None, False
            return block

        for token in self._parser.parse(self._source):
            match token.type:
                case "heading_open":
                    heading = int(token.tag[1])
                case "heading_close":
                    heading = 0
                case "blockquote_open":
                    bars.append(indent)
                    indent += 1
                case "blockquote_close":
                    indent -= 1
                    bars.pop()
                case "bullet_list_open" | "ordered_list_open":
                    indent += 1
                case "bullet_list_close" | "ordered_list_close":
                    indent -= 1
                case "list_item_open":
                    if marker:  # an item that begins with a list
                        yield made("text", token)
                    sign = "•" if token.markup in "-+*" else f"{token.info}{token.markup}"
                    marker, begins = sign, self._line(token.map[0])
                    tight = True
                case "list_item_close":
                    if marker:
                        yield made("text", token)
                case "hr":
                    yield made("rule", token)
                case "fence" | "code_block":
                    yield made("code", token, pieces=self._code(token))
                case "table_open":
                    table = made("table", token)
                case "tr_open":
                    table.rows.append((self._line(token.map[0]), []))
                case "table_close":
                    yield table
                    table = None
                case "inline":
                    pieces = list(self._inline(token, BOLD if heading else PROSE))
                    if table is not None:
                        table.rows[-1][1].append(pieces)
                    elif heading:
                        yield made("heading", token, pieces=pieces, level=heading)
                    else:
                        yield made("text", token, pieces=pieces)

    def _line(self, number: int) -> int:
        """Where a line begins in the source."""
        return self._starts[number] if number < len(self._starts) else len(self._source)

    def _code(self, token: Token) -> list[Piece]:
        first, last = token.map
        at = self._line(first)
        pieces = []
        if token.type == "fence":
            if token.info.strip():
                pieces.append(Piece(f"{token.markup}{token.info}\n", MONO, at))
            first += 1
        for number, line in enumerate(token.content.removesuffix("\n").split("\n"), first):
            place = self._line(number)
            end = self._line(number + 1) if number + 1 <= last else len(self._source)
            found = self._source.find(line.lstrip(), place, end)
            at = max(place, found - (len(line) - len(line.lstrip()))) if found >= 0 else place
            pieces.append(Piece(line + "\n", MONO, at))
        return pieces

    def _inline(self, token: Token, face: str) -> Iterator[Piece]:
        """The pieces of a paragraph. Every child's text stands in the content, in order: it is looked for there."""
        place, content = self._places(token), token.content
        flat = content.replace("\n", " ")
        cursor, bold, links = 0, 0, []

        def piece(text: str, shown: str = "") -> Piece:
            nonlocal cursor
            found = flat.find(text, cursor)
            start = max(found, cursor)
            cursor = min(len(content), start + len(text)) if found >= 0 else cursor
            return Piece(shown or text, BOLD if bold else face, place(start))

        for child in token.children or ():
            match child.type:
                case "text" | "text_special" | "html_inline":
                    if child.content:
                        yield piece(child.content)
                case "code_inline":
                    yield replace(piece(child.content), face=MONO)
                case "softbreak" | "hardbreak":
                    yield Piece(" " if child.type == "softbreak" else "\n", face, place(cursor))
                case "strong_open":
                    bold += 1
                case "strong_close":
                    bold -= 1
                case "image":
                    yield piece(
                        child.attrs["src"], f"![{child.content}]({_target(child.attrs['src'], child)})"
                    )
                case "link_open":
                    links.append(child)
                case "link_close":
                    link = links.pop()
                    if link.markup != "autolink":
                        yield piece(link.attrs["href"], f" ({_target(link.attrs['href'], link)})")

    def _places(self, token: Token) -> Callable[[int], int]:
        """A function from a place in the token's content to the place in the source."""
        number = token.map[0]
        starts, ats, offset = [], [], 0
        for i, line in enumerate(token.content.split("\n")):
            begin = self._line(number + i)
            found = self._source.find(line, begin)
            starts.append(offset)
            ats.append(found if found >= 0 else begin)
            offset += len(line) + 1

        def place(at: int) -> int:
            row = bisect_right(starts, at) - 1
            return ats[row] + at - starts[row]

        return place


def _target(url: str, token: Token) -> str:
    title = token.attrs.get("title")
    return f'{url} "{title}"' if title else f"{url}"
