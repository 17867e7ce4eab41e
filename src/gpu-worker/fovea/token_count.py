"""How many text tokens a text is to the DeepSeek-OCR tokenizer: counted where its file is there, else estimated."""

import os
import re
from functools import cache
from pathlib import Path

# The tokenizer's own cut into numbers, signs of Chinese and Japanese, words, blanks and punctuation.
_PART = re.compile(
    r"\d{1,3}|[\u4e00-\u9fa5\u3040-\u30ff]+|[^\W\d_\u4e00-\u9fa5\u3040-\u30ff]+|\n\s*|[^\S\n]+|_+|[^\w\s]+"
)


def count_tokens(text: str) -> tuple[int, bool]:
    """(tokens, whether they were counted). The tokenizer is that of `FOVEA_DEEPSEEK_DIR`."""
    if tokenizer := _tokenizer(os.environ.get("FOVEA_DEEPSEEK_DIR", "")):
        return len(tokenizer.encode(text)), True
    return estimate(text), False


@cache
def _tokenizer(folder: str):
    path = Path(folder) / "tokenizer.json"
    if not folder or not path.is_file():
        return None
    from fovea.tokenizer import Tokenizer

    return Tokenizer.from_file(path)


def estimate(text: str) -> int:
    """Within a tenth of the count for English, Chinese, code and Markdown (test/worker/test_token_count.py)."""
    tokens = 0.0
    for match in _PART.finditer(text):
        part = match[0]
        first, length = part[0], len(part)
        if first.isdigit() or first == "\n":
            tokens += 1
        elif first.isspace():
            tokens += length > 1  # a single blank belongs to the word after it
        elif "\u3040" <= first <= "\u9fa5":
            tokens += 0.62 * length
        elif first.isalpha():
            tokens += 1 + (max(0, length - 5) / 9 if part.isascii() else (length - 1) / 3)
        else:
            tokens += 1 + (length - 1) / 3
    return round(tokens)
