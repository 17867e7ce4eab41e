import pytest
from layout.lines import line

from fovea.layout.columns import whole_lines
from fovea.layout.paragraphs import join_lines, paragraphs


def test_a_gap_ends_a_paragraph():
    lines = [line(f"words that go on {i}", 50, 100 + 26 * i, 900) for i in range(3)]
    lines.append(line("the next one", 50, 220, 900))
    assert [len(group) for group in paragraphs(lines, 20)] == [3, 1]


def test_another_weight_or_size_ends_a_paragraph():
    below = line("text below a heading that goes on", 50, 126, 900)
    assert len(paragraphs([line("Heading", 50, 100, bold=True), below], 20)) == 2
    assert len(paragraphs([line("Heading", 50, 92, 300, 30), below], 20)) == 2


def test_pieces_of_a_line_are_joined_and_columns_are_not():
    pieces = [line("one", 50, 100), line("two", 88, 100), line("other column", 200, 101)]
    assert [one.text for one in whole_lines(pieces)] == ["one two", "other column"]


def test_short_lines_end_on_purpose():
    address = [line("14 Quayside", 50, 0), line("Bristol", 50, 30)]
    assert join_lines(address, 950) == "14 Quayside\nBristol"
    sums = [line("Net: 1", 600, 0, 300), line("Amount due: 2", 500, 30, 400)]
    assert join_lines(sums, 900) == "Net: 1\nAmount due: 2"


@pytest.mark.parametrize(
    ("above", "below", "joined"),
    [
        ("the docu-", "mentation of", "the documentation of"),
        ("a cost-", "benefit study", "a cost-benefit study"),
        ("the long-", "term lease", "the long-term lease"),
        ("a twenty-first-", "century view", "a twenty-first-century view"),
        ("the North-", "South line", "the North- South line"),
        ("in 1990-", "2000", "in 1990- 2000"),
    ],
)
def test_a_hyphen_at_the_end_of_a_line_breaks_a_word_or_belongs_to_it(above, below, joined):
    assert join_lines([line(above, 50, 0, 900), line(below, 50, 30, 900)], 950) == joined


def test_a_broken_word_is_written_as_elsewhere_on_the_page():
    lines = [line("some tide-", 50, 0, 900), line("tables here", 50, 30, 900)]
    assert join_lines(lines, 950) == "some tidetables here"
    assert join_lines(lines, 950, frozenset({"tide-tables"})) == "some tide-tables here"
    assert (
        join_lines([line("the cost-", 50, 0, 900), line("ing", 50, 30)], 950, frozenset({"costing"}))
        == "the costing"
    )


def test_chinese_lines_are_joined_without_a_blank():
    chinese = [line("为了方便大家", 50, 0, 900), line("阅读", 50, 30, 60)]
    assert join_lines(chinese, 950) == "为了方便大家阅读"
    assert join_lines([line("see", 50, 0, 900), line("为了", 50, 30, 40)], 950) == "see 为了"
