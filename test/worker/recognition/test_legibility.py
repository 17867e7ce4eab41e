import numpy as np
import pytest
from support import picture

from fovea.recognition.legibility import half_known, is_legible, letters_drawn, unknown_script


def drawn(text):
    image = np.asarray(picture(text, (900, 80), 36))[:, :, ::-1].copy()
    rows, columns = np.nonzero(image[:, :, 0] < 128)
    x0, x1, y0, y1 = columns.min() - 4, columns.max() + 4, rows.min() - 4, rows.max() + 4
    return image, np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], np.float32)


@pytest.mark.parametrize(
    "text", ["The harbour office opens at seven.", "Invoice 2210-B, due 4 March", "Łódź, Žilina, Győr"]
)
def test_letters_are_counted_about_right(text):
    count = len("".join(text.split()))
    assert 0.7 * count <= letters_drawn(*drawn(text)) <= 1.15 * count


def test_a_line_with_far_fewer_characters_than_letters_was_not_read():
    assert is_legible(28, "The harbour office opens at seven")
    assert not is_legible(28, ": , 38 .")


def test_a_short_line_says_too_little():
    assert is_legible(3, "a")


def test_a_script_of_which_letters_are_missing_is_named():
    known = frozenset("abcdefghijklmnopqrstuvwxyzαβγδεικλνοπρστ")
    assert half_known("λι ι νρωι εννινται ελεερι αι", known) == "Greek"
    assert half_known("Tt c mi ngưi sinh ra đu đưc t do và", known) == "Vietnamese"
    assert half_known("the angle α and the angle β are equal", known) is None
    assert half_known("λόγος και σκοπός εδώ", frozenset("άέήίόύώαβγδεζηθικλμνξοπρστυφχψως")) is None


def test_a_script_that_nothing_can_read_is_named():
    latin = frozenset("abcdefghijklmnopqrstuvwxyz")
    assert unknown_script("Բոլոր մարդիկ", latin, ["Latin", "Han"]) == "Armenian"
    assert unknown_script("the harbour ყველა", latin, ["Latin", "Han"]) == "Georgian"
    assert unknown_script("Все люди", latin, ["Latin", "Cyrillic"]) is None
    assert unknown_script("the harbour opens at seven, " * 5 + "α", latin, ["Latin"]) is None
    assert unknown_script("phở bò 骉", latin, ["Latin"]) is None
