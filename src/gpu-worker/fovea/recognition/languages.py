"""Languages by their BCP-47 tags: the script of each, and the name of its data in Tesseract."""

from collections.abc import Iterable, Sequence

_TABLE = """
ar ara Arabic|be bel Cyrillic|bg bul Cyrillic|bn ben Bengali|ca cat Latin|cs ces Latin|cy cym Latin|da dan Latin
de deu Latin|el ell Greek|en eng Latin|es spa Latin|et est Latin|eu eus Latin|fa fas Arabic|fi fin Latin
fr fra Latin|ga gle Latin|gl glg Latin|gu guj Gujarati|he heb Hebrew|hi hin Devanagari|hr hrv Latin|hu hun Latin
hy hye Armenian|id ind Latin|is isl Latin|it ita Latin|ja jpn Han|ka kat Georgian|kk kaz Cyrillic|km khm Khmer
kn kan Kannada|ko kor Hangul|lt lit Latin|lv lav Latin|mk mkd Cyrillic|ml mal Malayalam|mr mar Devanagari
ms msa Latin|mt mlt Latin|nb nor Latin|ne nep Devanagari|nl nld Latin|pa pan Gurmukhi|pl pol Latin|pt por Latin
ro ron Latin|ru rus Cyrillic|sk slk Latin|sl slv Latin|sq sqi Latin|sr srp Cyrillic|sr-Latn srp_latn Latin
sv swe Latin|ta tam Tamil|te tel Telugu|th tha Thai|tr tur Latin|uk ukr Cyrillic|ur urd Arabic|vi vie Vietnamese
yi yid Hebrew|zh-Hans chi_sim Han|zh-Hant chi_tra Han
"""
_ROWS = [row.split() for row in _TABLE.replace("\n", "|").split("|") if row]
TESSERACT: dict[str, str] = {code: tag for tag, code, _ in _ROWS}
"""Tags by the names of Tesseract's data."""
SCRIPT: dict[str, str] = {tag: script for tag, _, script in _ROWS}
"""Scripts by tag. Vietnamese counts as one: it has Latin letters that other Latin recognizers lack."""

FIRST = ("ru", "el", "he", "ar", "vi", "th", "hi", "ko")
"""Of the languages of a script, those that are tried first."""

PP_OCR = tuple(tag for tag, script in SCRIPT.items() if script in ("Latin", "Han"))
"""Languages of the table of which the recognizer of pp-ocr has every letter."""


def matching(wanted: Sequence[str], available: Iterable[str]) -> tuple[list[str], list[str]]:
    """The available tags that the wanted ones name, and the wanted ones that name none.

    `pt-BR` finds `pt` (RFC 4647, section 3.4), and `zh` finds `zh-Hans`.
    """
    tags = list(available)
    found: list[str] = []
    missing: list[str] = []
    for tag in wanted:
        parts, hits = tag.lower().split("-"), []
        while parts and not hits:
            name = "-".join(parts)
            hits = [one for one in tags if one.lower() == name or one.lower().startswith(f"{name}-")]
            parts.pop()
        found += [one for one in hits if one not in found]
        if not hits:
            missing.append(tag)
    return found, missing
