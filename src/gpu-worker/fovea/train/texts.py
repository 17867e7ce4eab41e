"""What stands on the pages: prose of freely licensed packages, and strings that nobody could guess."""

import hashlib
import re
import string
import sys
from functools import cache
from pathlib import Path
from random import Random

from PIL import ImageFont

HELD_OUT = 16  # of 256 paragraphs by hash
SOURCES = (
    ("/usr/share/common-licenses", "*"),
    ("/usr/share/perl", "**/*.pod"),
    ("/usr/share/doc", "**/copyright"),
    ("/usr/share/doc", "**/README*"),
    ("/usr/share/doc", "**/*.txt"),
    ("/usr/share/doc", "**/*.html"),
    (str(Path(sys.base_prefix) / "lib"), "python3*/*.py"),
    (str(Path(sys.base_prefix) / "lib"), "python3*/*/*.py"),
)
MAX_BYTES = 24_000_000
SHOWN = set(string.ascii_letters + string.digits + string.punctuation + " ")
PUNCTUATION = ".,;:!?-'\"()[]{}/\\@#$%&*+=<>_|~^`"


def held_out(paragraph: str) -> bool:
    return hashlib.sha256(paragraph.encode()).digest()[0] < HELD_OUT


RUN = 8
"""Words in a row that two paragraphs share only where one quotes the other."""


@cache
def words(evaluation: bool) -> tuple[str, ...]:
    """The words of one split's paragraphs, in their order. Paragraphs that quote the training texts (licences do)
    are in neither. Raises `RuntimeError` where there is no text.
    """
    paragraphs = [p for p in _paragraphs() if held_out(" ".join(p)) == evaluation]
    if evaluation:
        train = words(False)
        known = {hash(train[i : i + RUN]) for i in range(len(train) - RUN + 1)}
        paragraphs = [p for p in paragraphs if known.isdisjoint(_runs(p))]
    found = tuple(word for paragraph in paragraphs for word in paragraph)
    if len(found) < 1000:
        raise RuntimeError("no text was found to set pages with")
    return found


def _runs(paragraph: tuple[str, ...]) -> set[int]:
    return {hash(paragraph[i : i + RUN]) for i in range(len(paragraph) - RUN + 1)}


def _paragraphs() -> list[tuple[str, ...]]:
    """All different paragraphs of at least `RUN` words that can be shown."""
    found: dict[tuple[str, ...], None] = {}
    size = 0
    for root, pattern in SOURCES:
        for path in sorted(Path(root).glob(pattern)):
            if size > MAX_BYTES:
                break
            if not path.is_file() or path.stat().st_size > 1_000_000:
                continue
            text = path.read_text(encoding="utf-8", errors="ignore")
            size += len(text)
            for paragraph in re.split(r"\n\s*\n", re.sub(r"<[^>]{1,200}>", " ", text)):
                parts = tuple(
                    word for word in paragraph.split() if len(word) <= 24 and SHOWN.issuperset(word)
                )
                if len(parts) >= RUN:
                    found[parts] = None
    return list(found)


class Writer:
    """Words without end, in one of several manners."""

    def __init__(self, random: Random, evaluation: bool, prose: float = 0.5):
        """`prose`: how often the words are those of a text; otherwise they are mixed or mere characters."""
        self._random = random
        self._corpus = words(evaluation)
        self._at = random.randrange(len(self._corpus))
        roll = random.random()
        self._next = self._read if roll < prose else self._mixed if roll < (1 + prose) / 2 else self._noise

    def word(self) -> str:
        return self._next()

    def line(self, font: ImageFont.FreeTypeFont, room: float) -> str:
        """Words until `room` pixels are full."""
        line = ""
        for _ in range(200):
            word = self.word()
            longer = f"{line} {word}" if line else word
            if font.getlength(longer) > room:
                break
            line = longer
        return line

    def _read(self) -> str:
        self._at = (self._at + 1) % len(self._corpus)
        return self._corpus[self._at]

    def _mixed(self) -> str:
        random = self._random
        word = self._corpus[random.randrange(len(self._corpus))]
        roll = random.random()
        if roll < 0.1:
            return word.upper()
        if roll < 0.2:
            return word.capitalize()
        if roll < 0.35:
            return f"{random.choice(['', '', '$', '(', '-'])}{random.randrange(10 ** random.randint(1, 6)):,}"
        if roll < 0.45:
            letters = list(word)
            random.shuffle(letters)
            return "".join(letters)
        return word

    def _noise(self) -> str:
        random = self._random
        kind = random.choice((string.ascii_lowercase, string.ascii_letters, string.digits, "all"))
        if kind == "all":
            kind = string.ascii_letters + string.digits + PUNCTUATION
        return "".join(random.choices(kind, k=random.randint(1, 9)))
