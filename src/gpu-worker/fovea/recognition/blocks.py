"""The blocks of a page whose lines are known: what is drawn beside them is measured, then the layout rules decide."""

import itertools
from collections.abc import Sequence

from fovea.layout.line import Line, Marks, Page, Region, box_of, unit_of
from fovea.layout.page import lay_out
from fovea.recognition.frame import Frame
from fovea.recognition.marks import find_marks
from fovea.result.geometry import area, common
from fovea.result.page_result import Block

TEXTS = frozenset(("text", "list", "table", "code"))
INSIDE = 0.3
"""Share of the smaller of two blocks that lies in the other one if their texts are mixed up."""


def blocks_of(
    frame: Frame, lines: list[Line], regions: Sequence[Region] = (), marks: Marks | None = None
) -> tuple[list[Block], int]:
    """Blocks in reading order, and how many pairs of them are tangled.

    Lines, regions and marks are in pixels of the frame, boxes of blocks in 0..1 of the raster. `marks` are looked for
    if they are not given.
    """
    marks = marks or find_marks(frame, [box_of(line) for line in lines], unit_of(lines))
    blocks = lay_out(Page(lines, frame.width, frame.height, marks, list(regions)))
    pairs = tangled(blocks)
    for block in blocks:
        lines = block.lines or []
        words = [word for line in lines for word in line.words or []]
        cells = [cell for cell in block.cells or [] if cell.bbox is not None]
        for located in (block, *lines, *words, *cells):
            located.bbox = frame.bbox(located.bbox)
    return blocks, pairs


def tangled(blocks: Sequence[Block]) -> int:
    """Pairs of texts that lie in each other, so that their order is a guess. Boxes are level."""
    boxes = [block.bbox for block in blocks if block.type in TEXTS]
    return sum(common(a, b) > INSIDE * min(area(a), area(b)) for a, b in itertools.combinations(boxes, 2))
