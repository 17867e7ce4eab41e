"""Word documents as blocks. A page break, and a section on a page of its own, begin a part."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from fovea.errors import DocumentError
from fovea.pages.convert.container import Container
from fovea.pages.convert.content import (
    BREAK,
    MAX_BLOCKS,
    MAX_CELLS,
    Anchor,
    Cells,
    Content,
    Converted,
    Part,
    Piece,
    flowed,
    in_one_line,
    raised,
)
from fovea.pages.convert.formulas import formula_text
from fovea.pages.convert.labels import roman
from fovea.pages.convert.numbering import BULLET, WINGDINGS, Numbering, Styles
from fovea.pages.convert.opc import Element, Package, attribute, child, is_on, name, value
from fovea.pages.links import safe_url

COMMENTS = "Comments, which are not read: {}."
CHANGES = "The document has tracked changes: it is read as if all of them were accepted."
EMBEDDED = "The document contains other documents, which are not read."
MAX_SPAN = 1000
MAX_FIELDS = 100
"""Fields in fields."""
INSIDE = frozenset(
    (
        "ins",
        "moveTo",
        "smartTag",
        "sdtContent",
        "customXml",
        "dir",
        "bdo",
        "ruby",
        "rubyBase",
        "r",
        "fldSimple",
    )
)
"""Elements whose content is that of the paragraph."""
SYMBOLS = WINGDINGS | {
    0xFC: "✓",
    0xFB: "✗",
    0xB7: "•",
    0xA7: "▪",
    0xE0: "→",
    0xDF: "←",
    0xD8: "➢",
    0x4A: "☺",
}
"""Signs of Wingdings, by their codes."""
_FIELD = re.compile(r'\s*HYPERLINK\s+(?!\\)(?:"([^"]*)"|(\S+))', re.IGNORECASE)


def docx_parts(container: Container) -> Converted:
    return _Reader(Package(container)).read()


@dataclass(slots=True)
class _Field:
    """A field: its instruction comes before its result."""

    code: str = ""
    in_result: bool = False
    url: str | None = None
    check_box: str = ""


@dataclass(slots=True)
class _Paragraph:
    pieces: list[Piece] = field(default_factory=list)
    after: list[Content] = field(default_factory=list)
    """Pictures, and what stands in text boxes."""
    has_break: bool = False
    """Whether a page break is in it."""


class _Reader:
    def __init__(self, package: Package):
        self._package = package
        self._main = package.main()
        self._styles = Styles(self._related("styles"))
        self._numbering = Numbering(self._related("numbering"), self._styles)
        self._notes = {kind: self._note_elements(kind) for kind in ("footnote", "endnote")}
        self._noted: dict[tuple[str, str], str] = {}
        """The signs of the notes in the order in which they are referred to."""
        self._footnotes: list[Content] = []
        self._fields: list[_Field] = []
        self._count = 0
        self._has_changes = self._has_embedded = False

    def _related(self, kind: str) -> Element | None:
        targets = self._package.related(self._main, kind)
        return self._package.part(targets[0]) if targets else None

    def _note_elements(self, kind: str) -> dict[str, Element]:
        root = self._related(f"{kind}s")
        return {attribute(one, "id") or "": one for one in (root if root is not None else ())}

    def read(self) -> Converted:
        body = child(self._package.part(self._main), "body")
        if body is None:
            raise DocumentError("document_broken", "The document is broken and cannot be opened.")
        parts: list[Part] = [[]]
        for content in self._blocks(body, self._main):
            self._count += 1
            if self._count > MAX_BLOCKS:
                raise DocumentError("document_too_large", f"The document has more than {MAX_BLOCKS} blocks.")
            if content is None:
                parts.append([])
            elif content.kind == "code" and parts[-1] and parts[-1][-1].kind == "code":
                parts[-1][-1].text += f"\n{content.text}"
            else:
                parts[-1].append(content)
        notes = self._written_notes()
        headers, footers = (self._margins(body, kind) for kind in ("header", "footer"))
        parts[0][:0] = headers
        last = next((part for part in reversed(parts) if part), parts[0])
        last += [*notes, *footers]
        return Converted(parts, self._sentences())

    def _sentences(self) -> list[str]:
        sentences = []
        comments = self._related("comments")
        if comments is not None and len(comments):
            sentences.append(COMMENTS.format(len(comments)))
        if self._has_changes:
            sentences.append(CHANGES)
        if self._has_embedded:
            sentences.append(EMBEDDED)
        return sentences

    def _margins(self, body: Element, kind: str) -> list[Content]:
        """The different headers or footers of all sections, once each: they are on many pages."""
        found: list[Content] = []
        ids = [
            attribute(one, "id")
            for one in body.iter()
            if name(one) == f"{kind}Reference" and name(one.getparent()) == "sectPr"
        ]
        relations = self._package.relations(self._main)
        for target in dict.fromkeys(relations[id_].target for id_ in ids if id_ in relations):
            root = self._package.part(target)
            for content in self._blocks(root, target) if root is not None else ():
                if content is None or content.kind == "image":
                    continue
                content.kind = "table" if content.kind == "table" else kind
                if content not in found:
                    found.append(content)
        return found

    def _written_notes(self) -> list[Content]:
        """The notes that the text refers to. Notes of notes follow them."""
        written: list[Content] = []
        done: set[tuple[str, str]] = set()
        while left := [key for key in self._noted if key not in done]:
            for key in left:
                done.add(key)
                element = self._notes[key[0]].get(key[1])
                if element is None:
                    continue
                part = next(iter(self._package.related(self._main, f"{key[0]}s")), self._main)
                pieces = [Piece(f"{self._noted[key]} ")]
                pieces += list(self._flat(element, part, written))
                text, links = flowed(pieces)
                written.append(Content("footnote", text, links=links))
        return written

    def _blocks(self, parent: Element, part: str) -> Iterator[Content | None]:
        """The blocks in order; `None` is a page break."""
        for element in parent:
            match name(element):
                case "p":
                    yield from self._paragraph(element, part)
                case "tbl":
                    cells = Cells()
                    pictures: list[Content] = []
                    self._table(element, part, cells, pictures)
                    if any(cell.text for cell in cells.cells):
                        yield cells.content
                    yield from pictures
                case "sdt":
                    if (content := child(element, "sdtContent")) is not None:
                        yield from self._blocks(content, part)
                case "ins" | "moveTo" | "customXml" | "smartTag":
                    yield from self._blocks(element, part)
                case "altChunk":
                    self._has_embedded = True

    def _paragraph(self, element: Element, part: str) -> Iterator[Content | None]:
        properties = child(element, "pPr")
        style = value(properties, "pStyle")
        chain = self._styles.chain(style)
        if is_on(properties, "pageBreakBefore") or any(one.breaks_before for one in chain[:1]):
            yield None
        paragraph = _Paragraph()
        self._inline(element, part, paragraph)
        self._end_fields()
        text, links = flowed(paragraph.pieces)
        marker = self._numbering.marker(style, properties) if text else None
        level = self._styles.level(style, properties)
        if paragraph.has_break and text == "":
            yield None
        if text:
            if level or self._styles.is_subtitle(style):
                sign = marker[1] if marker and marker[1] != BULLET else ""
                text, links = flowed([Piece(f"{sign} "), *_flat_lines(paragraph.pieces)])
                yield Content("title" if level == 1 else "sub_title", text, level=level or 2, links=links)
            elif self._styles.is_code(style):
                raw = "".join(piece.text for piece in paragraph.pieces).strip("\n")
                yield Content("code", raw)
            elif marker and marker[1]:
                text, links = flowed(_flat_lines(paragraph.pieces))
                yield Content("list", text, level=marker[0] + 1, marker=marker[1], links=links)
            else:
                yield Content("text", text, links=links)
        yield from paragraph.after
        if paragraph.has_break and text:
            yield None
        section = child(properties, "sectPr")
        if section is not None and value(section, "type") not in ("continuous", "nextColumn"):
            yield None

    def _inline(self, parent: Element, part: str, to: _Paragraph, url: str | None = None) -> None:
        for element in parent:
            tag = name(element)
            if tag in ("del", "moveFrom"):
                self._has_changes = True
            elif tag in INSIDE:
                self._has_changes = self._has_changes or tag in ("ins", "moveTo")
                if tag == "r" and self._is_hidden(element):
                    continue
                if tag == "r" and value(child(element, "rPr"), "vertAlign") == "superscript":
                    self._raised(element, part, to, url)
                elif tag == "fldSimple":
                    self._inline(element, part, to, _field_url(attribute(element, "instr") or "") or url)
                else:
                    self._inline(element, part, to, url)
            elif tag == "sdt":
                if (content := child(element, "sdtContent")) is not None:
                    self._inline(content, part, to, url)
            elif tag == "hyperlink":
                relation = self._package.relations(part).get(attribute(element, "id") or "")
                self._inline(element, part, to, (relation and relation.url) or url)
            elif tag == "AlternateContent":
                self._alternative(element, part, to, url)
            else:
                self._leaf(element, tag, part, to, url)

    def _raised(self, run: Element, part: str, to: _Paragraph, url: str | None) -> None:
        before = len(to.pieces)
        self._inline(run, part, to, url)
        notes = set(self._noted.values())
        to.pieces[before:] = [
            piece if piece.text in notes else Piece(raised(piece.text), piece.url)
            for piece in to.pieces[before:]
        ]

    def _leaf(self, element: Element, tag: str, part: str, to: _Paragraph, url: str | None) -> None:
        open_field = self._fields[-1] if self._fields else None
        if tag == "fldChar":
            self._field_sign(element, to)
            return
        if tag == "instrText":
            if open_field and len(open_field.code) < 10_000:
                open_field.code += element.text or ""
            return
        if any(not one.in_result for one in self._fields):
            return
        url = next((one.url for one in reversed(self._fields) if one.url), url)
        match tag:
            case "t":
                to.pieces.append(Piece(element.text or "", url))
            case "tab" | "ptab":
                to.pieces.append(Piece(" "))
            case "cr":
                to.pieces.append(Piece(BREAK))
            case "br":
                if attribute(element, "type") == "page":
                    to.has_break = True
                to.pieces.append(Piece(BREAK))
            case "noBreakHyphen":
                to.pieces.append(Piece("-", url))
            case "sym":
                to.pieces.append(Piece(_symbol(attribute(element, "char") or ""), url))
            case "footnoteReference" | "endnoteReference":
                to.pieces.append(Piece(self._reference(tag, attribute(element, "id") or "")))
            case "oMath" | "oMathPara":
                to.pieces.append(Piece(formula_text(element)))
            case "drawing" | "pict" | "object":
                self._drawing(element, tag, part, to)

    def _field_sign(self, element: Element, to: _Paragraph) -> None:
        match attribute(element, "fldCharType"):
            case "begin":
                box = child(element, "ffData", "checkBox")
                is_checked = (
                    is_on(box, "checked") if child(box, "checked") is not None else is_on(box, "default")
                )
                sign = "" if box is None else "☒" if is_checked else "☐"
                if len(self._fields) < MAX_FIELDS:
                    self._fields.append(_Field(check_box=sign))
            case "separate" if self._fields:
                self._fields[-1].in_result = True
                self._fields[-1].url = _field_url(self._fields[-1].code)
            case "end" if self._fields:
                ended = self._fields.pop()
                if ended.check_box and all(one.in_result for one in self._fields):
                    to.pieces.append(Piece(ended.check_box))

    def _end_fields(self) -> None:
        """Fields whose end is missing neither swallow the rest of the document nor link it."""
        self._fields = [one for one in self._fields if one.in_result]
        for one in self._fields:
            one.url = None

    def _reference(self, tag: str, id_: str) -> str:
        kind = tag.removesuffix("Reference")
        key = (kind, id_)
        if key not in self._noted:
            number = sum(one[0] == kind for one in self._noted) + 1
            self._noted[key] = f"[{number if kind == 'footnote' else roman(number)}]"
        return self._noted[key]

    def _is_hidden(self, run: Element) -> bool:
        properties = child(run, "rPr")
        if child(properties, "vanish") is not None:
            return is_on(properties, "vanish")
        return self._styles.is_hidden(value(properties, "rStyle"))

    def _alternative(self, element: Element, part: str, to: _Paragraph, url: str | None) -> None:
        """Of two descriptions of a drawing, the first one that says something."""
        for choice in element:
            before = len(to.pieces), len(to.after)
            self._inline(choice, part, to, url)
            if (len(to.pieces), len(to.after)) != before:
                return

    def _drawing(self, element: Element, tag: str, part: str, to: _Paragraph) -> None:
        """The texts of its boxes; otherwise a picture, with what the document says about it."""
        boxes = [one for one in element.iter() if name(one) == "txbxContent"]
        # Boxes in boxes are read with the outer ones.
        boxes = [box for box in boxes if not any(name(one) == "txbxContent" for one in box.iterancestors())]
        for box in boxes:
            fields, self._fields = self._fields, []
            to.after += [content for content in self._blocks(box, part) if content]
            self._fields = fields
        if boxes and not any(name(one) == "blip" for one in element.iter()):
            return
        about = next((one for one in element.iter() if name(one) in ("docPr", "cNvPr")), None)
        is_picture = tag != "pict" or any(name(one) == "imagedata" for one in element.iter())
        if word_art := [one.get("string", "") for one in element.iter() if name(one) == "textpath"]:
            to.after.append(Content("text", in_one_line(" ".join(word_art))))
        elif is_picture and not _is_shape(element):
            described = attribute(about, "descr") or next(
                (one.get("alt", "") for one in element.iter() if name(one) == "shape" and one.get("alt")), ""
            )
            to.after.append(Content("image", in_one_line(described), links=self._picture_links(about, part)))

    def _picture_links(self, about: Element | None, part: str) -> list[Anchor]:
        relation = self._package.relations(part).get(attribute(child(about, "hlinkClick"), "id") or "")
        url = relation and relation.url
        return [Anchor(url, 0, len(attribute(about, "descr") or ""))] if url else []

    def _flat(self, parent: Element, part: str, pictures: list[Content]) -> Iterator[Piece]:
        """What is in a cell or a note, as one text. Its pictures are added to `pictures`."""
        for content in self._blocks(parent, part):
            if content is None:
                continue
            if content.kind == "image":
                pictures.append(content)
                continue
            if content.kind == "list" and content.marker and content.marker != BULLET:
                yield Piece(f"{content.marker} ")
            yield from content.pieces()
            yield Piece(" ")

    def _table(self, table: Element, part: str, cells: Cells, pictures: list[Content]) -> None:
        """The cells; a cell that goes on from the row above belongs to it."""
        all_rows = list(_named(table, "tr"))
        rows = [row for row in all_rows if not is_on(child(row, "trPr"), "del")]
        if len(rows) < len(all_rows):
            self._has_changes = True
        open_: dict[int, tuple[int, int]] = {}
        """For each column, the number of the cell above and its width, if it may go on."""
        for number, row in enumerate(rows):
            column = _count(value(child(row, "trPr"), "gridBefore"), 0)
            went_on: dict[int, tuple[int, int]] = {}
            for cell in _named(row, "tc"):
                properties = child(cell, "tcPr")
                across = max(1, _count(value(properties, "gridSpan"), 1))
                merge = child(properties, "vMerge")
                above = open_.get(column)
                goes_on = merge is not None and (attribute(merge, "val") or "continue") == "continue"
                if goes_on and above and above[1] == across:
                    cells.cells[above[0]].rowspan += 1
                    went_on[column] = above
                    column += across
                    continue
                if len(cells.cells) >= MAX_CELLS:
                    raise DocumentError("document_too_large", f"A table has more than {MAX_CELLS} cells.")
                pieces = list(self._flat(cell, part, pictures))
                cells.add(number, column, 1, across, pieces)
                if merge is not None:
                    went_on[column] = (len(cells.cells) - 1, across)
                column += across
            open_ = went_on


def _named(parent: Element, tag: str) -> Iterator[Element]:
    """The rows of a table (`tr`) or the cells of a row (`tc`), also within controls and tracked changes."""
    for one in parent:
        if name(one) == tag:
            yield one
        elif name(one) in ("sdt", "ins", "customXml"):
            inner = child(one, "sdtContent")
            yield from _named(inner if inner is not None else one, tag)


def _flat_lines(pieces: list[Piece]) -> Iterator[Piece]:
    for piece in pieces:
        yield Piece(" ") if piece.text == BREAK else piece


def _count(text: str | None, default: int) -> int:
    return (
        min(int(text), MAX_SPAN) if text and text.isascii() and text.isdigit() and len(text) < 9 else default
    )


def _field_url(code: str) -> str | None:
    match = _FIELD.match(code)
    return safe_url(match[1] or match[2] or "") if match else None


def _symbol(code: str) -> str:
    try:
        number = int(code, 16)
    except ValueError:
        return ""
    if 0xF000 <= number <= 0xF0FF:
        return SYMBOLS.get(number - 0xF000, "□")
    return chr(number) if 0x20 <= number < 0xD800 or 0xE000 <= number < 0x110000 else ""


def _is_shape(drawing: Element) -> bool:
    """Whether it is only drawn, such as a line, and has nothing to read."""
    names = {name(one) for one in drawing.iter()}
    return "wsp" in names and not names & {"blip", "chart", "relIds"}
