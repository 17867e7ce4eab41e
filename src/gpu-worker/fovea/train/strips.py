"""Synthetic strips with the position of every character: the main training data.

A strip is eight vision tokens wide and two high. It shows either a few lines as on a page, or lines that are packed
into rows of equal height like in the reader (`fovea.nano.packing`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from fovea.train import fonts
from fovea.train.degrade import degrade
from fovea.train.texts import Writer

HEIGHT = 128


@dataclass(frozen=True, slots=True)
class Style:
    """How strips of a stage look. Type sizes are em sizes in pixels, distributed evenly on a log scale."""

    smallest: float = 12
    largest: float = 40
    clean: float = 0.3
    """Share of images that are not degraded."""
    prose: float = 0.5
    packed: float = 0.4
    """Share of strips with packed rows."""
    rows: tuple[int, ...] = (2, 3, 4, 4, 5, 6)
    """Rows of a packed strip, chosen at random. They determine the size of the type."""
    empty: float = 0.02
    """Share of strips without readable text: paper, stains, strokes, blurred print."""
    foreign: float = 0.0
    """Share of texts in languages other than English."""
    real: float = 0.0
    """Share of strips that are cut out of PDF files (`fovea.train.real`), in `rows`."""
    data: Path | None = None
    """The folder of fonts, texts and PDF files (`fovea.train.packed_data`) in place of what the machine has."""


@dataclass(slots=True)
class Strip:
    """`places` (n, 2): center (x, y) of each character of `text` in pixels. A line break is at the end of its line."""

    image: Image.Image
    text: str
    places: np.ndarray
    size: int
    family: str = ""
    lines: list[str] = field(default_factory=list)


def make_strip(seed: int, width: int, style: Style, evaluation: bool = False, height: int = HEIGHT) -> Strip:
    """A strip, deterministic for its arguments."""
    random = Random(f"{seed}/{width}/{height}/{evaluation}")
    size = round(style.smallest * (style.largest / style.smallest) ** random.random())
    another = partial(fonts.pick, random, evaluation, style.data)
    face = another()
    writer = Writer(random, evaluation, style.prose, style.foreign, style.data)
    paper, ink = _colors(random)
    strip = Strip(Image.new("RGB", (width, height), paper), "", np.zeros((0, 2)), size, face.family)
    roll = random.random()
    if roll < style.empty:
        places = []
        _nothing(strip, random, face, writer, (paper, ink), another)
    elif roll < style.empty + style.packed:
        places = _pack(strip, random, face, writer, (paper, ink), random.choice(style.rows), another)
    else:
        places = _set(strip, random, face, writer, ink)
    strip.text = "\n".join(strip.lines)
    strip.places = np.array(places, dtype=np.float32).reshape(-1, 2)
    if random.random() >= style.clean:
        strip.image, strip.places = degrade(strip.image, strip.places, random, paper)
    return strip


def _nothing(
    strip: Strip,
    random: Random,
    face: fonts.Face,
    writer: Writer,
    colors: tuple[tuple[int, int, int], tuple[int, int, int]],
    another: Callable[[], fonts.Face],
) -> None:
    """A strip without readable text."""
    width, height = strip.image.size
    paper, ink = colors
    draw = ImageDraw.Draw(strip.image)
    kind = random.choice(("paper", "stains", "strokes", "blurred", "blurred"))
    if kind == "stains":
        for _ in range(random.randint(1, 4)):
            x, y, r = random.uniform(0, width), random.uniform(0, height), random.uniform(10, 150)
            share = random.uniform(0.1, 0.5)
            shade = tuple(round(p + (i - p) * share) for p, i in zip(paper, ink, strict=True))
            draw.ellipse((x - r, y - r, x + r, y + r), fill=shade)
        strip.image = strip.image.filter(ImageFilter.GaussianBlur(random.uniform(0, 12)))
    elif kind == "strokes":
        for _ in range(random.randint(1, 12)):
            points = [(random.uniform(0, width), random.uniform(0, height))]
            for _ in range(random.randint(1, 8)):
                x, y = points[-1]
                points.append((x + random.uniform(-50, 80), y + random.uniform(-30, 30)))
            draw.line(points, fill=ink, width=random.randint(1, 6), joint="curve")
    elif kind == "blurred":
        if random.random() < 0.5:
            _set(strip, random, face, writer, ink)
        else:
            _pack(strip, random, face, writer, colors, random.choice((3, 4, 6)), another)
        strip.lines = []
        # Letters become unreadable when the blur is as wide as the distance of their strokes.
        strip.image = strip.image.filter(ImageFilter.GaussianBlur(strip.size * random.uniform(0.3, 0.5)))


def _set(
    strip: Strip, random: Random, face: fonts.Face, writer: Writer, ink: tuple[int, int, int]
) -> list[tuple[float, float]]:
    """Draws lines as on a page. Returns the places of all characters."""
    width, height = strip.image.size
    size, font = strip.size, fonts.load(face, strip.size)
    pitch = size * random.uniform(1.08, 1.5)
    top = random.uniform(0, min(12, 0.3 * size))
    count = max(1, int((height - top - size * 0.25) / pitch))
    if random.random() < 0.2:
        count = random.randint(1, count)
    else:
        top = random.uniform(0, max(0.0, height - count * pitch - size * 0.2))
    left = random.uniform(1, min(60, width * 0.12))
    right = width - random.uniform(1, min(60, width * 0.12))
    draw = ImageDraw.Draw(strip.image)
    places: list[tuple[float, float]] = []
    for number in range(count):
        start = left + (random.uniform(0, 0.4) * (right - left) if random.random() < 0.12 else 0)
        limit = right if random.random() > 0.15 else start + (right - start) * random.random()
        line = writer.line(font, limit - start)
        if not line:
            continue
        y = top + number * pitch
        draw.text((start, y - fonts.lift(font)), line, font=font, fill=ink)
        _add(strip, places, line, font, start, y)
    return places


def _pack(
    strip: Strip,
    random: Random,
    face: fonts.Face,
    writer: Writer,
    colors: tuple[tuple[int, int, int], tuple[int, int, int]],
    rows: int,
    another: Callable[[], fonts.Face],
) -> list[tuple[float, float]]:
    """Draws lines packed into rows. Parts of neighboring lines may show at the edges of a row."""
    width, height = strip.image.size
    paper, ink = colors
    pitch = height // rows
    strip.size = max(10, round(pitch * random.uniform(0.65, 0.87)))
    shades = random.random() < 0.3
    full = rows if random.random() < 0.8 else random.randint(1, rows)
    places: list[tuple[float, float]] = []
    for number in range(full):
        if random.random() < 0.2:
            face = another()
        font = fonts.load(face, max(10, round(strip.size * random.uniform(0.92, 1.0))))
        shade = (
            tuple(max(0, min(255, value + random.randint(-12, 12))) for value in paper) if shades else paper
        )
        row = Image.new("RGB", (width, pitch), shade)
        draw = ImageDraw.Draw(row)
        start = random.uniform(1, 12)
        room = width - start - random.uniform(1, 10)
        if random.random() < 0.4:
            room *= random.random()
        line = writer.line(font, room)
        if not line:
            continue
        y = (pitch - font.size * 1.15) / 2 + random.uniform(-0.08, 0.08) * font.size
        drawn = y - fonts.lift(font)
        draw.text((start, drawn), line, font=font, fill=ink)
        for side in (-1, 1):
            if random.random() < 0.3:
                other = drawn + side * font.size * random.uniform(1.1, 1.4)
                draw.text((start, other), writer.line(font, room), font=font, fill=ink)
        strip.image.paste(row, (0, number * pitch))
        _add(strip, places, line, font, start, number * pitch + y)
    return places


def _add(
    strip: Strip,
    places: list[tuple[float, float]],
    line: str,
    font: ImageFont.FreeTypeFont,
    x: float,
    y: float,
) -> None:
    if strip.lines:
        places.append(places[-1])  # for the line break
    places += _places(line, font, x, y)
    strip.lines.append(line)


def _places(line: str, font: ImageFont.FreeTypeFont, x: float, y: float) -> list[tuple[float, float]]:
    widths = {character: font.getlength(character) for character in set(line)}
    advances = [widths[character] for character in line]
    stretch = font.getlength(line) / max(sum(advances), 1e-6)  # kerning
    middle = y + font.size * fonts.MIDDLE
    places = []
    for advance in advances:
        places.append((x + advance * stretch / 2, middle))
        x += advance * stretch
    return places


def _colors(random: Random) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    if random.random() < 0.6:
        paper, ink = random.randint(240, 255), random.randint(0, 60)
        return (paper,) * 3, (ink,) * 3
    paper = tuple(random.randint(200, 255) for _ in range(3))
    ink = tuple(random.randint(0, 110) for _ in range(3))
    return (ink, paper) if random.random() < 0.15 else (paper, ink)
