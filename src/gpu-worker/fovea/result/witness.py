"""A second opinion: does a classic recogniser see the same words on the page?

A decoder that reads from few vision tokens can invent fluent text. The witness (`pp-ocr`) works line by line on the
page's own pixels and cannot: where the two agree on few words, the page is `suspect`. It cannot say who is right.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

from fovea.result.page_result import Block

LEAST_AGREEMENT = 0.5
"""Share of words in common below which a page is `suspect`. The two cut words, order and tables differently."""

LEAST_WORDS = 5
"""Below that many words on both sides nothing is concluded."""

_MARKUP = re.compile(r"\\[a-zA-Z]+|[\\${}^_&]")
# Words of alphabetic scripts whole; signs of Chinese, Japanese and Korean, which know no blanks, one by one.
_WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+"
)


def words(text: str) -> Counter[str]:
    """The words of a text, without case, accents, punctuation and LaTeX commands, each with its count."""
    plain = unicodedata.normalize("NFKD", _MARKUP.sub(" ", text)).casefold()
    plain = unicodedata.normalize("NFC", "".join(c for c in plain if not unicodedata.combining(c)))
    return Counter(_WORD.findall(plain))


def text_of(blocks: Iterable[Block]) -> str:
    return "\n".join(block.text or block.latex or "" for block in blocks)


def agreement(reading: str, witness: str) -> float | None:
    """How much of their words two readings share, 0..1 (Dice: twice the common words ÷ all); order is no matter.

    `None` where there are too few words to conclude anything.
    """
    ours, theirs = words(reading), words(witness)
    total = ours.total() + theirs.total()
    if max(ours.total(), theirs.total()) < LEAST_WORDS:
        return None
    return 2 * (ours & theirs).total() / total


def doubt(share: float | None) -> str | None:
    """Why a page of that agreement is not to be trusted, in words for the person who sent it; `None`: no doubt."""
    if share is None or share >= LEAST_AGREEMENT:
        return None
    return (
        f"A second reader found other words on the page: the two agree on only {100 * share:.0f} % of them."
    )
