"""Repairs HTML tables that a model has written.

The result has only `table`, `tr`, `td` and `th`, with integer `rowspan` and `colspan` that fit the grid; other tags are
dropped or escaped. The grid is built as in the HTML standard, section 4.9.12. Rows of unequal length and spans that
overlap or exceed the grid are repaired, with a warning.
"""

import html
import re
from dataclasses import dataclass, field

from fovea.result.markdown import table_cell
from fovea.result.page_result import TableCell

MAX_INPUT = 1_000_000
MAX_ROWS, MAX_COLUMNS, MAX_SLOTS = 2000, 500, 100_000

# Formatting tags. They are dropped, and their content is kept.
_FORMATTING = {
    "b", "i", "u", "s", "em", "strong", "sup", "sub", "span", "center", "p", "div", "font", "small", "br",
    "thead", "tbody", "tfoot", "colgroup", "col", "caption",
}  # fmt: skip
_TAG = re.compile(r"<(/?)([a-zA-Z]{1,10})((?:\s[^<>]{0,300})?)/?>")
_SPAN = re.compile(r"\b(rowspan|colspan)\s*=\s*[\"']?([0-9]{1,6})", re.IGNORECASE)


@dataclass(slots=True)
class Cell:
    text: str = ""
    rowspan: int = 1
    colspan: int = 1
    header: bool = False


@dataclass(slots=True)
class Table:
    """A repaired table. A row contains the cells that start in it; `columns` is the width of the grid."""

    rows: list[list[Cell]]
    columns: int
    warnings: list[str] = field(default_factory=list)

    def html(self) -> str:
        rows = (
            "".join(table_cell(cell.text, cell.header, cell.rowspan, cell.colspan) for cell in row)
            for row in self.rows
        )
        return "<table>" + "".join(f"<tr>{cells}</tr>" for cells in rows) + "</table>"

    def cells(self) -> list[TableCell]:
        """The cells with their places in the grid, by rows."""
        cells: list[TableCell] = []
        taken: set[tuple[int, int]] = set()
        for index, row in enumerate(self.rows):
            column = 0
            for cell in row:
                while (index, column) in taken:
                    column += 1
                cells.append(TableCell(index, column, cell.rowspan, cell.colspan, cell.text))
                taken.update(
                    (index + below, column + right)
                    for below in range(cell.rowspan)
                    for right in range(cell.colspan)
                )
                column += cell.colspan
        return cells

    def text(self) -> str:
        """Cells separated by tabs, rows by newlines."""
        return "\n".join("\t".join(" ".join(c.text.split()) for c in row) for row in self.rows)


def repair_table(source: str) -> Table:
    """Parses any text as one table. Never raises. A text without cells gives a table without rows."""
    warnings = []
    if len(source) > MAX_INPUT:
        source = source[:MAX_INPUT]
        warnings.append("the table was cut at the size limit")
    rows = _read(source, warnings)
    return _lay_out(rows, warnings)


def _read(source: str, warnings: list[str]) -> list[list[Cell]]:
    """Rows of cells in the order of their tags. Text outside cells becomes a cell."""
    rows: list[list[Cell]] = []
    cell: Cell | None = None
    parts: list[str] = []
    row_open = tables = False
    strays = nested = 0

    def finish():
        nonlocal cell, row_open, strays
        text = " ".join(html.unescape("".join(parts)).replace("\0", "").split())
        parts.clear()
        if cell is None:
            if not text:
                return
            strays += 1
            cell = Cell()
            if not row_open:
                rows.append([])
                row_open = True
            rows[-1].append(cell)
        cell.text, cell = text, None

    at = 0
    for match in _TAG.finditer(source):
        parts.append(source[at : match.start()])
        at = match.end()
        closing, name = bool(match[1]), match[2].lower()
        if name == "table":
            finish()
            nested += not closing and tables
            tables = not closing
            row_open = False
        elif name == "tr":
            finish()
            row_open = not closing
            if row_open:
                rows.append([])
        elif name in ("td", "th"):
            finish()
            if not closing:
                if not row_open:
                    rows.append([])
                    row_open = True
                cell = Cell(header=name == "th", **_spans(match[3]))
                rows[-1].append(cell)
        elif name in _FORMATTING:
            parts.append(" " if name in ("br", "p", "div") else "")
        else:
            parts.append(match[0])  # text of the page that looks like a tag
    parts.append(source[at:])
    finish()
    if strays:
        warnings.append("text of the table outside its cells was put into cells")
    if nested:
        warnings.append("a table inside a table was flattened")
    return rows


def _spans(attributes: str) -> dict[str, int]:
    return {name.lower(): max(1, int(value)) for name, value in _SPAN.findall(attributes)}


def _lay_out(rows: list[list[Cell]], warnings: list[str]) -> Table:
    """Places every cell, clips spans to the grid and makes all rows equally wide."""
    if len(rows) > MAX_ROWS:
        rows = rows[:MAX_ROWS]
        warnings.append("table rows beyond the limit were dropped")
    kept = []
    hanging: dict[int, int] = {}  # column -> rows still covered by a cell from above
    widths, clipped, slots = [], False, 0
    for index, row in enumerate(rows):
        taken = set(hanging)
        if not row and not taken:
            continue  # an empty row counts only if cells from above reach into it
        kept.append(row)
        hanging = {column: left - 1 for column, left in hanging.items() if left > 1}
        column = 0
        for position, cell in enumerate(row):
            while column in taken:
                column += 1
            if column >= MAX_COLUMNS or slots >= MAX_SLOTS:
                del row[position:]
                warnings.append("table columns beyond the limit were dropped")
                break
            free = 1
            while free < cell.colspan and column + free < MAX_COLUMNS and column + free not in taken:
                free += 1
            below = min(cell.rowspan, len(rows) - index, max(1, (MAX_SLOTS - slots) // free))
            clipped |= free < cell.colspan or below < cell.rowspan
            cell.colspan, cell.rowspan = free, below
            slots += free * below
            if below > 1:
                for covered in range(column, column + free):
                    hanging[covered] = below - 1
            column += free
        widths.append(max([column, *(c + 1 for c in taken)]))
    if clipped:
        warnings.append("table spans that did not fit were clipped")
    columns = max(widths, default=0)
    if len(kept) * columns > MAX_SLOTS:
        warnings.append("the table is too large to fill up its rows")
    elif _fill_up(kept, columns):
        warnings.append("table rows of unequal length were filled up")
    return Table(kept, columns, list(dict.fromkeys(warnings)))


def _fill_up(rows: list[list[Cell]], columns: int) -> bool:
    """Appends empty cells until every slot of every row is covered. False if none was missing."""
    covered = [0] * len(rows)
    for index, row in enumerate(rows):
        for cell in row:
            for below in range(index, index + cell.rowspan):
                covered[below] += cell.colspan
    for row, count in zip(rows, covered, strict=True):
        row.extend(Cell() for _ in range(columns - count))
    return any(count < columns for count in covered)
