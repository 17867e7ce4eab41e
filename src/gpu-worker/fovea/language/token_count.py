"""How many text tokens a text is to the DeepSeek-OCR tokenizer: counted where its file is there, else estimated.

The estimate uses the edge's figures and follows its rules (`src/edge/domain/memory/text-tokens.ts`) as closely as
Python's regular expressions allow.
"""

import math
import re
from functools import cache
from pathlib import Path

from fovea.contract import CONTRACT
from fovea.language.tokenizer import Tokenizer

_CJK = "\u4e00-\u9fa5\u3040-\u30ff"
_LETTER = r"[^\W\d_]"
# The tokenizer's own cut: digits by three, Chinese and Japanese runs, words with the sign before, signs, blanks.
_PIECE = re.compile(
    rf"\d{{1,3}}|[{_CJK}]+|[!-/:-@\[-`{{-~][A-Za-z]+|[^\r\n\w]?(?:(?![{_CJK}]){_LETTER})+"
    r"| ?[^\w\s]+[\r\n]*|_+|\s*[\r\n]+|\s+(?!\S)|\s+|."
)
_ESTIMATE = CONTRACT["token_estimate"]
_WORD: list[float] = _ESTIMATE["word"]
"""Tokens of a Latin word by its number of letters."""
_SCRIPTS = (
    (re.compile(f"[{_CJK}]"), "cjk"),
    (re.compile("[\uac00-\ud7af]"), "hangul"),
    (re.compile("[\u0400-\u052f]"), "cyrillic"),
    (re.compile("[\u00c0-\u024f]"), "latin"),
    (re.compile(_LETTER), "other"),
)


def count_tokens(text: str, folder: Path | None = None) -> tuple[int, bool]:
    """(tokens, whether they were counted). `folder`: of the checkpoint, where its `tokenizer.json` may lie."""
    if folder and (tokenizer := _tokenizer(folder)):
        return len(tokenizer.encode(text)), True
    return estimate(text), False


@cache
def _tokenizer(folder: Path) -> Tokenizer | None:
    path = folder / "tokenizer.json"
    return Tokenizer.from_file(path) if path.is_file() else None


def estimate(text: str) -> int:
    """Within 13 % for English, German and French prose, code and JSON (test/worker/language/test_token_count.py)."""
    return math.ceil(sum(map(_tokens, _PIECE.findall(text))))


def _tokens(piece: str) -> float:
    if re.fullmatch(r"[\s\d]*", piece):
        return 1
    if re.fullmatch(r"[ -~]?[A-Za-z]+", piece):
        return sum(map(_word, map(len, re.split(r"(?<=[a-z])(?=[A-Z])", piece))))
    for pattern, script in _SCRIPTS:
        if pattern.search(piece):
            return max(1.0, _ESTIMATE["scripts"][script] * len(piece))
    signs = piece.strip()
    if signs.isascii():
        return 1 + _ESTIMATE["signs"]["ascii"] * (len(signs) - 1)
    return max(1.0, _ESTIMATE["signs"]["other"] * len(signs.encode("utf-16-le")) / 2)


def _word(length: int) -> float:
    return (
        _WORD[length] if length < len(_WORD) else _WORD[-1] + _ESTIMATE["longer"] * (length - len(_WORD) + 1)
    )
