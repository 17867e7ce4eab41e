"""Harms pages in ways that a reader should notice. How much is drawn at random, from harmless to hopeless.

A harm makes a picture or a PDF of a printed page; `foreign` changes its HTML instead. The truth stays what the page
said before, except that `foreign` pages have the truth of their own HTML.
"""

import io
import random
import re
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pypdf
import pypdfium2 as pdfium
from PIL import Image

SCALE = 150 / 72
"""Pixels per point of the harmed pictures."""


@dataclass(frozen=True, slots=True)
class Printed:
    """A printed page: its file, its picture (H, W, 3) RGB, and its characters with their boxes in pixels."""

    path: Path
    picture: np.ndarray
    letters: list[tuple[str, int, int, int, int]]

    @classmethod
    def of(cls, path: Path) -> "Printed":
        document = pdfium.PdfDocument(path)
        page = document[0]
        picture = np.asarray(page.render(scale=SCALE).to_pil().convert("RGB"))
        text = page.get_textpage()
        letters, high = [], page.get_height()
        for index in range(text.count_chars()):
            said = text.get_text_range(index, 1)
            left, low, right, top = text.get_charbox(index)
            if said.strip() and right > left:
                box = (left, high - top, right, high - low)
                letters.append((said, *(round(value * SCALE) for value in box)))
        document.close()
        return cls(path, picture, letters)


Draw = np.random.Generator


def _log_uniform(draw: Draw, low: float, high: float) -> float:
    return float(np.exp(draw.uniform(np.log(low), np.log(high))))


def blurred(page: Printed, draw: Draw) -> bytes:
    return jpeg(cv2.GaussianBlur(page.picture, (0, 0), _log_uniform(draw, 0.8, 4)), 85)


def small(page: Printed, draw: Draw) -> bytes:
    """At 40 to 110 dpi."""
    share = _log_uniform(draw, 40, 110) / 150
    return png(cv2.resize(page.picture, None, fx=share, fy=share, interpolation=cv2.INTER_AREA))


def crushed(page: Printed, draw: Draw) -> bytes:
    """Much compressed."""
    return jpeg(page.picture, round(_log_uniform(draw, 2, 25)))


def noisy(page: Printed, draw: Draw) -> bytes:
    noise = draw.normal(0, _log_uniform(draw, 20, 160), page.picture.shape[:2])
    grey = cv2.cvtColor(page.picture, cv2.COLOR_RGB2GRAY)
    return png(np.clip(grey + noise, 0, 255).astype(np.uint8))


def pale(page: Printed, draw: Draw) -> bytes:
    """Print of little contrast on slightly noisy paper."""
    grey = cv2.cvtColor(page.picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    faint = 250 - (255 - grey) * _log_uniform(draw, 0.015, 0.3)
    return png(np.clip(faint + draw.normal(0, 2, grey.shape), 0, 255).astype(np.uint8))


def boxes(page: Printed, draw: Draw) -> bytes:
    """A font lacks some letters: boxes stand in their places."""
    picture = page.picture.copy()
    counts = Counter(letter for letter, *_ in page.letters)
    missing: set[str] = set()
    share, wanted = 0.0, _log_uniform(draw, 0.01, 0.3)
    for letter in draw.permutation(sorted(counts)):
        part = counts[letter] / len(page.letters)
        if share + part <= 1.3 * wanted:
            missing.add(str(letter))
            share += part
    for letter, x0, y0, x1, y1 in page.letters:
        if letter in missing:
            cv2.rectangle(picture, (x0, y0), (x1, y1), (255, 255, 255), -1)
            cv2.rectangle(picture, (x0 + 1, y0 + 1), (x1 - 1, y1 - 1), (20, 20, 20), 1)
    return png(picture)


def cropped(page: Printed, draw: Draw) -> bytes:
    """Cut through its lines at the left or the right."""
    wide = page.picture.shape[1]
    inked = np.flatnonzero((page.picture.min(axis=2) < 128).any(axis=0))
    first, last = (int(inked[0]), int(inked[-1])) if len(inked) else (0, wide)
    cut = round(_log_uniform(draw, 0.01, 0.4) * (last - first))
    return png(page.picture[:, first + cut :] if draw.random() < 0.5 else page.picture[:, : last - cut])


def overprinted(page: Printed, draw: Draw) -> bytes:
    """Strokes of a pen, or a stamp, over the text."""
    picture = page.picture.copy()
    tall, wide = picture.shape[:2]
    colour = [(25, 25, 30), (30, 40, 150), (170, 30, 40)][int(draw.integers(3))]
    for _ in range(round(_log_uniform(draw, 2, 120))):
        x, y = draw.uniform(0.1, 0.8) * wide, draw.uniform(0.08, 0.9) * tall
        steps = draw.normal(0, 14, (int(draw.integers(15, 60)), 2)) + np.array([5, 0])
        points = (np.array([x, y]) + np.cumsum(steps, axis=0)).astype(np.int32)
        cv2.polylines(picture, [points], False, colour, int(draw.integers(2, 5)), cv2.LINE_AA)
    return jpeg(picture, 85)


def shaded(page: Printed, draw: Draw) -> bytes:
    """A part of the page is printed on a picture."""
    picture = page.picture.astype(np.float32)
    tall, wide = picture.shape[:2]
    high = round(tall * draw.uniform(0.15, 0.6))
    top = int(draw.integers(0, tall - high))
    texture = np.zeros((high, wide), np.float32)
    for cell in (6, 20, 80):
        grid = draw.uniform(0, 1, (high // cell + 2, wide // cell + 2)).astype(np.float32)
        texture += cv2.resize(grid, (wide, high), interpolation=cv2.INTER_CUBIC) / 3
    deep = draw.uniform(0.3, 1.3)
    shade = np.clip(1 - deep * texture[:, :, None] * np.array([0.8, 0.9, 1.0]), 0.1, 1)
    picture[top : top + high] *= shade
    return jpeg(picture.astype(np.uint8), 85)


def miscoded(page: Printed, draw: Draw) -> bytes:
    """A PDF whose fonts name some of their letters wrongly, so that its text layer differs from what it shows."""
    writer = pypdf.PdfWriter(clone_from=page.path)
    wrong = _log_uniform(draw, 0.01, 0.6)

    def shifted(match: re.Match[bytes]) -> bytes:
        code, target = match.group(1), int(match.group(2), 16)
        if draw.random() < wrong and chr(target).isalpha():
            target += 1
        return b"<%s> <%04X>\n" % (code, target)

    for font in writer.pages[0]["/Resources"]["/Font"].values():
        cmap = font.get_object()["/ToUnicode"].get_object()
        # Skia writes runs of letters as ranges. Each letter gets an entry of its own.
        data = re.sub(rb"<([0-9A-F]{4})> <([0-9A-F]{4})>\n", shifted, _single(cmap.get_data()))
        cmap.set_data(data)
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def _single(cmap: bytes) -> bytes:
    """A CMap whose ranges are single characters (Adobe technical note 5411)."""

    def split(match: re.Match[bytes]) -> bytes:
        entries = []
        for first, last, target in re.findall(
            rb"<([0-9A-F]+)> <([0-9A-F]+)> <([0-9A-F]{4})>", match.group(1)
        ):
            for step in range(int(last, 16) - int(first, 16) + 1):
                entries.append(b"<%04X> <%04X>" % (int(first, 16) + step, int(target, 16) + step))
        return b"%d beginbfchar\n%s\nendbfchar" % (len(entries), b"\n".join(entries))

    return re.sub(rb"\d+ beginbfrange\n(.*?)\nendbfrange", split, cmap, flags=re.S)


HARMS: dict[str, tuple[str, Callable[[Printed, Draw], bytes] | None]] = {
    "blurred": ("jpg", blurred),
    "small": ("png", small),
    "crushed": ("jpg", crushed),
    "noisy": ("png", noisy),
    "pale": ("png", pale),
    "boxes": ("png", boxes),
    "cropped": ("png", cropped),
    "overprinted": ("jpg", overprinted),
    "shaded": ("jpg", shaded),
    "miscoded": ("pdf", miscoded),
    "foreign": ("png", None),
}
"""From the name to the kind of file and the function; `foreign` is made by `translated`."""


def harmed(name: str, pdf: Path, seed: str) -> bytes:
    """The harmed page of a printed PDF."""
    make = HARMS[name][1]
    draw = np.random.default_rng(zlib.crc32(f"{name} {seed}".encode()))
    page = Printed.of(pdf)
    return png(page.picture) if make is None else make(page, draw)


# -- scripts -------------------------------------------------------------------------------------------

LATIN = "abcdefghijklmnopqrstuvwxyz"
ALPHABETS = {
    "Cyrillic": "абцдефгхийклмнопярстувшыжз",
    "Greek": "αβψδεφγηιξκλμνοπζρστθωςχυζ",
    "Hebrew": "אבגדהוזחטיכלמנסעפצקרשתםןףך",
    "Arabic": "ابتثجحخدذرزسشصضطظعغفقكلمنه",
    "Korean": "가나다라마바사아자차카타파하거너더러머버서어저처커터",
    "Vietnamese": "ạbcdệfghịjklmnợpqrstựvwxỳz",
}


def translated(html: str, draw: random.Random) -> str:
    """Some texts of a page with their letters in another script."""
    alphabet = draw.choice(sorted(ALPHABETS))
    letters = str.maketrans(LATIN + LATIN.upper(), ALPHABETS[alphabet] * 2)
    share = draw.uniform(0.05, 1.3)
    parts = re.split(r"(<[^>]*>)", html)
    for number, part in enumerate(parts):
        if (
            part.startswith("<")
            or not re.search("[A-Za-z]{3}", part)
            or parts[number - 1].startswith("<style")
        ):
            continue
        if draw.random() < share:
            pieces = re.split(r"(&\w+;)", part)
            text = "".join(piece if piece.startswith("&") else piece.translate(letters) for piece in pieces)
            # Smaller, because some scripts are wider and the page must not grow.
            parts[number] = f'<span style="font-size:.85em">{text}</span>'
    return "".join(parts)


# -- files ---------------------------------------------------------------------------------------------


def jpeg(pixels: np.ndarray, quality: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()
