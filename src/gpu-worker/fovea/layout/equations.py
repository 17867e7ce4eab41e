"""Finds display formulas: lines of their own that are made of symbols and short names, with a relation."""

import re
from collections.abc import Sequence

from fovea.layout.line import Region, share_inside
from fovea.result.page_result import Box

_NAMES = "sin cos tan log exp max min lim arg det mod rank where and for with the Var Pr"
NAMES = frozenset(_NAMES.split())
"""Words that stand in formulas."""
WORD = re.compile(r"[A-Za-zÀ-ɏ]{3,}")
RELATION = re.compile(r"[=≈≠≡≤≥<>∝∼→⇒∈⊂]")
SIGN = re.compile(r"[∑∏∫√∂∇∞±×÷·≈≠≡≤≥∝∈⊂∀∃^α-ωΓΔΘΛΞΠΣΦΨΩ]")
NUMBER = re.compile(r"\s*[(（]\s*(?:\d{1,3}|[A-Z]\.\d{1,2}|\d{1,2}\.\d{1,2})[a-z]?\s*[)）]\s*$")
"""The number of a formula, at its end."""
MAX_CHARACTERS = 160


def is_equation(text: str, box: Box, regions: Sequence[Region]) -> bool:
    """Whether a paragraph is a formula.

    It has a relation and almost no words; and it is numbered, or has signs of mathematics, or the layout model takes
    it for one. A plain `x = 3` may be anything.
    """
    bare = NUMBER.sub("", text)
    if len(bare) > MAX_CHARACTERS or not RELATION.search(bare) or not re.search(r"\w", bare):
        return False
    words = [word for word in WORD.findall(bare) if word not in NAMES]
    if sum(map(len, words)) > 0.3 * len("".join(bare.split())):
        return False
    seen = any(r.kind == "equation" and r.score > 0.5 and share_inside(box, r.box) > 0.6 for r in regions)
    return seen or len(bare) < len(text) or SIGN.search(bare) is not None
