"""Links of PDF pages, and which addresses are passed on."""

import pytest
from support import pdf_of, stream

from fovea.pages import links
from fovea.pages.documents import open_document
from fovea.pages.isolated import IsolatedDocument
from fovea.pages.links import FoundLink, safe_url
from fovea.result.links import LEFT_OUT


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://a.test/x?y=1&z=(2)#é", "https://a.test/x?y=1&z=(2)#%C3%A9"),
        ("HTTPS://a.test", "https://a.test"),
        ("www.a.test/b", "http://www.a.test/b"),
        ("mailto:a@b.test?subject=x y", "mailto:a@b.test?subject=x%20y"),
        ("tel:+44 20", "tel:+44%2020"),
        ("https://münchen.test/ü", "https://xn--mnchen-3ya.test/%C3%BC"),
        ("https://a.test/%20<>\"'`\\{}^", "https://a.test/%20%3C%3E%22%27%60/%7B%7D%5E"),
        (r"http://a.test\@b.test/", "http://a.test/@b.test/"),
        (r"https://a.test/?x=\y", "https://a.test/?x=%5Cy"),
        ("https://a.test/\u202egpj.exe\u200b", "https://a.test/gpj.exe"),
        ("  https://a.test/\r\n\tb  ", "https://a.test/b"),
        ("javascript:alert(1)", None),
        ("java\nscript:alert(1)", None),
        ("\x01javascript:alert(1)", None),
        ("data:text/html,x", None),
        ("file:///etc/passwd", None),
        ("ftp://a.test/", None),
        ("vbscript:x", None),
        ("chapter2.html", None),
        ("#top", None),
        ("//a.test/x", None),
        ("http:/a.test", None),
        ("https://", None),
        ("https://[::1", None),
        ("mailto:", None),
        ("", None),
        ("https://a.test/" + "x" * 2048, None),
        ("https://a.test/" + "é" * 400, None),
    ],
)
def test_addresses_of_the_web_mail_and_telephones_are_passed_on(address, expected):
    assert safe_url(address) == expected
    if expected:
        assert safe_url(expected) == expected and len(expected) <= links.MAX_URL


def annotated(annotations: list[str], more: str = "", draw: str = "BT /F1 24 Tf 50 700 Td (see here) Tj ET"):
    return pdf_of(
        [
            "<< /Type /Catalog /Pages 2 0 R >>",
            "<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 500 1000] /Contents 4 0 R "
            f"/Resources << /Font << /F1 5 0 R >> >> {more} /Annots [{' '.join(annotations)}] >>",
            stream(draw.encode()),
            "<< /Type /Font /Subtype /Type1 /BaseFont /Courier >>",
        ]
    )


def link(action: str, rect: str = "100 690 160 720", more: str = "") -> str:
    return f"<< /Type /Annot /Subtype /Link /Rect [{rect}] {more} /A << {action} >> >>"


def uri(address: str, rect: str = "100 690 160 720", more: str = "") -> str:
    return link(f"/S /URI /URI ({address})", rect, more)


def found(data: bytes) -> tuple[FoundLink, ...]:
    document = open_document(data, 10_000_000)
    try:
        return document.raster(1, 36).links
    finally:
        document.close()


def test_only_links_to_addresses_count_and_their_words_are_those_below_them():
    data = annotated(
        [
            uri("https://a.test/"),
            link("/S /JavaScript /JS (app.alert\\(1\\))"),
            link("/S /Launch /F (cmd.exe)"),
            link("/S /GoTo /D [3 0 R /Fit]"),
            uri("javascript:alert\\(1\\)"),
            uri("https://hidden.test/", more="/F 2"),
            uri("https://unseen.test/", more="/F 32"),
        ]
    )
    (one,) = found(data)
    assert (one.url, one.text) == ("https://a.test/", "here")
    assert one.boxes[0] == pytest.approx((0.2, 0.28, 0.32, 0.31), abs=1e-4)


def test_a_link_on_two_lines_has_a_box_for_each():
    quads = "/QuadPoints [100 720 160 720 100 690 160 690 50 680 90 680 50 660 90 660]"
    one, two = found(annotated([uri("https://a.test/", "50 660 160 720", quads)]))
    assert one.boxes[0] == pytest.approx((0.2, 0.28, 0.32, 0.31), abs=1e-4)
    assert two.boxes[0] == pytest.approx((0.1, 0.32, 0.18, 0.34), abs=1e-4)


def test_points_outside_of_the_annotation_are_not_used():
    quads = "/QuadPoints [0 10 10 10 0 0 10 0]"
    (one,) = found(annotated([uri("https://a.test/", more=quads)]))
    assert one.boxes[0] == pytest.approx((0.2, 0.28, 0.32, 0.31), abs=1e-4)


def test_boxes_are_those_of_the_turned_page():
    (one,) = found(annotated([uri("https://a.test/")], "/Rotate 90"))
    assert one.boxes[0] == pytest.approx((0.69, 0.2, 0.72, 0.32), abs=1e-4)


def test_the_address_may_be_utf_8_or_utf_16():
    text = b"\xfe\xff" + "https://a.test/ü".encode("utf-16-be")
    hexadecimal = f"/S /URI /URI <{text.hex()}>"
    assert [one.url for one in found(annotated([link(hexadecimal)]))] in (
        ["https://a.test/%C3%BC"],
        [],  # PDFium ends the address at the first zero byte
    )
    utf8 = f"/S /URI /URI <{'https://a.test/ü'.encode().hex()}>"
    assert [one.url for one in found(annotated([link(utf8)]))] == ["https://a.test/%C3%BC"]


def test_a_page_without_a_text_has_links(monkeypatch):
    (one,) = found(annotated([uri("https://a.test/")], draw=""))
    assert one.text == ""


def test_more_links_than_are_kept_are_counted(monkeypatch):
    monkeypatch.setattr(links, "MAX_LINKS", 2)
    document = open_document(annotated([uri(f"https://{n}.test/") for n in range(5)]), 10_000_000)
    raster = document.raster(1, 36)
    assert [one.url for one in raster.links] == ["https://0.test/", "https://1.test/"]
    assert raster.notes == (LEFT_OUT.format(3),)
    document.close()


@pytest.mark.slow
def test_the_process_of_a_document_gives_the_same_links():
    data = annotated([uri("https://a.test/")])
    document = IsolatedDocument(data, 10_000_000).open()
    try:
        assert document.raster(1, 36).links == found(data)
    finally:
        document.close()
