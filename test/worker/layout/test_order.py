from layout.lines import blocks, line, prose

from fovea.layout.order import Item, reading_order


def order(lines, *marks, **page):
    text = "\n".join(block.text for block in blocks(lines, **page))
    return sorted(marks, key=text.index)


def test_columns_are_read_one_after_the_other():
    lines = [*prose("right", 530, 100, 8), *prose("left", 50, 100, 8)]
    assert order(lines, "left", "right") == ["left", "right"]


def test_three_and_four_columns_are_read_from_the_left():
    for count in (3, 4):
        width = 900 // count - 30
        lines = [
            one for i in range(count) for one in prose(f"column{i}", 50 + i * 900 // count, 100, 9, width)
        ]
        names = [f"column{i}" for i in range(count)]
        assert order(lines, *reversed(names)) == names


def test_a_title_over_both_columns_divides_the_page():
    lines = [
        *prose("left1", 50, 100, 5),
        *prose("right1", 530, 100, 5),
        line("A title over both columns", 50, 280, 900, 40),
        *prose("left2", 50, 380, 5),
        *prose("right2", 530, 380, 5),
    ]
    expected = ["left1", "right1", "A title", "left2", "right2"]
    assert order(lines, *sorted(expected)) == expected


def test_a_short_heading_on_its_own_divides_columns_too():
    lines = [
        *prose("left1", 50, 100, 5),
        *prose("right1", 530, 100, 5),
        line("Methods", 50, 280, 150, 34),
        *prose("left2", 50, 340, 5),
        *prose("right2", 530, 340, 5),
    ]
    expected = ["left1", "right1", "Methods", "left2", "right2"]
    assert order(lines, *sorted(expected)) == expected


def test_a_heading_above_the_rest_of_one_column_is_part_of_it():
    lines = [
        *prose("left1", 50, 100, 6),
        *prose("right1", 530, 100, 6),
        line("Methods", 50, 280, bold=True),
        *prose("left2", 50, 310, 5),
    ]
    expected = ["left1", "Methods", "left2", "right1"]
    assert order(lines, *sorted(expected)) == expected


def test_a_short_line_close_below_a_column_is_part_of_it():
    lines = [*prose("left", 50, 100, 6), line("Table 1: Depth", 50, 268), *prose("right", 530, 100, 6)]
    assert order(lines, "Table 1", "left", "right") == ["left", "Table 1", "right"]


def test_bands_may_have_different_columns():
    lines = [
        *prose("two-left", 50, 100, 4),
        *prose("two-right", 530, 100, 4),
        *prose("wide", 50, 260, 3, 900),
        *prose("three-a", 50, 400, 6, 270),
        *prose("three-b", 365, 400, 6, 270),
        *prose("three-c", 680, 400, 6, 270),
    ]
    expected = ["two-left", "two-right", "wide", "three-a", "three-b", "three-c"]
    assert order(lines, *sorted(expected)) == expected


def test_what_continues_a_column_below_a_side_note_comes_before_the_note():
    lines = [
        *prose("abstract", 50, 100, 5, 550),
        *prose("note", 680, 100, 8, 270),
        *prose("body", 50, 330, 6, 550),
    ]
    assert order(lines, "body", "note") == ["body", "note"]


def test_items_that_cannot_be_cut_apart_are_read_from_the_top():
    wheel = [(0, 0, 60, 20), (70, 0, 90, 60), (30, 70, 90, 90), (0, 30, 20, 90)]
    read = reading_order([Item(box, number) for number, box in enumerate(wheel)], 5)
    assert next(item.what for item in read) == 0
    assert sorted(item.what for item in read) == [0, 1, 2, 3]
