"""Blocks as Markdown. Text from the page is escaped, so that it does not become markup."""

import re
from collections.abc import Iterable

from fovea.result.page_result import Block

_TAG = re.compile(r"<(?=[a-zA-Z/!?])")
_LINE_MARK = re.compile(r"^(\s{0,3})(#{1,6}(?=\s|$)|>|\+(?=\s)|[-*_=](?=\s*$))", re.MULTILINE)
_NUMBER = re.compile(r"^(\s*\(?\w{1,3}[.)])\s+(.*)$", re.DOTALL)
_BULLET = re.compile(r"^\s*[-–—•◦▪●*·‣]\s+(.*)$", re.DOTALL)


def escape(text: str) -> str:
    """Escapes HTML tags and block markers at the start of a line. Other text stays as it is."""
    return _LINE_MARK.sub(r"\1\\\2", _TAG.sub("&lt;", text))


def to_markdown(blocks: Iterable[Block]) -> str:
    return "\n\n".join(part for part in map(_block, blocks) if part)


def _block(block: Block) -> str:
    text = escape(block.text)
    match block.type:
        case "title":
            return "# " + " ".join(text.split())
        case "sub_title":
            return "## " + " ".join(text.split())
        case "table":
            return block.html or text
        case "list":
            return "\n".join(_item(item) for item in text.split("\n"))
        case "code":
            fence = "`" * max(3, 1 + max(map(len, re.findall(r"`+", block.text)), default=0))
            return f"{fence}\n{block.text}\n{fence}"
        case "equation":
            return f"$$\n{block.latex or block.text}\n$$"
        case "image":
            return ""
        case _:
            # Two spaces at the end of a line keep the line break.
            return text.replace("\n", "  \n")


def _item(text: str) -> str:
    indent = text[: len(text) - len(text.lstrip(" "))]
    return indent + _one_item(text.lstrip(" "))


def _one_item(text: str) -> str:
    if text[:2] in ("☐ ", "☑ "):
        return f"- [{'x' if text[0] == '☑' else ' '}] {text[2:]}"
    if bullet := _BULLET.match(text):
        return f"- {bullet[1]}"
    if number := _NUMBER.match(text):
        return f"{number[1]} {number[2]}" if number[1].rstrip(".)").isdigit() else f"- {text}"
    return f"- {text}"
