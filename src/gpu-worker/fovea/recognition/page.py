"""Reads the lines of a page: brings letters to a good size, finds lines in overlapping bands, finds the direction.

Where a PDF has a text layer that covers the page's ink and agrees with a sample of recognized lines, the layer gives
the text; only what it does not cover is recognized.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from fovea.layout.line import CJK, Line, Word, box_of, share_inside
from fovea.pages.text_layer import LayerWord
from fovea.recognition.detect import find_lines, is_tall, line_height, stacked
from fovea.recognition.doubts import Doubts, boxed_letters, cut_lines, loose_letters, right_words
from fovea.recognition.engine import Quads, Text, TextEngine, crop
from fovea.recognition.frame import Frame, skew_of
from fovea.recognition.layer import AGREES, agreement, layer_lines
from fovea.recognition.legibility import is_legible, letters_drawn
from fovea.recognition.spaces import with_spaces
from fovea.recognition.type import bold, fixed_pitch

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
COMPARED = 10
"""Lines that are compared with the text layer. A layer with a few kinds of letters wrong is wrong in few lines."""


@dataclass(slots=True)
class PageLines:
    frame: Frame
    """The page, upright and level, black on white."""
    lines: list[Line]
    doubts: Doubts = field(default_factory=Doubts)
    layer: float | None = None
    """How well the text layer agrees with the sample, 0..1, if it gave the text; otherwise `None`."""
    refused: bool = False
    """Whether there is a text layer that says something else than the page."""
    mixed: bool = False
    """Whether some lines are recognized although the layer gave the text."""


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
    quarters = direction(frame.image, quads, engine)
    if quarters:
        frame = frame.turned(quarters)
        # A line's corners start at another corner after a turn, so the lines are found again.
        quads = find_lines(frame.image, engine)
    found, unread = read_lines(frame.image, quads, engine)
    texts = with_spaces(
        frame.image,
        [line.quad for line in found],
        [line.text for line in found],
        [line.places for line in found],
    )
    found = [replace(line, text=text) for line, text in zip(found, texts, strict=True)]
    if second:
        found, unread = second(frame.image, found, unread)
    doubts = doubts_of(frame.image, found, unread, quads)
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
    if np.median(grey) < 100:
        image, grey = 255 - image, 255 - grey
    low, high = np.percentile(grey, (0.2, 90))
    if low > 120 and high - low > 6:
        image = np.clip((image.astype(np.float32) - low) * (255 / (high - low)), 0, 255).astype(np.uint8)
    return image


# -- text layer ----------------------------------------------------------------------------------------


def _by_layer(frame: Frame, words: list[LayerWord], engine: TextEngine) -> PageLines | None:
    """The page by its text layer; `None` if the layer is wrong or covers little of the page."""
    layer = layer_lines(words, frame)
    if not layer or _is_turned(layer):
        return None
    covered, other = _covered(layer, find_lines(frame.image, engine))
    if len(other) > len(covered):
        return None
    share = _agreement(frame, layer, covered, engine)
    if share is not None and share < AGREES:
        return None
    more, unread = read_lines(frame.image, other, engine)
    lines = [*_weighed(frame.image, layer), *(_line(line, line.quad) for line in more)]
    doubts = _doubts_beside(frame, layer, more, unread, [*covered, *other])
    sure = 1.0 if share is None else share
    return PageLines(frame, lines, doubts, layer=sure, mixed=bool(more))


def _only_layer(frame: Frame, words: Sequence[LayerWord], engine: TextEngine) -> PageLines:
    """The page by its text layer, also by one that is not drawn. Lines that it lacks count as unread."""
    layer = layer_lines(words, frame)
    if not layer:
        return PageLines(frame, [])
    quads = find_lines(frame.image, engine)
    if _is_turned(layer) and (quarters := direction(frame.image, quads, engine)):
        frame = frame.turned(quarters)
        layer, quads = layer_lines(words, frame), find_lines(frame.image, engine)
    covered, other = _covered(layer, quads)
    share = _agreement(frame, layer, covered, engine)
    doubts = _doubts_beside(frame, layer, [], other, [*covered, *other])
    sure = 1.0 if share is None else share
    lines = _weighed(frame.image, layer)
    return PageLines(frame, lines, doubts, layer=sure, refused=sure < AGREES)


def _doubts_beside(
    frame: Frame,
    layer: list[Line],
    more: list["ReadLine"],
    unread: list[np.ndarray],
    quads: Sequence[np.ndarray],
) -> Doubts:
    """The doubts of a page whose text layer gives most of the text. The layer's words count as right."""
    doubts = doubts_of(frame.image, more, unread, [*quads, *map(_quad, layer)])
    words = sum(len(line.words) for line in layer)
    doubts.words += words
    doubts.right += words
    return doubts


def _is_turned(layer: list[Line]) -> bool:
    return sum(line.turned for line in layer) > 0.5 * len(layer)


def _covered(layer: list[Line], quads: Quads) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The lines of the page that the layer covers, and the others."""
    boxes = [box_of(line) for line in layer]
    covered, other = [], []
    for quad in quads:
        box = (*quad.min(axis=0), *quad.max(axis=0))
        share = sum(share_inside(box, one) for one in boxes)
        (covered if share > 0.3 or any(share_inside(one, box) > 0.6 for one in boxes) else other).append(quad)
    return covered, other


def _agreement(
    frame: Frame, layer: list[Line], covered: list[np.ndarray], engine: TextEngine
) -> float | None:
    """How well the layer agrees with a sample of recognized lines; `None` if none was read with confidence."""
    widest = sorted(covered, key=lambda quad: -float(np.ptp(quad[:, 0])))
    sample = widest[:: max(1, len(widest) // COMPARED)][:COMPARED]
    read, _ = read_lines(frame.image, sample, engine)
    return agreement(layer, [_line(line, line.quad) for line in read])


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


def direction(image: np.ndarray, quads: Quads, engine: TextEngine) -> int:
    """How many quarter turns, clockwise, make a page upright: the most confident reading of a sample decides."""
    if not len(quads):
        return 0
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
            return 0  # vertical writing
        return 3 if left > right else 1
    upright = _mean(engine.recognize(crops))
    if upright > CONFIDENT:
        return 0
    over = _mean(engine.recognize([np.rot90(one, 2) for one in crops]))
    return 2 if over > max(TURNED, upright + CLEARLY) else 0


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


SecondReading = Callable[
    [np.ndarray, list[ReadLine], list[np.ndarray]], tuple[list[ReadLine], list[np.ndarray]]
]
"""From a picture, the lines that were read and the quads of the others to the same after another reading."""


def read_lines(
    image: np.ndarray, quads: Sequence[np.ndarray], engine: TextEngine
) -> tuple[list[ReadLine], list[np.ndarray]]:
    """The lines that could be read, and the quads of the others.

    A line that is higher than wide is read in three directions, and the most confident reading counts.
    """
    lines, unread = [], []

    def add(quad: np.ndarray, text: Text, turned: bool) -> None:
        said = text.text.strip()
        if said and text.confidence >= LEGIBLE and (turned or is_legible(image, quad, said)):
            lines.append(ReadLine(quad, said, text.confidence, text.places, turned, text.confidences))
        else:
            unread.append(quad)

    level = [quad for quad in quads if not is_tall(quad)]
    for quad, text in zip(level, engine.recognize([crop(image, quad) for quad in level]), strict=True):
        add(quad, text, False)
    tall = [quad for quad in quads if is_tall(quad)]
    crops = [crop(image, quad) for quad in tall]
    ways = [
        engine.recognize([stacked(one) for one in crops]),
        engine.recognize([np.rot90(one) for one in crops]),
        engine.recognize([np.rot90(one, -1) for one in crops]),
    ]
    for quad, *texts in zip(tall, *ways, strict=True):
        add(quad, max(texts, key=lambda text: text.confidence if text.text.strip() else 0.0), True)
    return lines, unread


def doubts_of(
    image: np.ndarray, found: list[ReadLine], unread: list[np.ndarray], quads: Sequence[np.ndarray]
) -> Doubts:
    """`quads`: all lines of the image, however they were read."""
    height = line_height(quads)
    counts = [_right_words(line) for line in found]
    return Doubts(
        words=sum(words for words, _ in counts),
        right=sum(right for _, right in counts),
        unread=len(unread),
        drawn=sum(letters_drawn(image, quad) for quad in unread),
        loose=loose_letters(image, quads, height),
        boxes=sum(boxed_letters(image, line.quad) for line in found if not CJK.search(line.text)),
        cut=cut_lines(image, quads),
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
