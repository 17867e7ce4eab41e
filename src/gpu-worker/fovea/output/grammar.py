"""The layout markup of grounded output, parsed as it streams in.

    page      = { text | reference }
    reference = <|ref|> label <|/ref|> [ <|det|> boxes <|/det|> ]
    boxes     = "[" box { "," box } "]"          box = "[" n "," n "," n "," n "]"          n = 0 … 999

The official script finds this with a regular expression and hands the boxes to `eval`: a document could
make the model write code that then runs. Here boxes go through an integer grammar, and whatever does not
match it is text. A reference whose label is whole but whose boxes are not keeps its label and has no boxes.
Markers out of place are dropped and counted. Every piece is looked at once or, after a broken reference,
twice; nothing is searched backwards.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from fovea.language.tokenizer import LAYOUT_MARKERS, TABLE_MARKERS, Piece

Box = tuple[int, int, int, int]

LIMITS = {"<|/ref|>": 200, "<|/det|>": 4096}  # characters before a marker must have come
MAX_GAP = 16
MAX_BOXES = 100
MAX_REFERENCES = 2000

_BOX_TOKEN = re.compile(r"\s*(?:([0-9]{1,3})(?![0-9])|([\[\],]))")
_MARKUP = re.compile("(" + "|".join(map(re.escape, sorted(LAYOUT_MARKERS | TABLE_MARKERS))) + ")")


@dataclass(frozen=True, slots=True)
class Text:
    """Plain text. `token` is the index of the token that completed it."""

    text: str
    token: int


@dataclass(frozen=True, slots=True)
class Reference:
    """A labelled region: boxes (x0, y0, x1, y1) in 0..999 as the model wrote them (none if they were broken),
    and its tokens.
    """

    label: str
    boxes: tuple[Box, ...]
    tokens: range


Event = Text | Reference


def parse_boxes(text: str) -> tuple[Box, ...] | None:
    """The boxes of `[[x0, y0, x1, y1], …]`, or None where the text is anything else."""
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


@dataclass(slots=True)
class GrammarParser:
    """Feed it pieces; it answers with finished events. `close` ends the page and returns what was held
    back.
    """

    references: int = 0
    malformed: int = 0
    noise: int = 0  # control tokens that have no place in an answer; they are dropped
    _held: list[Piece] = field(default_factory=list)  # the pieces of a reference under way
    _expect: str | None = None  # the marker that must come next; None outside a reference
    _label: str | None = None  # None until it is closed
    _body: int = 0  # where in `_held` the part after the last accepted marker begins
    _size: int = 0

    def feed(self, piece: Piece) -> list[Event]:
        layout = piece.marker and piece.text in LAYOUT_MARKERS
        if piece.marker and not layout and piece.text not in TABLE_MARKERS:
            self.noise += 1
            return []
        opening = layout and piece.text == "<|ref|>" and self.references < MAX_REFERENCES
        if self._expect is None:
            if opening:
                return self._open(piece)
            self.malformed += layout
            return [] if layout else [Text(piece.text, piece.token)]
        if opening:  # the one before was never finished
            return self._give_up() + self._open(piece)
        self._held.append(piece)
        if layout:
            return self._marker(piece)
        self._size += len(piece.text)
        if self._expect == "<|det|>":  # only blanks may stand between the label and its boxes
            return [] if self._size <= MAX_GAP and piece.text.isspace() else self._give_up()
        return [] if self._size <= LIMITS[self._expect] else self._give_up()

    def close(self) -> list[Event]:
        """A reference that was cut off ends as far as it came."""
        return self._give_up() if self._expect else []

    def _open(self, piece: Piece) -> list[Event]:
        self._held, self._expect, self._label, self._size = [piece], "<|/ref|>", None, 0
        return []

    def _marker(self, piece: Piece) -> list[Event]:
        if piece.text != self._expect:
            return self._give_up()
        self._size = 0
        if self._expect == "<|/ref|>":
            self._label = "".join(held.text for held in self._held[1:-1]).strip()
            self._expect, self._body = "<|det|>", len(self._held)
            return []
        if self._expect == "<|det|>":
            self._expect, self._body = "<|/det|>", len(self._held)
            return []
        boxes = parse_boxes("".join(held.text for held in self._held[self._body : -1]))
        if boxes is None:
            self._body = len(self._held)  # closed, so nobody takes it for text of the page
            return self._give_up()
        return [self._finish(boxes, piece.token)]

    def _finish(self, boxes: tuple[Box, ...], last: int) -> Reference:
        reference = Reference(self._label, boxes, range(self._held[0].token, last + 1))
        self._held, self._expect = [], None
        self.references += 1
        return reference

    def _give_up(self) -> list[Event]:
        """What there is of a broken reference: its label if that was closed, and the rest as text."""
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
    """A plain string as pieces, for text in which spelled-out markup is trusted to be the model's."""
    for index, part in enumerate(part for part in _MARKUP.split(text) if part):
        yield Piece(part, part in LAYOUT_MARKERS or part in TABLE_MARKERS, index)


def parse(pieces: Iterable[Piece]) -> tuple[list[Event], GrammarParser]:
    """All events of a finished page and the parser with its counts."""
    parser, events = GrammarParser(), []
    for piece in pieces:
        events += parser.feed(piece)
    return events + parser.close(), parser
