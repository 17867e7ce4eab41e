"""Deep parsing: the pictures of a page that was read with boxes are read again, each by itself.

The model answers "Parse the figure." in one of four ways, and each is checked before it is believed: a chart
as a table, a chemical structure as SMILES, a plane figure as a dictionary of lines (read by a grammar of
literals and written as JSON), anything else as a description.
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
LEAST_SIDE = 24  # pixels: anything smaller is a bullet or a speck
MAX_DESCRIPTION = 20_000


@dataclass(frozen=True, slots=True)
class Answer:
    """What was read in one crop. `sound` is False for an answer that looped or did not end."""

    text: str
    confidence: float | None
    sound: bool = True


@dataclass(slots=True)
class Deepened:
    """The page's blocks, numbered anew, and what could not be read."""

    blocks: list[Block]
    warnings: list[str] = field(default_factory=list)
    figures: int = 0


def deepen(image: Image.Image, blocks: list[Block], read_figure: Callable[[Image.Image], Answer]) -> Deepened:
    """Blocks with what their pictures say: a description in the picture's own block, data behind it."""
    result = Deepened([])
    for block in blocks:
        result.blocks.append(block)
        if block.type != "image":
            continue
        box = pixels(block.bbox, image.width, image.height)
        if min(box[2] - box[0], box[3] - box[1]) < LEAST_SIDE:
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
    """What to put behind a picture; a description goes into `picture` itself."""
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
