"""A streaming parser for the layout markup of grounded output.

    page      = { text | reference }
    reference = <|ref|> label <|/ref|> [ <|det|> boxes <|/det|> ]     DeepSeek-OCR and DeepSeek-OCR 2
              | <|det|> label ( box | boxes ) <|/det|>                Unlimited-OCR
    boxes     = "[" box { "," box } "]"          box = "[" n "," n "," n "," n "]"          n = 0 … 999

The official script passes the boxes to `eval`, so a document could make the model write code that is then executed.
Here boxes are parsed as integers. A reference with a complete label but broken boxes keeps its label and has no boxes;
anything else that does not match the grammar is text. Markers in the wrong place are dropped and counted. Parsing takes
linear time: each piece is processed at most twice.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from fovea.language.tokenizer import LAYOUT_MARKERS, TABLE_MARKERS, Piece

Box = tuple[int, int, int, int]

LIMITS = {"<|/ref|>": 200, "<|/det|>": 4096}  # most characters before this marker
MAX_GAP = 16
MAX_BOXES = 100
MAX_REFERENCES = 2000

_LABELED = re.compile(r"\s*([^\W\d][\w -]*?)\s*(\[.*\])\s*", re.DOTALL)
_BOX_TOKEN = re.compile(r"\s*(?:([0-9]{1,3})(?![0-9])|([\[\],]))")
_MARKUP = re.compile("(" + "|".join(map(re.escape, sorted(LAYOUT_MARKERS | TABLE_MARKERS))) + ")")


@dataclass(frozen=True, slots=True)
class Text:
    """Plain text. `token` is the index of the token that completed it."""

    text: str
    token: int


@dataclass(frozen=True, slots=True)
class Reference:
    """A labeled region. `boxes` (x0, y0, x1, y1) are in 0..999, as written by the model; empty if broken."""

    label: str
    boxes: tuple[Box, ...]
    tokens: range


Event = Text | Reference


def parse_boxes(text: str) -> tuple[Box, ...] | None:
    """The boxes of `[[x0, y0, x1, y1], …]`, or `None` for any other text."""
    tokens, at = [], 0
    text = text.strip()
    while at < len(text):
        match = _BOX_TOKEN.match(text, at)
        if match is None:
            return None
        tokens.append(int(match[1]) if match[1] else match[2])
        at = match.end()
    # "[", then groups of ten: "[" n "," n "," n "," n "]" and "," between groups or the closing "]".
    if len(tokens) < 11 or tokens[0] != "[" or tokens[-1] != "]" or len(tokens) % 10 != 1:
        return None
    boxes = []
    for start in range(1, len(tokens), 10):
        group = tokens[start : start + 10]
        separator = "]" if start + 10 == len(tokens) else ","
        if group[0::2] != ["[", ",", ",", ",", "]"] or group[9] != separator:
            return None
        numbers = group[1:8:2]
        if not all(isinstance(number, int) for number in numbers):
            return None
        boxes.append(tuple(numbers))
    return tuple(boxes) if len(boxes) <= MAX_BOXES else None


def parse_labeled(text: str) -> tuple[str, tuple[Box, ...] | None] | None:
    """The label and boxes of `label [x0, y0, x1, y1]`, or `None` for a text without a label and brackets.

    The boxes are `None` if they are broken.
    """
    match = _LABELED.fullmatch(text)
    if match is None or len(match[1]) > LIMITS["<|/ref|>"]:
        return None
    return match[1], parse_boxes(match[2]) or parse_boxes(f"[{match[2]}]")


@dataclass(slots=True)
class GrammarParser:
    """`feed` takes a piece and returns the events that it completes. `close` ends the page and returns the rest."""

    references: int = 0
    malformed: int = 0
    noise: int = 0  # stray control tokens; they are dropped
    _held: list[Piece] = field(default_factory=list)  # the pieces of an open reference
    _expect: str | None = None  # the marker that must come next; None outside a reference
    _label: str | None = None  # None until the label is closed
    _body: int = 0  # index in `_held` after the last accepted marker
    _size: int = 0  # characters since that marker

    def feed(self, piece: Piece) -> list[Event]:
        layout = piece.marker and piece.text in LAYOUT_MARKERS
        if piece.marker and not layout and piece.text not in TABLE_MARKERS:
            self.noise += 1
            return []
        # A box without a label before it opens a reference that has its label inside.
        opens = piece.text == "<|ref|>" or (piece.text == "<|det|>" and self._expect != "<|det|>")
        opening = layout and opens and self.references < MAX_REFERENCES
        if self._expect is None:
            if opening:
                return self._open(piece)
            self.malformed += layout
            return [] if layout else [Text(piece.text, piece.token)]
        if opening:  # the previous reference was not finished
            return self._reject() + self._open(piece)
        self._held.append(piece)
        if layout:
            return self._marker(piece)
        self._size += len(piece.text)
        if self._expect == "<|det|>":  # only white space is allowed between the label and its boxes
            return [] if self._size <= MAX_GAP and piece.text.isspace() else self._reject()
        return [] if self._size <= LIMITS[self._expect] else self._reject()

    def close(self) -> list[Event]:
        """Ends the page. An unfinished reference counts as broken."""
        return self._reject() if self._expect else []

    def _open(self, piece: Piece) -> list[Event]:
        self._held, self._label, self._body, self._size = [piece], None, 1, 0
        self._expect = "<|/ref|>" if piece.text == "<|ref|>" else "<|/det|>"
        return []

    def _marker(self, piece: Piece) -> list[Event]:
        if piece.text != self._expect:
            return self._reject()
        self._size = 0
        if self._expect == "<|/ref|>":
            self._label = "".join(held.text for held in self._held[1:-1]).strip()
            self._expect, self._body = "<|det|>", len(self._held)
            return []
        if self._expect == "<|det|>":
            self._expect, self._body = "<|/det|>", len(self._held)
            return []
        text = "".join(held.text for held in self._held[self._body : -1])
        if self._label is None:
            labeled = parse_labeled(text)
            if labeled is None:
                return self._reject()
            self._label, boxes = labeled
        else:
            boxes = parse_boxes(text)
        if boxes is None:
            self._body = len(self._held)  # the boxes are closed, so they are not text of the page
            return self._reject()
        return [self._finish(boxes, piece.token)]

    def _finish(self, boxes: tuple[Box, ...], last: int) -> Reference:
        reference = Reference(self._label, boxes, range(self._held[0].token, last + 1))
        self._held, self._expect = [], None
        self.references += 1
        return reference

    def _reject(self) -> list[Event]:
        """The events of a broken reference: the reference if its label is complete, and the rest as text."""
        self.malformed += 1
        held, rest = self._held, 1
        events: list[Event] = []
        if self._label is not None:
            rest = self._body
            events.append(self._finish((), held[rest - 1].token))
        self._held, self._expect = [], None
        loose = (piece for piece in held[rest:] if not (piece.marker and piece.text in LAYOUT_MARKERS))
        return events + [Text(piece.text, piece.token) for piece in loose]


def markup_pieces(text: str) -> Iterable[Piece]:
    """The pieces of a plain string. All text that looks like markup counts as markup of the model."""
    for index, part in enumerate(part for part in _MARKUP.split(text) if part):
        yield Piece(part, part in LAYOUT_MARKERS or part in TABLE_MARKERS, index)


def parse(pieces: Iterable[Piece]) -> tuple[list[Event], GrammarParser]:
    """All events of a complete answer, and the parser with its counts."""
    parser, events = GrammarParser(), []
    for piece in pieces:
        events += parser.feed(piece)
    return events + parser.close(), parser
