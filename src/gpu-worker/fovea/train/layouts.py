"""Synthetic pages with the boxes of their blocks, for training and measuring grounding.

A page has a title, headings, paragraphs, lists, tables, pictures with captions, code and formulas in one to three
columns, with headers and footers. It is drawn at the scale of its view, so its type is small.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from fovea.result.page_result import Box
from fovea.train import fonts
from fovea.train.degrade import degrade
from fovea.train.texts import Writer

Color = tuple[int, int, int]
BULLETS = ("•", "-", "*", "–", "1.", "1)", "a)")


@dataclass(slots=True)
class Part:
    """A block: its type (`fovea.result.page_result.BLOCK_TYPES`) and its box in pixels."""

    type: str
    box: Box


@dataclass(slots=True)
class Layout:
    """A page and its blocks in reading order."""

    image: Image.Image
    parts: list[Part]

    def units(self) -> list[tuple[str, Box]]:
        """(type, box in 0..1 of the page) of each block."""
        width, height = self.image.size
        return [
            (
                part.type,
                (part.box[0] / width, part.box[1] / height, part.box[2] / width, part.box[3] / height),
            )
            for part in self.parts
        ]


def make_layout(seed: int, evaluation: bool = False, data: Path | None = None) -> Layout:
    """A page, deterministic for its arguments. `data`: see `fovea.train.packed_data`."""
    random = Random(f"layout {seed}/{evaluation}")
    page = _Page(random, evaluation, data)
    page.fill()
    image, parts = page.image, page.parts
    if random.random() < 0.5:
        corners = np.array([[part.box[i], part.box[j]] for part in parts for i in (0, 2) for j in (1, 3)])
        image, corners = degrade(image, corners.reshape(-1, 2), random, page.paper)
        boxes = corners.reshape(-1, 4, 2)
        parts = [
            Part(part.type, (*map(float, box.min(0)), *map(float, box.max(0))))
            for part, box in zip(parts, boxes, strict=True)
        ]
    return Layout(image, parts)


class _Page:
    """A page under construction."""

    def __init__(self, random: Random, evaluation: bool, data: Path | None) -> None:
        self.random = random
        self.parts: list[Part] = []
        self.paper: Color = (255, 255, 255)
        self.ink: Color = (0, 0, 0)
        width, ratio = random.randint(560, 720), random.choice((1.414, 1.414, 1.294, 1.5, 0.75, 1.0))
        if random.random() < 0.3:
            self.paper = tuple(random.randint(215, 255) for _ in range(3))
            self.ink = tuple(random.randint(0, 90) for _ in range(3))
        self.image = Image.new("RGB", (width, round(width * ratio)), self.paper)
        self._draw = ImageDraw.Draw(self.image)
        self._writer = Writer(random, evaluation, prose=1.0, data=data)
        self._faces = fonts.faces(evaluation, data)
        self._body, self._head = random.choice(self._faces), random.choice(self._faces)
        if random.random() < 0.5:
            self._head = self._body
        self._size = random.randint(8, 13) if ratio > 1.2 else random.randint(11, 18)
        self._pitch = self._size * random.uniform(1.2, 1.5)
        self._gap = self._pitch * random.choice((0.4, 0.6, 0.9, 1.2))
        self._justified = random.random() < 0.5
        self._centred = random.random() < 0.5
        self._heading_size = self._size * random.uniform(1.15, 1.5)
        self._margin = width * random.uniform(0.06, 0.13)
        self._bottom = self.image.height - self._margin

    # -- the page ----------------------------------------------------------------------------------------

    def fill(self) -> None:
        random = self.random
        x0, x1 = self._margin, self.image.width - self._margin
        y = self._margin
        small = max(7, round(self._size * 0.85))
        edge = self._margin * random.uniform(0.35, 0.6)
        number = str(random.randint(1, 400))
        last: list[Part] = []
        if random.random() < 0.35:
            self._set("header", self._line(small, (x1 - x0) * 0.6), small, x0, edge)
            if random.random() < 0.5:
                self._set_right("page_number", number, small, x1, edge)
        at = self.image.height - edge - small
        if random.random() < 0.3:
            last.append(self._set("footer", self._line(small, (x1 - x0) * 0.5), small, x0, at))
        if random.random() < 0.4:
            middle = random.random() < 0.5 and not last
            x = (x0 + x1) / 2 + self._width(number, small) / 2 if middle else x1
            last.append(self._set_right("page_number", number, small, x, at))
        self.parts = [part for part in self.parts if part not in last]
        if random.random() < 0.5:
            y = self._lines("title", self._size * random.uniform(1.6, 2.4), x0, x1, y, random.randint(1, 2))
            y += self._gap * random.uniform(0.6, 2)
        columns = random.choices((1, 2, 3), (6, 5, 1))[0]
        if columns > 1 and random.random() < 0.35:
            y = random.choice((self._picture, self._table, self._paragraph))(x0, x1, y) + self._gap
        gutter = self._size * random.uniform(1.5, 3)
        width = (x1 - x0 - gutter * (columns - 1)) / columns
        end = self._bottom if random.random() < 0.7 else y + (self._bottom - y) * random.uniform(0.2, 1)
        self._bottom = end
        for column in range(columns):
            x = x0 + column * (width + gutter)
            self._column(x, x + width, y)
        self.parts += last

    def _column(self, x0: float, x1: float, y: float) -> None:
        kinds: dict[Callable[[float, float, float], float], int] = {
            self._paragraph: 10,
            self._section: 4,
            self._list: 3,
            self._table: 2,
            self._picture: 2,
            self._code: 1,
            self._formula: 1,
        }
        before = None
        while y + 2 * self._pitch < self._bottom:
            kind = self.random.choices(list(kinds), list(kinds.values()))[0]
            if kind == before == self._section:
                continue
            after = kind(x0, x1, y)
            y = (y if after == y else after) + self._gap
            if after == y - self._gap:
                y += self._pitch
            before = kind

    # -- blocks: each method draws a block from y on and returns its end ----------------------------------

    def _paragraph(self, x0: float, x1: float, y: float) -> float:
        random = self.random
        font = fonts.load(self._body, self._size)
        count = min(random.randint(1, 10), int((self._bottom - y) / self._pitch))
        indent = self._size * 1.5 if random.random() < 0.3 else 0.0
        boxes: list[Box] = []
        for number in range(count):
            start = x0 + (indent if number == 0 else 0)
            last = number == count - 1
            room = (x1 - start) * (random.uniform(0.2, 1) if last else 1)
            words = self._writer.line(font, room).split(" ")
            boxes.append(
                self._words(words, self._size, start, y, x1 if self._justified and not last else None)
            )
            y += self._pitch
        return self._add("text", boxes, y)

    def _section(self, x0: float, x1: float, y: float) -> float:
        if y + 5 * self._pitch > self._bottom:
            return y
        return self._lines("sub_title", self._heading_size, x0, x0 + (x1 - x0) * 0.85, y, 1)

    def _list(self, x0: float, x1: float, y: float) -> float:
        random = self.random
        font = fonts.load(self._body, self._size)
        mark, indent = random.choice(BULLETS), self._size * random.uniform(1.3, 2.2)
        boxes: list[Box] = []
        for number in range(random.randint(2, 6)):
            for line in range(random.choice((1, 1, 2))):
                if y + self._pitch > self._bottom:
                    break
                if line == 0:
                    sign = mark.replace("1", str(number + 1)).replace("a", "abcdef"[number])
                    boxes.append(self._words([sign], self._size, x0, y))
                words = self._writer.line(font, (x1 - x0 - indent) * random.uniform(0.3, 1)).split(" ")
                boxes.append(self._words(words, self._size, x0 + indent, y))
                y += self._pitch
        return self._add("list", boxes, y)

    def _table(self, x0: float, x1: float, y: float) -> float:
        random = self.random
        if random.random() < 0.4:
            y = self._caption("table_caption", x0, x1, y)
        size = max(7, round(self._size * random.uniform(0.85, 1)))
        font = fonts.load(self._body, size)
        pitch = self._pitch * random.uniform(1.0, 1.5)
        rows = min(random.randint(3, 9), int((self._bottom - y) / pitch))
        columns = random.randint(2, max(2, min(6, int((x1 - x0) / (5 * size)))))
        if rows < 3:
            return y
        if random.random() < 0.3:
            x1 = x0 + (x1 - x0) * random.uniform(0.6, 1)
        edges = np.linspace(x0, x1, columns + 1)
        ruled = random.choice(("all", "rows", "head", "none"))
        boxes: list[Box] = []
        for row in range(rows):
            for column in range(columns):
                room = edges[column + 1] - edges[column] - size
                words = random.random() < 0.5 if row and column else True
                text = (
                    self._writer.line(font, room * random.uniform(0.4, 1))
                    if words
                    else f"{random.random() * 10 ** random.randint(0, 5):,.{random.randint(0, 2)}f}"
                )
                x = float(edges[column]) + 0.4 * size
                if not words:
                    x = float(edges[column + 1]) - 0.4 * size - self._width(text, size)
                if text and x > edges[column]:
                    boxes.append(self._words([text], size, x, y + (pitch - 1.2 * size) / 2))
            if ruled in ("all", "rows") or (ruled == "head" and row in (0, 1)):
                self._draw.line((x0, y, x1, y), fill=self.ink)
                boxes.append((x0, y, x1, y))
            y += pitch
        if ruled != "none":
            self._draw.line((x0, y, x1, y), fill=self.ink)
            boxes.append((x0, y, x1, y))
        if ruled == "all":
            for x in edges:
                self._draw.line((float(x), boxes[0][1], float(x), y), fill=self.ink)
        return self._add("table", boxes, y)

    def _picture(self, x0: float, x1: float, y: float) -> float:
        random = self.random
        if random.random() < 0.4:
            inset = (x1 - x0) * random.uniform(0, 0.25)
            x0, x1 = x0 + inset, x1 - inset
        height = (x1 - x0) * random.uniform(0.3, 0.8)
        if y + height + 2 * self._pitch > self._bottom:
            return y
        box = (round(x0), round(y), round(x1), round(y + height))
        self.image.paste(_drawing(random, box[2] - box[0], box[3] - box[1], self.paper), box[:2])
        self.parts.append(Part("image", box))
        y += height + 0.4 * self._size
        return self._caption("image_caption", x0, x1, y) if random.random() < 0.7 else y

    def _caption(self, kind: str, x0: float, x1: float, y: float) -> float:
        size = max(7, round(self._size * 0.9))
        font = fonts.load(self._body, size)
        name = "Table" if kind == "table_caption" else "Figure"
        line = self._writer.line(font, (x1 - x0) * self.random.uniform(0.2, 0.75))
        words = [name, f"{self.random.randint(1, 30)}:", *line.split(" ")]
        box = self._words(words, size, x0, y)
        if box[2] > x1 + size:
            return y
        return self._add(kind, [box], y + self._pitch)

    def _code(self, x0: float, x1: float, y: float) -> float:
        mono = [face for face in self._faces if "mono" in face.family.lower()]
        if not mono:
            return y
        random = self.random
        size = max(7, round(self._size * 0.85))
        face = random.choice(mono)
        font = fonts.load(face, size)
        count = min(random.randint(3, 9), int((self._bottom - y) / self._pitch))
        box = (x0, y, x1, y + count * self._pitch + 0.4 * size)
        if random.random() < 0.5:
            shade = tuple(max(0, value - random.randint(8, 30)) for value in self.paper)
            self._draw.rectangle(box, fill=shade)
        boxes: list[Box] = []
        for _ in range(count):
            x = x0 + size * (0.5 + 1.2 * random.choice((0, 0, 1, 2, 3)))
            line = self._writer.line(font, (x1 - x) * random.uniform(0.3, 0.8))
            line += random.choice((";", "()", " {", "", " ="))
            boxes.append(self._words([line], size, x, y + 0.2 * size, face=face))
            y += self._pitch
        return self._add("code", boxes, y)

    def _formula(self, x0: float, x1: float, y: float) -> float:
        random = self.random
        signs = "abcdefghkmnpqrstuvwxyz0123456789+−=()∑∫αβγλ"
        text = "".join(random.choices(signs, k=random.randint(5, 16)))
        size = round(self._size * random.uniform(1.0, 1.3))
        middle = (x0 + x1 - self._width(text, size)) / 2
        y += 0.4 * self._pitch
        boxes = [self._words([text], size, max(x0, middle), y)]
        if random.random() < 0.5:
            line = y + 1.3 * size
            self._draw.line((boxes[0][0], line, boxes[0][2], line), fill=self.ink)
            boxes.append(self._words([text[: len(text) // 2]], size, max(x0, middle) + size, line + 1))
            y = line
        if random.random() < 0.4:
            boxes.append(self._words([f"({random.randint(1, 30)})"], self._size, x1 - 2.5 * self._size, y))
        return self._add("equation", boxes, y + 1.6 * self._pitch)

    # -- drawing -----------------------------------------------------------------------------------------

    def _lines(self, kind: str, size: float, x0: float, x1: float, y: float, count: int) -> float:
        font = fonts.load(self._head, round(size))
        boxes: list[Box] = []
        for _ in range(count):
            line = self._writer.line(font, (x1 - x0) * self.random.uniform(0.3, 1))
            if line:
                room = x1 - x0 - self._width(line, round(size), self._head)
                x = x0 + (room / 2 if kind == "title" and self._centred else 0)
                boxes.append(self._words([line], round(size), x, y, face=self._head))
            y += 1.25 * size
        return self._add(kind, boxes, y)

    def _add(self, kind: str, boxes: list[Box], end: float) -> float:
        boxes = [box for box in boxes if box[2] > box[0]]
        if boxes:
            x0, y0, x1, y1 = zip(*boxes, strict=True)
            self.parts.append(Part(kind, (min(x0), min(y0), max(x1), max(y1))))
        return end

    def _words(
        self,
        words: list[str],
        size: int,
        x: float,
        y: float,
        right: float | None = None,
        face: fonts.Face | None = None,
    ) -> Box:
        """Draws a line of words, justified to `right` if given. Returns the box of its ink."""
        font = fonts.load(face or self._body, size)
        text = " ".join(words)
        space = font.getlength(" ")
        if right is None or len(words) < 3:
            self._draw.text((x, y), text, font=font, fill=self.ink)
            left, top, end, bottom = font.getbbox(text)
        else:
            free = right - x - sum(font.getlength(word) for word in words)
            space = min(free / (len(words) - 1), 3 * space)
            at = x
            for word in words:
                self._draw.text((at, y), word, font=font, fill=self.ink)
                at += font.getlength(word) + space
            left, top, _, bottom = font.getbbox(text)
            end = at - space - x
        if end <= left:
            return (x, y, x, y)
        return (x + left, y + top, x + end, y + bottom)

    def _width(self, text: str, size: int, face: fonts.Face | None = None) -> float:
        return fonts.load(face or self._body, size).getlength(text)

    def _line(self, size: int, room: float) -> str:
        return self._writer.line(fonts.load(self._body, size), room * self.random.uniform(0.3, 1))

    def _set(self, kind: str, text: str, size: int, x: float, y: float) -> Part:
        part = Part(kind, self._words([text], size, x, y))
        if part.box[2] > part.box[0]:
            self.parts.append(part)
        return part

    def _set_right(self, kind: str, text: str, size: int, x1: float, y: float) -> Part:
        return self._set(kind, text, size, x1 - self._width(text, size), y)


def _drawing(random: Random, width: int, height: int, paper: Color) -> Image.Image:
    """The contents of a picture: blotches like a photo, a chart, or a diagram."""
    kind = random.choice(("photo", "photo", "chart", "diagram"))
    if kind == "photo":
        grid = np.random.default_rng(random.getrandbits(32)).integers(
            0, 255, (random.randint(2, 8),) * 2 + (3,)
        )
        image = Image.fromarray(grid.astype(np.uint8)).resize((width, height), Image.Resampling.BICUBIC)
        return image if random.random() < 0.5 else image.convert("L").convert("RGB")
    image = Image.new("RGB", (width, height), paper if random.random() < 0.5 else (250, 250, 250))
    draw = ImageDraw.Draw(image)
    if random.random() < 0.6:
        draw.rectangle((0, 0, width - 1, height - 1), outline=(0, 0, 0))
    colors = [tuple(random.randint(0, 220) for _ in range(3)) for _ in range(4)]
    if kind == "chart":
        left, bottom = width * 0.1, height * 0.9
        draw.line((left, height * 0.08, left, bottom), fill=(0, 0, 0))
        draw.line((left, bottom, width * 0.95, bottom), fill=(0, 0, 0))
        count = random.randint(3, 10)
        step = width * 0.8 / count
        if random.random() < 0.5:
            for i in range(count):
                x, top = left + step * (i + 0.2), bottom - height * random.uniform(0.05, 0.75)
                draw.rectangle((x, top, x + 0.6 * step, bottom), fill=colors[i % len(colors)])
        else:
            for color in colors[: random.randint(1, 4)]:
                points = [
                    (left + step * i, bottom - height * (0.4 + 0.35 * math.sin(i * random.random())))
                    for i in range(count + 1)
                ]
                draw.line(points, fill=color, width=random.randint(1, 2))
    else:
        for _ in range(random.randint(3, 8)):
            x, y = random.uniform(0.05, 0.75) * width, random.uniform(0.05, 0.75) * height
            box = (x, y, x + width * random.uniform(0.1, 0.22), y + height * random.uniform(0.1, 0.22))
            shape = random.choice((draw.rectangle, draw.ellipse))
            shape(box, outline=(0, 0, 0), fill=random.choice((*colors, None)))
            draw.line((*box[2:], random.uniform(0, width), random.uniform(0, height)), fill=(0, 0, 0))
    return image.filter(ImageFilter.GaussianBlur(0.3))
