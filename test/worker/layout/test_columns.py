from layout.lines import line, prose

from fovea.layout.columns import find_gutters, whole_lines, zones

UNIT = 20


def words(texts, x, y, width):
    """Words apart from each other, from `x` to `x + width`: a line of justified text as a detector finds it."""
    free = (width - 10 * sum(map(len, texts))) / (len(texts) - 1)
    lines, at = [], x
    for text in texts:
        lines.append(line(text, at, y))
        at += 10 * len(text) + free
    return lines


def texts(lines):
    return [one.text for one in sorted(lines, key=lambda one: (one.y0, one.x0))]


def test_words_of_a_justified_line_are_joined():
    full = "all words of this line stand close"
    lines = [
        line(full, 50, 100),
        *words(["Abweichungen.", "Die", "sechs"], 50, 126, 340),
        line(full, 50, 152),
    ]
    assert texts(whole_lines(lines)) == [full, "Abweichungen. Die sechs", full]


def test_justified_lines_below_each_other_are_joined_one_after_the_other():
    full = "all words of this line stand close"
    first, second = (
        words(["justified", "wording", "apart"], 50, 126, 340),
        words(["a", "nonsensical", "total sum"], 50, 152, 340),
    )
    lines = [line(full, 50, 100), *first, *second]
    assert texts(whole_lines(lines))[1:] == ["justified wording apart", "a nonsensical total sum"]


def test_cells_are_not_joined():
    lines = [one for y in range(100, 204, 26) for one in words(["Quay", "25.1", "0.164"], 50, y, 340)]
    assert len(whole_lines(lines)) == len(lines)
    caption = line("Table 1: Depth and mean error by site", 50, 60, 340)
    assert len(whole_lines([caption, *lines])) == len(lines) + 1


def test_the_number_of_a_heading_is_part_of_it_and_that_of_a_row_is_not():
    assert texts(whole_lines([line("1.1", 50, 100), line("Earlier work", 100, 100)])) == ["1.1 Earlier work"]
    assert len(whole_lines([line("1", 50, 100), line("Chair", 130, 100), line("12.00", 400, 100)])) == 3


def test_a_gutter_separates_prose_from_a_table_beside_it():
    left = prose("left", 50, 100, 12)
    table = [one for y in range(100, 204, 26) for one in words(["Quay", "25.1", "0.164"], 530, y, 400)]
    right = prose("right", 530, 250, 6)
    (gutter,) = find_gutters([*left, *table, *right], [], UNIT)
    x0, y0, x1, y1 = gutter.box
    assert 470 <= x0 < x1 <= 530 and y0 <= 100 and y1 >= 386
    found = zones([*left, *table, *right], [gutter])
    assert sorted(map(len, found)) == sorted([len(left), len(table) + len(right)])


def test_columns_that_lean_with_the_page_have_a_gutter():
    left = [line(f"words of the left column {i}", 50 + 0.7 * i, 100 + 26 * i, 400) for i in range(30)]
    right = [line(f"words of the right column {i}", 478 + 0.7 * i, 100 + 26 * i, 400) for i in range(30)]
    assert len(find_gutters([*left, *right], [], UNIT)) == 1


def test_cells_of_several_lines_are_no_columns():
    lines = []
    for row in range(3):
        top = 100 + 130 * row
        lines += prose("what was done", 50, top, 4, 300)
        lines += prose("what it cost us", 430, top, 3, 300)
    assert find_gutters(lines, [], UNIT) == []


def test_a_gutter_ends_where_something_crosses_it():
    lines = [
        *prose("left", 50, 200, 6),
        *prose("right", 530, 200, 6),
        *prose("a wide line over both columns", 50, 380, 3, 900),
        *prose("left", 50, 500, 6),
        *prose("right", 530, 500, 6),
    ]
    gutters = find_gutters(lines, [], UNIT)
    assert len(gutters) == 2
    assert all(not gutter.box[1] < 400 < gutter.box[3] for gutter in gutters)
    assert len(find_gutters(lines[:12], [(400.0, 230.0, 600.0, 300.0)], UNIT)) == 0  # a picture lies across
