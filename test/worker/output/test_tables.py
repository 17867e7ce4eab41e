"""Tables come out as a grid, whatever went in."""

import pytest

from fovea.output.tables import MAX_COLUMNS, MAX_ROWS, repair_table


def grid(table):
    """How often each slot is covered, by the HTML standard's own placing of cells."""
    slots: dict[tuple[int, int], int] = {}
    for y, row in enumerate(table.rows):
        x = 0
        for cell in row:
            while (y, x) in slots:
                x += 1
            for dy in range(cell.rowspan):
                for dx in range(cell.colspan):
                    slots[y + dy, x + dx] = slots.get((y + dy, x + dx), 0) + 1
    return slots


def assert_full(table):
    slots = grid(table)
    assert set(slots) == {(y, x) for y in range(len(table.rows)) for x in range(table.columns)}
    assert set(slots.values()) <= {1}


def test_cells_know_their_places():
    source = "<tr><td rowspan=2>a</td><td>b</td></tr><tr><td>c</td></tr><tr><td colspan=2>d</td></tr>"
    places = [
        (cell.text, cell.row, cell.column, cell.rowspan, cell.colspan)
        for cell in repair_table(source).cells()
    ]
    assert places == [("a", 0, 0, 2, 1), ("b", 0, 1, 1, 1), ("c", 1, 1, 1, 1), ("d", 2, 0, 1, 2)]


def test_a_good_table_is_left_as_it_is():
    source = (
        '<table><tr><th colspan="2">Head</th></tr><tr><td rowspan="2">a</td><td>b</td></tr>'
        "<tr><td>c</td></tr></table>"
    )
    table = repair_table(source)
    assert table.html() == source
    assert table.warnings == []
    assert table.text() == "Head\na\tb\nc"


@pytest.mark.parametrize(
    ("source", "html", "warning"),
    [
        (
            "<table><tr><td>a</td></tr><tr><td>b</td><td>c</td></tr></table>",
            "<table><tr><td>a</td><td></td></tr><tr><td>b</td><td>c</td></tr></table>",
            "unequal",
        ),
        (
            '<table><tr><td rowspan="5">a</td><td>b</td></tr></table>',
            "<table><tr><td>a</td><td>b</td></tr></table>",
            "clipped",
        ),
        (
            '<table><tr><td>a</td><td rowspan="2">b</td></tr><tr><td colspan="2">c</td></tr></table>',
            '<table><tr><td>a</td><td rowspan="2">b</td></tr><tr><td>c</td></tr></table>',
            "clipped",
        ),
        (
            "<tr><td>a<td>b<tr><td>c<td>d",
            "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td><td>d</td></tr></table>",
            None,
        ),
        ("<td>a</td>", "<table><tr><td>a</td></tr></table>", None),
        ("<table><tr>a<td>b</td></tr></table>", "<table><tr><td>a</td><td>b</td></tr></table>", "outside"),
        ("<table><tr><td>a<table><tr><td>b</td></tr></table>", None, "flattened"),
    ],
)  # fmt: skip
def test_repairs(source, html, warning):
    table = repair_table(source)
    if html:
        assert table.html() == html
    assert_full(table)
    assert [w for w in table.warnings if warning and warning in w] or (warning is None and not table.warnings)


def test_a_row_that_cells_from_above_fill_stays():
    table = repair_table(
        "<tr><td rowspan=2>a</td><td rowspan=2>b</td></tr><tr></tr><tr><td>c</td><td>d</td></tr>"
    )
    assert [len(row) for row in table.rows] == [2, 0, 2]
    assert table.rows[0][0].rowspan == 2
    assert_full(table)


def test_rows_without_any_cell_go():
    assert len(repair_table("<tr></tr><tr><td>a</td></tr><tr></tr>").rows) == 1


def test_only_table_tags_come_out():
    hostile = (
        '<table onload="x()"><tr><td onclick=a style="x">a<script>alert(1)</script>&lt;img src=x&gt;</td>'
        "<td><b>bold</b><br>line</td></tr></table>"
    )
    html = repair_table(hostile).html()
    assert html == (
        "<table><tr><td>a&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x&gt;</td>"
        "<td>bold line</td></tr></table>"
    )


def test_no_table():
    table = repair_table("")
    assert (table.rows, table.columns, table.html()) == ([], 0, "<table></table>")


@pytest.mark.parametrize(
    "source",
    [
        "<td>x" * 3000,
        "<tr><td>x" * 3000,
        '<tr><td rowspan="999999" colspan="999999">x' * 500,
        ('<tr>' + '<td rowspan="9999">x' * 400) * 60,
        "<table>" * 20000,
        "<td " + "a" * 100_000,
        "&#x110000;" * 1000,
    ],
)  # fmt: skip
def test_monsters_are_cut_down(source):
    table = repair_table(source)
    assert len(table.rows) <= MAX_ROWS and table.columns <= MAX_COLUMNS
    assert sum(c.rowspan * c.colspan for row in table.rows for c in row) <= 300_000
