"""Office documents made by hand: the least that the formats demand."""

import io
import zipfile

TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
SLIDE = "http://schemas.openxmlformats.org/presentationml/2006/main"
DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"
APPLICATION = "application/vnd.openxmlformats-officedocument"


def archive(entries: dict[str, str | bytes], stored: str = "") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in entries.items():
            file.writestr(name, content, zipfile.ZIP_STORED if name == stored else zipfile.ZIP_DEFLATED)
    return out.getvalue()


def package(
    main: str, kind: str, parts: dict[str, str], kinds: dict[str, str], more: dict | None = None
) -> bytes:
    """An OPC package whose main part is `main`, of the type `kind`."""
    overrides = "".join(
        f'<Override PartName="/{name}" ContentType="{APPLICATION}.{of}+xml"/>'
        for name, of in {main: kind, **kinds}.items()
    )
    return archive(
        {
            "[Content_Types].xml": f'<Types xmlns="{TYPES}"><Default Extension="rels" '
            f'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>{overrides}</Types>',
            "_rels/.rels": relations({"r1": ("officeDocument", main)}),
            **parts,
            **(more or {}),
        }
    )


def relations(targets: dict[str, tuple[str, str]]) -> str:
    entries = "".join(
        f'<Relationship Id="{name}" Type="{OFFICE}/{kind}" Target="{target}"/>'
        for name, (kind, target) in targets.items()
    )
    return f'<Relationships xmlns="{RELATIONS}">{entries}</Relationships>'


def docx(body: str, styles: bool = True, head: str = "", more: dict | None = None) -> bytes:
    names = "".join(
        f'<w:style w:type="paragraph" w:styleId="Heading{n}"><w:name w:val="heading {n}"/></w:style>'
        for n in (1, 2)
    )
    parts = {
        "word/document.xml": f'{head}<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>',
        "word/_rels/document.xml.rels": relations({"s": ("styles", "styles.xml")}),
        "word/styles.xml": f'<w:styles xmlns:w="{WORD}">{names}</w:styles>',
    }
    kinds = {"word/styles.xml": "wordprocessingml.styles"}
    return package("word/document.xml", "wordprocessingml.document.main", parts, kinds, more)


def paragraph(text: str, style: str = "") -> str:
    properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{properties}<w:r><w:t>{text}</w:t></w:r></w:p>"


def xlsx(
    sheets: dict[str, str], hidden: str = "", more: dict | None = None, related: dict | None = None
) -> bytes:
    """`sheets`: the content of `<worksheet>` by name. `related`: further relations of the workbook."""
    listed = "".join(
        f'<sheet name="{name}" sheetId="{n}" r:id="r{n}" state="{"hidden" if name == hidden else "visible"}"/>'
        for n, name in enumerate(sheets, 1)
    )
    parts = {
        "xl/workbook.xml": f'<workbook xmlns="{SHEET}" xmlns:r="{OFFICE}"><sheets>{listed}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": relations(
            {f"r{n}": ("worksheet", f"worksheets/sheet{n}.xml") for n in range(1, len(sheets) + 1)}
            | (related or {})
        ),
    }
    kinds = {}
    for n, content in enumerate(sheets.values(), 1):
        parts[f"xl/worksheets/sheet{n}.xml"] = f'<worksheet xmlns="{SHEET}">{content}</worksheet>'
        kinds[f"xl/worksheets/sheet{n}.xml"] = "spreadsheetml.worksheet"
    return package("xl/workbook.xml", "spreadsheetml.sheet.main", parts, kinds, more)


def rows(table: list[list[str | float]], merged: str = "") -> str:
    def cell(value: str | float) -> str:
        return (
            f"<c><v>{value}</v></c>"
            if not isinstance(value, str)
            else f'<c t="inlineStr"><is><t>{value}</t></is></c>'
        )

    data = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in table)
    return f"<sheetData>{data}</sheetData>" + (
        f'<mergeCells><mergeCell ref="{merged}"/></mergeCells>' if merged else ""
    )


def pptx(slides: list[str], hidden: int | None = None, more: dict | None = None) -> bytes:
    """`slides`: the shapes of each."""
    ids = "".join(f'<p:sldId id="{255 + n}" r:id="r{n}"/>' for n in range(1, len(slides) + 1))
    parts = {
        "ppt/presentation.xml": f'<p:presentation xmlns:p="{SLIDE}" xmlns:r="{OFFICE}">'
        f"<p:sldIdLst>{ids}</p:sldIdLst></p:presentation>",
        "ppt/_rels/presentation.xml.rels": relations(
            {f"r{n}": ("slide", f"slides/slide{n}.xml") for n in range(1, len(slides) + 1)}
        ),
    }
    kinds = {}
    for n, shapes in enumerate(slides, 1):
        show = ' show="0"' if n == hidden else ""
        parts[f"ppt/slides/slide{n}.xml"] = (
            f'<p:sld xmlns:p="{SLIDE}" xmlns:a="{DRAWING}" xmlns:r="{OFFICE}"{show}><p:cSld><p:spTree><p:nvGrpSpPr>'
            f'<p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/>{shapes}'
            f"</p:spTree></p:cSld></p:sld>"
        )
        kinds[f"ppt/slides/slide{n}.xml"] = "presentationml.slide"
    return package("ppt/presentation.xml", "presentationml.presentation.main", parts, kinds, more)


def shape(number: int, texts: list[str], kind: str = "", top: int = 0) -> str:
    """A text box; `kind` is that of a placeholder."""
    place = f'<p:ph type="{kind}"/>' if kind else ""
    lines = "".join(f"<a:p><a:r><a:t>{text}</a:t></a:r></a:p>" for text in texts)
    return (
        f'<p:sp><p:nvSpPr><p:cNvPr id="{number}" name=""/><p:cNvSpPr/><p:nvPr>{place}</p:nvPr></p:nvSpPr>'
        f'<p:spPr><a:xfrm><a:off x="0" y="{top}"/><a:ext cx="9" cy="9"/></a:xfrm></p:spPr>'
        f"<p:txBody><a:bodyPr/>{lines}</p:txBody></p:sp>"
    )


def epub(chapters: dict[str, str], more: dict | None = None) -> bytes:
    """`chapters`: their HTML by file name, in the order of the book."""
    items = "".join(
        f'<item id="{name}" href="{name}" media-type="application/xhtml+xml"/>' for name in chapters
    )
    spine = "".join(f'<itemref idref="{name}"/>' for name in chapters)
    return archive(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
            '<rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>',
            "OEBPS/book.opf": '<package xmlns="http://www.idpf.org/2007/opf">'
            f"<manifest>{items}</manifest><spine>{spine}</spine></package>",
            **{f"OEBPS/{name}": f"<html><body>{html}</body></html>" for name, html in chapters.items()},
            **(more or {}),
        },
        stored="mimetype",
    )
