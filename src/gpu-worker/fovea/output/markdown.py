"""Writes the page's Markdown from blocks whose texts are Markdown of the model."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from fovea.output.blocks import crop_name
from fovea.result.markdown import disarm, join_parts, to_markdown
from fovea.result.page_result import Block


def write_markdown(blocks: Iterable[Block], page: int) -> str:
    """The Markdown of a page. Pictures link to the files named by `crop_name`."""
    return join_parts(_parts(blocks, page))


def _parts(blocks: Iterable[Block], page: int) -> Iterator[tuple[Block, str]]:
    for block in blocks:
        if block.type == "image":
            yield block, f"![]({crop_name(page, block)})"
            block = replace(block, type="text")
        if block.text:
            yield block, to_markdown([block], disarm)
