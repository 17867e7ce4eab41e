import math

from fovea.result.layout import Line, join_lines, lay_out
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
