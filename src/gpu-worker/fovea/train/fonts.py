"""The fonts of training data, and the rule that holds out some of them for evaluation."""

import hashlib
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from random import Random

from PIL import ImageFont

from fovea.train import packed_data

SALT = "fovea"
HELD_OUT = 32  # of 256 designs by hash: about one in eight is never trained on
# Fonts that do not show readable text: symbols, mathematics, small capitals, handwriting, other scripts at Latin code
# points, pixel fonts, display faces. Checked with tesseract at 34 px: it reads none of these, and at least 93 % of four
# clean lines in nearly all others.
UNFIT = re.compile(
    r"dingbat|symbol|math|emoji|music|d050000l|z003|esstix|esint|standardsy|caps|csc|braille|mono ?cjk"
    r"|noto ?(sans|serif) ?cjk|chancery|chorus|dunhil|fraktur|upright|titling|initials|junicode ?\w*(exp|small)"
    r"|cursor|keyboard|ornament|unslanted|alfa|ellhnik|breip|elegante|karumbi|bebas|adf style|unpilgi|unjamo"
    r"|glass ?tty|spleen|proggy|terminus|phon[eé]t|emerita|babel|dyslexic|lobster|script|jara|kiloji|humor|pecita"
    r"|\bbrk\b|kaliber|futhark|triod|femkeklaver|c.?-64|dseg|amiga|px_?(plus)?[ _]|ac437|mx437|ume (p |ui )?gothic"
    r"|ukij[ _](kufi|elip|tughra|imaret|saet|3d|diwani|mac|moy)|tamu_|setofont|garamond.* sc|garamond ?sc|waso"
    r"|unifur|joscelyn|kristi|great ?vibes|solid|steve|delphine|dkg|train ?one|isabella|leckerli|compagnon"
    r"|museum|roadgeek|eurofurence|padmaa",
    re.IGNORECASE,
)
# Families with the same letters under different names count as one design.
SAME = {
    "urw": r"nimbus|c059|p052|urw|tex gyre|free(sans|serif|mono)|bookman|gothic l",
    "liberation": r"liberation|arimo|tinos|cousine|aerial|tymes|veranda|^sans|conakry",
    "dejavu": r"dejavu|hack|bitstream",
    "computer modern": r"cmu|latin modern|^lm",
    "stix": r"stix",
    "gentium": r"gentium|charis|doulos",
    "roboto": r"roboto|heebo",
    "m plus": r"m ?plus|vl p?gothic",
    "smc": r"meera|anjali|rachana|uroob|dyuthi|keraleeyam|manjari|gayathri|chilanka",
}


@dataclass(frozen=True, slots=True)
class Face:
    family: str
    path: str
    index: int


def design(family: str) -> str:
    """The design of a family: its first word, unless it is a known copy of another family."""
    name = family.strip().lower()
    for same, pattern in SAME.items():
        if re.search(pattern, name):
            return same
    return re.split(r"[\s\d]+", name)[0]


def held_out(family: str) -> bool:
    """Whether a family is held out for evaluation. All families of a design are held out together."""
    return hashlib.sha256(f"{SALT}{design(family)}".encode()).digest()[0] < HELD_OUT


@cache
def faces(evaluation: bool, data: Path | None = None) -> tuple[Face, ...]:
    """All scalable faces with Latin letters that fontconfig lists or the folder `data` has, in a fixed order.

    Without any, training uses the font in Pillow, and evaluation raises `RuntimeError`.
    """
    found = set()
    for line in _listed(data).splitlines():
        path, _, rest = line.partition(": ")
        family = re.split(r"[,:]", rest)[0].strip()
        index = int(match[1]) if (match := re.search(r":index=(\d+)$", rest)) else 0
        fit = family.isprintable() and len(family) > 1 and index < 16 and path.endswith(("ttf", "otf"))
        if fit and not UNFIT.search(rest) and not UNFIT.search(Path(path).name):
            found.add(Face(family, path, index))
    chosen = tuple(
        face
        for face in sorted(found, key=lambda face: (face.path, face.index))
        if held_out(face.family) == evaluation
    )
    if not chosen and evaluation:
        raise RuntimeError(
            "fontconfig lists no fonts that are held out for evaluation: install some (docs/NANO.md)"
        )
    return chosen or (Face("Aileron", "", 0),)


@cache
def _families(evaluation: bool, data: Path | None) -> tuple[tuple[Face, ...], ...]:
    grouped: dict[str, list[Face]] = {}
    for face in faces(evaluation, data):
        grouped.setdefault(face.family, []).append(face)
    return tuple(map(tuple, grouped.values()))


def pick(random: Random, evaluation: bool, data: Path | None = None) -> Face:
    """A random face of a random family, so that families with many weights and widths do not count more."""
    return random.choice(random.choice(_families(evaluation, data)))


def _listed(data: Path | None) -> str:
    if here := packed_data.folder(data):
        return packed_data.fonts_list(here)
    if not shutil.which("fc-list"):
        return ""
    wanted = ":lang=en:scalable=true"
    command = ["fc-list", wanted, "file", "family", "style", "index"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


# A loaded font takes megabytes. Without a limit, all fonts in all sizes took 5 GB after an hour.
@lru_cache(maxsize=256)
def load(face: Face, size: int) -> ImageFont.FreeTypeFont:
    if not face.path:
        return ImageFont.load_default(size)
    return ImageFont.truetype(face.path, size, face.index, layout_engine=ImageFont.Layout.BASIC)


MIDDLE = 0.6
"""Typical distance of the middle of an x below the origin of a line, in em sizes."""
FAR = 0.1


def lift(font: ImageFont.FreeTypeFont) -> float:
    """Pixels by which a line must be raised so that its letters are at the usual height."""
    _, top, _, bottom = font.getbbox("x")
    off = (top + bottom) / 2 - MIDDLE * font.size
    return off if abs(off) > FAR * font.size else 0.0


NOT_THERE = "\U0010ffff"


def draws(font: ImageFont.FreeTypeFont, character: str) -> bool:
    """Whether a font has a glyph for a character."""
    return _draws(font.path if isinstance(font.path, str) else "", font.index, character)


@lru_cache(maxsize=1 << 20)
def _draws(path: str, index: int, character: str) -> bool:
    font = load(Face("", path, index), 24)
    return bytes(font.getmask(character)) != bytes(font.getmask(NOT_THERE))
