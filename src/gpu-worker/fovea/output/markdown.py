"""The page's Markdown, written from its block list.

Block text of this model is Markdown already (emphasis, inline LaTeX between `\\(` and `\\)`), so it passes
through, but it is also whatever a document made the model say: tags, remote pictures and script links lose
their power here.
"""

import re
from collections.abc import Iterable
from dataclasses import replace

from fovea.output.blocks import crop_name
from fovea.result.markdown import to_markdown
from fovea.result.page_result import Block

# Inline formulas do not nest, so that every character is looked at once.
_MATH = re.compile(r"\\\(((?:[^\\\n]|\\(?![()]))+)\\\)")
_TAG_LIKE = re.compile(r"<(?=[A-Za-z/!?])")
_SCHEME = re.compile(r"\](?=\s*[(:]\s*<?\s*(?:javascript|vbscript|data|file)\s*:)", re.IGNORECASE)
_WHOLE = ("table", "code", "equation")  # escaped, fenced or cleaned already


def write_markdown(blocks: Iterable[Block], page: int) -> str:
    """Markdown of one page. Pictures are links to the files that `crop_name` gives their blocks."""
    parts = []
    for block in blocks:
        if block.type == "image":
            parts.append(f"![]({crop_name(page, block)})")
        if block.text:
            kind = "text" if block.type == "image" else block.type
            text = block.text if kind in _WHOLE else _disarm(block.text)
            parts.append(to_markdown([replace(block, type=kind, text=text)]))
    return "\n\n".join(part for part in parts if part)


def _disarm(text: str) -> str:
    text = text.replace("![", "!\\[")
    text = _SCHEME.sub("\\\\]", text)
    # In a formula a blank after < changes nothing; an entity would.
    return _MATH.sub(lambda formula: "$" + _TAG_LIKE.sub("< ", formula[1].strip()) + "$", text)
