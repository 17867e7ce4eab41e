"""Parses text and Markdown into blocks. Each piece of a block knows its offset in the source.

Markdown syntax becomes formatting (headings, bullets, bars, grids). Everything that may carry meaning stays text: HTML,
entities, link targets, the language of a code block. If parsing would still lose a letter or digit, `parse` uses the
source as plain text.
"""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

PROSE, BOLD, MONO = "prose", "bold", "mono"
TAB = 4

NESTING = 100
"""Deepest nesting of block quotes and lists."""
BRACKETS = 5
"""Deepest nesting of brackets in which links are found. The parser looks so deep for links at each bracket."""
REACH = 4096
"""Most characters of markup between two pieces of a paragraph. Beyond, the second gets the offset of the first."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Text in one face. `at` is the offset of its first character in the source."""

    text: str
    face: str
    at: int
    whole: bool = False
    """Whether the text stands for a single place of the source, such as the name of a character."""


@dataclass(slots=True)
class Block:
    """`kind`: `text`, `heading`, `code`, `table` or `rule`. `at` is the offset of its first line in the source."""

    kind: str
    at: int
    pieces: list[Piece] = field(default_factory=list)
    """The content. A line feed in a piece ends a line."""
    rows: list[tuple[int, list[list[Piece]]]] = field(default_factory=list)
    """Rows of a table: the offset in the source, and the cells. The first row is the head."""
    level: int = 0
    """Level of a heading."""
    indent: int = 0
    """Indentation in steps."""
    bars: tuple[int, ...] = ()
    """Steps at which the bar of a block quote is drawn."""
    marker: str = ""
    """A bullet or number, drawn before the first line."""
    tight: bool = False
    """Whether there is no gap between this block and the previous one."""


def normalize(text: str) -> str:
    """Replaces line ends with line feeds and NUL with U+FFFD, and removes a byte order mark."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    return text.replace("\0", "\ufffd")


def parse(source: str, media_type: str) -> list[Block]:
    """The blocks of a normalized `source`. `text/plain` keeps its lines."""
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
    """One block for each paragraph, with the line breaks of the source."""
    at, start = 0, None
    for line in [*source.split("\n"), ""]:
        if line.strip():
            start = at if start is None else start
        elif start is not None:
            yield Block("text", start, [Piece(source[start:at].rstrip(), PROSE, start)])
            start = None
        at += len(line) + 1


class _Markdown:
    def __init__(self, source: str):
        self._source = source
        self._starts = [0, *(match.end() for match in re.finditer("\n", source))]
        self._found = 0  # end of the last line of a paragraph or cell that was found in the source
        self._parser = MarkdownIt("commonmark", {"html": False, "maxNesting": NESTING}).enable("table")
        self._parser.core.ruler.at("inline", _inline)
        # These rules drop text, which would be missing on the page.
        self._parser.disable(["reference", "entity", "text_join"])
        self._parser.normalizeLink = self._parser.normalizeLinkText = lambda url: url
        self._parser.validateLink = lambda _url: True

    def blocks(self) -> Iterator[Block]:
        indent, bars, marker, tight, heading = 0, [], "", False, 0
        table: Block | None = None
        begins: int | None = None  # offset of a list item whose first block follows

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
        """Offset of a line in the source."""
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
        """The pieces of a paragraph. Their offsets are found by searching for each child's text in the content."""
        place, content = self._offsets(token), token.content
        flat = content.replace("\n", " ")
        cursor, bold, links = 0, 0, []

        def piece(text: str, shown: str = "") -> Piece:
            nonlocal cursor
            found = flat.find(text, cursor, cursor + len(text) + REACH)
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
                    cursor = content.find("\n", cursor) + 1 or cursor
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

    def _offsets(self, token: Token) -> Callable[[int], int]:
        """A function from an offset in the token's content to the offset in the source."""
        number = token.map[0]
        starts, ats, offset = [], [], 0
        for i, line in enumerate(token.content.split("\n")):
            begin = max(self._line(number + i), self._found)
            found = self._source.find(line, begin, min(self._line(number + i + 1), begin + len(line) + REACH))
            self._found = max(self._found, found + len(line))
            starts.append(offset)
            ats.append(found if found >= 0 else begin)
            offset += len(line) + 1

        def place(at: int) -> int:
            row = bisect_right(starts, at) - 1
            return ats[row] + at - starts[row]

        return place


def _inline(state: StateCore) -> None:
    """Replaces the parser's rule `inline`: the limit of nesting is that of brackets."""
    for token in state.tokens:
        if token.type == "inline":
            # Level 1 is text without links.
            state.md.options["maxNesting"] = BRACKETS if "](" in token.content else 1
            state.md.inline.parse(token.content, state.md, state.env, token.children)
    state.md.options["maxNesting"] = NESTING


def _target(url: str, token: Token) -> str:
    title = token.attrs.get("title")
    return f'{url} "{title}"' if title else f"{url}"
