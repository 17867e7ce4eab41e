"""The texts of training data: prose of freely licensed packages, and random strings that cannot be guessed."""

import gzip
import hashlib
import re
import string
import sys
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from random import Random

from PIL import ImageFont

from fovea.train import fonts, packed_data

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
MAX_BYTES = 40_000_000
MANUALS = "/usr/share/man"
LANGUAGES = ("cs", "da", "de", "es", "fi", "fr", "hu", "it", "nb", "nl", "pl", "pt_BR", "ro", "sv", "tr")
MAX_BYTES_OF_LANGUAGE = 2_000_000
ASCII = "".join(map(chr, range(32, 127)))
ACCENTED = "".join(
    letter for letter in map(chr, range(0xC0, 0x180)) if letter.isalpha() and letter not in "ĲĳĸĿŀŉſ"
)
ACCENTED += "ȘșȚț"
SIGNS = "¡¿«»§©®°·×±µ£€²³½‘’‚“”„–—…•"
ALPHABET = ASCII + ACCENTED + SIGNS
"""All characters in training."""
KNOWN = frozenset(ALPHABET)
PUNCTUATION = ".,;:!?-'\"()[]{}/\\@#$%&*+=<>_|~^`"


def held_out(paragraph: str) -> bool:
    return hashlib.sha256(paragraph.encode()).digest()[0] < HELD_OUT


RUN = 8
"""If two paragraphs share this many consecutive words, one quotes the other."""


@cache
def words(evaluation: bool, data: Path | None = None) -> tuple[str, ...]:
    """The words of one split, in order, from this machine or from the folder `data` (`fovea.train.packed_data`).

    Paragraphs that quote training texts, such as licenses, are in neither split. Raises `RuntimeError` without texts.
    """
    found = _split(paragraphs(data), evaluation, lambda: words(False, data))
    if len(found) < 1000:
        raise RuntimeError("no texts were found on this machine")
    return found


@cache
def foreign_words(evaluation: bool, data: Path | None = None) -> tuple[str, ...]:
    """The same for manuals in other languages with Latin letters; empty if there are none."""
    return _split(foreign_paragraphs(data), evaluation, lambda: foreign_words(False, data))


def _split(
    paragraphs: list[tuple[str, ...]], evaluation: bool, trained_on: Callable[[], tuple[str, ...]]
) -> tuple[str, ...]:
    paragraphs = [p for p in paragraphs if held_out(" ".join(p)) == evaluation]
    if evaluation:
        train = trained_on()
        known = {hash(train[i : i + RUN]) for i in range(len(train) - RUN + 1)}
        paragraphs = [p for p in paragraphs if known.isdisjoint(_runs(p))]
    return tuple(word for paragraph in paragraphs for word in paragraph)


def _runs(paragraph: tuple[str, ...]) -> set[int]:
    return {hash(paragraph[i : i + RUN]) for i in range(len(paragraph) - RUN + 1)}


def paragraphs(data: Path | None = None) -> list[tuple[str, ...]]:
    """All distinct paragraphs with at least `RUN` words in the alphabet."""
    if here := packed_data.folder(data):
        return packed_data.paragraphs(here, "texts")
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
            found |= dict.fromkeys(_shown(re.sub(r"<[^>]{1,200}>", " ", text), ASCII))
    return list(found)


def foreign_paragraphs(data: Path | None = None) -> list[tuple[str, ...]]:
    """The paragraphs in other languages that contain a letter beyond ASCII."""
    if here := packed_data.folder(data):
        return packed_data.paragraphs(here, "foreign")
    found: dict[tuple[str, ...], None] = {}
    for language in LANGUAGES:
        size = 0
        for path in sorted(Path(MANUALS, language).glob("man*/*.gz")):
            if size > MAX_BYTES_OF_LANGUAGE:
                break
            if not path.is_file():
                continue
            text = _of_manual(gzip.decompress(path.read_bytes()).decode("utf-8", "ignore"))
            size += len(text)
            found |= dict.fromkeys(p for p in _shown(text, ALPHABET) if not " ".join(p).isascii())
    return list(found)


def _of_manual(source: str) -> str:
    """The running text of a roff manual, with requests as breaks. Words with other escapes are left out later."""
    text = re.sub(r"(?m)^[.'].*$", "\n", source)
    text = re.sub(r"\\f(\[.*?\]|\(..|.)|\\[&%/,|^:]", "", text)
    return re.sub(r"\\(-|\(aq|\(dq|\(em|\(en)", lambda match: ROFF[match[1]], text)


ROFF = {"-": "-", "(aq": "'", "(dq": '"', "(em": "—", "(en": "–"}


def _shown(text: str, alphabet: str) -> Iterator[tuple[str, ...]]:
    """The paragraphs of a text without the words that are not in the alphabet, if at least `RUN` words are left."""
    known = frozenset(alphabet)
    for paragraph in re.split(r"\n\s*\n", unicodedata.normalize("NFC", text)):
        parts = tuple(word for word in paragraph.split() if len(word) <= 24 and known.issuperset(word))
        if len(parts) >= RUN:
            yield parts


class Writer:
    """An endless source of words in one of several styles."""

    def __init__(
        self,
        random: Random,
        evaluation: bool,
        prose: float = 0.5,
        foreign: float = 0.0,
        data: Path | None = None,
    ):
        """`prose`: probability that the words are running text; otherwise they are mixed or random characters.
        `foreign`: probability of a language other than English.
        """
        self._random = random
        self._foreign = bool(foreign and random.random() < foreign and foreign_words(evaluation, data))
        self._corpus = foreign_words(evaluation, data) if self._foreign else words(evaluation, data)
        self._at = random.randrange(len(self._corpus))
        roll = random.random()
        self._next = self._read if roll < prose else self._mixed if roll < (1 + prose) / 2 else self._noise

    def word(self) -> str:
        return self._next()

    def line(self, font: ImageFont.FreeTypeFont, room: float) -> str:
        """A line of at most `room` pixels, of words whose characters the font has."""
        line, width = "", 0.0
        for _ in range(200):
            word = self.word()
            if not word.isascii() and not all(fonts.draws(font, letter) for letter in word):
                continue
            longer = f" {word}" if line else word
            width += font.getlength(longer)
            if width > room:
                break
            line += longer
        return line

    def _read(self) -> str:
        self._at = (self._at + 1) % len(self._corpus)
        return self._corpus[self._at]

    def _mixed(self) -> str:
        random = self._random
        word = self._corpus[random.randrange(len(self._corpus))]
        roll = random.random()
        if roll < 0.2:
            changed = word.upper() if roll < 0.1 else word.capitalize()
            # Some letters, such as the Turkish i, have no other case, or one with two characters.
            return changed if KNOWN.issuperset(changed) else word
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
        if self._foreign:
            kind += ACCENTED + SIGNS
        return "".join(random.choices(kind, k=random.randint(1, 9)))
