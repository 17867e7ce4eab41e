"""The witness: compares the words of a page with those that a classic recognizer (`pp-ocr`) reads.

A decoder that reads from few vision tokens can invent fluent text. The witness recognizes each line from its pixels and
cannot do so. If the two readings have few words in common, the page is `suspect`; either of them may be wrong.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

from fovea.result.page_result import Block

MIN_AGREEMENT = 0.5
"""A page is `suspect` if a smaller share of words is common. Readers split words and read tables differently."""

MIN_WORDS = 5
"""If both readings have fewer words, they are not compared."""

_MARKUP = re.compile(r"\\[a-zA-Z]+|[\\${}^_&]")
# Whole words in alphabetic scripts; single characters in Chinese, Japanese and Korean.
_WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+"
)


def words(text: str) -> Counter[str]:
    """Counts the words of a text, ignoring case, accents, punctuation and LaTeX commands."""
    plain = unicodedata.normalize("NFKD", _MARKUP.sub(" ", text)).casefold()
    plain = unicodedata.normalize("NFC", "".join(c for c in plain if not unicodedata.combining(c)))
    return Counter(_WORD.findall(plain))


def text_of(blocks: Iterable[Block]) -> str:
    return "\n".join(block.text or block.latex or "" for block in blocks)


def agreement(reading: str, witness: str) -> float | None:
    """The share of common words of two readings, 0..1, in any order: Dice's coefficient, 2 · common ÷ all.

    `None` if there are too few words.
    """
    ours, theirs = words(reading), words(witness)
    total = ours.total() + theirs.total()
    if max(ours.total(), theirs.total()) < MIN_WORDS:
        return None
    return 2 * (ours & theirs).total() / total


def warning_for(share: float | None) -> str | None:
    """The warning for a page with this agreement; `None` if the agreement is high enough or unknown."""
    if share is None or share >= MIN_AGREEMENT:
        return None
    return f"A second reader read other words on the page: the two agree on only {100 * share:.0f} % of them."
