"""Text without markup: headings, tables, equations, code, lists, paragraphs."""

import pytest
from work import Visits, ends

from fovea.output import content, tables
from fovea.output.content import divide, equation_part, list_lines


def kinds(text):
    return [(part.type, part.text) for part in divide(text)]


def test_a_page_of_markdown():
    text = (
        "# Title\n## Part #\nFirst line\nsecond line\n\nAnother\n\n- a\n- b\n\n1. x\n2. y\n\n"
        "| h | i |\n|---|:-:|\n| 1 | 2 < 3 |\n\n```python\nif a:\n    b\n```\n\n\\[ a \\coloneqq b \\]\n\nend"
    )
    assert kinds(text) == [
        ("title", "Title"),
        ("sub_title", "Part"),
        ("text", "First line\nsecond line"),
        ("text", "Another"),
        ("list", "- a\n- b\n1. x\n2. y"),
        ("table", "h\ti\n1\t2 < 3"),
        ("code", "if a:\n    b"),
        ("equation", "a := b"),
        ("text", "end"),
    ]


def test_parts_know_where_they_come_from():
    text = "# A\n\nwords <table><tr><td>x</td></tr></table> more \\[y\\]"
    assert [text[part.start : part.end].strip() for part in divide(text)] == [
        "# A",
        "words",
        "<table><tr><td>x</td></tr></table>",
        "more",
        "\\[y\\]",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n\n ", []),
        ("#hashtag", [("text", "#hashtag")]),
        ("a | b", [("text", "a | b")]),
        ("<center>Figure 1</center>", [("text", "Figure 1")]),
        ("\\[ never closed", [("text", "\\[ never closed")]),
        ("1. Introduction", [("text", "1. Introduction")]),
        ("- one", [("list", "- one")]),
        ("```\nopen", [("code", "open")]),
        ("<TABLE><TR><TD>a</TD></TR></TABLE>b", [("table", "a"), ("text", "b")]),
        ("$$x^2$$", [("equation", "x^2")]),
        ("it costs $$ here", [("text", "it costs $$ here")]),
    ],
)
def test_small_cases(text, expected):
    assert kinds(text) == expected


def test_an_unfinished_table_is_kept_and_named():
    (part,) = divide("<table><tr><td>a</td><td>b")
    assert part.html == "<table><tr><td>a</td><td>b</td></tr></table>"
    assert part.warnings == ["a table is incomplete"]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("• a • b • c", "• a\n• b\n• c"),
        ("1. one 2. two 3. three", "1. one\n2. two\n3. three"),
        ("1. in 1999. Then 2. two", "1. in 1999. Then\n2. two"),
        ("- a\n\n- b", "- a\n- b"),
        ("rose by 2. Then", "rose by 2. Then"),
    ],
)
def test_glued_items_are_parted(text, lines):
    assert list_lines(text) == lines


@pytest.mark.parametrize(
    ("source", "latex"),
    [
        ("\\[ x \\]", "x"),
        ("$$x$$", "x"),
        ("\\(x\\)", "x"),
        ("x<y", "x< y"),
        ("a\n\n$$<script>", "a\n< script>"),
        ("p \\eqqcolon q", "p =: q"),
    ],
)
def test_latex(source, latex):
    assert equation_part(source, 0, 0).latex == latex


@pytest.mark.parametrize(
    "hostile",
    [
        "\\[",
        "$$\n",
        "<table>",
        "<tr>",
        "```\n",
        "# a\n",
        "\n \n",
        "• ",
        "1. ",
        "|",
        "- x\n\n",
        "<center>",
        "\\(",
        " ",
    ],
)
def test_work_grows_with_length(hostile, monkeypatch):
    visits = Visits().watch(monkeypatch, content, tables)
    text = visits.text(hostile * (200_000 // len(hostile)))
    with ends():
        divide(text)
    assert visits.characters < 20 * len(text)
