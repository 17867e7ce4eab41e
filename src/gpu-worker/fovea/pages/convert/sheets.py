"""Spreadsheets: each visible sheet is a part. `python-calamine` reads them."""

import csv
import datetime
import io
from typing import Any

from fovea.errors import DocumentError
from fovea.pages.convert.content import MAX_CELLS, MAX_TEXT, Content, Part
from fovea.result.page_result import TableCell

MAX_ROWS = 10_000
"""Rows of a sheet."""
DELIMITERS = ",;\t|"
SAMPLE = 8 << 10


def xlsx_parts(data: bytes) -> list[Part]:
    """Values as the file stores them, without the formats of the cells. Raises `DocumentError`."""
    from python_calamine import CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

    workbook = CalamineWorkbook.from_filelike(io.BytesIO(data))
    parts: list[Part] = []
    for about in workbook.sheets_metadata:
        if about.visible != SheetVisibleEnum.Visible or about.typ != SheetTypeEnum.WorkSheet:
            continue
        sheet = workbook.get_sheet_by_name(about.name)
        _check_size(about.name, sheet.height, sheet.width)
        # Spans count from the first cell of the sheet, rows from the first one that is filled.
        top, left = sheet.start or (0, 0)
        rows = [[_text(value) for value in row] for row in sheet.to_python(skip_empty_area=True)]
        spans = {
            (first[0] - top, first[1] - left): (last[0] - first[0] + 1, last[1] - first[1] + 1)
            for first, last in sheet.merged_cell_ranges or ()
        }
        parts.append([Content("title", about.name), *_table(rows, spans)])
    return [part for part in parts if len(part) > 1]


def csv_parts(data: bytes) -> list[Part]:
    """Raises `DocumentError`."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DocumentError("document_broken", "The text is not valid UTF-8.") from None
    try:
        dialect: Any = csv.Sniffer().sniff(text[:SAMPLE], DELIMITERS)
    except csv.Error:
        dialect = csv.excel
    csv.field_size_limit(MAX_TEXT)
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text), dialect, strict=False):
            rows.append(row)
            _check_size("The table", len(rows), max(map(len, rows[-1:])))
    except csv.Error:
        raise DocumentError("document_broken", "The table is broken.") from None
    return [list(_table(rows, {}))]


def _check_size(name: str, rows: int, columns: int) -> None:
    if rows > MAX_ROWS:
        raise DocumentError("document_too_large", f"{name[:100]} has more than {MAX_ROWS} rows.")
    if rows * columns > MAX_CELLS:
        raise DocumentError("document_too_large", f"{name[:100]} has more than {MAX_CELLS} cells.")


def _table(rows: list[list[str]], spans: dict[tuple[int, int], tuple[int, int]]) -> Part:
    """The table without its empty last rows and columns."""
    height = max((i + 1 for i, row in enumerate(rows) if any(text.strip() for text in row)), default=0)
    width = max((i + 1 for row in rows for i, text in enumerate(row) if text.strip()), default=0)
    cells, covered = [], set()
    for row in range(height):
        for column in range(width):
            if (row, column) in covered:
                continue
            down, across = spans.get((row, column), (1, 1))
            down, across = min(down, height - row), min(across, width - column)
            inside = {(row + i, column + j) for i in range(down) for j in range(across)}
            # A program that writes spans may leave text below them, which no program shows.
            if any(rows[i][j].strip() for i, j in inside - {(row, column)} if j < len(rows[i])):
                down = across = 1
            else:
                covered |= inside
            text = rows[row][column] if column < len(rows[row]) else ""
            cells.append(TableCell(row, column, down, across, " ".join(text.split())))
    return [Content("table", cells=cells)] if cells else []


def _text(value: Any) -> str:
    match value:
        case bool():
            return str(value).upper()
        case float() if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        case datetime.datetime() if value.time() == datetime.time():
            return value.date().isoformat()
        case datetime.datetime():
            return value.isoformat(" ", "minutes" if value.second == 0 else "seconds")
        case _:
            return str(value)
