import numpy as np
import pytest
from PIL import Image, ImageDraw
from support import picture

from fovea.pages.glyphs import font
from fovea.recognition.doubts import boxed_letters, cut_lines, loose_rows, right_words
from fovea.recognition.frame import Frame

TEXT = "The harbour office opens\nat seven in the morning"


def page(text=TEXT, size=(900, 300)):
    return np.asarray(picture(text, size, 36))[:, :, ::-1].copy()


def loose_letters(image, quads):
    return sum(count for _, count in loose_rows(Frame.of(image), quads, 40))


def lines_of(image):
    """The lines of a page as quads, from its rows of ink."""
    dark = image[:, :, 0] < 128
    rows = np.flatnonzero(np.diff(np.pad(dark.any(axis=1), 1).astype(int)))
    quads = []
    for top, bottom in zip(rows[::2], rows[1::2], strict=True):
        columns = np.flatnonzero(dark[top:bottom].any(axis=0))
        x0, x1, y0, y1 = columns[0] - 3, columns[-1] + 4, top - 3, bottom + 3
        quads.append(np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], np.float32))
    return quads


def test_a_word_is_right_if_all_its_characters_are():
    words, right = right_words("one two", (1.0, 1.0, 1.0, 0.5, 1.0, 0.5))
    assert (words, right) == (2, pytest.approx(1.25))


def test_a_bullet_is_no_word():
    assert right_words("□ one", (0.3, 1.0, 1.0, 1.0)) == (1, pytest.approx(1.0))


def test_each_chinese_character_is_a_word():
    assert right_words("用水 m3", (0.9, 0.8, 1.0, 1.0)) == (3, pytest.approx(2.7))


def test_letters_of_found_lines_are_not_loose():
    image = page()
    assert loose_letters(image, lines_of(image)) == 0


def test_letters_of_a_line_that_was_not_found_are_loose():
    image = page()
    missed = len("".join(TEXT.split("\n")[1].split()))
    assert 0.7 * missed <= loose_letters(image, lines_of(image)[:1]) <= 1.3 * missed


def test_a_row_of_loose_letters_has_a_box():
    image = page()
    (_, second), ((x0, y0, x1, y1), _) = (
        lines_of(image),
        *loose_rows(Frame.of(image), lines_of(image)[:1], 40),
    )
    assert abs(x0 - second[0][0]) < 12 and abs(x1 - second[2][0]) < 12
    assert second[0][1] - 2 < y0 < y1 < second[2][1] + 2


def test_letters_of_a_turned_line_are_not_loose():
    tilted = np.asarray(
        Image.fromarray(page()).rotate(5, fillcolor="white", resample=Image.Resampling.BICUBIC)
    )
    middle, turn = np.array([450, 150]), np.radians(-5)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    quads = [((quad - middle) @ matrix.T + middle).astype(np.float32) for quad in lines_of(page())]
    assert loose_letters(tilted, quads) == 0


@pytest.mark.parametrize("drawn", ["rules", "specks", "a shape", "boxes to tick", "a code of squares"])
def test_what_is_drawn_is_no_row_of_letters(drawn):
    image = page("")
    if drawn == "rules":
        image[50::60, 40:860] = 0
        image[50:290, 40::200] = 0
    elif drawn == "specks":
        spots = np.random.default_rng(1).integers((10, 10), (290, 890), (400, 2))
        image[spots[:, 0], spots[:, 1]] = 0
    elif drawn == "a shape":
        image[60:240, 200:700] = 60
    elif drawn == "boxes to tick":
        for x in range(60, 800, 60):
            image[100:130, x : x + 30] = 0
            image[103:127, x + 3 : x + 27] = 255
    else:
        squares = np.random.default_rng(1).integers(0, 2, (25, 25)).astype(np.uint8)
        image[40:240, 100:300] = 255 - 255 * np.kron(squares, np.ones((8, 8), np.uint8))[:, :, None]
    assert loose_letters(image, []) == 0


def test_lines_through_the_edge_are_cut():
    image = page()
    assert cut_lines(Frame.of(image), lines_of(image)) == 0
    half = image[:, : int(lines_of(image)[0][1][0] * 0.5)]
    assert 1 <= cut_lines(Frame.of(half), lines_of(half)) <= 2


def test_a_line_beside_a_frame_is_not_cut():
    image = page()
    x0 = int(min(quad[0][0] for quad in lines_of(image)))
    narrow = image[:, x0:].copy()
    quads = [quad - np.array([x0, 0], np.float32) for quad in lines_of(image)]
    narrow[:, :2] = 0
    assert cut_lines(Frame.of(narrow), quads) == 0


def boxed(text, missing="", tick=False):
    """A line of text whose `missing` letters are boxes, perhaps behind a box to tick."""
    image, face, x = Image.new("RGB", (900, 80), "white"), font("prose", 32), 20.0
    pen = ImageDraw.Draw(image)
    if tick:
        pen.rectangle((x, 24, x + 26, 50), outline="black", width=2)
        x += 44
    for letter in text:
        wide = face.getlength(letter)
        if letter in missing:
            pen.rectangle((x + 2, 24, x + wide - 2, 50), outline="black", width=2)
        else:
            pen.text((x, 16), letter, "black", font=face)
        x += wide
    quad = np.array([(14, 12), (x + 6, 12), (x + 6, 62), (14, 62)], np.float32)
    return boxed_letters(np.asarray(image)[:, :, ::-1].copy(), quad)


def test_letters_drawn_as_boxes_are_counted():
    assert boxed("The harbour office", missing="o") == 2
    assert boxed("The harbour office BDO80") == 0


def test_a_box_to_tick_is_no_letter():
    assert boxed("The harbour office", tick=True) == 0
