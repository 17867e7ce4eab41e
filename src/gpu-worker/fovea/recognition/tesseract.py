"""Tesseract, where it is installed: its program, run once a page, and the languages that it has data for."""

import functools
import hashlib
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from fovea.errors import PageError
from fovea.layout.line import Line, Word
from fovea.recognition.languages import SCRIPT, TESSERACT

START_LIMIT_S = 20.0
RIGHT_TO_LEFT = ("Arabic", "Hebrew")
MARKS = dict.fromkeys(map(ord, "\u200e\u200f\u202a\u202b\u202c"))
"""Marks of direction, which Tesseract writes into its text."""
MICRO, MU = "\u00b5", "\u03bc"
"""The Greek data writes the sign of micro for the letter."""


@dataclass(frozen=True, slots=True)
class Tesseract:
    """Thread-safe: each call is a process of its own, with one thread, because several hinder each other."""

    program: str
    languages: tuple[str, ...]
    """BCP-47 tags. Data that `fovea.recognition.languages` does not know is left out."""
    digest: bytes
    """Over the version and the data."""

    def lines(self, image: np.ndarray, languages: Sequence[str], layout: int, limit_s: float) -> list[Line]:
        """Lines in the order of the program, in pixels of the image: (H, W, 3) BGR. Blocks.

        `languages`: tags of `languages`, at least one. `layout`: Tesseract's page segmentation mode. Raises `PageError`
        if the program fails or takes longer than `limit_s` seconds.
        """
        names = {tag: name for name, tag in TESSERACT.items()}
        data = "+".join(names[tag] for tag in languages)
        _, png = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 1])
        command = [self.program, "stdin", "stdout", "-l", data, "--psm", str(layout), "--dpi", "300", "tsv"]
        try:
            done = _run(command, limit_s, png.tobytes())
        except subprocess.TimeoutExpired:
            raise PageError("page_timeout", f"Tesseract needed more than {limit_s:.0f} seconds.") from None
        except (OSError, subprocess.CalledProcessError):
            raise PageError("internal", "Tesseract could not read the page.") from None
        turns = any(SCRIPT[tag] in RIGHT_TO_LEFT for tag in languages)
        table = done.decode("utf-8", "replace")
        return lines_of(table.replace(MICRO, MU) if "el" in languages else table, turns)


@functools.cache
def find_tesseract() -> Tesseract | None:
    """The installed Tesseract, looked for once; `None` if there is none, or it has no data."""
    program = shutil.which("tesseract")
    if program is None:
        return None
    try:
        said = _run([program, "--list-langs"], START_LIMIT_S).decode("utf-8", "replace")
        version = _run([program, "--version"], START_LIMIT_S)
    except (OSError, subprocess.SubprocessError):
        return None
    head, *names = said.split("\n")
    known = {name: TESSERACT[name] for name in map(str.strip, names) if name in TESSERACT}
    if not known:
        return None
    hashed = hashlib.sha256(version)
    folder = head[head.find('"') + 1 : head.rfind('"')].rstrip("/")
    for name in sorted(known):
        hashed.update(name.encode())
        try:
            with open(f"{folder}/{name}.traineddata", "rb") as data:
                hashed.update(hashlib.file_digest(data, "sha256").digest())
        except OSError:
            continue
    return Tesseract(program, tuple(sorted(known.values())), hashed.digest())


def lines_of(table: str, right_to_left: bool = False) -> list[Line]:
    """The lines of Tesseract's TSV. Confidences are means over the characters, 0..1."""
    found: dict[tuple[str, ...], list[tuple[float, float, float, float, str, float]]] = {}
    for row in table.split("\n")[1:]:
        cells = row.split("\t")
        if len(cells) != 12 or cells[0] != "5" or not (text := cells[11].translate(MARKS).strip()):
            continue
        x, y, width, height = (float(cell) for cell in cells[6:10])
        sure = max(0.0, float(cells[10])) / 100
        found.setdefault(tuple(cells[1:5]), []).append((x, y, x + width, y + height, text, sure))
    lines = []
    for words in found.values():
        text = " ".join(word[4] for word in words)
        letters = sum(len(word[4]) for word in words)
        x0, y0 = min(word[0] for word in words), min(word[1] for word in words)
        x1, y1 = max(word[2] for word in words), max(word[3] for word in words)
        sure = sum(word[5] * len(word[4]) for word in words) / letters
        # The rules for tables expect the words of a line from left to right.
        places = () if right_to_left else tuple(Word(word[4], word[0], word[2]) for word in words)
        lines.append(Line(x0, y0, x1, max(y1, y0 + 1), text, sure, places))
    return lines


def _run(command: list[str], limit_s: float, given: bytes | None = None) -> bytes:
    """What a program prints. `env` sets the number of its threads."""
    command = ["env", "OMP_THREAD_LIMIT=1", *command]
    return subprocess.run(command, input=given, capture_output=True, timeout=limit_s, check=True).stdout
