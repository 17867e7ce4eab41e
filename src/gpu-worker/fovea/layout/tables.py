"""A table is a grid of cells; a cell may span rows and columns. Tables become HTML.

`ruled_tables` finds tables by their ruled lines, `aligned_tables` by lines of text that stand in columns.
"""

import itertools
import re
from dataclasses import dataclass

from fovea.layout.line import Line, box_of
from fovea.result.geometry import union
from fovea.result.markdown import table_cell
from fovea.result.page_result import Box, TableCell

NUMERIC = re.compile(
    r"[-+(]?(?:[^\w\s]|[A-Z]{3})?\s?[\d.,:/%]*\d[\d.,:/ ]*\s?(?:[^\w\s)]|[A-Za-z°]{1,3})?[)%]?|[-–—]|n/?a",
    re.IGNORECASE,
)
"""A number, perhaps with a sign, a currency or a unit."""


@dataclass(frozen=True, slots=True)
class Cell:
    row: int
    column: int
    rows: int
    columns: int
    lines: tuple[Line, ...]

    @property
    def text(self) -> str:
        return " ".join(line.text for line in self.lines)


@dataclass(frozen=True, slots=True)
class Table:
    box: Box
    rows: int
    columns: int
    cells: tuple[Cell, ...]
    ruled: bool = False

    @property
    def lines(self) -> list[Line]:
        return [line for cell in self.cells for line in cell.lines]

    def texts(self) -> list[list[str]]:
        """Texts by row and column. A cell with spans stands in its first place."""
        grid = [[""] * self.columns for _ in range(self.rows)]
        for cell in self.cells:
            grid[cell.row][cell.column] = cell.text
        return grid

    def boxes(self) -> list[TableCell]:
        """The cells for the result, each with the box of its text."""
        return [
            TableCell(
                cell.row,
                cell.column,
                cell.rows,
                cell.columns,
                cell.text,
                union([box_of(line) for line in cell.lines]) if cell.lines else None,
            )
            for cell in self.cells
        ]

    def html(self) -> str:
        """The table as HTML. The first row is the head if it contains no number."""
        first = [cell for cell in self.cells if cell.row == 0]
        head = self.rows > 1 and not any(NUMERIC.fullmatch(cell.text) for cell in first if cell.text)
        parts = ["<table>"]
        by_row = {row: list(cells) for row, cells in itertools.groupby(self.cells, key=lambda cell: cell.row)}
        for row in range(self.rows):
            parts.append("<tr>")
            for cell in by_row.get(row, []):
                parts.append(table_cell(cell.text, head and row == 0, cell.rows, cell.columns))
            parts.append("</tr>")
        return "".join([*parts, "</table>"])
