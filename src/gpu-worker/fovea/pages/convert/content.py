"""What documents are converted to."""

from dataclasses import dataclass, field

from fovea.result.page_result import TableCell

MAX_TEXT = 1 << 20
"""Characters of a document."""
MAX_CELLS = 50_000
"""Cells of all tables of a document."""
MAX_BLOCKS = 50_000


@dataclass(slots=True)
class Content:
    kind: str
    """`title`, `sub_title`, `text`, `list`, `table`, `code` or `image`."""
    text: str = ""
    """Of an item of a list without its sign; of an image its alternative text."""
    level: int = 1
    """Of a heading, 1 to 6; of an item, its depth, from 1."""
    marker: str = ""
    """Of an item: `•` or its number."""
    cells: list[TableCell] = field(default_factory=list)
    """Of a table, by rows."""

    @property
    def has_words(self) -> bool:
        return self.kind != "image" and self.size > 0

    @property
    def size(self) -> int:
        """Characters."""
        return len(self.text) + sum(len(cell.text) for cell in self.cells)


Part = list[Content]
"""What begins a page: a section, slide, sheet or chapter."""
