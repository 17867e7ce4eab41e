import numpy as np
import pytest

from fovea.pages.text_layer import LayerWord
from fovea.recognition.frame import Frame
from fovea.recognition.layer import agreement, is_drawn, layer_lines, sample

FRAME = Frame.of(np.zeros((1000, 1000, 3), np.uint8))


def word(text, x, y, width=None, bold=False):
    width = width or 10 * len(text)
    return LayerWord(text, x / 1000, y / 1000, (x + width) / 1000, (y + 20) / 1000, bold, False, True)


def test_words_side_by_side_are_lines_in_any_order():
    words = [word("two", 88, 100), word("below", 50, 130), word("one", 50, 101), word("cell", 400, 100)]
    lines = layer_lines(words, FRAME)
    assert sorted(line.text for line in lines) == ["below", "cell", "one two"]
    assert all(line.confidence == 1.0 for line in lines)


def test_wide_gaps_of_one_width_are_those_of_a_justified_line():
    justified = [word("who", 50, 100), word("may", 100, 100), word("apply", 150, 100)]
    cells = [word("who", 300, 100), word("may", 350, 100), word("apply", 395, 100)]
    lines = layer_lines([*justified, *cells], FRAME)
    assert [line.text for line in lines] == ["who may apply", "who", "may", "apply"]
    assert len(layer_lines([word("409", 50, 100), word("316", 100, 100), word("725", 150, 100)], FRAME)) == 3


def test_two_words_that_fill_a_justified_line_belong_together():
    above = [word("who", 50, 74), word("may", 100, 74), word("apply", 150, 74)]
    filling, cells = (
        [word("earlier", 50, 100), word("enough", 140, 100)],
        [word("a", 300, 100), word("b", 335, 100)],
    )
    lines = layer_lines([*above, *filling, *cells], FRAME)
    assert [line.text for line in lines] == ["who may apply", "earlier enough", "a", "b"]


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


LATIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.□ ")


def compared(layer, *texts):
    return agreement(layer, list(zip(layer, texts, strict=True)), LATIN)


def line(text, y=100):
    words, x = [], 50
    for one in text.split():
        words.append(word(one, x, y))
        x += 10 * len(one) + 8
    return layer_lines(words, FRAME)


def test_a_layer_that_says_something_else_does_not_agree():
    layer = line("harbour office")
    assert compared(layer, "harbour office") == 1
    assert compared(layer, "quarterly sums") < 0.2


def test_a_kind_of_letter_that_is_wrong_in_the_sample_is_wrong_on_the_page():
    seen, *others = [*line("tie harbour is tiere"), *line("tie boat", 130), *line("warm sun", 160)]
    share = agreement([seen, *others], [(seen, "the harbour is there")], LATIN)
    assert share == pytest.approx(4.25 / 8, abs=0.1)  # the three words with `i` for `h`, and half of `is`


def test_one_of_many_letters_that_differs_is_a_slip_of_the_recognizer():
    layer = line("seven green trees were here")
    assert compared(layer, "seven green trees wcre here") == 1
    assert compared(layer, "seven grccn trccs wcrc hcrc") < 0.7


def test_the_second_sample_has_the_letters_that_differed():
    layer = [*line("quick boats"), *line("the quay", 130), *line("old maps", 160)]
    first = [(layer[0], "guick boats")]
    assert [part.text for part in sample(layer, LATIN, first)] == ["the quay"]
    assert sample(layer, LATIN, [(layer[0], "quick boats")]) == []


def test_letters_that_the_layer_lacks_make_words_wrong():
    assert compared(line("te ol arbour te boats"), "the old harbour the boats") < 0.6


@pytest.mark.parametrize("text", ["□ Scope .......... 17", "Scope .. I7", "scope l7"])
def test_leaders_boxes_to_tick_and_letters_that_look_alike_are_not_compared(text):
    layer = layer_lines([word("Scope", 50, 100), word("." * 30 + "17", 110, 100)], FRAME)
    assert agreement(layer, [(layer[0], text)], LATIN) == 1.0


def test_letters_that_the_recognizer_cannot_write_are_not_compared():
    assert sample(line("Договор"), LATIN) == []
    assert agreement(line("Договор"), [], LATIN) is None
    assert compared(line("old Договор"), "old Aorop") == 1
    assert compared(line("old Договор"), None) is None


def test_a_layer_of_which_no_part_could_be_read_does_not_agree():
    assert compared(line("harbour office"), None) == 0


def test_a_sample_has_the_kinds_of_letters_of_a_page():
    common = [one for y in range(100, 900, 30) for one in line("so so so so so so so so", y)]
    rare = line("zebra quick", 930)
    chosen = sample([*common, *rare], LATIN)
    assert len(chosen) <= 10
    assert {"z", "q"} <= set("".join(part.text for part in chosen))
    assert all(part.width <= 8 * part.height or len(part.words) == 1 for part in chosen)


def test_long_lines_of_chinese_are_compared_in_parts():
    layer = layer_lines([word("光学上下文压缩光学上下文压缩光学上下文压缩", 50, 100, 420)], FRAME)
    parts = sample(layer, frozenset("光学上下文压缩"))
    assert len(parts) == 3
    assert "".join(part.text for part in sorted(parts, key=lambda part: part.x0)) == layer[0].text


def test_a_line_that_is_not_there_is_not_drawn():
    image = np.full((1000, 1000, 3), 250, np.uint8)
    (one,) = line("harbour")
    assert not is_drawn(Frame.of(image), one)
    image[105:115, 55:100] = 225
    assert is_drawn(Frame.of(image), one)
