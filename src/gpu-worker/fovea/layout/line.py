"""What the layout rules work on. Coordinates are pixels of the *upright* page: turned and deskewed."""

import re
from dataclasses import dataclass, field
from statistics import median

from fovea.result.geometry import common
from fovea.result.page_result import Box, LineBox, WordBox

CJK = re.compile(r"[\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef]")


@dataclass(frozen=True, slots=True)
class Word:
    """What is known of a word beyond its line: `None` is as in the line."""

    text: str
    x0: float
    x1: float
    y0: float | None = None
    y1: float | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text."""

    x0: float
    y0: float
    x1: float
    y1: float
    text: str
    confidence: float
    words: tuple[Word, ...] = ()
    bold: bool = False
    mono: bool = False
    """Whether all characters have the same width."""
    turned: bool = False
    """Whether the line runs up or down."""

    @property
    def height(self) -> float:
        return self.y1 - self.y0

    @property
    def width(self) -> float:
        return self.x1 - self.x0

    @property
    def middle(self) -> float:
        return (self.y0 + self.y1) / 2

    @property
    def pitch(self) -> float:
        """Mean width of a character."""
        return self.width / max(1, len(self.text))


@dataclass(frozen=True, slots=True)
class Region:
    """What the layout model sees. `kind` is one of its labels (`fovea.recognition.regions`)."""

    kind: str
    score: float
    box: Box


@dataclass(frozen=True, slots=True)
class Marks:
    """What is drawn on a page besides text: ruled lines, check boxes, and pictures."""

    across: tuple[Box, ...] = ()
    """Level lines."""
    down: tuple[Box, ...] = ()
    """Vertical lines."""
    boxes: tuple[tuple[Box, bool], ...] = ()
    """Small squares, and whether there is a mark in them."""
    pictures: tuple[Box, ...] = ()
    bullets: tuple[Box, ...] = ()
    """Drawn bullets before lines of text."""


@dataclass(slots=True)
class Page:
    """Input of `fovea.layout.page.lay_out`."""

    lines: list[Line]
    width: float
    height: float
    marks: Marks = field(default_factory=Marks)
    regions: list[Region] = field(default_factory=list)


def unit_of(lines: list[Line]) -> float:
    """The height of the page's body text: the median, weighted by the length of the lines."""
    weighted = [line.height for line in lines if not line.turned for _ in range(max(1, len(line.text) // 8))]
    return median(weighted) if weighted else 20.0


def rows_of(lines: list[Line]) -> list[list[Line]]:
    """Groups lines that are side by side into rows, from top to bottom; each row from left to right."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: line.middle):
        for row in rows[-3:]:
            if all(
                abs(line.middle - other.middle) < 0.5 * min(line.height, other.height)
                or (
                    (line.x0 > other.x1 or line.x1 < other.x0)
                    and abs(line.middle - other.middle) < 0.6 * min(line.height, other.height)
                )
                for other in row
            ) and all(
                line.x0 >= other.x1 - line.height or line.x1 <= other.x0 + line.height for other in row
            ):
                row.append(line)
                break
        else:
            rows.append([line])
    return [sorted(row, key=lambda line: line.x0) for row in rows]


def joined(row: list[Line]) -> Line:
    """Lines side by side as one line. In type of fixed pitch, it has as many spaces as the gaps have."""
    if len(row) == 1:
        return row[0]
    characters = max(1, sum(len(line.text) for line in row))
    mono = all(line.mono for line in row)
    text = row[0].text
    for line in row[1:]:
        column = round((line.x0 - row[0].x0) * characters / sum(one.width for one in row)) if mono else 0
        text = f"{text} ".ljust(column) + line.text
    return Line(
        x0=min(line.x0 for line in row),
        y0=min(line.y0 for line in row),
        x1=max(line.x1 for line in row),
        y1=max(line.y1 for line in row),
        text=text,
        confidence=sum(line.confidence * len(line.text) for line in row) / characters,
        words=tuple(word for line in row for word in line.words),
        bold=all(line.bold for line in row),
        mono=mono,
        turned=row[0].turned,
    )


def box_of(line: Line) -> Box:
    return (line.x0, line.y0, line.x1, line.y1)


def share_inside(inner: Box, outer: Box) -> float:
    """The share of `inner`'s area that lies inside `outer`."""
    area = max(1e-6, (inner[2] - inner[0]) * (inner[3] - inner[1]))
    return common(inner, outer) / area


def line_box(line: Line) -> LineBox:
    """The line for the result, with its words if their places are known."""
    words = None
    if line.words and "".join(word.text for word in line.words) == "".join(line.text.split()):
        words = [
            WordBox(
                word.text,
                (
                    word.x0,
                    line.y0 if word.y0 is None else word.y0,
                    word.x1,
                    line.y1 if word.y1 is None else word.y1,
                ),
                line.confidence if word.confidence is None else word.confidence,
            )
            for word in line.words
        ]
    return LineBox(line.text, box_of(line), line.confidence, words)
