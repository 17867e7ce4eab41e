import zlib
from pathlib import Path

import pytest
from support import encoded, pdf_of, picture, stream

from fovea.pages.blank import is_blank
from fovea.pages.documents import open_document

LIMIT = 50_000_000
EXAMPLES = Path(__file__).parents[3] / "examples"
LETTERS = "BT /F1 24 Tf 60 700 Td (Total due: 385.50) Tj ET"
FONT = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
SCAN = picture("Some lines of a scan.\n" * 12, (800, 800), 30)
JPEG = encoded(SCAN.convert("L"), "JPEG")
GREY = "/Type /XObject /Subtype /Image /Width 800 /Height 800 /ColorSpace /DeviceGray /BitsPerComponent 8"


def page(content, *objects, resources="/Font << /F1 5 0 R >>", more="", catalog=""):
    """A PDF of one page. `content` is object 4, the font object 5; `objects` begin at 6."""
    content = content if isinstance(content, bytes) else stream(content.encode())
    return pdf_of(
        [
            f"<< /Type /Catalog /Pages 2 0 R {catalog} >>",
            "<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R "
            f"/Resources << {resources} >> {more} >>",
            content,
            FONT,
            *objects,
        ]
    )


def scan(image, content="q 500 0 0 500 50 100 cm /Im Do Q"):
    return page(content, image, resources="/XObject << /Im 6 0 R >>")


def flate(data):
    return stream(zlib.compress(data), "/Filter /FlateDecode")


def cut(data, share=0.5):
    return data[: int(len(data) * share)]


def flipped(data):
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 0x55]) + data[middle + 1 :]


LONG = b"\n".join(
    b"BT /F1 12 Tf 60 %d Td (Line number %d of the page) Tj ET" % (780 - 14 * i, i) for i in range(50)
)
DEFLATED = zlib.compress(LONG)

DAMAGED = {
    "content with a flipped byte": (
        page(stream(flipped(DEFLATED), "/Filter /FlateDecode")),
        "The page's content is damaged: parts of it are corrupt.",
    ),
    "content that is cut": (
        page(stream(cut(DEFLATED), "/Filter /FlateDecode")),
        "The page's content is damaged: it ends too early.",
    ),
    "content with an unknown filter": (
        page(stream(DEFLATED, "/Filter /FlatfDecode")),
        "The page's content is damaged: its filter FlatfDecode is not known.",
    ),
    "content that does not exist": (page(b""), "A part of the page's content is missing."),
    "an operator that does not exist": (
        page(LETTERS.replace("Tj", "Tk")),
        "The page's content is damaged: it contains unknown operators.",
    ),
    "an image that does not exist": (scan(b""), "An image or a form on the page is missing."),
    "an image that is not in the resources": (
        page("/Im Do"),
        "An image or a form on the page is missing.",
    ),
    "a JPEG that is cut": (
        scan(stream(cut(JPEG), GREY + " /Filter /DCTDecode")),
        "An image on the page is damaged: it ends too early.",
    ),
    "an image with an unknown filter": (
        scan(stream(JPEG, GREY + " /Filter /FooDecode")),
        "An image on the page is damaged: its filter FooDecode is not known.",
    ),
    "a JPEG that is something else": (
        scan(stream(bytes(range(256)) * 9, GREY + " /Filter /DCTDecode")),
        "An image on the page is damaged: parts of it are corrupt.",
    ),
    "JBIG2 that is something else": (
        scan(stream(b"garbage " * 99, GREY.replace("Component 8", "Component 1") + " /Filter /JBIG2Decode")),
        "An image on the page is damaged: parts of it are corrupt.",
    ),
    "JPEG 2000 that is something else": (
        scan(stream(b"garbage " * 99, GREY + " /Filter /JPXDecode")),
        "An image on the page is damaged: parts of it are corrupt.",
    ),
    "pixels that are cut": (
        scan(stream(cut(SCAN.convert("L").tobytes()), GREY)),
        "An image on the page is damaged: it ends too early.",
    ),
    "deflated pixels with a flipped byte": (
        scan(stream(flipped(zlib.compress(SCAN.convert("L").tobytes())), GREY + " /Filter /FlateDecode")),
        "An image on the page is damaged: parts of it are corrupt.",
    ),
    "an image whose height is too small": (
        scan(stream(SCAN.convert("L").tobytes(), GREY.replace("/Height 800", "/Height 8"))),
        "An image on the page is damaged: it has more rows than the image.",
    ),
    "an image without colors": (
        scan(stream(SCAN.convert("L").tobytes(), GREY.replace("/ColorSpace /DeviceGray", ""))),
        "An image on the page is damaged: its colors are missing.",
    ),
    "an image of an impossible depth": (
        scan(stream(SCAN.convert("L").tobytes(), GREY.replace("Component 8", "Component -1"))),
        "An image on the page is damaged: its depth is missing.",
    ),
    "an image without a size": (
        scan(stream(JPEG, GREY.replace("/Width 800", "/Wodth 800") + " /Filter /DCTDecode")),
        "An image on the page is damaged: its size is missing.",
    ),
    "a damaged form": (
        page(
            "/Fm Do",
            stream(
                cut(DEFLATED),
                "/Subtype /Form /BBox [0 0 600 800] /Resources << /Font << /F1 5 0 R >> >> /Filter /FlateDecode",
            ),
            resources="/XObject << /Fm 6 0 R >>",
        ),
        "The page's content is damaged: it ends too early.",
    ),
    "a damaged image in a form": (
        page(
            "/Fm Do",
            stream(b"600 0 0 800 0 0 cm /Im Do", "/Subtype /Form /BBox [0 0 600 800] "),
            stream(cut(JPEG), GREY + " /Filter /DCTDecode"),
            resources="/XObject << /Fm 6 0 R /Im 7 0 R >>",
        ),
        "An image on the page is damaged: it ends too early.",
    ),
    "content with a filter for images": (
        page(stream(LONG, "/Filter /DCTDecode")),
        "The page's content is damaged: its filter DCTDecode is for images.",
    ),
    "run lengths that are no such": (
        page(stream(DEFLATED, "/Filter /RunLengthDecode")),
        "The page's content is damaged: it ends too early.",
    ),
    "resources in whose place another object stands": (
        page(LETTERS).replace(b"5 0 obj", b"\n" * 7),
        "A font of the page is missing; its text may be missing or wrong.",
    ),
    "a font that does not exist": (
        page(LETTERS, resources="/Font << /F1 9 0 R >>"),
        "A font of the page is missing; its text may be missing or wrong.",
    ),
    "a damaged font": (
        page(
            LETTERS,
            "<< /Type /Font /Subtype /TrueType /BaseFont /X /FontDescriptor 7 0 R >>",
            "<< /Type /FontDescriptor /FontName /X /FontFile2 8 0 R >>",
            stream(cut(DEFLATED), "/Filter /FlateDecode"),
            resources="/Font << /F1 6 0 R >>",
        ),
        "A font of the page is damaged; its text may be missing or wrong.",
    ),
    "a part of a font in whose place another font stands": (
        page(
            LETTERS,
            "<< /Type /Font /Subtype /Type0 /BaseFont /X /Encoding /Identity-H /DescendantFonts [5 0 R] >>",
            resources="/Font << /F1 6 0 R >>",
        ),
        "A font of the page is missing; its text may be missing or wrong.",
    ),
    "a font whose table of glyphs is another table": (
        page(
            LETTERS,
            "<< /Type /Font /Subtype /Type0 /BaseFont /X /Encoding /Identity-H /DescendantFonts [7 0 R] >>",
            "<< /Type /Font /Subtype /CIDFontType2 /BaseFont /X /CIDToGIDMap 8 0 R >>",
            stream(b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapType 2 def endcmap"),
            resources="/Font << /F1 6 0 R >>",
        ),
        "A font of the page is damaged; its text may be missing or wrong.",
    ),
    "content whose name is misspelled": (
        page(LETTERS).replace(b"/Contents", b"/Contants"),
        "A part of the page's content is missing.",
    ),
    "an absurd size": (
        page(LETTERS).replace(b"/MediaBox [0 0", b"/MediaBox [1e30 0"),
        "The PDF's structure is damaged; parts of the page may be missing.",
    ),
    "a size of nothing": (
        page(LETTERS).replace(b"[0 0 600 800]", b"[0 0 0 800]"),
        "The PDF's structure is damaged; parts of the page may be missing.",
    ),
    "a damaged stamp": (
        page(
            LETTERS,
            "<< /Type /Annot /Subtype /Stamp /Rect [0 0 100 100] /F 4 /AP << /N 7 0 R >> >>",
            stream(cut(DEFLATED), "/Subtype /Form /BBox [0 0 100 100] /Filter /FlateDecode"),
            more="/Annots [6 0 R]",
        ),
        "The page's content is damaged: it ends too early.",
    ),
    "a stamp that does not exist": (
        page(LETTERS, more="/Annots [9 0 R]"),
        "An annotation or form field on the page is damaged.",
    ),
    "an object that stands elsewhere than the file says": (
        page(LETTERS).replace(b"0000000342 00000 n", b"0000000243 00000 n"),
        "A font of the page is missing; its text may be missing or wrong.",
    ),
    "an object that is there twice in a file without a table": (
        page(LETTERS, FONT).replace(b"6 0 obj", b"4 0 obj").replace(b"startxref\n", b"startxref\n9"),
        "The PDF's structure is damaged; parts of the page may be missing.",
    ),
    "a parent that is none": (
        page(LETTERS).replace(b"/Parent 2 0 R", b"/Parent 5 0 R"),
        "The PDF's structure is damaged; parts of the page may be missing.",
    ),
    "a font without its filter": (
        page(
            LETTERS,
            "<< /Type /Font /Subtype /TrueType /BaseFont /X /FontDescriptor 7 0 R >>",
            "<< /Type /FontDescriptor /FontName /X /FontFile2 8 0 R >>",
            stream(DEFLATED),
            resources="/Font << /F1 6 0 R >>",
        ),
        "A font of the page is damaged; its text may be missing or wrong.",
    ),
    "fewer pages than there are": (
        page(LETTERS).replace(b"/Count 1 /Kids [3 0 R]", b"/Count 1 /Kids [3 0 R 3 0 R]"),
        "The PDF's list of pages is damaged; pages may be missing.",
    ),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_damage_is_found(kind):
    data, reason = DAMAGED[kind]
    assert reason in open_document(data, LIMIT).raster(1, 72).damage


def box(content, entries=""):
    return stream(content, f"/Subtype /Form /BBox [0 0 600 800] {entries}")


WHOLE_BUT_BLANK = {
    "no content": page("").replace(b"/Contents 4 0 R", b""),
    "empty content": page(""),
    "deflated empty content": page(flate(b"")),
    "a white rectangle": page("1 1 1 rg 0 0 600 800 re f"),
    "a form that draws nothing": page("/Fm Do", box(b"q Q"), resources="/XObject << /Fm 6 0 R >>"),
    "a form that draws itself": page(
        "/Fm Do",
        box(b"/Fm Do", "/Resources << /XObject << /Fm 6 0 R >> >>"),
        resources="/XObject << /Fm 6 0 R >>",
    ),
    "a white image": scan(stream(bytes([255]) * 640_000, GREY)),
    "a hidden layer": page(
        f"/OC /Layer BDC {LETTERS} EMC",
        "<< /Type /OCG /Name (hidden) >>",
        resources="/Font << /F1 5 0 R >> /Properties << /Layer 6 0 R >>",
        catalog="/OCProperties << /OCGs [6 0 R] /D << /OFF [6 0 R] >> >>",
    ),
    "an unused image that is damaged": page(
        "", stream(cut(JPEG), GREY + " /Filter /DCTDecode"), resources="/XObject << /Im 6 0 R >>"
    ),
    "a damaged annotation that is hidden": page(
        "",
        "<< /Type /Annot /Subtype /Stamp /Rect [0 0 9 9] /F 2 /AP << /N 9 0 R >> >>",
        more="/Annots [6 0 R]",
    ),
}


@pytest.mark.parametrize("kind", WHOLE_BUT_BLANK)
def test_a_page_that_draws_nothing_is_whole(kind):
    raster = open_document(WHOLE_BUT_BLANK[kind], LIMIT).raster(1, 72)
    assert raster.damage == () and is_blank(raster.image)


INLINE = b"q 9 0 0 9 0 0 cm BI /W 4 /H 4 /BPC 8 /CS /G ID \xff\x00 EI\xfe(\x01%\x02)[<\x03\nq\x00\x01 EI Q "
WHOLE = {
    "strings that look like content": page(
        r"BT /F1 12 Tf 60 700 Td (a \) b \( c (d (e)) /Im Do xyzzy Tk) Tj <00 41> Tj [(x) -20 (y)] TJ ET"
    ),
    "an inline image": page(stream(INLINE + LETTERS.encode())),
    "extensions of the future": page(f"BX 1 2 frobnicate EX {LETTERS}"),
    "a comment": page(f"% not an operator\n{LETTERS}"),
    "names with escapes": page(
        "/A#20B 12 Tf BT 9 700 Td (some words) Tj ET", resources="/Font << /A#20B 5 0 R >>"
    ),
    "content in parts that are cut in the middle": pdf_of(
        [
            "<< /Type /Catalog /Pages 2 0 R >>",
            "<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents [4 0 R 5 0 R] "
            "/Resources << /Font << /F1 6 0 R >> >> >>",
            stream(b"BT /F1 24 Tf 60 700"),
            flate(b"Td (Total) Tj ET"),
            FONT,
        ]
    ),
    "several filters": page(stream(DEFLATED.hex().encode() + b">", "/Filter [/ASCIIHexDecode /FlateDecode]")),
    "bytes before the head": b"HTTP/1.1 200 OK\r\n\r\n" + page(LETTERS),
    "a wrong startxref": page(LETTERS).replace(b"startxref\n", b"startxref\n9"),
    "a JPEG": scan(stream(JPEG, GREY + " /Filter /DCTDecode")),
    "JPEG 2000": scan(stream(encoded(SCAN.convert("L"), "JPEG2000"), GREY + " /Filter /JPXDecode")),
    "a last row that is not complete": scan(stream(SCAN.convert("L").tobytes()[:-30], GREY)),
}


@pytest.mark.parametrize("kind", WHOLE)
def test_valid_pages_are_whole(kind):
    raster = open_document(WHOLE[kind], LIMIT).raster(1, 72)
    assert raster.damage == () and not is_blank(raster.image)


@pytest.mark.parametrize("name", ["blank", "invoice", "paper", "report-12"])
def test_the_examples_are_whole(name):
    document = open_document((EXAMPLES / f"{name}.pdf").read_bytes(), LIMIT)
    assert {document.raster(page, 36).damage for page in range(1, document.page_count + 1)} == {()}


def field(value, appearance="", rest="/FT /Tx", at=700):
    return (
        f"<< /Type /Annot /Subtype /Widget /T (name{at}) /V {value} /Rect [60 {at} 400 {at + 30}] /F 4 "
        f"/DA (/Helv 18 Tf 0 g) {rest} {appearance} >>"
    )


def form(fields, *objects, entries="/NeedAppearances true", more=""):
    numbers = " ".join(f"{6 + index} 0 R" for index in range(len(fields)))
    catalog = f"/AcroForm << /Fields [{numbers}] /DR << /Font << /Helv 5 0 R >> >> {entries} >> {more}"
    return page("", *fields, *objects, more=f"/Annots [{numbers}]", catalog=catalog)


FILLED = {
    "text without an appearance": form([field("(Harbour Rowing Society)")]),
    "text without an appearance and without a request for it": form([field("(MR-40718)")], entries=""),
    "text with an appearance": form(
        [field("(385.50)", "/AP << /N 7 0 R >>")],
        stream(
            b"BT /F1 18 Tf 4 8 Td (385.50) Tj ET",
            "/Subtype /Form /BBox [0 0 340 30] /Resources << /Font << /F1 5 0 R >> >>",
        ),
        entries="",
    ),
    "a choice": form([field("(Coxless Four)", rest="/FT /Ch /Ff 131072 /Opt [(Single) (Coxless Four)]")]),
    "a check box": form(
        [field("/Yes", "/AS /Yes /AP << /N << /Yes 7 0 R /Off 8 0 R >> >>", "/FT /Btn")],
        box(b"0 0 20 20 re f"),
        box(b""),
    ),
}


@pytest.mark.parametrize("kind", FILLED)
def test_the_values_of_a_form_are_drawn(kind):
    raster = open_document(FILLED[kind], LIMIT).raster(1, 72)
    assert raster.damage == () and not is_blank(raster.image)


def test_a_form_does_not_run_its_scripts():
    script = "/OpenAction << /S /JavaScript /JS (this.getField\\('name700'\\).value = 'changed';) >>"
    still = open_document(form([field("(as it was)")]), LIMIT).raster(1, 72)
    scripted = open_document(form([field("(as it was)")], more=script), LIMIT).raster(1, 72)
    assert scripted.image.tobytes() == still.image.tobytes()


def test_a_form_that_is_only_described_in_xfa_is_not_taken_for_whole():
    xfa = form([], stream(b"<xdp/>"), entries="/XFA 6 0 R", more="/NeedsRendering true")
    (reason,) = open_document(xfa, LIMIT).raster(1, 72).damage
    assert "XFA" in reason
