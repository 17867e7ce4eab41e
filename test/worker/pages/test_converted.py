"""Office documents, books, web pages and CSV: their own text, laid out on pages."""

import io

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
        (b"\x89\x01\x02\xffa,b\n", "text/csv", "document_broken"),
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


def linked(document, page=1):
    """The links of a page, and the words of the blocks that they name."""
    blocks = {block.id: block for block in document.content(page)}
    return [
        (link.url, blocks[link.block].text[link.start : link.start + len(link.text)])
        for link in document.raster(page, 144).links
    ]


def notes(document):
    return document.raster(1, 144).notes


def run(text):
    return f"<w:r><w:t>{text}</w:t></w:r>"


EXTERNAL = ' TargetMode="External"'


def related(relations):
    """Relations of a part: id, kind and target."""
    listed = "".join(
        f'<Relationship Id="{id_}" Type="{office.OFFICE}/{kind}" Target="{target}"{EXTERNAL if ":" in target else ""}/>'
        for id_, (kind, target) in relations.items()
    )
    return f'<Relationships xmlns="{office.RELATIONS}">{listed}</Relationships>'


def with_parts(body, parts=None, relations=None):
    """A Word document with more parts. `relations`: those of its main part."""
    all_relations = {"s": ("styles", "styles.xml"), **(relations or {})}
    return docx(body, more={"word/_rels/document.xml.rels": related(all_relations), **(parts or {})})


def test_links_of_word_documents_are_those_of_elements_and_fields():
    field = (
        '<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText> HYPERLINK "https://b.test/" </w:instrText>'
        f'</w:r><w:r><w:fldChar w:fldCharType="separate"/></w:r>{run("field")}'
        '<w:r><w:fldChar w:fldCharType="end"/></w:r>'
    )
    body = (
        f'<w:p xmlns:r="{office.OFFICE}">{run("see ")}<w:hyperlink r:id="a">{run("the")}{run(" terms")}</w:hyperlink>'
        f'{run(", ")}{field}<w:hyperlink r:id="bad">{run(" bad")}</w:hyperlink></w:p>'
        f'<w:tbl xmlns:r="{office.OFFICE}"><w:tr><w:tc>{paragraph("x")}</w:tc><w:tc><w:p>{run("y ")}'
        f'<w:hyperlink r:id="a">{run("cell")}</w:hyperlink></w:p></w:tc></w:tr></w:tbl>'
    )
    relations = {"a": ("hyperlink", "https://a.test/"), "bad": ("hyperlink", "javascript:x()")}
    document = opened(with_parts(body, relations=relations))
    assert markdown(document).startswith("see the terms, field bad")
    assert linked(document) == [
        ("https://a.test/", "the terms"),
        ("https://b.test/", "field"),
        ("https://a.test/", "cell"),
    ]


def test_links_of_web_pages_books_slides_and_sheets():
    html = (
        b'<html><base href="https://a.test/b/"><p>x <a href="c">one</a> <a href="#d">two</a>'
        b'<a href=" java&#10;script:x()">three</a><ul><li>four <a href="https://e.test/"><b>fi</b>ve</a></ul>'
        b'<table><tr><td>x<td><a href="mailto:f@g.test">six</a></table>'
    )
    assert linked(opened(html, "text/html")) == [
        ("https://a.test/b/c", "one"),
        ("https://e.test/", "five"),
        ("mailto:f@g.test", "six"),
    ]
    assert linked(opened(epub({"a": '<p><a href="b">x</a> <a href="https://a.test/">y</a></p>'}))) == [
        ("https://a.test/", "y")
    ]
    cells = (
        f'<sheetData><row><c t="inlineStr"><is><t>one</t></is></c><c t="str"><f>HYPERLINK("https://b.test/","b")</f>'
        f'<v>two</v></c></row></sheetData><hyperlinks xmlns:r="{office.OFFICE}">'
        '<hyperlink ref="A1" r:id="h"/></hyperlinks>'
    )
    relation = related({"h": ("hyperlink", "https://a.test/")})
    document = opened(xlsx({"S": cells}, more={"xl/worksheets/_rels/sheet1.xml.rels": relation}))
    assert linked(document) == [("https://a.test/", "one"), ("https://b.test/", "two")]


def test_a_link_that_goes_on_is_on_both_pages():
    words = " ".join(f"word{number}" for number in range(3000)).encode()
    document = opened(b'<html><p>x <a href="https://a.test/">' + words + b"</a> y", "text/html")
    pages = [linked(document, page) for page in range(1, document.page_count + 1)]
    assert document.page_count > 1
    assert " ".join(text.strip() for page in pages for _, text in page) == words.decode()


NUMBERING = (
    f'<w:numbering xmlns:w="{office.WORD}"><w:abstractNum w:abstractNumId="0">'
    '<w:lvl w:ilvl="0"><w:start w:val="3"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/></w:lvl>'
    '<w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="lowerLetter"/><w:lvlText w:val="%1.%2)"/></w:lvl>'
    "</w:abstractNum>"
    '<w:abstractNum w:abstractNumId="1"><w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/><w:lvlText w:val="x"/></w:lvl>'
    '</w:abstractNum><w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>'
    '<w:num w:numId="2"><w:abstractNumId w:val="1"/></w:num>'
    '<w:num w:numId="3"><w:abstractNumId w:val="0"/><w:lvlOverride w:ilvl="0"><w:startOverride w:val="1"/>'
    "</w:lvlOverride></w:num></w:numbering>"
)


def item(text, number, level=0, style=""):
    named = f'<w:pStyle w:val="{style}"/>' if style else ""
    return (
        f'<w:p><w:pPr>{named}<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{number}"/></w:numPr></w:pPr>'
        f"{run(text)}</w:p>"
    )


def test_lists_of_word_documents_have_the_numbers_that_word_shows():
    body = (
        item("a", 1)
        + item("b", 1, 1)
        + item("c", 1)
        + paragraph("between")
        + item("d", 1)
        + item("e", 1, 1)
        + item("f", 3)
        + item("g", 2)
        + item("Head", 1, style="Heading1")
    )
    document = opened(
        with_parts(body, {"word/numbering.xml": NUMBERING}, {"n": ("numbering", "numbering.xml")})
    )
    assert [block.text for block in document.content(1)] == [
        "3. a\n  3.a) b\n4. c",
        "between",
        "5. d\n  5.a) e\n1. f\n- g",
        "2. Head",
    ]


def test_word_documents_have_notes_headers_boxes_and_formulas():
    box = (
        '<w:r><mc:AlternateContent xmlns:mc="m"><mc:Choice><w:drawing><a><w:txbxContent>{0}</w:txbxContent></a>'
        "</w:drawing></mc:Choice><mc:Fallback><w:pict><w:txbxContent>{0}</w:txbxContent></w:pict></mc:Fallback>"
        "</mc:AlternateContent></w:r>"
    ).format(paragraph("In a box"))
    math = (
        '<m:oMath xmlns:m="m"><m:f><m:num><m:r><m:t>a+b</m:t></m:r></m:num>'
        "<m:den><m:r><m:t>c</m:t></m:r></m:den></m:f></m:oMath>"
    )
    body = (
        f'<w:p>{run("Text")}<w:r><w:footnoteReference w:id="7"/></w:r>{run(" = ")}{math}{box}</w:p>'
        f'<w:p><w:r><w:endnoteReference w:id="1"/></w:r></w:p>'
        f'<w:sectPr><w:headerReference r:id="h" xmlns:r="{office.OFFICE}"/>'
        f'<w:headerReference r:id="h2" xmlns:r="{office.OFFICE}"/>'
        f'<w:footerReference r:id="f" xmlns:r="{office.OFFICE}"/></w:sectPr>'
    )
    part = '<w:{0} xmlns:w="' + office.WORD + '">{1}</w:{0}>'
    note = '<w:{} w:id="{}">{}</w:{}>'
    document = opened(
        with_parts(
            body,
            {
                "word/header1.xml": part.format("hdr", paragraph("Head")),
                "word/header2.xml": part.format("hdr", paragraph("Head")),
                "word/footer1.xml": part.format("ftr", paragraph("Foot")),
                "word/footnotes.xml": part.format(
                    "footnotes", note.format("footnote", 7, paragraph("A note"), "footnote")
                ),
                "word/endnotes.xml": part.format(
                    "endnotes", note.format("endnote", 1, paragraph("At the end"), "endnote")
                ),
                "word/comments.xml": part.format(
                    "comments", note.format("comment", 1, paragraph("no"), "comment")
                ),
            },
            {
                "h": ("header", "header1.xml"),
                "h2": ("header", "header2.xml"),
                "f": ("footer", "footer1.xml"),
                "n": ("footnotes", "footnotes.xml"),
                "e": ("endnotes", "endnotes.xml"),
                "c": ("comments", "comments.xml"),
            },
        )
    )
    assert [(block.type, block.text) for block in document.content(1)] == [
        ("header", "Head"),
        ("text", "Text[1] = (a+b)/c"),
        ("text", "In a box"),
        ("text", "[i]"),
        ("footnote", "[1] A note"),
        ("footnote", "[i] At the end"),
        ("footer", "Foot"),
    ]
    assert notes(document) == ("Comments, which are not read: 1.",)


def test_tracked_changes_count_as_accepted_and_hidden_text_is_left_out():
    body = (
        f"<w:p>{run('Price ')}<w:del><w:r><w:delText>100</w:delText></w:r></w:del><w:ins>{run('200')}</w:ins>"
        "<w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r><w:r><w:t>.</w:t></w:r></w:p>"
    )
    document = opened(docx(body))
    assert markdown(document) == "Price 200."
    assert notes(document) == (
        "The document has tracked changes: it is read as if all of them were accepted.",
    )


def test_a_page_break_of_a_word_document_begins_a_page():
    document = opened(
        docx(paragraph("one") + '<w:p><w:r><w:br w:type="page"/></w:r></w:p>' + paragraph("two"))
    )
    assert [markdown(document, page) for page in (1, 2)] == ["one", "two"]


def test_cells_are_shown_with_their_formats_and_what_is_not_read_is_said():
    styles = (
        f'<styleSheet xmlns="{office.SHEET}"><numFmts><numFmt numFmtId="164" formatCode="dd.mm.yyyy"/></numFmts>'
        '<cellXfs><xf numFmtId="0"/><xf numFmtId="9"/><xf numFmtId="164"/></cellXfs></styleSheet>'
    )
    cells = (
        '<sheetData><row r="2"><c r="B2" s="1"><v>0.5</v></c><c r="C2" s="2"><v>45000</v></c>'
        '<c r="D2"><v>0.30000000000000004</v></c><c r="E2" t="b"><v>1</v></c><c r="F2" t="e"><v>#DIV/0!</v></c>'
        '<c r="G2" t="s"><v>0</v></c><c r="H2"><f>1+1</f></c></row></sheetData><drawing/>'
    )
    texts = (
        f'<sst xmlns="{office.SHEET}"><si><r><t>sha</t></r><r><t>red</t></r><rPh><t>no</t></rPh></si></sst>'
    )
    document = opened(
        xlsx(
            {"S": cells, "T": rows([["x"]])},
            hidden="T",
            more={"xl/styles.xml": styles, "xl/sharedStrings.xml": texts},
            related={"st": ("styles", "styles.xml"), "ss": ("sharedStrings", "sharedStrings.xml")},
        )
    )
    assert [cell.text for cell in document.content(1)[1].cells] == [
        "50%", "15.03.2023", "0.3", "TRUE", "#DIV/0!", "shared",
    ]  # fmt: skip
    assert set(notes(document)) == {
        "Formulas without a stored result, whose cells are empty: 1.",
        "The pictures and charts of the sheets are not read.",
        "Hidden sheets, which are not read: 1.",
    }


def test_texts_are_read_in_the_encoding_that_they_have():
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"):
        document = opened("Größe;b\n1;2\n".encode(encoding), "text/csv")
        assert "<th>Größe</th>" in markdown(document) and notes(document) == ()
    document = opened("Größe;b\n1;2\n".encode("cp1252"), "text/csv")
    assert "<th>Größe</th>" in markdown(document) and "Windows-1252" in notes(document)[0]
    for encoding in ("iso-8859-1", "shift_jis", "iso-2022-jp", "utf-16"):
        text = "<html><meta charset={}><p>{}".format(encoding, "é" if encoding == "iso-8859-1" else "日本")
        assert "é" in markdown(opened(text.encode(encoding), "text/html")) or "日本" in markdown(
            opened(text.encode(encoding), "text/html")
        )


def test_what_a_web_page_hides_is_left_out_and_its_formulas_and_captions_are_not():
    html = (
        b'<html><p style="color:red;display : none">no<p style="visibility:hidden">no<p>H<sub>2</sub>O'
        b"<math><mi>x</mi><annotation>no</annotation></math><table><caption>Sizes<tr><td>H<sub>2</sub>O<script>no"
        b"</script><td><p>a<p>b</table><ol start=4 type=a><li>x<li value=9>y</ol>"
    )
    assert markdown(opened(html, "text/html")) == (
        "H2Ox\n\nSizes\n\n<table><tr><td>H2O</td><td>a b</td></tr></table>\n\n- d. x\n- i. y"
    )


def test_a_table_that_arranges_a_web_page_is_none():
    html = b"<html><table><tr><td><h2>Left</h2>words<td><table><tr><td>1<td>2</table></table>"
    assert markdown(opened(html, "text/html")) == (
        "## Left\n\nwords\n\n<table><tr><td>1</td><td>2</td></tr></table>"
    )


def test_a_chapter_is_read_behind_elements_that_xml_closes_at_once():
    chapter = '<head><title/><script src="x"/></head><p><a id="top"/>seen</p>'
    assert markdown(opened(epub({"a": chapter}))) == "seen"


def test_slides_have_their_notes_numbers_and_links():
    paragraphs = (
        '<a:p><a:pPr><a:buAutoNum type="arabicParenR"/></a:pPr><a:r><a:t>one</a:t></a:r></a:p>'
        '<a:p><a:pPr><a:buAutoNum type="arabicParenR"/></a:pPr><a:r><a:rPr><a:hlinkClick r:id="k"/></a:rPr>'
        "<a:t>two</a:t></a:r></a:p>"
    )
    box = (
        '<p:sp><p:nvSpPr><p:cNvPr id="4" name=""/><p:cNvSpPr/><p:nvPr/></p:nvSpPr><p:spPr/>'
        f"<p:txBody><a:bodyPr/>{paragraphs}</p:txBody></p:sp>"
    )
    choice = (
        f"<mc:Choice>{shape(5, ['chosen'], top=9)}</mc:Choice><mc:Fallback>{shape(6, ['no'])}</mc:Fallback>"
    )
    twice = f'<mc:AlternateContent xmlns:mc="m">{choice}</mc:AlternateContent>'
    relation = related({"k": ("hyperlink", "https://a.test/")})
    data = pptx(
        [box + twice, shape(2, ["no"])], hidden=2, more={"ppt/slides/_rels/slide1.xml.rels": relation}
    )
    document = opened(data)
    assert markdown(document) == "1) one\n2) two\n\nchosen"
    assert linked(document) == [("https://a.test/", "two")]
    assert notes(document) == ("Hidden slides, which are not read: 1.",)


def test_a_field_without_an_end_neither_swallows_nor_links_what_follows():
    begin = '<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>HYPERLINK "https://a.test/"</w:instrText></w:r>'
    separate = '<w:r><w:fldChar w:fldCharType="separate"/></w:r>'
    document = opened(docx(f"<w:p>{begin}{run('no')}</w:p>" + paragraph("one")))
    assert markdown(document) == "one"
    document = opened(docx(f"<w:p>{begin}{separate}{run('linked')}</w:p>" + paragraph("two")))
    assert markdown(document) == "linked\n\ntwo"
    assert linked(document) == [("https://a.test/", "linked")]


def test_a_chart_of_a_presentation_is_a_table_of_its_data():
    from pptx import Presentation
    from pptx.chart.data import CategoryChartData, XyChartData
    from pptx.enum.chart import XL_CHART_TYPE

    made = Presentation()
    slide = made.slides.add_slide(made.slide_layouts[6])
    data = CategoryChartData()
    data.categories = ["East", "West"]
    data.add_series("2024", (1.5, None))
    slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, 0, 0, 9, 9, data)
    points = XyChartData()
    points.add_series("S").add_data_point(1, 2)
    slide.shapes.add_chart(XL_CHART_TYPE.XY_SCATTER, 0, 100, 9, 9, points)
    out = io.BytesIO()
    made.save(out)
    table, picture = opened(out.getvalue()).content(1)
    assert (table.text, picture.type) == ("\t2024\nEast\t1.5\nWest\t", "image")


def test_superscripts_are_no_digits_of_the_number_before_them():
    html = b"<html><p>10<sup>2</sup> m<sup>-1</sup>, 1<sup>st</sup>, H<sub>2</sub>O"
    assert markdown(opened(html, "text/html")) == "10² m⁻¹, 1st, H2O"
    up = '<w:r><w:rPr><w:vertAlign w:val="superscript"/></w:rPr><w:t>2</w:t></w:r>'
    assert markdown(opened(docx(f"<w:p>{run('10')}{up}</w:p>"))) == "10²"


def test_tasks_have_boxes():
    html = b'<html><ul><li><input type=checkbox checked> <a href="https://a.test/">done</a><li><input type=checkbox>b'
    document = opened(html, "text/html")
    assert markdown(document) == "- [x] done\n- [ ] b"
    assert linked(document) == [("https://a.test/", "done")]


def test_code_of_a_word_document_keeps_its_white_space():
    styles = (
        f'<w:styles xmlns:w="{office.WORD}"><w:style w:type="paragraph" w:styleId="C"><w:name w:val="Source Code"/>'
        "</w:style></w:styles>"
    )
    line = '<w:p><w:pPr><w:pStyle w:val="C"/></w:pPr><w:r><w:t xml:space="preserve">{}</w:t></w:r></w:p>'
    document = opened(docx(line.format("if x:") + line.format("    y"), more={"word/styles.xml": styles}))
    assert markdown(document) == "```\nif x:\n    y\n```"
