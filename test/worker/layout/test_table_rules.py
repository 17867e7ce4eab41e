import pytest
from layout.lines import blocks, line, prose

from fovea.layout.aligned import aligned_tables
from fovea.layout.line import Marks, Region
from fovea.layout.ruled import ruled_tables, split_at
from fovea.layout.tables import NUMERIC


def grid(*rows, step=30, width=40):
    """Lines for the marks of each row: `x.x` has a cell in the first and the third column."""
    return [
        line(f"{x}{y}", 50 + 150 * x, 100 + step * y, width)
        for y, row in enumerate(rows)
        for x, mark in enumerate(row)
        if mark == "x"
    ]


def find_tables(lines, marks, regions, unit):
    ruled, rest = ruled_tables(lines, marks, unit)
    aligned, rest = aligned_tables(rest, regions, unit)
    return [*ruled, *aligned], rest


def table_of(lines, marks=None, regions=()):
    tables, rest = find_tables(lines, marks or Marks(), list(regions), 20)
    assert len(tables) <= 1
    return (tables[0].texts() if tables else None), rest


def ruled(xs, ys):
    """A full grid of ruled lines."""
    across = tuple((xs[0], y, xs[-1], y + 2) for y in ys)
    down = tuple((x, ys[0], x + 2, ys[-1]) for x in xs)
    return Marks(across, down)


def test_lines_in_columns_are_a_table():
    table, rest = table_of(grid("xxx", "xxx", "xxx"))
    assert table == [["00", "10", "20"], ["01", "11", "21"], ["02", "12", "22"]]
    assert rest == []
    assert table_of(grid("xxx", "xxx"))[0] is None


def test_cells_have_the_boxes_of_their_texts():
    tables, _ = find_tables(grid("xxx", "x.x", "xxx"), Marks(), [], 20)
    cells = {(cell.row, cell.column): cell for cell in tables[0].boxes()}
    assert (cells[0, 1].text, cells[0, 1].bbox) == ("10", (200, 100, 240, 120))
    assert (cells[1, 1].text, cells[1, 1].bbox) == ("", None)
    assert {(cell.rowspan, cell.colspan) for cell in cells.values()} == {(1, 1)}


def test_cells_may_be_empty():
    table, _ = table_of(grid("xxxx", "xx.x", "x.xx", "xx.x"))
    assert table[1] == ["01", "11", "", "31"]
    assert table[2] == ["02", "", "22", "32"]


def test_prose_in_columns_is_no_table():
    lines = [*prose("left", 50, 100, 10), *prose("right", 530, 100, 10)]
    assert table_of(lines)[0] is None


def test_two_columns_are_a_table_if_the_second_has_numbers_or_the_model_sees_one():
    pairs = [("Net", "one"), ("Tax", "two"), ("Sum", "three")]
    words = [
        line(text, x, 100 + 30 * y)
        for y, pair in enumerate(pairs)
        for text, x in zip(pair, (50, 500), strict=True)
    ]
    numbers = [line(text, x, 100 + 30 * y) for y in range(3) for text, x in (("Net", 50), (f"{y}.50", 500))]
    assert table_of(numbers)[0] is not None
    assert table_of(words)[0] is None
    assert table_of(words, regions=[Region("table", 0.9, (40, 90, 600, 200))])[0] is not None


def test_lines_that_wrap_belong_to_the_cell_above():
    lines = [
        *(line(text, x, 100) for text, x in (("Name", 50), ("Duty", 250), ("Room", 700))),
        *(line(text, x, 140) for text, x in (("Ines", 50), ("Measures how often", 250), ("12", 700))),
        line("readers go back", 250, 164),
        *(line(text, x, 204) for text, x in (("Tomas", 50), ("Keeps the archive", 250), ("14", 700))),
        line("of printed pages", 250, 228),
    ]
    table, _ = table_of(lines)
    assert table == [
        ["Name", "Duty", "Room"],
        ["Ines", "Measures how often readers go back", "12"],
        ["Tomas", "Keeps the archive of printed pages", "14"],
    ]


def test_a_total_apart_from_the_table_is_not_part_of_it():
    lines = grid("xxx", "xxx", "xxx", "xxx", "xxx")
    lines += [line("Total", 200, 290, 50), line("9", 350, 290, 20)]
    table, rest = table_of(lines)
    assert len(table) == 5
    assert [one.text for one in rest] == ["Total", "9"]


def test_a_table_ends_at_a_wide_gap():
    assert table_of(grid("xxx", "xxx", "xxx", step=60))[0] is not None
    assert table_of(grid("xxx", "xxx", "xxx", step=70))[0] is None


def rows_of_cells(*rows, places=(50, 150, 450, 600), step=36):
    return [
        line(text, x, 100 + step * y)
        for y, row in enumerate(rows)
        for text, x in zip(row, places, strict=True)
        if text
    ]


def test_the_label_of_a_sum_spans_the_columns_before_it():
    lines = rows_of_cells(
        ("Pos", "Name", "Count", "Total"),
        ("1", "Chair", "2", "40.00"),
        ("2", "Lamp", "1", "9.00"),
        ("3", "Desk", "1", "2.00"),
    )
    lines += [line("Amount due", 380, 244), line("51.00", 600, 244)]
    (found,), rest = find_tables(lines, Marks(), [], 20)
    assert '<td colspan="3">Amount due</td><td>51.00</td>' in found.html()
    assert rest == []


def test_two_head_cells_that_were_read_as_one_line_are_cut():
    lines = rows_of_cells(
        ("", "", "", "Total"),
        ("1", "Chair", "2", "40.00"),
        ("2", "Lamp", "1", "9.00"),
        ("3", "Desk", "1", "2.00"),
    )
    lines += [line("Pos      Name", 50, 100, 140), line("Count", 450, 100)]
    table, _ = table_of(lines)
    assert table[0] == ["Pos", "Name", "Count", "Total"]


def test_labels_with_colons_and_their_values_are_a_table():
    lines = rows_of_cells(
        ("Nom :", "Delacroix"), ("Ville :", "Lyon"), ("Adresse :", "12, rue des Tilleuls"), places=(50, 400)
    )
    assert table_of(lines)[0][2] == ["Adresse :", "12, rue des Tilleuls"]


def test_a_heading_between_two_lists_of_labels_is_in_neither():
    lines = rows_of_cells(("Nom :", "Delacroix"), ("Ville :", "Lyon"), ("Age :", "31"), places=(50, 400))
    heading = line("2. Demande", 50, 208, bold=True)
    more = [
        line(text, x, y + 144)
        for text, x, y in (("Montant :", 50, 100), ("12", 400, 100), ("Mois :", 50, 136), ("3", 400, 136))
    ]
    _, rest = find_tables([*lines, heading, *more], Marks(), [], 20)
    assert "2. Demande" in [one.text for one in rest]


def test_heads_and_sections_span_columns():
    lines = [line("2019", 505, 64), line("2020", 705, 64)]
    lines += rows_of_cells(
        ("Region", "Plan", "Real", "Plan", "Real"),
        ("North", "12", "14", "15", "11"),
        ("South", "22", "21", "24", "20"),
        places=(50, 450, 550, 650, 750),
    )
    lines += [line("All of the east", 350, 208)]
    lines += [
        line(text, x, 244) for text, x in (("Lake", 50), ("8", 450), ("9", 550), ("7", 650), ("9", 750))
    ]
    (found,), _ = find_tables(lines, Marks(), [], 20)
    rows = found.html().split("<tr>")
    assert rows[1].startswith('<td></td><td colspan="2">2019</td><td colspan="2">2020</td>')
    assert '<td colspan="5">All of the east</td>' in rows[5]


def test_a_head_begins_a_table_of_its_own_below_a_list_of_labels():
    lines = rows_of_cells(
        ("Name:", "A. Rivera"), ("Account:", "61 1090 1014"), ("Month:", "May"), places=(50, 150)
    )
    for y, row in enumerate(
        (("Date", "Text", "Sum"), ("01.05.", "Rent", "12.00"), ("02.05.", "Water", "9.00"))
    ):
        lines += [
            line(text, x, 208 + 36 * y, bold=y == 0) for text, x in zip(row, (50, 150, 450), strict=True)
        ]
    tables, rest = find_tables(lines, Marks(), [], 20)
    assert [(table.rows, table.columns) for table in tables] == [(3, 2), (3, 3)]
    assert rest == []


@pytest.mark.parametrize("text", ["2,98 A", "178 $", "EUR 5.00", "12 kg", "-4.5 %", "1 450,00 €"])
def test_numbers_have_units(text):
    assert NUMERIC.fullmatch(text)


# -- ruled lines ---------------------------------------------------------------------------------------


def test_ruled_lines_make_cells_even_if_most_are_empty():
    lines = [line("A", 60, 105), line("B", 260, 105), line("only", 60, 145), line("x", 460, 185)]
    table, rest = table_of(lines, ruled([50, 250, 450, 650], [100, 140, 180, 220]))
    assert table == [["A", "B", ""], ["only", "", ""], ["", "", "x"]]
    assert rest == []


def test_a_missing_ruled_line_joins_cells():
    xs, ys = [50, 250, 450], [100, 140, 180, 220]
    marks = ruled(xs, ys)
    # The first column spans the last two rows.
    across = (*tuple(box for box in marks.across if box[1] != 180), (250, 180, 450, 182))
    lines = [
        line("Port", 60, 105),
        line("Item", 260, 105),
        line("Hull", 60, 160),
        line("a", 260, 145),
        line("b", 260, 185),
    ]
    (found,), _ = find_tables(lines, Marks(across, marks.down), [], 20)
    assert '<td rowspan="2">Hull</td>' in found.html()
    down = (*tuple(box for box in marks.down if box[0] != 250), (250, 140, 252, 220))
    head = [line("Both columns", 60, 105), *lines[2:]]
    (found,), _ = find_tables(head, Marks(marks.across, down), [], 20)
    assert 'colspan="2">Both columns<' in found.html()


def test_lines_of_a_cell_are_joined_and_a_line_over_two_cells_is_cut():
    lines = [
        line("Part", 60, 105),
        line("stainless hinge 4", 260, 145, 300),
        line("left hand", 260, 168),
        line("A1", 60, 145),
    ]
    table, _ = table_of(lines, ruled([50, 250, 520, 650], [100, 140, 200]))
    assert table[1] == ["A1", "stainless hinge left hand", "4"]


def test_a_frame_around_text_is_no_table():
    lines = prose("text", 60, 110, 5, 800)
    table, rest = table_of(lines, ruled([50, 900], [100, 400]))
    assert table is None and len(rest) == 5


@pytest.mark.parametrize(
    ("x", "parts"), [(105, ["one two", "three"]), (500, ["one two three"]), (20, ["one two three"])]
)
def test_a_line_is_cut_between_words(x, parts):
    assert [part.text for part in split_at(line("one two three", 30, 0), [x])] == parts


def test_html_escapes_what_a_cell_says():
    rows = [
        ("Item", "Count", "Price"),
        ("Pen <b>", "2", "1.00"),
        ("Ink & pad", "3", "2.50"),
        ("Cap", "4", "9.99"),
    ]
    lines = [
        line(cell, 50 + 300 * x, 100 + 35 * y) for y, row in enumerate(rows) for x, cell in enumerate(row)
    ]
    (table,) = blocks(lines)
    assert table.html.startswith("<table><tr><th>Item</th><th>Count</th><th>Price</th></tr>")
    assert "<td>Pen &lt;b&gt;</td>" in table.html
    assert "<td>Ink &amp; pad</td>" in table.html
