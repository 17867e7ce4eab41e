import numpy as np

from fovea.recognition.type import bold, fixed_pitch, pitch


def on_grid(text):
    return [(i + 0.5) / len(text) for i, character in enumerate(text) if not character.isspace()]


def proportional(text):
    widths = [0.4 if character in "ilj.,' " else 1.3 if character in "mw" else 1.0 for character in text]
    at, places = 0.0, []
    for character, width in zip(text, widths, strict=True):
        if not character.isspace():
            places.append((at + width / 2) / sum(widths))
        at += width
    return places


def test_characters_of_fixed_pitch_lie_on_a_grid():
    text = "if best is None or row.cost < best:"
    assert abs(pitch(text, on_grid(text)) - 1 / len(text)) < 1e-9
    assert pitch(text, proportional(text)) == 0


def test_what_is_too_short_or_has_no_narrow_letter_says_nothing():
    assert pitch("abc", on_grid("abc")) == 0
    assert pitch("GRAND BOND", on_grid("GRAND BOND")) == 0


def test_a_short_line_has_fixed_pitch_only_beside_a_long_one_of_the_same_pitch():
    def mono(*texts):
        quads = [
            np.array([(0, y), (10 * len(text), y), (10 * len(text), y + 20), (0, y + 20)], np.float32)
            for y, text in zip(range(0, 40 * len(texts), 40), texts, strict=True)
        ]
        return fixed_pitch(quads, texts, [on_grid(text) for text in texts])

    assert mono("continue") == [False]
    assert mono("if best is None or row.cost < best:", "continue") == [True, True]


def test_figures_have_the_same_width_in_any_type():
    texts = ["61 1090 1014 0000 0712", "28.05.2021 178,49"]
    quads = [np.array([(0, 0), (10 * len(t), 0), (10 * len(t), 20), (0, 20)], np.float32) for t in texts]
    assert fixed_pitch(quads, texts, [on_grid(text) for text in texts]) == [False, False]


def test_a_long_line_off_the_grid_is_not_of_fixed_pitch_beside_one_that_is():
    texts = ["if best is None or row.cost < best:", "The list is illustrated with mammals, in"]
    quads = [np.array([(0, 0), (10 * len(t), 0), (10 * len(t), 20), (0, 20)], np.float32) for t in texts]
    places = [on_grid(texts[0]), proportional(texts[1])]
    assert fixed_pitch(quads, texts, places) == [True, False]


def stems(*widths):
    """A picture of lines whose letters are stems of these widths, and the places of the lines."""
    image = np.full((40 * len(widths), 400, 3), 255, np.uint8)
    quads = []
    for i, width in enumerate(widths):
        top = 40 * i
        for x in range(10, 380, 16):
            image[top + 8 : top + 24, x : x + width] = 0
        quads.append(np.array([(0, top + 4), (400, top + 4), (400, top + 28), (0, top + 28)], np.float32))
    return image, quads


def test_lines_with_wider_stems_are_bold():
    image, quads = stems(3, 3, 5, 3)
    assert bold(image, quads, ["a line of words"] * 4) == [False, False, True, False]


def test_larger_type_has_wider_stems_and_is_not_bold():
    image, quads = stems(3, 3, 5, 3)
    quads[2] = quads[2] + np.array([(0, -8), (0, -8), (0, 8), (0, 8)], np.float32)
    assert bold(image, quads, ["a line of words"] * 4) == [False] * 4


def test_short_lines_do_not_decide_what_is_usual():
    image, quads = stems(3, 2, 2, 2)
    texts = ["a long line of the text of the page", "2019", "2020", "2021"]
    assert bold(image, quads, texts) == [False] * 4
