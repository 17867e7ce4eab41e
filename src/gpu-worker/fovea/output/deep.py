"""Deep parsing: reads each picture of a page again, on its own.

The model answers "Parse the figure." in one of four ways: a chart as a table, a chemical structure as SMILES, a plane
figure as a Python dictionary of lines, anything else as a description. Each answer is validated.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from PIL import Image

from fovea.output.blocks import number
from fovea.output.content import divide, tidy
from fovea.output.shapes import read_shapes
from fovea.output.smiles import is_smiles
from fovea.result.geometry import pixels
from fovea.result.page_result import Block

MAX_FIGURES = 20
MIN_SIDE = 24  # pixels; smaller pictures are bullets or specks
MAX_DESCRIPTION = 20_000


@dataclass(frozen=True, slots=True)
class Answer:
    """The model's answer for one picture. `sound` is False if it looped or did not end."""

    text: str
    confidence: float | None
    sound: bool = True


@dataclass(slots=True)
class ParsedFigures:
    """The page's blocks, renumbered, and warnings. `figures` is the number of pictures that were read."""

    blocks: list[Block]
    warnings: list[str] = field(default_factory=list)
    figures: int = 0


def parse_figures(
    image: Image.Image, blocks: list[Block], read_figure: Callable[[Image.Image], Answer]
) -> ParsedFigures:
    """Reads the pictures among `blocks` with `read_figure` and adds their contents after them."""
    result = ParsedFigures([])
    for block in blocks:
        result.blocks.append(block)
        if block.type != "image":
            continue
        box = pixels(block.bbox, image.width, image.height)
        if min(box[2] - box[0], box[3] - box[1]) < MIN_SIDE:
            continue
        if result.figures == MAX_FIGURES:
            result.warnings.append(f"Only the first {MAX_FIGURES} figures of the page were parsed.")
            result.figures += 1
        if result.figures > MAX_FIGURES:
            continue
        result.figures += 1
        answer = read_figure(image.crop(box))
        if not answer.sound:
            result.warnings.append(f"Figure {result.figures} could not be parsed: its answer did not end.")
            continue
        result.blocks += figure_blocks(block, answer)
    result.figures = min(result.figures, MAX_FIGURES)
    number(result.blocks)
    return result


def figure_blocks(picture: Block, answer: Answer) -> list[Block]:
    """The blocks that follow a picture. A description becomes the text of `picture` itself."""
    text = answer.text.strip()
    line = text.strip("`$").removeprefix("smiles").strip()

    def block(kind: str, words: str, html: str | None = None) -> Block:
        return Block(0, kind, picture.bbox, words, answer.confidence, html)

    if shapes := read_shapes(line):
        return [block("code", json.dumps(shapes, ensure_ascii=False))]
    if is_smiles(line):
        return [block("code", line)]
    parts = divide(text)
    tables = [block("table", part.text, part.html) for part in parts if part.type == "table"]
    words = "\n\n".join(part.text for part in parts if part.type != "table" and part.text)
    picture.text = tidy(words)[:MAX_DESCRIPTION]
    return tables
