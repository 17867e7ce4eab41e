import numpy as np

from fovea.recognition.type import pitch, typefaces


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
        image = np.full((40 * len(texts), 800, 3), 255, np.uint8)
        quads = [
            np.array([(0, y), (10 * len(text), y), (10 * len(text), y + 20), (0, y + 20)], np.float32)
            for y, text in zip(range(0, 40 * len(texts), 40), texts, strict=True)
        ]
        return typefaces(image, quads, texts, [on_grid(text) for text in texts])[1]

    assert mono("continue") == [False]
    assert mono("if best is None or row.cost < best:", "continue") == [True, True]
