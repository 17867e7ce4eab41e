"""HTML as blocks: web pages and the chapters of EPUB books."""

import posixpath
import re
from collections.abc import Iterator
from urllib.parse import unquote, urljoin

import lxml.etree
import lxml.html

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
from fovea.pages.convert.encodings import GUESSED, of_markup
from fovea.pages.convert.labels import HTML, label
from fovea.pages.convert.opc import xml
from fovea.pages.links import safe_url

MAX_DEPTH = 200
"""Of elements in elements. What is deeper is text."""
MAX_CHAPTERS = 2000
MAX_SPAN = 1000
MISSING_CHAPTERS = "Chapters of the book that are missing in its file: {}."
HEADING = re.compile(r"h[1-6]")
DROPPED = frozenset(("script", "style", "head", "template", "noscript", "iframe", "object"))
VOID = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"]
)
"""Elements without content."""
ANNOTATIONS = frozenset(("annotation", "annotation-xml"))
"""What a formula says besides what it shows."""
INVISIBLE = re.compile(r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*hidden)\s*(?:!|;|$)", re.IGNORECASE)
_CLOSED = re.compile(r"<([A-Za-z][\w-]*)((?:\s[^<>]*)?)/>")
BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "center",
        "dd",
        "details",
        "dialog",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "html",
        "li",
        "main",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "summary",
        "table",
        "ul",
    ]
)


def html_parts(data: bytes) -> Converted:
    encoding, is_guess = of_markup(data)
    return Converted([blocks_of(data.decode(encoding, "replace"))], [GUESSED] if is_guess else [])


def epub_parts(container: Container) -> Converted:
    """A part for each chapter, in the order of the book (EPUB 3.3, sections 4.2.6.3.1 and 5.7)."""
    root = xml(container.read("META-INF/container.xml"))
    path = next(iter(root.xpath("//*[local-name()='rootfile']/@full-path")), None)
    if path is None:
        raise DocumentError("document_broken", "The book is broken and cannot be opened.")
    package = xml(container.read(path))
    files = {item.get("id"): item.get("href") for item in package.xpath("//*[local-name()='item']")}
    spine = package.xpath("//*[local-name()='itemref']/@idref")
    if len(spine) > MAX_CHAPTERS:
        raise DocumentError("document_too_large", f"The book has more than {MAX_CHAPTERS} chapters.")
    names = [
        posixpath.normpath(posixpath.join(posixpath.dirname(path), unquote(files[i] or "")))
        for i in spine
        if i in files
    ]
    found = [name for name in names if name in container.names]
    missing = len(spine) - len(found)
    return Converted(
        [_chapter(container.read(name)) for name in found],
        [MISSING_CHAPTERS.format(missing)] if missing else [],
    )


def _chapter(data: bytes) -> Part:
    """XHTML as HTML: there, an empty element that is closed in its own tag is not closed."""
    text = data.decode(of_markup(data)[0], "replace")
    return blocks_of(_CLOSED.sub(_opened, text))


def _opened(match: re.Match[str]) -> str:
    return match[0] if match[1].lower() in VOID else f"<{match[1]}{match[2]}></{match[1]}>"


def blocks_of(text: str) -> Part:
    """The blocks of an HTML document. Its scripts do not run, and nothing that it names is fetched."""
    text = text.replace("\0", "")
    if not text.strip():
        return []
    parser = lxml.html.HTMLParser(encoding="utf-8", no_network=True, huge_tree=True, remove_comments=True)
    try:
        root = lxml.html.document_fromstring(text.encode("utf-8", "replace"), parser)
        # The parser leaves out what is nested deeper than its limit.
        if any("depth" in error.message for error in parser.error_log):
            raise ValueError
    except (lxml.etree.LxmlError, ValueError, AssertionError):
        raise DocumentError("document_broken", "The page is broken and cannot be read.") from None
    base = next((one.get("href") or "" for one in root.iter("base")), "")
    found = list(_Walk(base).document(root))
    if len(found) > MAX_BLOCKS:
        raise DocumentError("document_too_large", f"The document has more than {MAX_BLOCKS} blocks.")
    return found


class _Walk:
    """Collects inline text until a block begins or ends."""

    def __init__(self, base: str) -> None:
        self._base = base
        """The address to which those in the document are relative."""
        self._inline: list[Piece] = []
        self._url: str | None = None
        self._is_raised = False

    def document(self, root: lxml.html.HtmlElement) -> Iterator[Content]:
        yield from self.element(root, 0)
        yield from self._ended()

    def element(
        self, node: lxml.html.HtmlElement, depth: int, lists: tuple[str, ...] = ()
    ) -> Iterator[Content]:
        tag = node.tag
        if not _is_shown(node):
            return
        if depth > MAX_DEPTH:
            self._add(" ".join(node.itertext()))
        elif tag == "br":
            self._inline.append(Piece(BREAK))
        elif tag == "img":
            yield from self._ended()
            text = in_one_line(node.get("alt") or "")
            yield Content("image", text, links=[Anchor(self._url, 0, len(text))] if self._url else [])
        elif tag == "svg":
            if words := in_one_line(node.get("aria-label") or " ".join(_texts(node))):
                yield from self._ended()
                yield Content("image", words)
        elif tag == "sup":
            outer, self._is_raised = self._is_raised, True
            yield from self._inside(node, depth, lists)
            self._is_raised = outer
        elif tag == "input" and (node.get("type") or "").lower() == "checkbox":
            self._add("☐ " if node.get("checked") is None else "☒ ")
        elif tag == "math":
            self._add("".join(_texts(node)))
        elif tag == "table":
            yield from self._ended()
            yield from self._table(node, depth, lists)
        elif tag == "pre":
            yield from self._ended()
            if (text := "".join(_texts(node)).strip("\n")).strip():
                yield Content("code", text)
        elif HEADING.fullmatch(tag):
            yield from self._ended()
            level = int(tag[1])
            text, links = flowed(_in_line(self._pieces(node, depth)))
            if text:
                yield Content("title" if level == 1 else "sub_title", text, level=level, links=links)
            yield from _pictures(node)
        elif tag in ("ul", "ol"):
            yield from self._ended()
            yield from self._list(node, depth, lists)
        elif tag == "a":
            outer, self._url = self._url, self._address(node) or self._url
            yield from self._inside(node, depth, lists)
            self._url = outer
        else:
            if is_block := tag in BLOCKS:
                yield from self._ended()
            yield from self._inside(node, depth, lists)
            if is_block:
                yield from self._ended()

    def _address(self, node: lxml.html.HtmlElement) -> str | None:
        href = (node.get("href") or "").strip()
        try:
            return safe_url(urljoin(self._base, href)) if href and not href.startswith("#") else None
        except ValueError:
            return None

    def _add(self, text: str) -> None:
        # Line ends of the source are spaces; a line break is a piece of its own.
        text = text.replace("\n", " ")
        self._inline.append(Piece(raised(text) if self._is_raised else text, self._url))

    def _inside(self, node: lxml.html.HtmlElement, depth: int, lists: tuple[str, ...]) -> Iterator[Content]:
        self._add(node.text or "")
        for child in node:
            yield from self.element(child, depth + 1, lists)
            self._add(child.tail or "")

    def _list(self, node: lxml.html.HtmlElement, depth: int, lists: tuple[str, ...]) -> Iterator[Content]:
        form = HTML.get(node.get("type") or "", "decimal")
        number = _whole(node.get("start"), 1) - 1
        for item in node:
            if item.tag == "li":
                number = _whole(item.get("value"), number + 1)
                marker = f"{label(number, form)}." if node.tag == "ol" else "•"
                if _is_shown(item):
                    yield from self._item(item, depth + 1, lists, marker)
            else:
                yield from self.element(item, depth + 1, lists)

    def _item(
        self, node: lxml.html.HtmlElement, depth: int, lists: tuple[str, ...], marker: str
    ) -> Iterator[Content]:
        """An item: its own text, then what is in it."""
        inside = (*lists, marker)
        for content in (*self._inside(node, depth, inside), *self._ended()):
            if content.kind == "text":
                text = content.text.replace("\n", " ")
                if marker == "•" and text[:2] in ("☐ ", "☒ "):  # a task
                    marker, text = text[0], text[2:]
                    content.links = [Anchor(link.url, link.start - 2, link.end - 2) for link in content.links]
                yield Content("list", text, level=len(inside), marker=marker, links=content.links)
                marker = "•" if marker == "•" else ""
            else:
                yield content

    def _table(self, node: lxml.html.HtmlElement, depth: int, lists: tuple[str, ...]) -> Iterator[Content]:
        """A table. One that contains others only arranges them on the page."""
        if next((inner for inner in node.iter("table") if inner is not node), None) is not None:
            for child in node:
                yield from self._arranged(child, depth + 1, lists)
            return
        for caption in node.iterchildren("caption"):
            text, links = flowed(_in_line(self._pieces(caption, depth)))
            if text:
                yield Content("table_caption", text, links=links)
        cells = self._cells(node, depth)
        if any(cell.text for cell in cells.cells):
            yield cells.content
        yield from _pictures(node)

    def _arranged(self, node: lxml.html.HtmlElement, depth: int, lists: tuple[str, ...]) -> Iterator[Content]:
        yield from self._ended()
        if node.tag in ("tbody", "thead", "tfoot", "tr") and _is_shown(node):
            for child in node:
                yield from self._arranged(child, depth + 1, lists)
        elif node.tag in ("td", "th", "caption") and _is_shown(node):
            yield from self._inside(node, depth, lists)
            yield from self._ended()
        else:
            yield from self.element(node, depth, lists)

    def _cells(self, table: lxml.html.HtmlElement, depth: int) -> Cells:
        """The cells of a table, each with the text of what is in it. Spans do not overlap."""
        taken: set[tuple[int, int]] = set()
        rows = [row for row in table.iter("tr") if _is_shown(row)]
        cells = Cells()
        count = 0
        for number, row in enumerate(rows):
            column = 0
            for cell in row:
                if cell.tag not in ("td", "th") or not _is_shown(cell):
                    continue
                while (number, column) in taken:
                    column += 1
                down = min(_span(cell, "rowspan") or len(rows), len(rows) - number)
                across = _span(cell, "colspan") or 1
                while across > 1 and any((number, column + i) in taken for i in range(across)):
                    across -= 1
                if (count := count + down * across) > MAX_CELLS:
                    raise DocumentError("document_too_large", f"A table has more than {MAX_CELLS} cells.")
                taken.update((number + i, column + j) for i in range(down) for j in range(across))
                cells.add(number, column, down, across, self._pieces(cell, depth))
                column += across
        return cells

    def _pieces(self, node: lxml.html.HtmlElement, depth: int) -> list[Piece]:
        """What is in an element as one text: blocks are divided by spaces."""
        outer, self._inline = self._inline, []
        pieces: list[Piece] = []
        for content in (*self._inside(node, depth, ()), *self._ended()):
            if content.kind == "list" and content.marker not in ("", "•"):
                pieces.append(Piece(f"{content.marker} "))
            if content.kind != "image":
                pieces += content.pieces()
            pieces.append(Piece(" "))
        self._inline = outer
        return pieces

    def _ended(self) -> Iterator[Content]:
        text, links = flowed(self._inline)
        self._inline = []
        if text:
            yield Content("text", text, links=links)


def _is_shown(node: lxml.html.HtmlElement) -> bool:
    return (
        isinstance(node.tag, str)
        and node.tag not in DROPPED
        and node.get("hidden") is None
        and not INVISIBLE.search(node.get("style") or "")
    )


def _texts(node: lxml.html.HtmlElement) -> Iterator[str]:
    """The texts in an element, without what is not shown."""
    yield node.text or ""
    for child in node:
        if child.tag == "br":
            yield "\n"
        elif _is_shown(child) and child.tag not in ANNOTATIONS:
            yield from _texts(child)
        yield child.tail or ""


def _pictures(node: lxml.html.HtmlElement) -> Iterator[Content]:
    """The pictures in an element whose text is one."""
    for picture in node.iter("img"):
        if _is_shown(picture):
            yield Content("image", in_one_line(picture.get("alt") or ""))


def _in_line(pieces: list[Piece]) -> Iterator[Piece]:
    for piece in pieces:
        yield Piece(" ") if piece.text == BREAK else piece


def _whole(text: str | None, default: int) -> int:
    text = (text or "").strip()
    return int(text) if re.fullmatch(r"-?[0-9]{1,6}", text) else default


def _span(cell: lxml.html.HtmlElement, name: str) -> int:
    """How many rows or columns a cell covers; 0 is all that follow."""
    text = (cell.get(name) or "").strip()
    return min(int(text), MAX_SPAN) if text.isascii() and text.isdigit() and len(text) < 6 else 1
