"""Renders text as page images: blocks become lines, lines fill columns, columns fill pages.

A page has the size of its mode's view (in gundam mode, of its tiles), so the encoder sees it without resampling. The
type is as small as is still legible; a text that fits on one page gets the largest type that fits. Page breaks divide
the source between two lines, so the concatenated sources of the pages are the text.
"""

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from hashlib import sha256
from itertools import pairwise

from PIL import Image, ImageChops, ImageDraw

from fovea.pages import glyphs
from fovea.pages.markup import BOLD, PROSE, TAB, Block, Piece, normalize, parse
from fovea.vision.modes import TILE

LAYOUT = 3
"""Part of the digest. Raise it when a change moves page breaks or pixels."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A page format: `width` × `height` and type of `size`, in pixels. It has as many columns as fit."""

    width: int
    height: int
    size: int
    one_column: bool = False
    edge: int | None = None
    """The margin in pixels, if it is not the usual one."""

    @property
    def margin(self) -> int:
        return max(12, self.width // 40) if self.edge is None else self.edge

    @property
    def gutter(self) -> int:
        return max(2 * self.margin, 2 * self.size)

    @property
    def columns(self) -> int:
        room = self.width - 2 * self.margin + self.gutter
        return 1 if self.one_column else max(1, room // (MIN_COLUMN * self.size + self.gutter))

    @property
    def column(self) -> int:
        """Width of a column in pixels."""
        room = self.width - 2 * self.margin + self.gutter
        return room // self.columns - self.gutter


SHEETS = {
    "tiny": Sheet(512, 512, 12),
    "small": Sheet(640, 640, 13),
    "base": Sheet(1024, 1024, 14),
    "large": Sheet(1280, 1280, 14),
    "gundam": Sheet(2 * TILE, 3 * TILE, 14),
}
"""The page formats of the modes, with the smallest type. Short texts get larger type."""
MIN_COLUMN = 26
"""Least width of a column in type sizes, about 45 letters. In wider columns of small type, readers lose the line."""
MAX_SIZE = 32
WIDE_TYPE = 1.3
"""How much larger the type of a single column is."""
MAX_COLUMNS = 40
"""Most columns of a table that is drawn as a grid. Wider ones would have columns of a letter; their rows are text."""

AUTO = "base"
PITCH = 1.3
"""Distance of lines in type sizes."""
HEADINGS = {1: 1.5, 2: 1.3, 3: 1.15}
GREY = 150
BLACK, WHITE = 0, 255
# A line may break after each Chinese, Japanese or Korean character, but not before a character of CLOSING.
CJK = "\u2e80-\u2fff\u3000-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"
CLOSING = set("、。，．：；？！）］｝」』】〕〉》ー・,.;:?!)]}")
ATOM = re.compile(rf"\n|[^\S\n]+|[{CJK}]|[^\s{CJK}]+")
SEAM = re.compile(r"[^\w\s(\[{<\"'“‘«$#@]")
"""A character after which a word that is longer than a line may be divided, such as a slash or a hyphen."""


@cache
def digest() -> str:
    """A digest of everything that changes how the pages of a text look."""
    return sha256(f"layout {LAYOUT} {glyphs.digest()}".encode()).hexdigest()


@dataclass(slots=True)
class Line:
    """A line of words. `at` is its offset in the source, `rise` the baseline in pixels below the top of the line."""

    at: int
    height: int
    rise: int
    size: int
    words: list[tuple[float, str, str]] = field(default_factory=list)
    """(x, text, face) of each word."""
    strokes: list[tuple[float, float, float, float]] = field(default_factory=list)
    """Grey boxes (x0, y0, x1, y1), with y from the top of the line."""
    gap: int = 0
    """Space above the line, unless it starts a column."""
    keep: bool = False
    """Whether the line stays in one column with the next line."""
    part: int = 0
    """Which of several texts the line is of, from 0."""
    label: str = ""
    """Drawn in white on black, from the page's margin on."""


Placed = tuple[int, int, Line]
"""(x, y, line): the upper left corner of a line, in pixels."""


@dataclass(frozen=True, slots=True)
class Page:
    """`source` is the page's part of the text."""

    sheet: Sheet
    source: str
    placed: list[Placed]

    def draw(self) -> tuple[Image.Image, list[str]]:
        """The image in mode L, and the characters that no font has.

        What a line says stays within its height and its column, and contains no black areas. So no text can draw a
        label.
        """
        image = Image.new("L", (self.sheet.width, self.sheet.height), WHITE)
        pen, missing = ImageDraw.Draw(image), set()
        for x, y, line in self.placed:
            for x0, y0, x1, y1 in line.strokes:
                pen.rectangle((x + x0, y + y0, x + x1, y + y1), fill=GREY)
            drawn = Image.new("L", (self.sheet.column, line.height), WHITE)
            for at, text, face in line.words:
                missing |= glyphs.draw(drawn, at, line.rise, text, face, line.size)
            here = (x, y, x + drawn.width, y + drawn.height)
            image.paste(ImageChops.darker(image.crop(here), drawn), here)
            if line.label:
                right = x + label_width(line.label, line.size)
                pen.rectangle((x - self.sheet.margin, y, right - 1, y + line.height - 1), fill=BLACK)
                glyphs.draw(image, x, y + line.rise, line.label, BOLD, line.size, WHITE)
        return image, sorted(missing)


def label_width(label: str, size: int) -> int:
    """Width of a label in its column, in pixels."""
    return round(glyphs.width(label, BOLD, size)) + size // 3


def paginate(text: str, media_type: str = "text/markdown", mode: str = "auto") -> list[Page]:
    """Lays out a text for a mode; returns at least one page. Raises `KeyError` for an unknown mode."""
    source = normalize(text)
    return lay_out(source, parse(source, media_type), mode)


def lay_out(source: str, blocks: list[Block], mode: str, one_column: bool = False) -> list[Page]:
    """Lays out the blocks of `source` for a mode, in columns, or for a person in one column of larger type."""
    sheet = SHEETS[AUTO if mode == "auto" else mode]
    if one_column:
        sheet = replace(sheet, one_column=True, size=round(WIDE_TYPE * sheet.size))
    pages = _pages(source, blocks, sheet)
    if mode == "gundam" and len(pages) == 1:  # use as few rows of tiles as possible
        for height in range(TILE, sheet.height, TILE):
            lower = replace(sheet, height=height)
            if len(fewer := _pages(source, blocks, lower)) == 1:
                sheet, pages = lower, fewer
                break
    while len(pages) == 1 and sheet.size < MAX_SIZE:
        sheet = replace(sheet, size=sheet.size + 1)
        larger = _pages(source, blocks, sheet)
        if len(larger) > 1:
            break
        pages = larger
    return pages


def _pages(source: str, blocks: list[Block], sheet: Sheet) -> list[Page]:
    lines = [line for block in blocks for line in lines_of(block, sheet.column, sheet.size)]
    pages = fill(lines, sheet)
    starts = cuts([placed[0][2].at for placed in pages[1:]], len(source))
    return [
        Page(sheet, source[start:end], placed) for (start, end), placed in zip(starts, pages, strict=True)
    ]


def cuts(offsets: list[int], end: int) -> list[tuple[int, int]]:
    """Divides a text of `end` characters at `offsets`. Those of lines can be out of order; the cuts are not."""
    bounds = [0]
    for offset in [*offsets, end]:
        bounds.append(max(bounds[-1], min(offset, end)))
    return list(pairwise(bounds))


def fill(
    lines: list[Line], sheet: Sheet, opening: Callable[[Line], Line | None] = lambda _line: None
) -> list[list[Placed]]:
    """Places lines in the columns of as many pages as they need, at least one.

    `opening` makes the line that goes on top of a page before the given one.
    """
    margin = top = sheet.margin
    bottom = sheet.height - margin
    pages: list[list[Placed]] = [[]]
    column, y, i = 0, top, 0
    while i < len(lines):
        # Lines i to last stay together, such as a heading with the first line of its text.
        last = i
        while lines[last].keep and last + 1 < len(lines) and last - i < 6:
            last += 1
        gap = 0 if y == top else lines[i].gap
        need = gap + sum(line.height + line.gap for line in lines[i + 1 : last + 1]) + lines[i].height
        if y + need > bottom and y > top:
            column, y = column + 1, margin
            if column == sheet.columns:
                column = 0
                pages.append([])
                if head := opening(lines[i]):
                    pages[-1].append((margin, y, head))
                    y += head.height
            top = y
            continue
        if y + need > bottom:  # together they are higher than a page
            last = i
        for line in lines[i : last + 1]:
            y += 0 if y == top else line.gap
            pages[-1].append((margin + column * (sheet.column + sheet.gutter), y, line))
            y += line.height
        i = last + 1
    return pages


def lines_of(block: Block, width: int, size: int, begin: int = 0, flat: bool = False) -> Iterator[Line]:
    """The lines of a block in a column.

    `begin`: pixels that stay free at the beginning of the first line of a text or heading. `flat`: headings are no
    larger than the text.
    """
    step = round(1.5 * size)
    left = min(block.indent * step, width // 2)
    bars = [min((bar + 0.3) * step, width // 2) for bar in block.bars]
    extent = step
    if block.marker:  # a long number indents its text further
        extent = max(step, glyphs.width(block.marker, PROSE, size) + size // 2)
        left = min(left - step + round(extent), width // 2)
    gap = 0 if block.tight else round(0.55 * size)
    if block.kind == "rule":
        made = [Line(block.at, size, size, size, strokes=[(left, size // 2, width - 1, size // 2)])]
    elif block.kind == "table" and (edges := _edges(block, left, width, size)):
        made = list(_table(block, edges, size))
    elif block.kind == "table":
        rows = [_row(at, cells, number == 0) for number, (at, cells) in enumerate(block.rows)]
        made = [line for row in rows for line in _wrap(row, left, width, size)]
    else:
        if block.kind == "heading" and not flat:
            size = round(size * HEADINGS.get(block.level, 1.0))
            gap = round(0.8 * size)
        made = list(_wrap(block.pieces, left, width, size, begin))
        if not made:
            made = [_line(block.at, size)]
        made[0].at = block.at
        if block.kind == "heading":
            for line in made:
                line.keep = True
    if block.marker:
        made[0].words.insert(0, (max(0, left - extent), block.marker, PROSE))
    for number, line in enumerate(made):
        line.gap = gap if number == 0 else line.gap
        line.strokes += [(bar, 0 if number == 0 else -line.gap, bar + 1, line.height) for bar in bars]
        yield line


def _line(at: int, size: int) -> Line:
    return Line(at, round(PITCH * size), round(1.02 * size), size)


def _wrap(pieces: list[Piece], left: float, width: float, size: int, begin: int = 0) -> Iterator[Line]:
    """Lines between `left` and `width`; the first one begins `begin` pixels further to the right.

    White space at the start of a source line is kept, up to half the width.
    """
    line: Line | None = None
    x, space, fresh = left + begin, 0.0, True
    for word in _words(pieces):
        text, face, at = word[0].text, word[0].face, word[0].at
        if text == "\n":
            yield line or _line(at, size)
            line, x, space, fresh = None, left, 0.0, True
            continue
        if text.isspace():
            blank = _blank(text, face, size, x - left)
            if line is None and fresh:
                x += min(blank, max(0.0, (width - left) / 2 - begin))
            elif line is not None:
                space += blank
            continue
        total = sum(glyphs.width(part.text, part.face, size) for part in word)
        if line is None and x > left and x + total > width and fresh and begin:
            line = _line(at, size)  # the first word does not fit next to the label
        if line is not None and x + space + total > width:
            yield line
            line, x, space, fresh = None, left, 0.0, False
        if line is None:
            line, space = _line(at, size), 0.0
        begin = 0
        x += space
        space = 0.0
        for part in word:
            for stretch, place in _broken(part, size, width - x, width - left):
                extent = glyphs.width(stretch, part.face, size)
                if x + extent > width and x > left:
                    yield line
                    line, x, fresh = _line(place, size), left, False
                line.words.append((x, stretch, part.face))
                x += extent
    if line is not None:
        yield line


def _blank(text: str, face: str, size: int, x: float) -> float:
    one = glyphs.width(" ", face, size)
    extent = 0.0
    for character in text:
        extent += TAB * one - (x + extent) % (TAB * one) if character == "\t" else one
    return extent


def _broken(piece: Piece, size: int, first: float, room: float) -> Iterator[tuple[str, int]]:
    """A word as (part, offset). If it is longer than a line, it is divided, behind a sign if there is one."""
    text, at = piece.text, piece.at
    if glyphs.width(text, piece.face, size) <= max(first, room):
        yield text, at
        return
    start, extent = 0, 0.0
    seam, since = 0, 0.0  # where the line may end, and how much of it is behind that
    for i, character in enumerate(text):
        own = glyphs.width(character, piece.face, size)
        limit = first if start == 0 and first > size else room
        if extent + own > limit and i > start:
            if seam <= start or since > limit / 3:
                seam, since = i, 0.0
            yield text[start:seam], at if piece.whole else at + start
            start, extent = seam, since
        extent += own
        since += own
        if SEAM.match(character):
            seam, since = i + 1, 0.0
    yield text[start:], at if piece.whole else at + start


def _words(pieces: list[Piece]) -> Iterator[list[Piece]]:
    """Words, white space and line ends, each as a list of pieces with one entry per face."""
    word: list[Piece] = []
    for piece in pieces:
        for match in ATOM.finditer(piece.text):
            text = match[0]
            part = replace(piece, text=text, at=piece.at + (0 if piece.whole else match.start()))
            if (
                word
                and not text.isspace()
                and (text[0] in CLOSING or not (_cjk(text) or _cjk(word[-1].text)))
            ):
                word.append(part)
                continue
            if word:
                yield word
            word = [part] if not text.isspace() else []
            if text.isspace():
                yield [part]
    if word:
        yield word


def _cjk(text: str) -> bool:
    return re.match(f"[{CJK}]", text[-1]) is not None


def _pad(size: int) -> int:
    """White space left and right of the text of a cell."""
    return max(3, size // 3)


def _edges(block: Block, left: int, width: int, size: int) -> list[int] | None:
    """Where the columns of a table begin, and where the last one ends.

    Columns are as wide as their content, or share the page's width if that is too much. `None` if they would be too
    narrow for their longest words.
    """
    count = max(len(cells) for _, cells in block.rows)
    if count > MAX_COLUMNS:
        return None
    sides = 2 * _pad(size) + 2
    wanted, least = [1.0] * count, [1.0] * count
    for number, (_, cells) in enumerate(block.rows):
        for i, cell in enumerate(cells):
            words = [
                sum(glyphs.width(part.text, BOLD if number == 0 else part.face, size) for part in word)
                for word in _words(cell)
            ]
            wanted[i] = max(wanted[i], sum(words) + sides)
            least[i] = max(least[i], max(words, default=0.0) + sides)
    edges = [left]
    for share in _shares(wanted, least, width - left - 1) or ():
        edges.append(edges[-1] + share)
    return edges if len(edges) > 1 else None


def _table(block: Block, edges: list[int], size: int) -> Iterator[Line]:
    """The lines of a table, whose columns are between `edges`."""
    pad = _pad(size)
    sides = [(edge, 0, edge, _line(0, size).height) for edge in edges]
    for number, (at, cells) in enumerate(block.rows):
        columns = []
        for i, cell in enumerate(cells):
            pieces = [replace(piece, face=BOLD) for piece in cell] if number == 0 else cell
            columns.append(list(_wrap(pieces, edges[i] + pad, edges[i + 1] - pad, size)))
        height = max([1, *map(len, columns)])
        for k in range(height):
            line = _line(at, size)
            line.keep = number == 0 or k + 1 < height
            for column in columns:
                if k < len(column):
                    line.words += column[k].words
            line.strokes = list(sides)
            if k == 0:
                line.strokes.append((edges[0], 0, edges[-1], 0))
            if k == height - 1 and number == len(block.rows) - 1:
                line.strokes.append((edges[0], line.height, edges[-1], line.height))
            yield line


def _row(at: int, cells: list[list[Piece]], bold: bool) -> list[Piece]:
    """A row of a table as text."""
    row = [piece for cell in cells for piece in (Piece(" | ", PROSE, at), *cell)][1:]
    return [replace(piece, face=BOLD) for piece in row] if bold else row


def _shares(wanted: list[float], least: list[float], room: float) -> list[int] | None:
    """Widths of columns: narrow ones get what they want, the others share the rest, and none gets less than `least`.

    `None` if there is not enough room.
    """
    if sum(least) > room:
        return None
    shares, left, open_ = [0.0] * len(wanted), room, list(range(len(wanted)))
    while open_:
        fair = left / len(open_)
        settled = [i for i in open_ if least[i] > fair] or [i for i in open_ if wanted[i] <= fair]
        for i in settled or open_:
            shares[i] = max(least[i], min(wanted[i], fair) if settled else fair)
        left -= sum(shares[i] for i in settled)
        open_ = [i for i in open_ if i not in settled] if settled else []
    return [math.floor(share) for share in shares]
