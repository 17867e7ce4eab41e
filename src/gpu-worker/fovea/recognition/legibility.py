"""Whether the lines that were found were also read: letters drawn against characters read, and scripts."""

import unicodedata
from collections import Counter
from collections.abc import Collection, Set

import cv2
import numpy as np

from fovea.recognition.engine import crop

MISSED = 0.6
"""A line with fewer characters than this share of its letters was not read: its script is unknown, or it is damaged."""
NOTABLE = 0.04
"""A script that nothing can read counts from this share of a page's letters."""
FEW = 4
"""Lines with fewer letters say too little."""


def is_legible(drawn: int, text: str) -> bool:
    """Whether a text has about as many characters as its line has letters. A read line has 1.0 to 1.4 times as many."""
    return drawn <= FEW or len("".join(text.split())) >= MISSED * drawn


def letters_drawn(image: np.ndarray, quad: np.ndarray) -> int:
    """About how many letters a line has: its connected components, with dots and accents joined to what lies below."""
    piece = cv2.cvtColor(crop(image, quad), cv2.COLOR_BGR2GRAY)
    height = piece.shape[0]
    if height < 6:
        return 0
    if height < 32:
        piece = cv2.resize(piece, None, fx=32 / height, fy=32 / height, interpolation=cv2.INTER_CUBIC)
        height = 32
    _, ink = cv2.threshold(piece, 0, 1, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
    _, _, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    spans = sorted(
        (x, x + w) for x, _, w, h, area in stats[1:] if h > 0.25 * height and area > 0.004 * height**2
    )
    count, end = 0, -1.0
    for x0, x1 in spans:
        if x0 >= end - 0.3 * min(x1 - x0, height):
            count += 1
            end = x1
        else:
            end = max(end, x1)
    return count


SCRIPTS = {
    "Greek": ("αβγδεζηθικλμνξοπρστυφχψω", "άέήίόύώ"),
    "Vietnamese": ("ươđ", "ạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ"),
    "Cyrillic": ("абвгдежзийклмнопрстуфхцчшщъыьэюя", "абвгдежзийклмнопрстуфхцчшщъыьэюя"),
}
"""Scripts of which a recognizer may have only some letters: letters that tell them, and all those that it needs."""


def has_other_letters(text: str, alphabet: Set[str]) -> bool:
    """Whether a text has letters that the recognizer, which writes `alphabet`, cannot write."""
    return any(letter.isalpha() and letter not in alphabet for letter in text)


def unknown_script(text: str, alphabet: Set[str], readable: Collection[str]) -> str | None:
    """The script of a good part of a text's letters, if neither the recognizer nor another reader knows it.

    `alphabet`: what the recognizer can write. `readable`: the scripts of all readers, named as in
    `fovea.recognition.languages`. Letters of Latin and Han that the recognizer lacks are rare.
    """
    letters = [letter for letter in text if letter.isalpha()]
    scripts = Counter(
        unicodedata.name(letter, "?").split()[0].title() for letter in letters if letter not in alphabet
    )
    for name, count in scripts.most_common(1):
        if count > NOTABLE * len(letters) and name not in (*readable, "Latin", "Cjk", "?"):
            return name
    return None


def half_known(text: str, alphabet: frozenset[str]) -> str | None:
    """The script of a text that the recognizer can write only in part."""
    letters = [character for character in text.lower() if character.isalpha()]
    for name, (marks, needed) in SCRIPTS.items():
        if all(character in alphabet for character in needed):
            continue
        share = sum(character in marks for character in letters) / max(1, len(letters))
        if share > (0.02 if name == "Vietnamese" else 0.3) and len(letters) > 10:
            return name
    return None
