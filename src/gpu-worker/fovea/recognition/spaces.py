"""Spaces that the recognizer left out: it writes two words as one, although a gap stands between them."""

from collections.abc import Sequence
from statistics import median

import cv2
import numpy as np

from fovea.layout.line import CJK
from fovea.recognition.detect import is_tall
from fovea.recognition.engine import crop

LEAST_GAP = 0.17
"""In heights of a line. Narrower gaps lie between letters."""
OF_LINE, OF_PAGE = 0.7, 0.8
"""A gap is a space if it has this share of the median width of the spaces of its line, or of its page."""
FEW = 5
"""A page shows how wide its spaces are with this many of them."""
LEAST_LETTERS = 6
"""Shorter texts are codes, units or numbers in which letters are far apart."""

Gap = tuple[float, float]
"""Width in heights of the line, and center as a share of its width."""


def with_spaces(
    image: np.ndarray, quads: Sequence[np.ndarray], texts: Sequence[str], places: Sequence[Sequence[float]]
) -> list[str]:
    """The texts of a page's lines with spaces where words stand apart.

    `image`: (H, W, 3) BGR. `quads`, `texts`, `places`: of its lines (`fovea.recognition.engine.Text`).
    """
    lines = list(zip(quads, texts, places, strict=True))
    gaps = [_gaps(image, quad) if _is_of_words(quad, text, where) else [] for quad, text, where in lines]
    spaces = [sorted((width for width, _ in some), reverse=True) for some in gaps]
    known = [some[: text.count(" ")] for text, some in zip(texts, spaces, strict=True)]
    widths = [width for some in known for width in some]
    if len(widths) < FEW:
        return list(texts)
    usual = median(widths)
    return [
        _spaced(text, where, some, OF_LINE * median(own) if len(own) > 1 else OF_PAGE * usual)
        for (_, text, where), some, own in zip(lines, gaps, known, strict=True)
    ]


def _is_of_words(quad: np.ndarray, text: str, places: Sequence[float]) -> bool:
    letters = len("".join(text.split()))
    return LEAST_LETTERS <= letters == len(places) and not is_tall(quad) and CJK.search(text) is None


def _gaps(image: np.ndarray, quad: np.ndarray) -> list[Gap]:
    """The gaps between the letters of a line, from left to right."""
    grey = cv2.cvtColor(crop(image, quad), cv2.COLOR_BGR2GRAY)
    height, width = grey.shape
    if height < 8:
        return []
    _, ink = cv2.threshold(grey, 0, 1, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
    rim = round(0.12 * height)  # of the lines above and below
    inked = np.flatnonzero(ink[rim : height - rim].any(axis=0))
    steps = np.diff(inked)
    return [((step - 1) / height, (inked[i] + step / 2) / width) for i, step in enumerate(steps) if step > 1]


def _spaced(text: str, places: Sequence[float], gaps: list[Gap], least: float) -> str:
    """The text with spaces at gaps that have none, unless the recognizer may have put one nearby."""
    wide = [center for width, center in gaps if width > max(LEAST_GAP, least)]
    count = len(wide) - text.count(" ")
    if count <= 0:
        return text
    letters = "".join(text.split())
    after = {len("".join(text[:at].split())) for at, one in enumerate(text) if one == " "}
    ends = [sum(place < center for place in places) for center in wide]
    new = [
        at
        for at in ends
        if 0 < at < len(letters)
        and not after & {at - 1, at, at + 1}
        and (letters[at - 1].isalnum() or letters[at - 1] in ".,;:!?)□")
        and (letters[at].isalnum() or letters[at] in "(%€$£")
        and not (letters[at - 1].isdigit() and letters[at].isdigit())
    ][:count]
    cuts = sorted(after | set(new))
    return " ".join(letters[a:b] for a, b in zip([0, *cuts], [*cuts, len(letters)], strict=True))
