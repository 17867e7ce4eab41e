import numpy as np
import pytest

from fovea.layout.line import Line
from fovea.pages.text_layer import LayerWord
from fovea.recognition.frame import Frame
from fovea.recognition.layer import agreement, layer_lines

FRAME = Frame.of(np.zeros((1000, 1000, 3), np.uint8))


def word(text, x, y, width=None, bold=False):
    width = width or 10 * len(text)
    return LayerWord(text, x / 1000, y / 1000, (x + width) / 1000, (y + 20) / 1000, bold, False, True)


def read(text, x, y, confidence=0.99):
    return Line(x, y, x + 10 * len(text), y + 20, text, confidence)


def test_words_side_by_side_are_lines_in_any_order():
    words = [word("two", 88, 100), word("below", 50, 130), word("one", 50, 101), word("cell", 400, 100)]
    lines = layer_lines(words, FRAME)
    assert sorted(line.text for line in lines) == ["below", "cell", "one two"]
    assert all(line.confidence == 1.0 for line in lines)


def test_words_keep_their_boxes():
    words = [word("two", 88, 100), word("one", 50, 102)]
    (line,) = layer_lines(words, FRAME)
    assert [(one.text, round(one.y0), round(one.y1)) for one in line.words] == [
        ("one", 102, 122),
        ("two", 100, 120),
    ]


def test_a_line_is_bold_if_most_of_it_is():
    (line,) = layer_lines([word("Warning", 50, 100, bold=True), word("no", 130, 100)], FRAME)
    assert line.bold


def test_a_layer_that_says_something_else_does_not_agree():
    layer = layer_lines([word("harbour", 50, 100), word("office", 130, 100)], FRAME)
    assert agreement(layer, [read("harbour office", 50, 100)]) > 0.95
    assert agreement(layer, [read("quarterly sums", 50, 100)]) < 0.5
    assert agreement(layer, [read("elsewhere", 50, 600)]) == pytest.approx(0)


def test_leaders_and_boxes_to_tick_are_not_compared():
    layer = layer_lines([word("Scope", 50, 100), word("." * 30, 110, 100), word("17", 420, 100)], FRAME)
    assert agreement(layer, [Line(50, 100, 440, 120, "□ Scope .......... 17", 0.99)]) == 1.0


def test_a_line_that_was_read_without_confidence_says_nothing():
    layer = layer_lines([word("Договор", 50, 100)], FRAME)
    assert agreement(layer, [read("Aorop", 50, 100, 0.6)]) is None


def test_leaders_do_not_count_and_may_be_one_word_with_the_number_behind_them():
    layer = layer_lines([word("Scope", 50, 100), word("." * 40 + "1206", 110, 100)], FRAME)
    assert agreement(layer, [read("Scope ..", 50, 100)]) == 1
    assert agreement(layer, [read("...1206", 480, 100)]) == 1
