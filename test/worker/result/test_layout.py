import math

import pytest

from fovea.result.layout import Line, find_gutter, find_tables, join_lines, lay_out, straighten
from fovea.result.markdown import escape, to_markdown
from fovea.result.page_result import Block

W, H = 1000, 1400


def line(text, x, y, width=None, height=20):
    width = width or 10 * len(text)
    quad = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
    return Line.of_quad(quad, text, 0.9)


def texts(lines):
    return [block.text for block in lay_out(lines, W, H)]


def test_lines_become_paragraphs_where_the_gap_is():
    lines = [line(f"{'word ' * 18}{i}", 50, 100 + 30 * i, 900) for i in range(3)]
    lines += [line("the next one", 50, 240, 900)]
    assert len(texts(lines)) == 2
    assert texts(lines)[0].count("word") == 54


def test_two_columns_are_read_one_after_the_other_in_bands():
    lines = [line("A title over both columns", 100, 50, 800, 40)]
    lines += [line(f"left {i}", 50, 150 + 30 * i, 420) for i in range(8)]
    lines += [line(f"right {i}", 530, 150 + 30 * i, 420) for i in range(8)]
    lines += [line("a footer across the page", 50, 450, 900)]
    text = " ".join(texts(lines))
    order = ["A title", *[f"left {i}" for i in range(8)], *[f"right {i}" for i in range(8)], "a footer"]
    assert [text.index(words) for words in order] == sorted(text.index(words) for words in order)


def test_a_grid_is_a_table_with_escaped_cells():
    rows = [("Item", "Count", "Price"), ("Pen <b>", "2", "1.00"), ("Ink & pad", "3", "2.50")]
    rows.append(("Cap", "4", "9.99"))
    lines = [
        line(cell, 50 + 300 * x, 100 + 35 * y) for y, row in enumerate(rows) for x, cell in enumerate(row)
    ]
    (table,) = lay_out(lines, W, H)
    assert table.type == "table"
    assert table.text.split("\n")[0] == "Item\tCount\tPrice"
    assert table.html.startswith("<table><tr><th>Item</th><th>Count</th><th>Price</th></tr>")
    assert "<td>Pen &lt;b&gt;</td>" in table.html
    assert "<td>Ink &amp; pad</td>" in table.html


def test_two_columns_of_prose_are_no_table():
    lines = [line("some words that go on", 50, 100 + 30 * i, 420) for i in range(10)]
    lines += [line("other words beside them", 530, 100 + 30 * i, 420) for i in range(10)]
    assert all(block.type == "text" for block in lay_out(lines, W, H))


def test_titles_are_larger_and_lists_have_marks():
    lines = [line("Report", 50, 50, 300, 45)]
    lines += [line("words " * 14, 50, 150 + 30 * i, 900) for i in range(4)]
    lines += [line(f"{i}. entry", 50, 350 + 30 * i) for i in range(1, 4)]
    blocks = lay_out(lines, W, H)
    assert [block.type for block in blocks] == ["title", "text", "list"]
    assert to_markdown(blocks).startswith("# Report\n\nwords")
    assert to_markdown(blocks).endswith("1. entry\n2. entry\n3. entry")


def test_a_skewed_table_is_still_a_table():
    angle = math.radians(2)
    lines = []
    for y in range(5):
        for x in range(3):
            x0, y0 = 50 + 300 * x, 200 + 40 * y
            corners = [(x0, y0), (x0 + 200, y0), (x0 + 200, y0 + 20), (x0, y0 + 20)]
            turned = [
                (
                    (cx - W / 2) * math.cos(angle) - (cy - H / 2) * math.sin(angle) + W / 2,
                    (cx - W / 2) * math.sin(angle) + (cy - H / 2) * math.cos(angle) + H / 2,
                )
                for cx, cy in corners
            ]
            lines.append(Line.of_quad(turned, f"{y}{x}", 0.9))
    (table,) = lay_out(lines, W, H)
    assert table.text.split("\n")[4] == "40\t41\t42"


def test_words_broken_at_a_lines_end_are_joined_and_short_lines_end_on_purpose():
    lines = [line("a recon-", 50, 0, 900), line("struction of", 50, 30, 900), line("it", 50, 60, 20)]
    assert join_lines(lines, 950) == "a reconstruction of it"
    address = [line("14 Quayside", 50, 0), line("Bristol", 50, 30)]
    assert join_lines(address, 950) == "14 Quayside\nBristol"
    sums = [line("Net: 1", 600, 0, 300), line("Amount due: 2", 500, 30, 400)]
    assert join_lines(sums, 900) == "Net: 1\nAmount due: 2"
    chinese = [line("为了方便大家", 50, 0, 900), line("阅读", 50, 30, 60)]
    assert join_lines(chinese, 950) == "为了方便大家阅读"


@pytest.mark.parametrize(
    ("above", "below", "joined"),
    [
        ("the recon-", "struction", "the reconstruction"),
        ("the North-", "South line", "the North- South line"),
        ("in 1990-", "2000", "in 1990- 2000"),
        ("pages 3-", "fold", "pages 3- fold"),
    ],
)
def test_only_a_letter_and_a_hyphen_before_a_small_letter_are_a_broken_word(above, below, joined):
    assert join_lines([line(above, 50, 0, 900), line(below, 50, 30, 900)], 950) == joined


def test_a_chinese_line_after_a_latin_one_keeps_its_blank():
    assert join_lines([line("see", 50, 0, 900), line("为了", 50, 30, 40)], 950) == "see 为了"
    assert join_lines([line("为了", 50, 0, 900), line("see", 50, 30, 60)], 950) == "为了 see"


# -- columns -------------------------------------------------------------------------------------------


def column(x, y, width, count=8):
    return [line("words", x, y + 30 * i, width) for i in range(count)]


def test_columns_stand_beside_each_other_for_half_of_the_shorter_ones_height():
    right = column(530, 100, 420)  # down to 330, so 230 high
    assert find_gutter([*right, *column(50, 210, 420)], 20) is not None
    assert find_gutter([*right, *column(50, 220, 420)], 20) is None


def test_a_column_is_full_of_text_up_to_the_gutter():
    right = column(530, 100, 420)
    assert find_gutter([*column(50, 100, 170), *right], 20) is not None
    assert find_gutter([*column(50, 100, 150), *right], 20) is None
    # Of eight lines two must reach it.
    assert find_gutter([*column(50, 100, 420, 2), *column(50, 160, 100, 6), *right], 20) is not None
    assert find_gutter([*column(50, 100, 420, 1), *column(50, 130, 100, 7), *right], 20) is None


def test_a_column_has_at_least_four_lines_and_a_quarter_of_all():
    assert find_gutter([*column(50, 100, 420, 4), *column(530, 100, 420, 4)], 20) is not None
    assert find_gutter([*column(50, 100, 420, 3), *column(530, 100, 420, 6)], 20) is None
    assert find_gutter([*column(50, 100, 420, 6), *column(530, 100, 420, 18)], 20) is not None
    assert find_gutter([*column(50, 100, 420, 5), *column(530, 100, 420, 18)], 20) is None


def test_the_gutter_is_where_the_fewest_lines_cross_and_at_most_three_of_ten():
    sides = [*column(50, 100, 420, 7), *column(530, 100, 420, 7)]
    assert 470 <= find_gutter([*sides, *column(50, 400, 900, 6)], 20) <= 530
    assert find_gutter([*sides, *column(50, 400, 900, 7)], 20) is None
    # Nothing crosses 500; at 400 it would be three lines of the left column.
    assert find_gutter([*column(50, 100, 345, 5), *column(50, 250, 440, 3), *column(510, 100, 440)], 20) > 490


# -- skew ----------------------------------------------------------------------------------------------


def turned(degrees, text="words", x=50, y=200, width=900, height=20):
    """A line of a page that was turned about its middle."""
    angle = math.radians(degrees)
    cos, sin = math.cos(angle), math.sin(angle)
    corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
    quad = [
        ((a - W / 2) * cos - (b - H / 2) * sin + W / 2, (a - W / 2) * sin + (b - H / 2) * cos + H / 2)
        for a, b in corners
    ]
    return Line.of_quad(quad, text, 0.9)


@pytest.mark.parametrize(("degrees", "width"), [(2, 500), (-2, 500), (5, 200)])
def test_a_skewed_line_is_as_high_as_its_letters_and_where_it_would_be_on_an_upright_page(degrees, width):
    lines = straighten([turned(degrees, y=200 + 40 * i, width=width) for i in range(3)], W, H)
    for number, one in enumerate(lines):
        assert one.height == pytest.approx(20, abs=0.5)
        assert one.middle == pytest.approx(210 + 40 * number, abs=0.5)
        assert (one.x0, one.x1) == pytest.approx((50, 50 + width), abs=5)


def test_an_upright_line_on_a_skewed_page_keeps_some_height():
    lines = [*(turned(2, y=200 + 40 * i) for i in range(3)), line("straight", 50, 900, 900)]
    assert straighten(lines, W, H)[3].height == pytest.approx(0.4 * 20)


@pytest.mark.parametrize(
    "lines",
    [
        [turned(2, y=200 + 40 * i) for i in range(2)],
        [turned(2, y=200 + 40 * i, width=70) for i in range(9)],
        [turned(0.1, y=200 + 40 * i) for i in range(3)],
        [turned(21, y=200 + 40 * i) for i in range(3)],
    ],
    ids=["two lines", "short lines", "hardly any", "far too much"],
)
def test_what_says_too_little_about_the_skew_is_left_as_it_is(lines):
    assert straighten(lines, W, H) == lines


# -- tables --------------------------------------------------------------------------------------------


def grid(*rows, step=30):
    """Lines for the marks of each row: `x.x` has a cell in the first and the third column."""
    return [
        line(f"{x}{y}", 50 + 150 * x, 100 + step * y, 40)
        for y, row in enumerate(rows)
        for x, mark in enumerate(row)
        if mark == "x"
    ]


def is_table(lines):
    tables, rest = find_tables(lines, 20)
    assert len(tables) * len(rest) == 0
    return len(tables) == 1


def test_a_table_has_three_rows_and_three_of_five_cells_filled():
    assert is_table(grid("xxx", "xxx", "xxx"))
    assert not is_table(grid("xxx", "xxx"))
    assert is_table(grid("xxx..", "x.x.x", "..xxx", "xx..x"))
    assert not is_table(grid("xxx..", "x.x.x", "..xxx", "x...x"))


def test_a_table_of_two_columns_has_numbers_in_three_of_five_rows_of_the_second():
    def pairs(*values):
        return [
            line(text, x, 100 + 30 * y)
            for y, value in enumerate(values)
            for x, text in ((50, "Net"), (500, value))
        ]

    assert is_table(pairs("one", "two", "3", "4.50", "(5)"))
    assert not is_table(pairs("one", "two", "3", "4.50", "five"))


def test_a_table_ends_at_a_gap_of_two_lines():
    assert is_table(grid("xxx", "xxx", "xxx", step=60))
    assert not is_table(grid("xxx", "xxx", "xxx", step=61))


# -- the rest --------------------------------------------------------------------------------------------


def test_boxes_are_of_the_page_as_it_is_and_ids_count_in_reading_order():
    blocks = lay_out([line("one", 100, 140, 200), line("two", 100, 700, 200)], W, H)
    assert [block.id for block in blocks] == [1, 2]
    assert blocks[0].bbox == (0.1, 0.1, 0.3, 160 / 1400)
    assert lay_out([], W, H) == []


def test_what_was_read_cannot_become_markup():
    assert (
        escape("# no heading\n<script>x</script> a < b") == "\\# no heading\n&lt;script>x&lt;/script> a < b"
    )
    code = to_markdown([Block(1, "code", (0, 0, 1, 1), "```\nescape")])
    assert code == "````\n```\nescape\n````"
