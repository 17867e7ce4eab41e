"""HTML as blocks: web pages, Word documents (which `mammoth` converts to HTML) and the chapters of EPUB books."""

import io
import posixpath
import re
from collections.abc import Iterator
from urllib.parse import unquote

import lxml.etree
import lxml.html

from fovea.errors import DocumentError
from fovea.pages.convert.container import Container
from fovea.pages.convert.content import MAX_BLOCKS, MAX_CELLS, Content, Part
from fovea.result.page_result import TableCell

MAX_DEPTH = 200
"""Of elements in elements. What is deeper is text."""
MAX_CHAPTERS = 2000
MAX_SPAN = 1000
HEADING = re.compile(r"h[1-6]")
DROPPED = frozenset(("script", "style", "head", "template", "noscript", "iframe", "object", "svg", "math"))
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


def docx_parts(data: bytes) -> list[Part]:
    """A part for the whole document: it has no pages until a program lays it out."""
    import mammoth

    picture = mammoth.images.img_element(lambda image: {"src": "", "alt": image.alt_text or ""})
    html = mammoth.convert_to_html(io.BytesIO(data), convert_image=picture).value
    return [blocks_of(html.encode())]


def html_parts(data: bytes) -> list[Part]:
    return [blocks_of(data)]


def epub_parts(container: Container) -> list[Part]:
    """A part for each chapter, in the order of the book (EPUB 3.3, sections 4.2.6.3.1 and 5.7)."""
    root = _xml(container.read("META-INF/container.xml"))
    path = next(iter(root.xpath("//*[local-name()='rootfile']/@full-path")), None)
    if path is None:
        raise DocumentError("document_broken", "The book is broken and cannot be opened.")
    package = _xml(container.read(path))
    files = {item.get("id"): item.get("href") for item in package.xpath("//*[local-name()='item']")}
    spine = package.xpath("//*[local-name()='itemref']/@idref")
    if len(spine) > MAX_CHAPTERS:
        raise DocumentError("document_too_large", f"The book has more than {MAX_CHAPTERS} chapters.")
    names = [
        posixpath.normpath(posixpath.join(posixpath.dirname(path), unquote(files[i])))
        for i in spine
        if i in files
    ]
    return [blocks_of(container.read(name)) for name in names if name in container.names]


def _xml(data: bytes) -> lxml.etree._Element:
    parser = lxml.etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    return lxml.etree.fromstring(data, parser)


def blocks_of(data: bytes) -> Part:
    """The blocks of an HTML document. Its scripts do not run, and nothing that it names is fetched."""
    encoding = None
    try:
        data.decode()
        encoding = "utf-8"
    except UnicodeDecodeError:
        pass  # libxml2 finds out
    if not data.strip():
        return []
    parser = lxml.html.HTMLParser(encoding=encoding, no_network=True, huge_tree=True, remove_comments=True)
    try:
        root = lxml.html.document_fromstring(data, parser)
        # The parser leaves out what is nested deeper than its limit.
        if any("depth" in error.message for error in parser.error_log):
            raise ValueError
    except (lxml.etree.LxmlError, ValueError, AssertionError):
        raise DocumentError("document_broken", "The page is broken and cannot be read.") from None
    found = list(_Walk().element(root, 0))
    if len(found) > MAX_BLOCKS:
        raise DocumentError("document_too_large", f"The document has more than {MAX_BLOCKS} blocks.")
    return found


class _Walk:
    """Collects inline text until a block begins or ends."""

    def __init__(self) -> None:
        self._inline: list[str] = []

    def element(
        self, node: lxml.html.HtmlElement, depth: int, lists: tuple[str, ...] = ()
    ) -> Iterator[Content]:
        tag = node.tag
        if not isinstance(tag, str) or tag in DROPPED or node.get("hidden") is not None:
            return
        if depth > MAX_DEPTH:
            self._inline.append(" ".join(node.itertext()))
        elif tag == "br":
            self._inline.append("\n")
        elif tag == "img":
            yield from self._ended()
            yield Content("image", _words(node.get("alt") or ""))
        elif tag == "table":
            yield from self._ended()
            cells = list(_cells(node))
            if any(cell.text for cell in cells):
                yield Content("table", cells=cells)
        elif tag == "pre":
            yield from self._ended()
            if (text := "".join(node.itertext()).strip("\n")).strip():
                yield Content("code", text)
        elif HEADING.fullmatch(tag):
            yield from self._ended()
            level = int(tag[1])
            if words := _words("".join(node.itertext())):
                yield Content("title" if level == 1 else "sub_title", words, level=level)
        elif tag in ("ul", "ol"):
            yield from self._ended()
            number = 0
            for item in node:
                if item.tag == "li":
                    number += 1
                    yield from self._item(item, depth + 1, lists, f"{number}." if tag == "ol" else "•")
                else:
                    yield from self.element(item, depth + 1, lists)
        else:
            if is_block := tag in BLOCKS:
                yield from self._ended()
            yield from self._inside(node, depth, lists)
            if is_block:
                yield from self._ended()

    def _inside(self, node: lxml.html.HtmlElement, depth: int, lists: tuple[str, ...]) -> Iterator[Content]:
        self._inline.append(node.text or "")
        for child in node:
            yield from self.element(child, depth + 1, lists)
            self._inline.append(child.tail or "")

    def _item(
        self, node: lxml.html.HtmlElement, depth: int, lists: tuple[str, ...], marker: str
    ) -> Iterator[Content]:
        """An item: its own text, then what is in it."""
        inside = (*lists, marker)
        for content in (*self._inside(node, depth, inside), *self._ended()):
            if content.kind == "text":
                yield Content("list", _words(content.text), level=len(inside), marker=marker)
                marker = "•" if marker == "•" else ""
            else:
                yield content

    def _ended(self) -> Iterator[Content]:
        lines = [_words(line) for line in "".join(_flowing(self._inline)).split("\n")]
        self._inline = []
        if text := "\n".join(line for line in lines if line):
            yield Content("text", text)


def _flowing(parts: list[str]) -> Iterator[str]:
    """Texts whose line ends are spaces. A line break is a part of its own."""
    for part in parts:
        yield part if part == "\n" else part.replace("\n", " ")


def _cells(table: lxml.html.HtmlElement) -> Iterator[TableCell]:
    """The cells of a table, each with the text of what is in it. Spans do not overlap."""
    taken: set[tuple[int, int]] = set()
    rows = [row for row in table.iter("tr") if next(row.iterancestors("table")) is table]
    count = 0
    for number, row in enumerate(rows):
        column = 0
        for cell in row:
            if cell.tag not in ("td", "th"):
                continue
            while (number, column) in taken:
                column += 1
            down = min(_span(cell, "rowspan"), len(rows) - number)
            across = _span(cell, "colspan")
            while across > 1 and any((number, column + i) in taken for i in range(across)):
                across -= 1
            if (count := count + down * across) > MAX_CELLS:
                raise DocumentError("document_too_large", f"A table has more than {MAX_CELLS} cells.")
            taken.update((number + i, column + j) for i in range(down) for j in range(across))
            yield TableCell(number, column, down, across, _words(" ".join(cell.itertext())))
            column += across


def _span(cell: lxml.html.HtmlElement, name: str) -> int:
    text = (cell.get(name) or "").strip()
    return min(max(int(text), 1), MAX_SPAN) if text.isascii() and text.isdigit() and len(text) < 6 else 1


def _words(text: str) -> str:
    return " ".join(text.split())
