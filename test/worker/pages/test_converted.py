"""Office documents, books, web pages and CSV: their own text, laid out on pages."""

import office
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from office import docx, epub, paragraph, pptx, rows, shape, xlsx

from fovea.errors import DocumentError
from fovea.pages import isolated
from fovea.pages.convert import container
from fovea.pages.documents import ConvertedDocument, open_document
from fovea.result.markdown import to_markdown

LIMIT = 50_000_000
WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def opened(data, media_type="") -> ConvertedDocument:
    document = open_document(data, LIMIT, media_type)
    assert isinstance(document, ConvertedDocument)
    return document


def markdown(document, page=1):
    return to_markdown(document.content(page))


def refused(data, media_type=""):
    with pytest.raises(DocumentError) as fault:
        open_document(data, LIMIT, media_type)
    return fault.value.code


TABLE = (
    '<w:tbl><w:tr><w:tc><w:tcPr><w:gridSpan w:val="2"/></w:tcPr>{}</w:tc></w:tr>'
    "<w:tr><w:tc>{}</w:tc><w:tc>{}</w:tc></w:tr></w:tbl>"
).format(*map(paragraph, ("Sums", "a", "b")))


def test_word_documents_have_headings_paragraphs_and_tables_with_spans():
    document = opened(docx(paragraph("Rivers", "Heading1") + paragraph("One &lt; two.") + TABLE))
    assert (document.media_type, document.page_count) == (WORD, 1)
    assert markdown(document) == (
        "# Rivers\n\nOne < two.\n\n"
        '<table><tr><th colspan="2">Sums</th></tr><tr><td>a</td><td>b</td></tr></table>'
    )
    title, text, table = document.content(1)
    assert (title.bbox[3] <= text.bbox[1]) and (text.bbox[3] <= table.bbox[1])
    assert [cell.text for cell in table.cells] == ["Sums", "a", "b"]


def test_boxes_lie_where_the_page_shows_the_blocks():
    document = opened(docx(paragraph("Rivers", "Heading1") + paragraph("words")))
    image = document.raster(1, 144).image.convert("L")
    for block in document.content(1):
        x0, y0, x1, y1 = (round(value * side) for value, side in zip(block.bbox, image.size * 2, strict=True))
        assert image.crop((x0, y0, x1, y1)).getextrema()[0] < 128
        image.paste(255, (x0, y0, x1, y1))
    assert image.getextrema() == (255, 255)


def test_each_visible_sheet_begins_a_page_and_values_are_those_of_the_file():
    costs = rows([["What", "Sum"], ["Pens", 12.0], ["Ink", 3.5], ["", ""]])
    document = opened(xlsx({"Costs": costs, "Hidden": rows([["x"]]), "More": rows([["y"]])}, hidden="Hidden"))
    assert document.page_count == 2
    assert markdown(document) == (
        "# Costs\n\n<table><tr><th>What</th><th>Sum</th></tr><tr><td>Pens</td><td>12</td></tr>"
        "<tr><td>Ink</td><td>3.5</td></tr></table>"
    )
    assert markdown(document, 2).startswith("# More")


def test_merged_cells_of_a_sheet_span_unless_they_would_hide_a_text():
    (_, table) = opened(xlsx({"S": rows([["a", ""], ["b", "c"]], merged="A1:B1")})).content(1)
    assert [(c.row, c.column, c.colspan) for c in table.cells] == [(0, 0, 2), (1, 0, 1), (1, 1, 1)]
    (_, table) = opened(xlsx({"S": rows([["a", "d"], ["b", "c"]], merged="A1:B1")})).content(1)
    assert [cell.text for cell in table.cells] == ["a", "d", "b", "c"]


def test_a_table_goes_on_over_pages_row_by_row():
    lines = [["Name", "Number"], *([f"row {n}", str(n)] for n in range(200))]
    document = opened("\n".join(",".join(line) for line in lines).encode(), "text/csv")
    assert document.page_count > 2
    tables = [block for page in range(1, document.page_count + 1) for block in document.content(page)]
    assert [line.split("\t") for table in tables for line in table.text.split("\n")] == lines


def test_slides_are_pages_from_top_to_bottom_and_hidden_ones_are_not():
    body = shape(3, ["below"], top=900) + shape(4, ["one", "two"], "body", top=100)
    picture = (
        '<p:pic><p:nvPicPr><p:cNvPr id="5" name="" descr="A map"/><p:cNvPicPr/><p:nvPr/></p:nvPicPr>'
        "<p:blipFill/><p:spPr/></p:pic>"
    )
    document = opened(pptx([shape(2, ["Hello"], "title") + body, shape(2, ["no"]), picture], hidden=2))
    assert document.page_count == 2
    assert markdown(document) == "# Hello\n\n- one\n- two\n\nbelow"
    assert [(block.type, block.text) for block in document.content(2)] == [("image", "A map")]


def test_chapters_of_a_book_are_read_in_its_order():
    document = opened(epub({"b.xhtml": "<h1>One</h1><p>x<br/>y</p>", "a.xhtml": "<h2>Two</h2>"}))
    assert document.media_type == "application/epub+zip"
    assert [markdown(document, page) for page in (1, 2)] == ["# One\n\nx  \ny", "## Two"]


def test_web_pages_have_nested_lists_code_and_spans_and_no_scripts():
    html = (
        b"<html><head><title>no</title></head><script>no</script><ol><li>a<ul><li>b</ul><li>c</ol>"
        b"<pre>x\n  y</pre><table><tr><td rowspan=2>p<td>q<tr><td>r</table><p hidden>no</p><!-- no -->tail"
    )
    assert markdown(opened(html, "text/html")) == (
        "1. a\n   - b\n2. c\n\n```\nx\n  y\n```\n\n"
        '<table><tr><th rowspan="2">p</th><th>q</th></tr><tr><td>r</td></tr></table>\n\ntail'
    )


def test_csv_has_the_delimiter_that_it_seems_to_have():
    assert "<th>b,c</th>" in markdown(opened(b"a;b,c\n1;2\n3;4\n", "text/csv"))
    assert "<th>a</th><th>b</th>" in markdown(opened("\ufeffa,b\r\n1,2\r\n".encode(), "text/csv"))
    assert "<td>1</td>" in markdown(opened(b"x\n1\n", "text/csv"))


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.lists(st.sampled_from(["alpha", "beta", "gamma"]), min_size=1, max_size=400),
        min_size=1,
        max_size=6,
    )
)
def test_no_word_is_lost_between_pages(paragraphs):
    html = "".join(f"<p>{' '.join(words)}</p>" for words in paragraphs).encode()
    document = opened(b"<html>" + html, "text/html")
    pages = [document.content(page) for page in range(1, document.page_count + 1)]
    assert [word for page in pages for block in page for word in block.text.split()] == [
        word for words in paragraphs for word in words
    ]


@pytest.mark.parametrize(
    ("data", "media_type", "expected"),
    [
        (docx(paragraph("x"))[:200], "", "document_broken"),
        (docx("</w:p>"), "", "document_broken"),
        (b"<html>" + b"word " * 300_000, "text/html", "document_too_large"),
        (b'a,"' + b"x" * 2_000_000, "text/csv", "document_broken"),
        (docx(paragraph("&x;"), head='<!DOCTYPE x [<!ENTITY x "y">]>'), "", "document_unsupported"),
        (docx(paragraph("x"), more={"word/vbaProject.bin": b"x"}), "", "document_unsupported"),
        (docx(""), "", "document_empty"),
        (xlsx({"S": rows([["x"]] * 10_001)}), "", "document_too_large"),
        (xlsx({"S": rows([["x"] * 101] * 500)}), "", "document_too_large"),
        (b"a,b\n" * 100_000, "text/csv", "document_too_large"),
        (b"\xff\xfe", "text/csv", "document_empty"),
        (b",,\n,,\n", "text/csv", "document_empty"),
        (b"<html>" + b"<div>" * 3000 + b"x", "text/html", "document_broken"),
        (b"<html><table>" + b"<tr><td rowspan=1000 colspan=1000>x" * 99, "text/html", "document_too_large"),
        (b"<html><script>x</script>", "text/html", "document_empty"),
        (epub({"a": "x"}, {"META-INF/rights.xml": "<x/>"}), "", "document_encrypted"),
        (epub({"a": "x"}, {"OEBPS/book.opf": "<package"}), "", "document_broken"),
        (epub({}), "", "document_empty"),
        (office.archive({"a.txt": "x"}), "", "document_unsupported"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "", "document_encrypted"),
    ],
    ids=lambda value: value if isinstance(value, str) else "data",
)
def test_documents_that_are_not_converted(data, media_type, expected):
    assert refused(data, media_type) == expected


def test_a_container_is_refused_before_it_is_unpacked(monkeypatch):
    monkeypatch.setattr(container, "MAX_UNPACKED", 1_000_000)
    assert refused(docx("x" + " " * 1_000_000)) == "document_too_large"
    monkeypatch.setattr(container, "MAX_ENTRIES", 3)
    assert refused(docx(paragraph("x"))) == "document_too_large"


def test_an_external_entity_of_a_book_is_not_read(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("hidden words")
    package = (
        f'<!DOCTYPE package [<!ENTITY x SYSTEM "{secret.as_uri()}">]><package xmlns="http://www.idpf.org/2007/opf">'
        '<manifest><item id="a" href="a"/></manifest><spine><itemref idref="a"/>&x;</spine></package>'
    )
    chapter = f'<!DOCTYPE html [<!ENTITY x SYSTEM "{secret.as_uri()}">]><html><p>seen &x;</p></html>'
    document = opened(epub({"a": ""}, {"OEBPS/book.opf": package, "OEBPS/a": chapter}))
    assert "hidden" not in markdown(document)
    assert "seen" in markdown(document)


def test_an_office_document_is_recognised_whatever_is_declared():
    for declared in ("", "text/plain", "text/html", "application/pdf", "text/csv"):
        assert opened(docx(paragraph("x")), declared).media_type == WORD
    # Some servers declare PDF files as web pages.
    with pytest.raises(DocumentError):
        open_document(b"%PDF-1.4 and then nothing", LIMIT, "text/html")


@pytest.mark.slow
def test_the_process_of_a_document_gives_the_same_blocks_and_has_no_network():
    data = docx(paragraph("Rivers", "Heading1") + TABLE)
    document = isolated.IsolatedDocument(data, LIMIT).open()
    try:
        assert [block.to_json() for block in document.content(1)] == [
            block.to_json() for block in opened(data).content(1)
        ]
        assert document.raster(1, 144).source == opened(data).raster(1, 144).source
    finally:
        document.close()
    for event in ("socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system"):
        with pytest.raises(PermissionError):
            isolated._refuse(event, ())
    isolated._refuse("open", ())


def test_a_long_list_and_a_span_go_on_over_pages():
    items = b"".join(b"<li>item %d" % number for number in range(300))
    document = opened(b"<html><ol>" + items, "text/html")
    lists = [block for page in range(1, document.page_count + 1) for block in document.content(page)]
    assert len(lists) == document.page_count > 1
    assert [line for block in lists for line in block.text.split("\n")] == [
        f"{number + 1}. item {number}" for number in range(300)
    ]
    rows_ = b"<tr><td rowspan=200>all<td>0" + b"".join(b"<tr><td>%d" % n for n in range(1, 200))
    document = opened(b"<html><table>" + rows_, "text/html")
    tables = [block for page in range(1, document.page_count + 1) for block in document.content(page)]
    assert [cell.text for table in tables for cell in table.cells if cell.column == 1] == [
        str(n) for n in range(200)
    ]
    assert [cell.text for table in tables for cell in table.cells if cell.column == 0] == ["all"] + [""] * (
        len(tables) - 1
    )
