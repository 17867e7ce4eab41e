"""Reads the lines of a page: brings letters to a good size, finds lines in overlapping bands, finds the direction.

Where a PDF has a text layer that covers the page's ink and agrees with a sample of recognized lines, the layer gives
the text; only what it does not cover is recognized.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from fovea.layout.line import Line, Word, box_of, share_inside
from fovea.pages.text_layer import LayerWord
from fovea.recognition.detect import find_lines, is_tall, stacked
from fovea.recognition.engine import Quads, Text, TextEngine, crop
from fovea.recognition.frame import Frame, skew_of
from fovea.recognition.layer import AGREES, agreement, layer_lines
from fovea.recognition.legibility import is_legible, letters_drawn
from fovea.recognition.type import bold, fixed_pitch

LEGIBLE = 0.5
"""A line with a lower confidence was not read."""
CONFIDENT = 0.9
"""A page whose lines are read with more confidence is not turned upside down."""
SAMPLE = 6
"""Lines that decide about the direction of a page, and about its text layer."""


@dataclass(slots=True)
class PageLines:
    frame: Frame
    """The page, upright and level, black on white."""
    lines: list[Line]
    unread: int = 0
    """Lines that were found and could not be read."""
    drawn: int = 0
    """About how many letters those lines have."""
    layer: float | None = None
    """How well the text layer agrees with the sample, 0..1, if it gave the text; otherwise `None`."""
    refused: bool = False
    """Whether there is a text layer that says something else than the page."""


def read_page(image: np.ndarray, engine: TextEngine, words: Sequence[LayerWord] = ()) -> PageLines:
    """Reads a page: (H, W, 3) BGR. `words`: its text layer."""
    frame = Frame.of(black_on_white(image))
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
    drawn = sum(letters_drawn(frame.image, quad) for quad in unread)
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
    return PageLines(frame, lines, len(unread), drawn, refused=bool(visible))


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
    if not layer or sum(line.turned for line in layer) > 0.5 * len(layer):
        return None
    quads = find_lines(frame.image, engine)
    boxes = [box_of(line) for line in layer]
    covered, other = [], []
    for quad in quads:
        box = (*quad.min(axis=0), *quad.max(axis=0))
        share = sum(share_inside(box, one) for one in boxes)
        (covered if share > 0.3 or any(share_inside(one, box) > 0.6 for one in boxes) else other).append(quad)
    if len(other) > len(covered):
        return None
    widest = sorted(covered, key=lambda quad: -float(np.ptp(quad[:, 0])))
    sample = widest[:: max(1, len(widest) // SAMPLE)][:SAMPLE]
    read, _ = read_lines(frame.image, sample, engine)
    share = agreement(layer, [_line(line, line.quad) for line in read])
    if share is not None and share < AGREES:
        return None
    more, unread = read_lines(frame.image, other, engine)
    lines = [*_weighed(frame.image, layer), *(_line(line, line.quad) for line in more)]
    drawn = sum(letters_drawn(frame.image, quad) for quad in unread)
    return PageLines(frame, lines, len(unread), drawn, layer=1.0 if share is None else share)


def _weighed(image: np.ndarray, layer: list[Line]) -> list[Line]:
    """The lines. If the font of none is bold, the picture decides: viewers embolden letters, too."""
    if any(line.bold for line in layer):
        return layer
    level = [line for line in layer if not line.turned]
    quads = [
        np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], np.float32)
        for x0, y0, x1, y1 in map(box_of, level)
    ]
    heavy = {
        id(line)
        for line, is_bold in zip(level, bold(image, quads, [one.text for one in level]), strict=True)
        if is_bold
    }
    return [replace(line, bold=id(line) in heavy) for line in layer]


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
    return 2 if over > upright else 0


def _mean(texts: list[Text]) -> float:
    """Mean confidence over the characters."""
    count = sum(len(text.text) for text in texts)
    return sum(text.confidence * len(text.text) for text in texts) / count if count else 0.0


# -- lines ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReadLine:
    """`quad`: (4, 2), pixels, clockwise from the top left of the text. `places`: see `Text`."""

    quad: np.ndarray
    text: str
    confidence: float
    places: tuple[float, ...]
    turned: bool = False


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
            lines.append(ReadLine(quad, said, text.confidence, text.places, turned))
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


def _moved(quad: np.ndarray, there: np.ndarray) -> np.ndarray:
    return (there[:2] @ np.vstack([quad.T, np.ones(4)])).T.astype(np.float32)


def _line(found: ReadLine, quad: np.ndarray) -> Line:
    x0, y0, x1, y1 = (float(v) for v in (*quad.min(axis=0), *quad.max(axis=0)))
    if not found.turned:
        # The box around a tilted quad is higher than the line.
        y0, y1 = float(quad[:2, 1].mean()), float(quad[2:, 1].mean())
    return Line(
        x0, y0, x1, max(y1, y0 + 1), found.text, found.confidence, _words(found, x0, x1), turned=found.turned
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
        at += len(word)
        words.append(Word(word, x0 + places[0] * (x1 - x0) - half, x0 + places[-1] * (x1 - x0) + half))
    return tuple(words)
