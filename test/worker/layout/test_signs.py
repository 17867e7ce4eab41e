import pytest
from layout.lines import blocks, line

from fovea.layout.line import Marks
from fovea.layout.signs import with_signs


def signed(lines, **marks):
    return [one.text for one in with_signs(lines, Marks(**marks), 20)]


@pytest.mark.parametrize(
    ("read", "said"),
    [
        ("。Pumps and valves", "• Pumps and valves"),
        ("□Copie", "☐ Copie"),
        ("☑ done", "☑ done"),
        ("句子。", "句子。"),
        ("●", "●"),
    ],
)
def test_what_a_sign_is_read_as_becomes_the_sign_with_a_space(read, said):
    assert signed([line(read, 50, 100)]) == [said]


def test_drawn_bullets_stand_before_their_lines():
    lines = [line("first", 70, 100), line("nested", 110, 126)]
    bullets = ((52.0, 107.0, 59.0, 114.0), (92.0, 133.0, 99.0, 140.0))
    assert signed(lines, bullets=bullets) == ["• first", "• nested"]
    (found,) = blocks(lines, marks=Marks(bullets=bullets))
    assert found.text == "• first\n  • nested"


def test_a_box_inside_its_line_keeps_the_words():
    box = ((50.0, 102.0, 66.0, 118.0), True)
    inside = line("xx Oil level", 48, 100)  # the box was read as a word
    assert signed([line("Oil level", 74, 100)], boxes=(box,)) == ["☑ Oil level"]
    assert signed([inside], boxes=(box,)) == ["☑ Oil level"]


def test_a_square_character_is_no_box():
    assert signed([line("口岸", 50, 100)], boxes=(((52.0, 103.0, 66.0, 117.0), False),)) == ["口岸"]
