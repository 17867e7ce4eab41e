"""The blocks of a page whose lines are known: what is drawn beside them is measured, then the layout rules decide."""

from collections.abc import Sequence

from fovea.layout.line import Line, Page, Region, box_of, unit_of
from fovea.layout.page import lay_out
from fovea.recognition.frame import Frame
from fovea.recognition.marks import find_marks
from fovea.result.page_result import Block


def blocks_of(frame: Frame, lines: list[Line], regions: Sequence[Region] = ()) -> list[Block]:
    """Blocks in reading order. Lines and regions are in pixels of the frame, boxes of blocks in 0..1 of the raster."""
    marks = find_marks(frame.image, [box_of(line) for line in lines], unit_of(lines))
    blocks = lay_out(Page(lines, frame.width, frame.height, marks, list(regions)))
    for block in blocks:
        lines = block.lines or []
        words = [word for line in lines for word in line.words or []]
        cells = [cell for cell in block.cells or [] if cell.bbox is not None]
        for located in (block, *lines, *words, *cells):
            located.bbox = frame.bbox(located.bbox)
    return blocks
