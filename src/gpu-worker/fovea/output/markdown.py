"""Writes the page's Markdown from blocks whose texts are Markdown of the model."""

from collections.abc import Iterable
from dataclasses import replace

from fovea.output.blocks import crop_name
from fovea.result.markdown import disarm, to_markdown
from fovea.result.page_result import Block


def write_markdown(blocks: Iterable[Block], page: int) -> str:
    """The Markdown of a page. Pictures link to the files named by `crop_name`."""
    parts = []
    for block in blocks:
        if block.type == "image":
            parts.append(f"![]({crop_name(page, block)})")
            block = replace(block, type="text")
        if block.text:
            parts.append(to_markdown([block], disarm))
    return "\n\n".join(parts)
