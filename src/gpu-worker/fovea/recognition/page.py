"""Reads the lines of a page: brings letters to a good size, finds lines in overlapping bands, finds the direction.

Where a PDF has a text layer that covers most of the page's text and agrees with a recognized sample, the layer gives
the text; lines are looked for only where the page shows something else.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import cv2
import numpy as np

from fovea.layout.line import CJK, Line, Marks, Word, box_of, share_inside, unit_of
from fovea.pages.text_layer import LayerWord
from fovea.recognition.detect import find_lines, is_tall, line_height, stacked
from fovea.recognition.doubts import Doubts, boxed_letters, cut_lines, loose_rows, right_words
from fovea.recognition.engine import Quads, Text, TextEngine, crop
from fovea.recognition.frame import Frame, levels, skew_of
from fovea.recognition.layer import AGREES, Compared, agreement, is_drawn, layer_lines, sample
from fovea.recognition.legibility import is_legible, letters_drawn
from fovea.recognition.marks import find_marks
from fovea.recognition.spaces import with_spaces
from fovea.recognition.type import bold, fixed_pitch
from fovea.result.geometry import common, union
from fovea.result.page_result import Box

LEGIBLE = 0.5
"""A line with a lower confidence was not read."""
CONFIDENT = 0.9
"""A page whose lines are read with more confidence is not turned upside down."""
TURNED, CLEARLY = 0.8, 0.05
"""A page is turned upside down if its lines are then read with more confidence than the former, and with as much more
than the latter. Lines in an unknown script are read badly both ways."""
TRUSTED = 0.75
"""A line that Tesseract reads with more confidence is expected to be right. It says 0.91 to 0.97 of right lines, and
at most 0.6 of lines in another script."""
SAMPLE = 6
"""Lines that decide about the direction of a page."""
DIFFERENT = 5
"""Characters that a line must have to say that a page is upside down."""
SURE = 0.9
"""A part of the text layer is compared with what was recognized in its place with more confidence."""


@dataclass(slots=True)
class PageLines:
    frame: Frame
    """The page, upright and level, black on white."""
    lines: list[Line]
    doubts: Doubts = field(default_factory=Doubts)
    layer: float | None = None
    """The share of the text layer's words that are probably right, 0..1, if it gave the text; otherwise `None`."""
    refused: bool = False
    """Whether there is a text layer that says something else than the page."""
    mixed: bool = False
    """Whether some lines are recognized although the layer gave the text."""
    marks: Marks | None = None
    """What is drawn besides the lines, if that is known already."""


def read_page(
    image: np.ndarray,
    engine: TextEngine,
    words: Sequence[LayerWord] = (),
    only_layer: bool = False,
    second: "SecondReading | None" = None,
) -> PageLines:
    """Reads a page: (H, W, 3) BGR.

    `words`: its text layer. `only_layer`: nothing is recognized but a sample. `second` reads lines that the
    recognizer cannot.
    """
    frame = Frame.of(black_on_white(image))
    if only_layer:
        return _only_layer(frame, words, engine)
    visible = [word for word in words if word.visible]
    if visible and (read := _by_layer(frame, visible, engine)):
        return read
    quads = find_lines(frame.image, engine)
    quarters, texts = direction(frame.image, quads, engine)
    if quarters:
        frame = frame.turned(quarters)
        # A line's corners start at another corner after a turn, so the lines are found again.
        quads, texts = find_lines(frame.image, engine), {}
    found, unread = read_lines(frame.image, quads, engine, texts)
    texts = with_spaces(
        frame.image,
        [line.quad for line in found],
        [line.text for line in found],
        [line.places for line in found],
    )
    found = [replace(line, text=text) for line, text in zip(found, texts, strict=True)]
    if second:
        found, unread = second(frame.image, found, unread)
    doubts = doubts_of(frame, found, unread, quads)
    lines, places = [], [line.quad for line in found]
    texts = [line.text for line in found]
    heavy, mono = (
        bold(frame.image, places, texts),
        fixed_pitch(places, texts, [line.places for line in found]),
    )
    if skew := skew_of(quads):
        frame, there = frame.level(skew)
        places = [_moved(quad, there) for quad in places]
    for line, place, is_bold, is_mono in zip(found, places, heavy, mono, strict=True):
        lines.append(replace(_line(line, place), bold=is_bold, mono=is_mono))
    return PageLines(frame, lines, doubts, refused=bool(visible))


def black_on_white(image: np.ndarray) -> np.ndarray:
    """Inverts a dark page, and stretches the contrast of a pale one."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    if levels(grey, 0.5) < [100]:
        image, grey = 255 - image, 255 - grey
    low, high = levels(grey, 0.002, 0.9)
    if low > 120 and high - low > 6:
        image = np.clip((image.astype(np.float32) - low) * (255 / (high - low)), 0, 255).astype(np.uint8)
    return image


# -- text layer ----------------------------------------------------------------------------------------


def _by_layer(frame: Frame, words: list[LayerWord], engine: TextEngine) -> PageLines | None:
    """The page by its text layer; `None` if the layer is wrong or covers little of the page."""
    layer = layer_lines(words, frame)
    drawn = [line for line in layer if is_drawn(frame, line)]
    if _letters(drawn) <= 0.5 * _letters(layer) or _is_turned(drawn):
        return None
    beside = _beside(frame, drawn)
    if sum(count for _, count in beside.rows) > _letters(drawn):
        return None
    share = _agreement(frame, drawn, engine)
    if share is not None and share < AGREES:
        return None
    quads = _other_lines(frame, drawn, beside, engine)
    more, unread = read_lines(frame.image, quads, engine)
    if sum(len(line.text) for line in more) + sum(line.letters for line in unread) > _letters(drawn):
        return None
    doubts = _doubts_beside(frame, drawn, more, unread, quads)
    lines = [*_weighed(frame.image, drawn), *(_line(line, line.quad) for line in more)]
    marks = None if more else beside.marks
    return PageLines(frame, lines, doubts, 1.0 if share is None else share, mixed=bool(more), marks=marks)


def _only_layer(frame: Frame, words: Sequence[LayerWord], engine: TextEngine) -> PageLines:
    """The page by its text layer, also by one that is not drawn. Lines that it lacks count as unread."""
    layer = layer_lines(words, frame)
    if not layer:
        return PageLines(frame, [])
    if _is_turned(layer):
        quarters, _ = direction(frame.image, find_lines(frame.image, engine), engine)
        frame = frame.turned(quarters)
        layer = layer_lines(words, frame)
    quads = _other_lines(frame, layer, _beside(frame, layer), engine)
    unread = [Unread(quad, letters_drawn(frame.image, quad)) for quad in quads]
    share = _agreement(frame, layer, engine)
    doubts = _doubts_beside(frame, layer, [], unread, quads)
    sure = 1.0 if share is None else share
    return PageLines(frame, _weighed(frame.image, layer), doubts, layer=sure, refused=sure < AGREES)


def _letters(lines: Sequence[Line]) -> int:
    return sum(len(line.text) for line in lines)


@dataclass(frozen=True, slots=True)
class _Beside:
    """What the picture of a page shows besides its text layer. `rows`: of letters, see `loose_rows`."""

    marks: Marks
    rows: list[tuple[Box, int]]


def _beside(frame: Frame, layer: list[Line]) -> _Beside:
    quads = list(map(_quad, layer))
    marks = find_marks(frame, [box_of(line) for line in layer], unit_of(layer))
    return _Beside(marks, loose_rows(frame, quads, line_height(quads)))


def _other_lines(frame: Frame, layer: list[Line], beside: _Beside, engine: TextEngine) -> list[np.ndarray]:
    """The lines that the layer lacks: they are looked for in pictures, and where rows of letters are."""
    reach = 2 * unit_of(layer)
    areas: list[Box] = []
    for x0, y0, x1, y1 in [*beside.marks.pictures, *(box for box, _ in beside.rows)]:
        area = (x0 - reach, y0 - reach, x1 + reach, y1 + reach)
        while near := [other for other in areas if common(area, other) > 0]:
            areas = [other for other in areas if other not in near]
            area = union([area, *near])
        areas.append(area)
    boxes = [box_of(line) for line in layer]
    found = []
    for area in areas:
        x0, y0, x1, y1 = (max(0, round(value)) for value in area)
        for quad in find_lines(frame.image[y0:y1, x0:x1], engine) + np.array([x0, y0], np.float32):
            box = (*quad.min(axis=0), *quad.max(axis=0))
            share = sum(share_inside(box, one) for one in boxes)
            if share <= 0.3 and not any(share_inside(one, box) > 0.6 for one in boxes):
                found.append(quad)
    return found


def _doubts_beside(
    frame: Frame,
    layer: list[Line],
    more: list["ReadLine"],
    unread: list["Unread"],
    quads: Sequence[np.ndarray],
) -> Doubts:
    """The doubts of a page whose text layer gives most of the text. The layer's words count as right."""
    doubts = doubts_of(frame, more, unread, [*quads, *map(_quad, layer)])
    words = sum(len(line.words) for line in layer)
    doubts.words += words
    doubts.right += words
    return doubts


def _is_turned(layer: list[Line]) -> bool:
    return sum(line.turned for line in layer) > 0.5 * len(layer)


def _agreement(frame: Frame, layer: list[Line], engine: TextEngine) -> float | None:
    """The share of the layer's words that are probably right; `None` if its letters cannot be compared."""

    def compare(parts: Sequence[Line]) -> list[Compared]:
        read = engine.recognize([crop(frame.image, _quad(part)) for part in parts])
        texts = [text.text if text.confidence >= SURE else None for text in read]
        return list(zip(parts, texts, strict=True))

    compared = compare(sample(layer, engine.alphabet))
    share = agreement(layer, compared, engine.alphabet)
    if share is not None and AGREES < share < 1:
        compared += compare(sample(layer, engine.alphabet, compared))
        share = agreement(layer, compared, engine.alphabet)
    return share


def _weighed(image: np.ndarray, layer: list[Line]) -> list[Line]:
    """The lines. If the font of none is bold, the picture decides: viewers embolden letters, too."""
    if any(line.bold for line in layer):
        return layer
    level = [line for line in layer if not line.turned]
    weights = bold(image, [_quad(line) for line in level], [line.text for line in level])
    heavy = {id(line) for line, is_bold in zip(level, weights, strict=True) if is_bold}
    return [replace(line, bold=id(line) in heavy) for line in layer]


def _quad(line: Line) -> np.ndarray:
    x0, y0, x1, y1 = box_of(line)
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], np.float32)


# -- direction -----------------------------------------------------------------------------------------


def direction(image: np.ndarray, quads: Quads, engine: TextEngine) -> tuple[int, dict[int, Text]]:
    """How many quarter turns, clockwise, make a page upright: the most confident reading of a sample decides.

    Also what was read of the sample as it stands, by the index of the quad.
    """
    if not len(quads):
        return 0, {}
    areas = np.array([cv2.contourArea(quad) for quad in quads])
    tall = np.array([is_tall(quad) for quad in quads])
    sideways = areas[tall].sum() > 0.6 * areas.sum()
    some = [i for i in np.argsort(-areas) if tall[i] == sideways][:SAMPLE]
    crops = [crop(image, quads[i]) for i in some]
    if sideways:
        columns = _mean(engine.recognize([stacked(one) for one in crops]))
        left = _mean(engine.recognize([np.rot90(one) for one in crops]))
        right = _mean(engine.recognize([np.rot90(one, -1) for one in crops]))
        if columns > max(left, right):
            return 0, {}  # vertical writing
        return (3 if left > right else 1), {}
    read = engine.recognize(crops)
    texts, upright = dict(zip(map(int, some), read, strict=True)), _mean(read)
    if upright > CONFIDENT:
        return 0, texts
    over = [text for text in engine.recognize([np.rot90(one, 2) for one in crops]) if is_telling(text.text)]
    return (2 if _mean(over) > max(TURNED, upright + CLEARLY) else 0), texts


def is_telling(text: str) -> bool:
    """Whether a reading can say which side is up: a row of `x`, `o` or `-` reads as well upside down."""
    return len(set(text.lower()) - {" "}) >= DIFFERENT


def _mean(texts: list[Text]) -> float:
    """Mean confidence over the characters."""
    count = sum(len(text.text) for text in texts)
    return sum(text.confidence * len(text.text) for text in texts) / count if count else 0.0


# -- lines ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReadLine:
    """`quad`: (4, 2), pixels, clockwise from the top left of the text. `places` and `confidences`: see `Text`."""

    quad: np.ndarray
    text: str
    confidence: float
    places: tuple[float, ...]
    turned: bool = False
    confidences: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Unread:
    """A line that could not be read: (4, 2), pixels, and about how many letters it has."""

    quad: np.ndarray
    letters: int


SecondReading = Callable[[np.ndarray, list[ReadLine], list[Unread]], tuple[list[ReadLine], list[Unread]]]
"""From a picture, the lines that were read and the others to the same after another reading."""


def read_lines(
    image: np.ndarray,
    quads: Sequence[np.ndarray],
    engine: TextEngine,
    known: Mapping[int, Text] = MappingProxyType({}),
) -> tuple[list[ReadLine], list[Unread]]:
    """The lines that could be read, and the others. `known`: what was read before, by the index of the quad.

    A line that is higher than wide is read in three directions, and the most confident reading counts.
    """
    lines, unread = [], []

    def add(quad: np.ndarray, text: Text, turned: bool) -> None:
        said, drawn = text.text.strip(), letters_drawn(image, quad)
        if said and text.confidence >= LEGIBLE and (turned or is_legible(drawn, said)):
            lines.append(ReadLine(quad, said, text.confidence, text.places, turned, text.confidences))
        else:
            unread.append(Unread(quad, drawn))

    level = [at for at, quad in enumerate(quads) if not is_tall(quad)]
    new = [at for at in level if at not in known]
    read = engine.recognize([crop(image, quads[at]) for at in new])
    texts = {**known, **dict(zip(new, read, strict=True))}
    for at in level:
        add(quads[at], texts[at], False)
    tall = [quad for quad in quads if is_tall(quad)]
    crops = [crop(image, quad) for quad in tall]
    ways = [
        engine.recognize([stacked(one) for one in crops]),
        engine.recognize([np.rot90(one) for one in crops]),
        engine.recognize([np.rot90(one, -1) for one in crops]),
    ]
    for quad, *readings in zip(tall, *ways, strict=True):
        add(quad, max(readings, key=lambda text: text.confidence if text.text.strip() else 0.0), True)
    return lines, unread


def doubts_of(
    frame: Frame, found: list[ReadLine], unread: list[Unread], quads: Sequence[np.ndarray]
) -> Doubts:
    """`quads`: all lines of the page, however they were read."""
    height = line_height(quads)
    counts = [_right_words(line) for line in found]
    return Doubts(
        words=sum(words for words, _ in counts),
        right=sum(right for _, right in counts),
        unread=len(unread),
        drawn=sum(line.letters for line in unread),
        loose=sum(count for _, count in loose_rows(frame, quads, height)),
        boxes=sum(boxed_letters(frame.image, line.quad) for line in found if not CJK.search(line.text)),
        cut=cut_lines(frame, quads),
        height=height,
    )


def _right_words(line: ReadLine) -> tuple[int, float]:
    """Words, and how many of them are expected to be right. Tesseract only knows how sure it is of a line."""
    words, right = right_words(line.text, line.confidences)
    if line.confidences or line.confidence >= TRUSTED:
        return words, right
    return words, words * line.confidence


def _moved(quad: np.ndarray, there: np.ndarray) -> np.ndarray:
    return (there[:2] @ np.vstack([quad.T, np.ones(4)])).T.astype(np.float32)


def _line(found: ReadLine, quad: np.ndarray) -> Line:
    """A read line in its place. Its confidence is the share of its words that are expected to be right."""
    words, right = _right_words(found)
    confidence = right / words if words else found.confidence
    x0, y0, x1, y1 = (float(v) for v in (*quad.min(axis=0), *quad.max(axis=0)))
    if not found.turned:
        # The box around a tilted quad is higher than the line.
        y0, y1 = float(quad[:2, 1].mean()), float(quad[2:, 1].mean())
    return Line(
        x0, y0, x1, max(y1, y0 + 1), found.text, confidence, _words(found, x0, x1), turned=found.turned
    )


def _words(found: ReadLine, x0: float, x1: float) -> tuple[Word, ...]:
    """Words with their places, from the places of their characters."""
    letters = sum(not character.isspace() for character in found.text)
    if letters != len(found.places) or found.turned:
        return ()
    half = 0.5 * (x1 - x0) / max(1, len(found.text))
    words, at = [], 0
    for word in found.text.split():
        places = found.places[at : at + len(word)]
        sure = found.confidences[at : at + len(word)]
        at += len(word)
        words.append(
            Word(
                word,
                x0 + places[0] * (x1 - x0) - half,
                x0 + places[-1] * (x1 - x0) + half,
                confidence=sum(sure) / len(sure) if sure else None,
            )
        )
    return tuple(words)
