import math

from support import pdf_of, stream

from fovea.pages.documents import open_document


def words(degrees):
    """The words of the layer of a page with `DRAFT` turned by `degrees`."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    draw = f"BT /F1 24 Tf {cos:.4f} {sin:.4f} {-sin:.4f} {cos:.4f} 200 300 Tm (DRAFT) Tj ET"
    data = pdf_of(
        [
            "<< /Type /Catalog /Pages 2 0 R >>",
            "<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R "
            "/Resources << /Font << /F1 5 0 R >> >> >>",
            stream(draw.encode()),
            "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        ]
    )
    document = open_document(data, 10_000_000)
    try:
        return [word.text for word in document.text_layer(1)]
    finally:
        document.close()


def test_slanted_letters_are_no_part_of_the_layer():
    assert words(0) == ["DRAFT"]
    assert words(37) == []


def test_letters_turned_by_a_quarter_are_part_of_the_layer():
    assert "".join(words(90)) == "DRAFT"
