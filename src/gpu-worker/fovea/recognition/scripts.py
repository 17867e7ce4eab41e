"""Lines in scripts that pp-ocr's recognizer lacks, read by Tesseract if it has data for the script."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from fovea.errors import PageError
from fovea.layout.line import Line
from fovea.recognition.engine import crop
from fovea.recognition.languages import FIRST, PP_OCR, SCRIPT, matching
from fovea.recognition.legibility import half_known, has_other_letters, is_legible
from fovea.recognition.page import ReadLine, Unread
from fovea.recognition.tesseract import Tesseract

ROW, GAP = 64, 32
"""Pixels: height of a line and of the space between two in the picture that Tesseract gets."""
SHEET = 50
"""Lines in a picture. Tesseract takes at most 32,767 pixels a side."""
ONE_BLOCK = 6
"""Tesseract's segmentation mode for lines below each other."""
SAMPLE = 4
LEAST_CONFIDENCE = 0.6
MARGIN = 0.05
"""Tesseract's reading of a line that was read replaces the first one if its confidence is not lower by more."""
UNREAD = 0.05
"""Least share of a page's letters that were not read, for which another script is the likely reason."""


@dataclass(frozen=True, slots=True)
class ScriptReader:
    """Thread-safe."""

    tesseract: Tesseract
    alphabet: frozenset[str]
    """What the recognizer can write."""
    limit_s: float
    """Time for one call of Tesseract."""

    @property
    def languages(self) -> list[str]:
        """Tags of the languages that it adds to pp-ocr's."""
        return [tag for tag in self.tesseract.languages if tag not in PP_OCR]

    def read(
        self,
        image: np.ndarray,
        found: list[ReadLine],
        unread: list[Unread],
        wanted: Sequence[str] = (),
    ) -> tuple[list[ReadLine], list[Unread]]:
        """The lines of a page after a second reading, and the quads that nobody could read. Blocks.

        `wanted`: tags of languages; if none of them is in a script that the recognizer lacks, a sample decides.
        """
        languages = [tag for tag in matching(wanted, self.languages)[0] if tag in self.languages]
        try:
            if not languages and self._is_likely(found, unread):
                languages = self._choice(image, found, unread)
            level = [line for line in found if not line.turned]
            places = [*level, *unread]
            if not languages or not places:
                return found, unread
            read = self._rows(image, [line.quad for line in places], languages)
        except PageError:
            return found, unread  # the lines stay as they are, and the verdict counts them
        lines, rest = [line for line in found if line.turned], []
        for before, row in zip(places, read, strict=True):
            text = row.text if row else ""
            better = row is not None and row.confidence >= LEAST_CONFIDENCE
            if isinstance(before, Unread):
                better = better and is_legible(before.letters, text)
            else:
                better = (
                    better
                    and row.confidence > before.confidence - MARGIN
                    and has_other_letters(text, self.alphabet)
                )
            if better:
                lines.append(ReadLine(before.quad, text, row.confidence, ()))
            elif isinstance(before, Unread):
                rest.append(before)
            else:
                lines.append(before)
        return lines, rest

    def _is_likely(self, found: list[ReadLine], unread: list[Unread]) -> bool:
        text = " ".join(line.text for line in found)
        drawn = sum(line.letters for line in unread)
        return drawn > UNREAD * (len(text) + drawn) or half_known(text, self.alphabet) is not None

    def _choice(self, image: np.ndarray, found: list[ReadLine], unread: list[Unread]) -> list[str]:
        """The language whose data reads a sample with the most confidence, one for each script; empty if none does."""
        unsure = [line.quad for line in sorted(found, key=lambda line: line.confidence) if not line.turned]
        largest = sorted((line.quad for line in unread), key=lambda quad: -cv2.contourArea(quad))
        quads = [*largest, *unsure][:SAMPLE]
        best, choice = LEAST_CONFIDENCE, []
        for tag in first_of_scripts(self.languages):
            read = self._rows(image, quads, [tag])
            rows = [row for row in read if row and has_other_letters(row.text, self.alphabet)]
            letters = sum(len(row.text) for row in rows)
            mean = sum(row.confidence * len(row.text) for row in rows) / max(1, letters)
            if mean > best:
                best, choice = mean, [tag]
        return choice

    def _rows(
        self, image: np.ndarray, quads: Sequence[np.ndarray], languages: Sequence[str]
    ) -> list[Line | None]:
        """What Tesseract reads in each quad. Raises `PageError`."""
        sheets = [quads[start : start + SHEET] for start in range(0, len(quads), SHEET)]
        return [row for some in sheets for row in self._sheet(image, some, languages)]

    def _sheet(
        self, image: np.ndarray, quads: Sequence[np.ndarray], languages: Sequence[str]
    ) -> list[Line | None]:
        crops = [crop(image, quad) for quad in quads]
        sizes = [max(1, round(one.shape[1] * ROW / one.shape[0])) for one in crops]
        sheet = np.full((len(crops) * (ROW + GAP) + GAP, max(sizes) + 2 * GAP, 3), 255, np.uint8)
        for i, (one, width) in enumerate(zip(crops, sizes, strict=True)):
            top = GAP + i * (ROW + GAP)
            sheet[top : top + ROW, GAP : GAP + width] = cv2.resize(
                one, (width, ROW), interpolation=cv2.INTER_AREA if one.shape[0] > ROW else cv2.INTER_CUBIC
            )
        rows: list[list[Line]] = [[] for _ in quads]
        for line in self.tesseract.lines(sheet, languages, ONE_BLOCK, self.limit_s):
            rows[min(len(rows) - 1, max(0, int((line.middle - GAP / 2) // (ROW + GAP))))].append(line)
        return [_joined(row) for row in rows]


def first_of_scripts(tags: Sequence[str]) -> list[str]:
    """One language for each script."""
    first: dict[str, str] = {}
    for tag in sorted(tags, key=lambda tag: FIRST.index(tag) if tag in FIRST else len(FIRST)):
        first.setdefault(SCRIPT[tag], tag)
    return list(first.values())


def _joined(row: list[Line]) -> Line | None:
    if not row:
        return None
    text = unicodedata.normalize("NFC", " ".join(line.text for line in row))
    sure = sum(line.confidence * len(line.text) for line in row) / sum(len(line.text) for line in row)
    return Line(0, 0, 1, 1, text, sure)
