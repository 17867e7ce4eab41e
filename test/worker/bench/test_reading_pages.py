"""Parts of bench/reading.py that need no packages but the project's own."""

import io
import random
import sys
from pathlib import Path

import numpy as np
import pypdfium2 as pdfium
import pytest
from PIL import Image
from support import pdf_of, stream

sys.path.insert(0, str(Path(__file__).parents[3] / "bench"))

from reading_pages.contestants import blocks_of_markdown
from reading_pages.harm import HARMS, Printed, harmed, translated

CMAP = b"""1 begincodespacerange
<00> <FF>
endcodespacerange
1 beginbfchar
<0020> <0020>
endbfchar
1 beginbfrange
<0041> <005A> <0041>
endbfrange
"""


@pytest.fixture
def printed(tmp_path):
    """A page that says HARBOUR OFFICE in large letters of a standard font."""
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 400 120] /Contents 4 0 R"
        " /Resources << /Font << /F 5 0 R >> >> >>",
        stream(b"BT /F 36 Tf 20 50 Td (HARBOUR OFFICE) Tj ET"),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 6 0 R >>",
        stream(CMAP),
    ]
    path = tmp_path / "page.pdf"
    path.write_bytes(pdf_of(objects))
    return path


def text_of(pdf):
    document = pdfium.PdfDocument(pdf)
    text = document[0].get_textpage().get_text_bounded()
    document.close()
    return text.strip()


@pytest.mark.parametrize("name", [name for name, (kind, make) in HARMS.items() if kind != "pdf" and make])
def test_a_harm_changes_the_picture_the_same_way_each_time(printed, name):
    clean = Printed.of(printed).picture
    first, again = (harmed(name, printed, "1") for _ in range(2))
    assert first == again
    picture = np.asarray(Image.open(io.BytesIO(first)).convert("RGB"))
    assert picture.shape != clean.shape or not np.array_equal(picture, clean)


def test_a_miscoded_pdf_looks_the_same_and_says_something_else(printed):
    seeds = [harmed("miscoded", printed, str(seed)) for seed in range(8)]
    assert text_of(printed) == "HARBOUR OFFICE"
    assert any(text_of(pdf) != "HARBOUR OFFICE" for pdf in seeds)
    clean = Printed.of(printed).picture
    for pdf in seeds:
        printed.write_bytes(pdf)
        assert np.array_equal(Printed.of(printed).picture, clean)


def test_another_script_leaves_markup_and_entities():
    html = "<style>body{color:red}</style><p class='x'>The harbour &lt; office</p><td>2015</td>"
    changed = [translated(html, random.Random(seed)) for seed in range(8)]
    assert any("harbour" not in text for text in changed)
    for text in changed:
        assert "<style>body{color:red}</style><p class='x'>" in text
        assert "&lt;" in text
        assert "<td>2015</td>" in text


def test_markdown_becomes_blocks():
    blocks = blocks_of_markdown(
        "# **Title**\n\nOne\ntwo\n\n- a\n- b\n  - c\n\n|x|y|\n|---|---|\n|1|2<br>3|\n\n```\ncode\n```\n"
    )
    assert [(block["type"], block["text"]) for block in blocks] == [
        ("title", "Title"),
        ("text", "One\ntwo"),
        ("list", "a\nb\nc"),
        ("table", ""),
        ("code", "code"),
    ]
    assert blocks[3]["html"] == "<table><tr><td>x</td><td>y</td></tr><tr><td>1</td><td>2 3</td></tr></table>"
