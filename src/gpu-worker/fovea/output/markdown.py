"""Writes the page's Markdown from its blocks.

The model's text is already Markdown (emphasis, inline LaTeX between `\\(` and `\\)`), so it is not escaped as a whole.
But a document can make the model write anything, so tags, remote images and script links are disabled.
"""

import re
from collections.abc import Iterable
from dataclasses import replace

from fovea.output.blocks import crop_name
from fovea.result.markdown import to_markdown
from fovea.result.page_result import Block

# Inline formulas do not nest, so the match takes linear time.
_MATH = re.compile(r"\\\(((?:[^\\\n]|\\(?![()]))+)\\\)")
_TAG_LIKE = re.compile(r"<(?=[A-Za-z/!?])")
_SCHEME = re.compile(r"\](?=\s*[(:]\s*<?\s*(?:javascript|vbscript|data|file)\s*:)", re.IGNORECASE)
_SAFE = ("table", "code", "equation")  # already escaped, fenced or cleaned


def write_markdown(blocks: Iterable[Block], page: int) -> str:
    """The Markdown of a page. Pictures link to the files named by `crop_name`."""
    parts = []
    for block in blocks:
        if block.type == "image":
            parts.append(f"![]({crop_name(page, block)})")
        if block.text:
            kind = "text" if block.type == "image" else block.type
            text = block.text if kind in _SAFE else _sanitize(block.text)
            parts.append(to_markdown([replace(block, type=kind, text=text)]))
    return "\n\n".join(part for part in parts if part)


def _sanitize(text: str) -> str:
    text = text.replace("![", "!\\[")
    text = _SCHEME.sub("\\\\]", text)
    # In formulas < gets a space instead of an entity, which LaTeX would not understand.
    return _MATH.sub(lambda formula: "$" + _TAG_LIKE.sub("< ", formula[1].strip()) + "$", text)
