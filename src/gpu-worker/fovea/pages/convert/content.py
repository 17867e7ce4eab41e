"""What documents are converted to."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from fovea.result.page_result import TableCell

MAX_TEXT = 1 << 20
"""Characters of a document."""
MAX_CELLS = 50_000
"""Cells of all tables of a document."""
MAX_AREA = 20 * MAX_CELLS
"""Places in the grid of a table, which cells with spans leave empty."""
MAX_BLOCKS = 50_000


_WORD = re.compile(r"\s+|\S+")
BREAK = "\n"
"""A piece of text that ends the line."""


class Piece(NamedTuple):
    """Text of a document, and the address of the link that it belongs to."""

    text: str
    url: str | None = None


@dataclass(slots=True)
class Anchor:
    """A link in the text of a block, or of a cell of a table."""

    url: str
    start: int
    end: int
    cell: tuple[int, int] | None = None
    """Row and column."""


@dataclass(slots=True)
class Content:
    kind: str
    """`title`, `sub_title`, `text`, `list`, `table`, `table_caption`, `code`, `image`, `footnote`, `header` or
    `footer`."""
    text: str = ""
    """Of an item of a list without its sign; of an image its alternative text."""
    level: int = 1
    """Of a heading, 1 to 6; of an item, its depth, from 1."""
    marker: str = ""
    """Of an item: `•` or its number."""
    cells: list[TableCell] = field(default_factory=list)
    """Of a table, by rows."""
    links: list[Anchor] = field(default_factory=list)
    """In the order of the text."""

    def pieces(self) -> Iterator[Piece]:
        """Its text, or those of its cells, with its links."""
        for text, cell in [(self.text, None)] if self.kind != "table" else self._cell_texts():
            at = 0
            for link in self.links:
                if link.cell == cell:
                    yield Piece(text[at : link.start])
                    yield Piece(text[link.start : link.end], link.url)
                    at = link.end
            yield Piece(f"{text[at:]} ")

    def _cell_texts(self) -> list[tuple[str, tuple[int, int] | None]]:
        return [(cell.text, (cell.row, cell.column)) for cell in self.cells]

    @property
    def has_words(self) -> bool:
        return self.kind != "image" and self.size > 0

    @property
    def area(self) -> int:
        """Places in the grid of the table."""
        height = max((cell.row + cell.rowspan for cell in self.cells), default=0)
        return height * max((cell.column + cell.colspan for cell in self.cells), default=0)

    @property
    def size(self) -> int:
        """Characters."""
        return len(self.text) + sum(len(cell.text) for cell in self.cells)


Part = list[Content]
"""What begins a page: a section, slide, sheet or chapter."""


@dataclass(slots=True)
class Converted:
    parts: list[Part]
    notes: list[str] = field(default_factory=list)
    """Sentences for the client: what of the document is not in the parts."""


def flowed(pieces: Iterable[Piece]) -> tuple[str, list[Anchor]]:
    """The text with single spaces between words and no empty lines, and its links."""
    out: list[str] = []
    links: list[Anchor] = []
    length, gap = 0, ""
    for text, url in pieces:
        if text == BREAK:
            gap = BREAK
            continue
        for match in _WORD.finditer(text):
            word = match[0]
            if word.isspace():
                gap = gap or " "
                continue
            if gap and out:
                out.append(gap)
                length += 1
            gap = ""
            last = links[-1] if links else None
            if url and last and last.url == url and length - last.end <= 1:
                last.end = length + len(word)
            elif url:
                links.append(Anchor(url, length, length + len(word)))
            out.append(word)
            length += len(word)
    return "".join(out), links


_RAISED = str.maketrans("0123456789+-−=()", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾")


def raised(text: str) -> str:
    """A superscript: numbers have signs of their own, without which 10² would be 102; words stay as they are."""
    shown = text.translate(_RAISED)
    return shown if any(sign.isdigit() for sign in text) and not any(map(str.isalpha, text)) else text


def in_one_line(text: str) -> str:
    return " ".join(text.split())


class Cells:
    """Collects the cells of a table and their links."""

    def __init__(self) -> None:
        self.cells: list[TableCell] = []
        self.links: list[Anchor] = []

    def add(self, row: int, column: int, down: int, across: int, pieces: Iterable[Piece]) -> None:
        text, links = flowed(Piece(" ") if piece.text == BREAK else piece for piece in pieces)
        self.cells.append(TableCell(row, column, down, across, text))
        for link in links:
            link.cell = (row, column)
        self.links += links

    @property
    def content(self) -> Content:
        return Content("table", cells=self.cells, links=self.links)
