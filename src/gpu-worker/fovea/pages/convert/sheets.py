"""Spreadsheets: each visible sheet is a part. CSV is one sheet.

Cells are as a program shows them (`fovea.pages.convert.formats`): a file has values and formats in different parts.
"""

import csv
import datetime
import io
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import lxml.etree

from fovea.errors import DocumentError
from fovea.pages.convert import formats
from fovea.pages.convert.container import Container
from fovea.pages.convert.content import MAX_CELLS, MAX_TEXT, Anchor, Content, Converted, Part, in_one_line
from fovea.pages.convert.encodings import decoded
from fovea.pages.convert.opc import Element, Package, attribute, child, children, name
from fovea.pages.links import safe_url
from fovea.result.page_result import TableCell

MAX_ROWS = 10_000
"""Rows of a sheet."""
MAX_COLUMNS = 16_384
DELIMITERS = ",;\t|"
SAMPLE = 8 << 10
HIDDEN = "Hidden sheets, which are not read: {}."
COMMENTS = "The comments of the cells are not read."
DRAWINGS = "The pictures and charts of the sheets are not read."
UNCALCULATED = "Formulas without a stored result, whose cells are empty: {}."
_REFERENCE = re.compile(r"\$?([A-Za-z]{1,3})\$?([0-9]{1,7})$")
_HYPERLINK = re.compile(r'\s*=?\s*HYPERLINK\(\s*"((?:[^"]|"")*)"', re.IGNORECASE)
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")

Place = tuple[int, int]
"""Row and column of a cell, from 0."""


def xlsx_parts(container: Container) -> Converted:
    return _Workbook(Package(container)).read()


class _Workbook:
    def __init__(self, package: Package):
        self._package = package
        self._main = package.main()
        self._seen: Counter[str] = Counter()
        """What of the document is not read."""

    def read(self) -> Converted:
        root = self._package.part(self._main)
        self._is_1904 = attribute(child(root, "workbookPr"), "date1904") in ("1", "true")
        self._texts = self._shared_texts()
        self._formats = self._cell_formats()
        relations = self._package.relations(self._main)
        parts: list[Part] = []
        for about in children(root, "sheets"):
            relation = relations.get(attribute(about, "id") or "")
            if relation is None or relation.kind != "worksheet":
                self._seen[DRAWINGS] += relation is not None
                continue
            if (attribute(about, "state") or "visible") != "visible":
                self._seen[HIDDEN] += 1
                continue
            title = about.get("name") or ""
            if table := self._sheet(title, relation.target):
                parts.append([Content("title", in_one_line(title)), table])
        notes = [sentence.format(count) for sentence, count in self._seen.items() if count]
        return Converted(parts, notes)

    def _shared_texts(self) -> list[str]:
        targets = self._package.related(self._main, "sharedStrings")
        root = self._package.part(targets[0]) if targets else None
        return [_rich_text(one) for one in (root if root is not None else ()) if name(one) == "si"]

    def _cell_formats(self) -> list[str]:
        """The code of each style of cells."""
        targets = self._package.related(self._main, "styles")
        root = self._package.part(targets[0]) if targets else None
        codes = dict(formats.BUILT_IN)
        for one in children(root, "numFmts"):
            if (number := one.get("numFmtId", "")).isdigit():
                codes[int(number)] = one.get("formatCode") or ""
        styles = []
        for one in children(root, "cellXfs"):
            number = one.get("numFmtId") or "0"
            number = int(number) if number.isdigit() else 0
            styles.append(codes.get(number, "yyyy-mm-dd" if number in formats.DATES else ""))
        return styles

    def _sheet(self, title: str, part: str) -> Content | None:
        data = self._package.data(part)
        if data is None:
            return None
        texts: dict[Place, str] = {}
        links: dict[Place, str] = {}
        spans: dict[Place, Place] = {}
        relations = self._package.relations(part)
        row = -1
        for element in _elements(data):
            match name(element):
                case "row":
                    row = _row_number(element, row)
                    for place, text, url in self._cells(element, row):
                        texts[place] = text
                        if url:
                            links[place] = url
                    _check_size(title, texts)
                case "mergeCell":
                    if area := _area(element.get("ref") or ""):
                        (top, left), (bottom, right) = area
                        spans[top, left] = (bottom - top + 1, right - left + 1)
                case "hyperlink":
                    relation = relations.get(attribute(element, "id") or "")
                    area = _area(element.get("ref") or "")
                    if relation and relation.url and area:
                        # A link of many cells is that of the first.
                        links[area[0]] = relation.url
                case "drawing":
                    self._seen[DRAWINGS] += 1
                case "legacyDrawing" if self._package.related(part, "comments"):
                    self._seen[COMMENTS] += 1
        return _table(title, texts, spans, links)

    def _cells(self, row: Element, number: int) -> Iterator[tuple[Place, str, str | None]]:
        """The cells of a row that are not empty, and the addresses of the function HYPERLINK."""
        column = -1
        for cell in row:
            if name(cell) != "c":
                continue
            place = _place(cell.get("r") or "")
            column = place[1] if place else column + 1
            formula = child(cell, "f")
            url = None
            if formula is not None and (match := _HYPERLINK.match(formula.text or "")):
                url = safe_url(match[1].replace('""', '"'))
            text = self._text(cell)
            stored = child(cell, "v")
            if formula is not None and (stored is None or not stored.text) and child(cell, "is") is None:
                self._seen[UNCALCULATED] += 1
            if text.strip() and column < MAX_COLUMNS:
                yield (number, column), text, url

    def _text(self, cell: Element) -> str:
        kind = cell.get("t") or "n"
        stored = child(cell, "v")
        text = (stored.text or "") if stored is not None else ""
        match kind:
            case "s":
                text = text.strip()
                known = text.isdigit() and len(text) < 9 and int(text) < len(self._texts)
                return self._texts[int(text)] if known else ""
            case "inlineStr":
                inline = child(cell, "is")
                return _rich_text(inline) if inline is not None else ""
            case "b":
                return "TRUE" if text.strip() in ("1", "true") else "FALSE" if text else ""
            case "d":
                return _iso_date(text)
            case "n":
                return self._number(text.strip(), cell.get("s") or "0")
            case _:
                return _unescaped(text)

    def _number(self, text: str, style: str) -> str:
        try:
            number = float(text)
        except ValueError:
            return text
        if number != number or number in (float("inf"), float("-inf")):
            return text
        at = int(style) if style.isdigit() and len(style) < 9 else 0
        code = self._formats[at] if at < len(self._formats) else ""
        return formats.shown(number, code, self._is_1904) if code else formats.plain(number)


def _elements(data: bytes) -> Iterator[Element]:
    """Rows and what describes the sheet. Memory holds one row."""
    events = lxml.etree.iterparse(
        io.BytesIO(data), events=("end",), resolve_entities=False, no_network=True, load_dtd=False
    )
    for _, element in events:
        if name(element) in ("row", "mergeCell", "hyperlink", "drawing", "legacyDrawing"):
            yield element
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]


def _row_number(row: Element, last: int) -> int:
    text = row.get("r") or ""
    return int(text) - 1 if text.isdigit() and 0 < len(text) < 8 and int(text) > 0 else last + 1


def _place(reference: str) -> Place | None:
    match = _REFERENCE.match(reference)
    if match is None or int(match[2]) == 0:
        return None
    column = 0
    for letter in match[1].upper():
        column = 26 * column + ord(letter) - ord("A") + 1
    return int(match[2]) - 1, column - 1


def _area(reference: str) -> tuple[Place, Place] | None:
    first, _, last = reference.partition(":")
    begin, end = _place(first), _place(last or first)
    return (begin, end) if begin and end and begin <= end else None


def _rich_text(element: Element) -> str:
    """The text of runs, without how it is spoken."""
    texts = []
    for one in element:
        if name(one) == "t":
            texts.append(one.text or "")
        elif name(one) == "r":
            texts += [(run.text or "") for run in one if name(run) == "t"]
    return _unescaped("".join(texts))


def _unescaped(text: str) -> str:
    """Characters that XML lacks are written as `_x000D_`."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text) if "_x" in text else text


def _iso_date(text: str) -> str:
    try:
        return formats.iso(datetime.datetime.fromisoformat(text.strip()).replace(tzinfo=None))
    except ValueError:
        return text


def csv_parts(data: bytes) -> Converted:
    """Raises `DocumentError`."""
    text, notes = decoded(data)
    try:
        dialect: Any = csv.Sniffer().sniff(text[:SAMPLE], DELIMITERS)
    except csv.Error:
        dialect = csv.excel
    csv.field_size_limit(MAX_TEXT)
    texts: dict[Place, str] = {}
    try:
        for number, row in enumerate(csv.reader(io.StringIO(text), dialect, strict=False)):
            texts |= {(number, column): cell for column, cell in enumerate(row) if cell.strip()}
            _check_size("The table", texts)
    except csv.Error:
        raise DocumentError("document_broken", "The table is broken.") from None
    table = _table("The table", texts, {}, {})
    return Converted([[table]] if table else [], notes)


def _check_size(title: str, texts: dict[Place, str]) -> None:
    if len(texts) > MAX_CELLS:
        raise DocumentError("document_too_large", f"{title[:100]} has more than {MAX_CELLS} cells.")


def _check_area(title: str, rows: int, columns: int) -> None:
    if rows > MAX_ROWS:
        raise DocumentError("document_too_large", f"{title[:100]} has more than {MAX_ROWS} rows.")
    if rows * columns > MAX_CELLS:
        raise DocumentError("document_too_large", f"{title[:100]} has more than {MAX_CELLS} cells.")


def _table(
    title: str, texts: dict[Place, str], spans: dict[Place, Place], links: dict[Place, str]
) -> Content | None:
    """The table between the first and the last row and column that have a text."""
    if not texts:
        return None
    rows, columns = [row for row, _ in texts], [column for _, column in texts]
    top, bottom, left, right = min(rows), max(rows), min(columns), max(columns)
    _check_area(title, bottom - top + 1, right - left + 1)
    cells, anchors, covered = [], [], set()
    for row in range(top, bottom + 1):
        for column in range(left, right + 1):
            if (row, column) in covered:
                continue
            down, across = spans.get((row, column), (1, 1))
            down, across = min(down, bottom + 1 - row), min(across, right + 1 - column)
            inside = {(row + i, column + j) for i in range(down) for j in range(across)}
            # A program that writes spans may leave text below them, which no program shows.
            if any(place in texts or place in covered for place in inside - {(row, column)}):
                down = across = 1
            else:
                covered |= inside
            text = in_one_line(texts.get((row, column), ""))
            here = (row - top, column - left)
            cells.append(TableCell(*here, down, across, text))
            if text and (url := links.get((row, column))):
                anchors.append(Anchor(url, 0, len(text), here))
    return Content("table", cells=cells, links=anchors)
