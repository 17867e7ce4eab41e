import numpy as np
import pytest
from PIL import Image, ImageDraw

from fovea.pages.glyphs import font
from fovea.recognition.spaces import with_spaces

FACE = font("prose", 32)
TEXT = "The harbour office opens at seven.\nBring 12 500 tickets and 3 maps.\nRead on."


def read(said, drawn=TEXT):
    """What is found on a page that shows `drawn` if the recognizer says `said`: lines of a picture."""
    image = Image.new("RGB", (900, 300), "white")
    pen = ImageDraw.Draw(image)
    quads, places = [], []
    for number, line in enumerate(drawn.split("\n")):
        x, y = 40, 40 + 70 * number
        pen.text((x, y), line, "black", font=FACE)
        x0, y0, x1, y1 = x - 4, y - 2, x + FACE.getlength(line) + 4, y + 42
        places.append(
            [
                (x + FACE.getlength(line[:i]) + FACE.getlength(one) / 2 - x0) / (x1 - x0)
                for i, one in enumerate(line)
                if not one.isspace()
            ]
        )
        quads.append(np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], np.float32))
    pixels = np.asarray(image)[:, :, ::-1].copy()
    return "\n".join(with_spaces(pixels, quads, said.split("\n"), places))


def test_a_text_with_all_its_spaces_stays():
    assert read(TEXT) == TEXT


@pytest.mark.parametrize(
    ("right", "joined"),
    [
        ("harbour office", "harbouroffice"),
        ("office opens at", "officeopensat"),
        ("seven.", "seven."),
        ("Read on.", "Readon."),
        ("tickets and", "ticketsand"),
    ],
)
def test_a_space_between_words_is_put_back(right, joined):
    assert read(TEXT.replace(right, joined)) == TEXT


def test_digits_stay_together():
    assert "12500" in read(TEXT.replace("12 500", "12500"))


def test_a_space_that_stands_a_letter_off_is_not_doubled():
    assert read(TEXT.replace("harbour office", "harbou roffice")).split("\n")[0].count(" ") == 5


def test_a_page_without_spaces_says_nothing_about_their_width():
    assert read("Theharbouroffice", "The harbour office") == "Theharbouroffice"
