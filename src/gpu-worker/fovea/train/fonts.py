"""The fonts that pages are set in, and the rule that keeps some of them for evaluation only."""

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
# Not fit: symbols, mathematics, small capitals, handwriting, other scripts on Latin codes, pixel fonts, display faces
# that no page is set in: what they show is not the characters that they are given, or not as a page does. tesseract
# reads none of them at 34 px, and 93 % and more of four clean lines in nearly all that are left.
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
# Families that draw the same letters under other names count as one design.
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
    """What a family is a cut of: its first word, unless it is known to be a copy of another."""
    name = family.strip().lower()
    for same, pattern in SAME.items():
        if re.search(pattern, name):
            return same
    return re.split(r"[\s\d]+", name)[0]


def held_out(family: str) -> bool:
    """Whether a family is kept for evaluation: all cuts of its design are, so that no sibling gives it away."""
    return hashlib.sha256(f"{SALT}{design(family)}".encode()).digest()[0] < HELD_OUT


@cache
def faces(evaluation: bool) -> tuple[Face, ...]:
    """All scalable faces with Latin letters that fontconfig knows, in a fixed order; for training, where there are
    none, the one that Pillow brings. Raises `RuntimeError` where nothing is there to evaluate with.
    """
    found = set()
    for line in _listed().splitlines():
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
            "fontconfig lists no fonts that were kept for evaluation: install some (docs/NANO.md)"
        )
    return chosen or (Face("Aileron", "", 0),)


@cache
def _families(evaluation: bool) -> tuple[tuple[Face, ...], ...]:
    grouped: dict[str, list[Face]] = {}
    for face in faces(evaluation):
        grouped.setdefault(face.family, []).append(face)
    return tuple(map(tuple, grouped.values()))


def pick(random: Random, evaluation: bool) -> Face:
    """A face of a family by chance: one with a hundred weights and widths counts no more than another."""
    return random.choice(random.choice(_families(evaluation)))


def _listed() -> str:
    if packed_data.folder():
        return packed_data.fonts_list()
    if not shutil.which("fc-list"):
        return ""
    wanted = ":lang=en:scalable=true"
    command = ["fc-list", wanted, "file", "family", "style", "index"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


# A font takes up to some megabytes: all of them in all sizes took five gigabytes in an hour.
@lru_cache(maxsize=256)
def load(face: Face, size: int) -> ImageFont.FreeTypeFont:
    if not face.path:
        return ImageFont.load_default(size)
    return ImageFont.truetype(face.path, size, face.index, layout_engine=ImageFont.Layout.BASIC)


MIDDLE = 0.6
"""Where the middle of an x lies below the point that a line is drawn from, in em; nearly."""
FAR = 0.1


def lift(font: ImageFont.FreeTypeFont) -> float:
    """Pixels by which a line must be drawn higher for its letters to be where those of most fonts are."""
    _, top, _, bottom = font.getbbox("x")
    off = (top + bottom) / 2 - MIDDLE * font.size
    return off if abs(off) > FAR * font.size else 0.0


NOT_THERE = "\U0010ffff"


def draws(font: ImageFont.FreeTypeFont, character: str) -> bool:
    """Whether a font has a glyph of its own for a character."""
    return _draws(font.path if isinstance(font.path, str) else "", font.index, character)


@lru_cache(maxsize=1 << 20)
def _draws(path: str, index: int, character: str) -> bool:
    font = load(Face("", path, index), 24)
    return bytes(font.getmask(character)) != bytes(font.getmask(NOT_THERE))
