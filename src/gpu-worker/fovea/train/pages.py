"""Synthetic pages with their exact text, for comparing readers. Fonts and texts are held out from training."""

from dataclasses import dataclass
from random import Random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from fovea.train import fonts
from fovea.train.texts import Writer

SIZE = (1240, 1754)  # A4 at 150 dpi
KINDS = ("clean", "noisy", "two columns", "small print")
LANGUAGES = "other languages"
"""Another kind: clean print in languages other than English, with accents."""


@dataclass(frozen=True, slots=True)
class Page:
    kind: str
    image: Image.Image
    text: str
    family: str


def make_page(seed: int, kind: str) -> Page:
    """A page, deterministic for its arguments. The type is 10 to 13 points, in small print 7 to 8.5."""
    random = Random(f"{seed}/{kind}")
    face = fonts.pick(random, True)
    points = random.uniform(7, 8.5) if kind == "small print" else random.uniform(10, 13)
    size = round(points / 72 * 150)
    image = Image.new("RGB", SIZE, (255, 255, 255))
    draw = ImageDraw.Draw(image)
    writer = Writer(random, True, prose=1.0, foreign=float(kind == LANGUAGES))
    margin = random.randint(110, 150)
    gutter = 60
    columns = 2 if kind == "two columns" else 1
    width = (SIZE[0] - 2 * margin - gutter * (columns - 1)) // columns
    lines: list[str] = []
    y = top = margin
    if random.random() < 0.7:
        heading = fonts.load(face, round(size * 1.6))
        line = writer.line(heading, SIZE[0] - 2 * margin - 300)
        draw.text((margin, y), line, font=heading, fill=(0, 0, 0))
        lines.append(line)
        y = top = y + round(size * 3)
    font = fonts.load(face, size)
    pitch = size * random.uniform(1.25, 1.5)
    for column in range(columns):
        x, y = margin + column * (width + gutter), top
        bottom = SIZE[1] - margin
        while y + pitch < bottom:
            for number in range(random.randint(3, 9)):
                if y + pitch >= bottom:
                    break
                indent = round(1.5 * size) if number == 0 else 0
                line = writer.line(font, width - indent)
                draw.text((x + indent, y), line, font=font, fill=(0, 0, 0))
                lines.append(line)
                y += pitch
            y += pitch * random.choice((0, 0.6))
    if kind == "noisy":
        image = _noisy(image, random)
    return Page(kind, image, "\n".join(lines), face.family)


def _noisy(image: Image.Image, random: Random) -> Image.Image:
    """Makes a page look like a poor scan: slightly rotated, blurred, unevenly lit and noisy."""
    image = image.rotate(random.uniform(-0.8, 0.8), Image.Resampling.BICUBIC, fillcolor=(255, 255, 255))
    image = image.filter(ImageFilter.GaussianBlur(random.uniform(0.4, 0.9)))
    pixels = np.asarray(image, dtype=np.float32)
    pixels = 40 + pixels * random.uniform(0.65, 0.8)
    light = np.linspace(1 - random.uniform(0, 0.2), 1, SIZE[0], dtype=np.float32)[None, :, None]
    noise = np.random.default_rng(random.getrandbits(32)).standard_normal((SIZE[1], SIZE[0], 1), np.float32)
    return Image.fromarray((pixels * light + noise * random.uniform(5, 14)).clip(0, 255).astype(np.uint8))


def make_nothing(seed: int) -> Page:
    """A page without readable text: noise, stains, strokes, or print that is too blurred to read."""
    random = Random(f"nothing {seed}")
    kind = ("noise", "stains", "strokes", "blurred")[seed % 4]
    paper = random.randint(200, 255)
    image = Image.new("RGB", SIZE, (paper,) * 3)
    draw = ImageDraw.Draw(image)
    if kind == "stains":
        for _ in range(random.randint(2, 8)):
            x, y, r = random.randint(0, SIZE[0]), random.randint(0, SIZE[1]), random.randint(20, 300)
            draw.ellipse(
                (x - r, y - r, x + r, y + r * random.uniform(0.4, 1)),
                fill=(paper - random.randint(20, 90),) * 3,
            )
        image = image.filter(ImageFilter.GaussianBlur(random.uniform(2, 12)))
    if kind == "strokes":
        for _ in range(random.randint(5, 40)):
            x, y = random.randint(50, SIZE[0] - 50), random.randint(50, SIZE[1] - 50)
            points = [(x, y)]
            for _ in range(random.randint(2, 12)):
                points.append(
                    (points[-1][0] + random.randint(-60, 90), points[-1][1] + random.randint(-30, 30))
                )
            draw.line(points, fill=(random.randint(0, 90),) * 3, width=random.randint(1, 4), joint="curve")
    if kind == "blurred":
        image = make_page(seed, "clean").image.filter(ImageFilter.GaussianBlur(random.uniform(6, 10)))
    noise = np.random.default_rng(seed).standard_normal((SIZE[1], SIZE[0], 1), np.float32)
    pixels = np.asarray(image, dtype=np.float32) + noise * random.uniform(0, 10)
    return Page(kind, Image.fromarray(pixels.clip(0, 255).astype(np.uint8)), "", "")
