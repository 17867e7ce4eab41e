"""Draws the glyphs of text pages with three shipped fonts, and with system fonts for all other characters.

Page breaks do not depend on the machine: a character that the shipped fonts lack has a fixed width. It is scaled to
that width in a system font, or drawn as an empty box if no font has it.
"""

import math
import re
import shutil
import subprocess
import unicodedata
from functools import cache, lru_cache
from hashlib import sha256
from itertools import groupby
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, features

FOLDER = Path(__file__).parent / "fonts"
FILES = {"prose": "DejaVuSans.ttf", "bold": "DejaVuSans-Bold.ttf", "mono": "DejaVuSansMono.ttf"}
UNASSIGNED = "\U0010fffe"
"""No font has this code point, so its glyph is the one that a font draws for missing characters."""
LONGEST = 4096
"""Characters of a text that is measured. A longer one is wider than any line."""
MAX_LOOKUPS = 200
"""Most fontconfig lookups of one process. A lookup takes 20 ms."""
AREAS = re.compile("[\u24eb-\u24ff\u2500-\u2bff]")
"""Blocks, filled shapes and letters on them. They are drawn in grey, so that no text contains black areas."""
AREA_GREY = 110
FLAG = re.compile("[\U0001f1e6-\U0001f1ff]{2}")
FIRST_EMOJI = "\U0001f000"
SKIN_TONES = ("light", "medium_light", "medium", "medium_dark", "dark")
FIRST_SKIN_TONE = 0x1F3FB


def digest() -> str:
    """A digest of everything here that changes how a page looks: fonts and FreeType."""
    state = sha256(str(features.version("freetype2")).encode())
    for name in FILES.values():
        state.update((FOLDER / name).read_bytes())
    state.update(_listed("").encode())
    return state.hexdigest()


@cache
def font(face: str, size: int) -> ImageFont.FreeTypeFont:
    # BASIC is the same in every build of Pillow; the default depends on libraries of the machine.
    return ImageFont.truetype(FOLDER / FILES[face], size, layout_engine=ImageFont.Layout.BASIC)


def shown(character: str) -> str:
    """The text that is drawn for a character: `^G` for control characters, a space for all white space."""
    if character == "\t" or (character.isspace() and character >= " "):
        return " "
    if unicodedata.category(character) == "Cc":
        return f"^{chr(ord(character) ^ 64)}" if character < "\x80" else f"\\x{ord(character):x}"
    return character


def invisible(character: str) -> bool:
    """Whether a character has no glyph: joiners, direction marks, variation selectors."""
    return unicodedata.category(character) in ("Cf", "Mn", "Me") and not shipped(character)


def spelled(text: str) -> list[tuple[str, int, bool]]:
    """Divides a text into (what to draw, offset, whether that stands for one character or flag).

    Characters that the shipped fonts lack, and emoji, which are illegible in small type, are spelled: `:thumbs_up:`
    or `\\u{4e2d}`. Those without a glyph, such as direction marks, are left out.
    """
    found: list[tuple[str, int, bool]] = []
    start = at = 0
    while at < len(text):
        flag = FLAG.match(text, at)
        own = _flag(flag[0]) if flag else _spelling(text[at])
        end = flag.end() if flag else at + 1
        if own != text[at]:
            if start < at:
                found.append((text[start:at], start, False))
            if own:
                found.append((own, at, True))
            start = end
        at = end
    if start < len(text):
        found.append((text[start:], start, False))
    return found


def is_spelled(character: str) -> bool:
    """Whether other characters are drawn for this one."""
    return _spelling(character) not in ("", character)


def _flag(pair: str) -> str:
    return f":flag_{''.join(chr(ord(letter) - 0x1F1E6 + ord('A')) for letter in pair)}:"


@lru_cache(maxsize=100_000)
def _spelling(character: str) -> str:
    """What is drawn for a character on pages that only the shipped fonts draw."""
    if character < "\x7f":
        return character
    category = unicodedata.category(character)
    if _ignorable(character, category):
        return ""
    if character < FIRST_EMOJI and category not in ("Co", "Cn") and shipped(character):
        return character
    if FIRST_SKIN_TONE <= ord(character) < FIRST_SKIN_TONE + len(SKIN_TONES):
        return f":{SKIN_TONES[ord(character) - FIRST_SKIN_TONE]}_skin_tone:"
    plain = unicodedata.normalize("NFKC", character)  # letters in other styles
    if plain != character and all(one < FIRST_EMOJI and shipped(one) for one in plain):
        return plain
    name = unicodedata.name(character, "")
    if category.startswith("S") and name:
        return f":{re.sub('[^a-z0-9]+', '_', name.lower().removesuffix(' sign'))}:"
    return f"\\u{{{ord(character):x}}}"


def _ignorable(character: str, category: str) -> bool:
    """Whether a character only says how others are drawn: joiners, direction marks, variation selectors, keycaps."""
    if category == "Cf":
        return character == "\u00ad" or not shipped(character) or font("prose", 24).getlength(character) == 0
    return category in ("Mn", "Me") and (
        "VARIATION SELECTOR" in unicodedata.name(character, "") or character == "\u20e3"
    )


@lru_cache(maxsize=100_000)
def shipped(character: str) -> bool:
    """Whether the shipped prose font has the character. The other two lack few of its characters."""
    return character.isspace() or _has(font("prose", 24), character)


def _has(face: ImageFont.FreeTypeFont, character: str) -> bool:
    return bytes(face.getmask(character)) != bytes(face.getmask(UNASSIGNED))


def face_of(character: str, face: str) -> str:
    """The shipped face for a character: `face`, or `prose` if `face` lacks it."""
    return face if face == "prose" or _in_face(character, face) else "prose"


@lru_cache(maxsize=100_000)
def _in_face(character: str, face: str) -> bool:
    return character.isspace() or _has(font(face, 24), character)


def width(text: str, face: str, size: int) -> float:
    """Width of a text in pixels, in one line; infinite for a text of more than `LONGEST` characters."""
    return _width(text, face, size) if len(text) <= LONGEST else math.inf


@lru_cache(maxsize=200_000)
def _width(text: str, face: str, size: int) -> float:
    return sum(
        font(part_face, size).getlength(part) if part_face else advance(part, size)
        for part, part_face in parts(text, face)
    )


def advance(character: str, size: int) -> float:
    """Width in pixels of a character that the shipped fonts lack."""
    if invisible(character):
        return 0.0
    return float(size) if unicodedata.east_asian_width(character) in "WF" else round(0.65 * size)


@lru_cache(maxsize=200_000)
def parts(text: str, face: str) -> tuple[tuple[str, str], ...]:
    """A text split into (part, shipped face) and, for characters that the shipped fonts lack, (character, "")."""

    def own_face(character: str) -> str:
        return face_of(character, face) if shipped(character) else ""

    found: list[tuple[str, str]] = []
    for own, characters in groupby("".join(map(shown, text)), own_face):
        part = "".join(characters)
        found += [(part, own)] if own else [(character, "") for character in part]
    return tuple(found)


def draw(
    image: Image.Image, x: float, baseline: float, text: str, face: str, size: int, ink: int = 0
) -> set[str]:
    """Draws text in a grey, black by default, on an image of mode L. Returns the characters that no font has."""
    pen, missing = ImageDraw.Draw(image), set()
    for part, part_face in parts(text, face):
        if part_face:
            own = font(part_face, size)
            for filled, characters in groupby(part, lambda character: AREAS.match(character) is not None):
                stretch = "".join(characters)
                fill = AREA_GREY if filled else ink
                pen.text((round(x), baseline), stretch, fill=fill, font=own, anchor="ls")
                x += own.getlength(stretch)
        elif (room := advance(part, size)) > 0:
            glyph = _glyph(part, size, round(room))
            if glyph is None:
                missing.add(part)
                pen.rectangle(
                    (round(x) + 1, baseline - 0.75 * size, round(x) + room - 2, baseline), outline=ink
                )
            else:
                image.paste(ink, (round(x), round(baseline - 0.95 * size)), glyph)
            x += room
    return missing


@lru_cache(maxsize=4096)
def _glyph(character: str, size: int, room: int) -> Image.Image | None:
    """A mask of `room` × 1.3 `size` pixels with the baseline 0.95 `size` from the top, or `None` without a font."""
    found = _system_font(character)
    if found is None:
        return None
    path, index = found
    box = (room, round(1.3 * size))
    for smaller in range(size, 3, -1):
        own = ImageFont.truetype(path, smaller, index, layout_engine=ImageFont.Layout.BASIC)
        left, top, right, bottom = own.getbbox(character, anchor="ls")
        if right - left <= room + 1 and bottom - top <= box[1]:
            break
    mask = Image.new("L", box, 0)
    at = (round((room - (right - left)) / 2) - left, min(round(0.95 * size), box[1] - bottom))
    ImageDraw.Draw(mask).text(at, character, fill=255, font=own, anchor="ls")
    return mask


_fallbacks: list[tuple[str, int]] = []
_lookups = 0


@lru_cache(maxsize=100_000)
def _system_font(character: str) -> tuple[str, int] | None:
    """File and index of a system font that has the character."""
    global _lookups
    for path, index in _fallbacks:
        if _loads(path, index) and _has(_loads(path, index), character):
            return path, index
    if _lookups >= MAX_LOOKUPS:
        return None
    _lookups += 1
    for line in sorted(_listed(f"charset={ord(character):x}").splitlines(), key=_preference):
        path, _, rest = line.partition(": ")
        index = int(rest.rpartition("index=")[2] or 0)
        # Skip named instances of variable fonts (high indices) and color fonts, which contain bitmaps.
        if index < 64 and "color" not in path.lower() and _loads(path, index):
            _fallbacks.append((path, index))
            return path, index
    return None


def _preference(line: str) -> tuple[bool, bool, str]:
    """Sort key: upright faces of regular weight come first."""
    name = Path(line.partition(": ")[0]).name.lower()
    plain = not any(
        word in name for word in ("bold", "ital", "obli", "light", "thin", "black", "mono", "serif")
    )
    return not plain, "regular" not in name, line


@cache
def _loads(path: str, index: int) -> ImageFont.FreeTypeFont | None:
    try:
        return ImageFont.truetype(path, 24, index, layout_engine=ImageFont.Layout.BASIC)
    except OSError:
        return None


@cache
def _listed(pattern: str) -> str:
    """fontconfig's list of outline fonts that match a pattern."""
    if not shutil.which("fc-list"):
        return ""
    command = ["fc-list", f":scalable=true:{pattern}".rstrip(":"), "file", "index"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
