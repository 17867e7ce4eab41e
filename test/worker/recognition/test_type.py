from fovea.recognition.type import is_mono


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
    assert is_mono(text, on_grid(text))
    assert not is_mono(text, proportional(text))


def test_what_is_too_short_or_has_no_narrow_letter_says_nothing():
    assert not is_mono("abc", on_grid("abc"))
    assert not is_mono("GRAND BOND", on_grid("GRAND BOND"))
