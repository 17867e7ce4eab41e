"""Markdown of hostile pages, rendered by markdown-it with all extensions of GFM and with links for bare domains.

`test/contract/markdown.json` holds what is written for some pages. The edge's tests render it with marked.
`PYTHONPATH=src/gpu-worker .venv/bin/python test/worker/result/test_markdown.py` writes the file.
"""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from work import Visits, ends

from fovea.output.markdown import write_markdown
from fovea.result import markdown
from fovea.result.markdown import disarm, escape, formula, paragraphs, pipe_table, table_cell, to_markdown
from fovea.result.page_result import Block, TableCell

FILE = Path(__file__).parents[2] / "contract" / "markdown.json"

PAGES = [
    "Our logo: ![logo](http://pics.example/a.png?q=1)", "Pay here: [invoice](javascript:alert(1))",
    "**Important** notice for __tenants__ and ~~others~~ ~one~", "`code` and ``more`` code", "`a ``b`` ```c",
    "# 12\n## 13\n####### 14", "1. item\n2. item\n7) item", "- a\n+ b\n* c\n> d\n-\n*", "total\n1. first\n2. second",
    "Name\n---", "Name\n===", "***\n* * *\n---\n_ _ _", "a | b\n--- | ---\n1 | 2", "|a|\n|-|", "a\n:--",
    "```js\nalert(1)\n```", "~~~\nx", "~~~~~~ `` ~~~", "    indented", "\tindented\n\n    again", "a  \nb\\\nc\\",
    "&copy; &#35; &#x23; R&D &nosuch; &", "\\*a\\* \\\\ \\[x](y) C:\\Users \\",
    "[x]\n[y][x]\n\n[x]: javascript:alert(1)",
    "[^1]\n\n[^1]: note", "[a\n]: b\n]( c)", "<b>bold</b> <img src=x onerror=alert(1)>", "<script>x</script>",
    "<!-- x",
    "<?php ?> <![CDATA[x]]> <!DOCTYPE x>", "<div\n<div>", "<https://evil.com> <1@evil.com> <a@b.example>",
    "https://evil.com http://localhost/ ftp://x HTTP://X", "www.evil.com WWW.EVIL.COM www.x", "evil.com/x?y=evil.net",
    "//evil.com ///evil.com //x@localhost //a.b //", "info@evil.com a@1.2.3.4 a@b.example",
    "mailto:a@b xmpp:a@b.example",
    "foo.co_x_ foo.co`x`", "2*3*4 and *a* *b", "_a_b_ snake_case __init__", "*a\n***", "[ ] todo\n[x] done",
    "C #", "C \\#",
    "$$\n[x](y)\n$$", "a\u2028# b\u0085> c\v- d", "\ufeff# x", "\r- a\r\n- b", "\0#", "\u00a0//a.b", "- --", "--",
    "=", "|",
]  # fmt: skip
QUIET = [
    "3 * 4", "snake_case", "a < b", "see 1. item", "$5 [sic]", "room # 12", "f(*args, **kwargs)", "R&D AT&T Q&A;",
    "C:\\Users\\me", "\\alpha", "foo* bar", "~5 and ~6 km", "10:30 - 12:00", "a | b | c", "-1,250.40",
    "1.1 Earlier work",
    "192.168.0.1 v1.0.2 file.txt", "e.g. this, i.e. that, z.B. U.S. p.m.", "x <= 5 -> y <- z", "Name: ______",
    "#hashtag",
    "Total......3", "*) note", "fn[i] (y) [a] [b]", "me@x @name", "and//or", "` alone", "Wait!", "(c) 1 + 1 = 2 > 1",
]  # fmt: skip
PIECES = [
    "[", "]", "(", ")", "](", "]:", "![", "[a](b)", "[a]: b", "javascript:", "https://", "www.", "evil.com", "//",
    "localhost",
    "mailto:", "a@b.com", "@", "1.2.3.4", ".de", "<", "<b>", "<!--", "-->", "<?", "<a@b.co>", "<div", "&copy;",
    "&#35;", "&",
    ";", "*", "**", "_", "__", "~", "~~", "~~~", "`", "``", "```", "\\", "\n", "\n", "\n\n", "  ", "    ", "\t",
    "- ", "+ ",
    "1. ", "12) ", "#", "# ", ">", "---", "===", "***", "-", "=", "|", "a|b", "--|--", ":-:", "[x] ", "[^1]", "$",
    "$$", "a",
    "word", "1", "é", "中", "“", "😀", "\u00a0", "\u2028", "\ufeff", "\v", "\r", "!", ".", ",", '"', "'", "?", "/",
    "+", "ftp://",
    "snake_case", "\u0301", "{", "}", "^", "×", "\u200b", "\x85",
]  # fmt: skip
BLOCKS = {"h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "hr", "table", "thead", "tbody", "tr", "td", "th"}
INLINE = {"p", "br", "em", "strong", "s", "del", "code", "ul", "ol", "li"}
WANTED = {
    "text": {"p", "br"},
    "free": {"p"},
    "title": {"h1", "h2", "h3", "h4", "h5", "h6"},
    "list": {"ul", "ol", "li", "p"},
    "code": {"pre", "code"},
    "model": INLINE | BLOCKS | {"input"},
    "table": {"table", "thead", "tbody", "tr", "th", "td"},
    "equation": {"p", "em", "strong", "s", "del", "code", "br"},
}
"""The elements of each kind of block. A model may write lists, emphasis and headings."""
RENDERERS = [
    MarkdownIt("gfm-like"),
    MarkdownIt("gfm-like2"),
    MarkdownIt("commonmark").enable(["table", "strikethrough"]),
]


def hostile(random: Random) -> str:
    count = random.randint(1, random.choice((3, 6, 12, 25)))
    return "".join(random.choice(PIECES) * random.choice((1, 1, 1, 1, 1, 2, 3, 4)) for _ in range(count))


def block(kind: str, text: str) -> Block:
    return Block(1, kind, (0, 0, 1, 1), text)


def equation(latex: str) -> Block:
    return Block(1, "equation", (0, 0, 1, 1), latex, latex=latex)


def written(text: str) -> dict[str, str]:
    """What becomes of a text in each kind of block."""
    return {
        "text": to_markdown([block("text", text)]),
        "free": paragraphs([block("text", text)]),
        "title": to_markdown([block("title", text)]),
        "list": to_markdown([block("list", text)]),
        "code": to_markdown([block("code", text)]),
        "model": write_markdown([block("text", text)], 1),
        "table": pipe_table(cells([text, "b"], ["c", text])),
        "equation": write_markdown([equation(text)], 1),
    }


def cells(*rows: list[str]) -> list[TableCell]:
    return [TableCell(y, x, 1, 1, text) for y, row in enumerate(rows) for x, text in enumerate(row)]


class Rendered(HTMLParser):
    """The elements of a document, among them `!` for a comment or a declaration, and its text."""

    def __init__(self, source: str):
        super().__init__()
        self.elements: set[str] = set()
        self.text = ""
        self.cells: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.add(tag)
        self.text += " " if tag in ("p", "br") else ""
        if tag in ("th", "td"):
            self.cells.append("")

    def handle_data(self, data):
        self.text += data
        if self.cells:
            self.cells[-1] += data

    def handle_comment(self, data):
        self.elements.add("!")

    handle_decl = handle_pi = unknown_decl = handle_comment


def words(text: str) -> str:
    """The text with single blanks; also for what some renderers drop like white space."""
    return re.sub(r"[\s\0\ufeff]+", " ", text).strip()


def assert_rendered(text: str) -> None:
    for kind, source in written(text).items():
        for renderer in RENDERERS:
            page = Rendered(renderer.render(source))
            wanted = WANTED[kind] | ({"pre"} if kind == "model" and re.search(r" {4}|\t", text) else set())
            assert page.elements <= wanted, (kind, source)
            if kind in ("text", "free", "title"):
                assert words(page.text) == words(text), (kind, source)
            if kind == "table":
                shown = [words(cell) for cell in page.cells]
                assert shown == [words(text), "b", "c", words(text)], source


def examples() -> list[dict[str, str]]:
    texts = [*PAGES, *QUIET, *(hostile(Random(f"page {i}")) for i in range(100))]
    kinds = ("text", "title", "list", "model", "table", "equation")
    return [{"page": text} | {kind: written(text)[kind] for kind in kinds} for text in texts]


@pytest.mark.parametrize("text", PAGES + QUIET)
def test_a_page_shows_its_text_and_nothing_else(text):
    assert_rendered(text)


@settings(max_examples=400)
@given(st.integers(0, 2**64))
def test_no_page_makes_links_images_html_or_fences(seed):
    assert_rendered(hostile(Random(seed)))


@pytest.mark.parametrize("text", QUIET)
def test_what_is_not_active_is_not_escaped(text):
    assert escape(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see [invoice](http://pay.example/x)", "see [invoice\\](http:\\//pay.example/x)"),
        ("**Important** notice", "\\*\\*Important** notice"),
        ("1. item\n- b\n# c", "1\\. item\n\\- b\n\\# c"),
        ("total\n2. second", "total\n2. second"),
        ("<b> &lt;", "&lt;b> \\&lt;"),
        ("info@acme.com", "info@acme\\.com"),
        ("a\n---", "a\n\\---"),
    ],
)
def test_one_character_is_escaped_where_one_is_enough(text, expected):
    assert escape(text) == expected


def test_items_and_titles_begin_no_other_block():
    items = to_markdown([block("list", "• # a\n1. - b\n2. > c\n- [x] d\nno mark")])
    assert items == "- \\# a\n1. \\- b\n2. \\> c\n- [x\\] d\n- no mark"
    assert to_markdown([block("title", "1. Part\n# of C #")]) == "# 1. Part # of C \\#"


@pytest.mark.parametrize(
    ("kind", "text", "sign"),
    [
        ("title", "Rivers", "#"),
        ("sub_title", "Thames", "##"),
        ("sub_title", "2. Thames", "##"),
        ("sub_title", "2.1 Locks", "###"),
        ("title", "2.1. Locks", "###"),
        ("sub_title", "A.3.12 Weirs", "####"),
        ("sub_title", "1.2.3.4.5.6.7 Deep", "######"),
        ("sub_title", "3.5 % more", "##"),
        ("sub_title", "12.50", "##"),
    ],
)
def test_numbers_of_sections_decide_the_level(kind, text, sign):
    assert to_markdown([block(kind, text)]).split(" ")[0] == sign


def test_markdown_of_a_model_keeps_its_emphasis_lists_and_formulas():
    text = "**a** _b_ `c` \\(x_1*y<z\\) \\*\n- d\n  1. e\n\nf[1] *g*"
    assert disarm(text) == text.replace("\\(x_1*y<z\\)", "$x_1*y< z$")


def test_markdown_of_a_model_cannot_undo_its_escapes():
    assert disarm("[a\\](b) [a\\\\](b) \\<b> \\\\<b>") == "[a\\](b) [a\\\\\\](b) \\<b> \\\\&lt;b>"


def test_white_space_takes_the_place_of_escapes_in_formulas():
    assert formula("f[x](y) <b> \\url{http://evil.com}\n= z\n\n+ 1") == (
        "f[x] (y) < b> \\url{http:/ /evil. com} = z + 1"
    )
    assert formula(formula("f[x](y)\n<b>")) == formula("f[x](y)\n<b>") == "f[x] (y)\n< b>"
    assert to_markdown([equation("- x")]) == "$$\n{}- x\n$$"


def test_a_formula_whose_latex_is_not_known_is_text():
    assert to_markdown([block("equation", "a_1 = *b*")]) == to_markdown([block("text", "a_1 = *b*")])


def test_a_cell_is_one_line_of_text():
    assert table_cell("a <b>\n\n& c", header=True, colspan=2) == '<th colspan="2">a &lt;b&gt; &amp; c</th>'


def test_a_table_without_spans_has_a_form_in_markdown():
    assert pipe_table(cells(["a|b", "c\nd"], ["\\", ""])) == "| a\\|b | c d |\n| --- | --- |\n| \\\\ |  |"
    assert pipe_table([TableCell(0, 0, 1, 2, "a"), TableCell(1, 0, 1, 1, "b")]) is None
    assert pipe_table([]) is None


def test_blocks_know_their_place_in_the_markdown():
    blocks = [
        block(kind, f"{kind} 😀") for kind in ("image", "title", "table", "image", "image", "text", "image")
    ]
    blocks[2].html, blocks[2].cells = "<table></table>", cells(["x"])
    text = to_markdown(blocks)
    assert text == "# title 😀\n\n<table></table>\n\ntext 😀"
    assert [one.place for one in blocks] == [
        *((0, 0), (0, 9), (11, 26), (26, 26)),
        *((26, 26), (28, 34), (34, 34)),
    ]
    assert ["place" in one.to_json() for one in blocks] == [one.type in ("image", "table") for one in blocks]
    assert text[slice(*blocks[2].place)] == blocks[2].html
    assert blocks[2].markdown == "| x |\n| --- |"
    linked = [block("text", "a"), block("image", "b")]
    text = write_markdown(linked, 3)
    assert text[slice(*linked[1].place)] == "![](images/page-3-block-1.png)"


@pytest.mark.parametrize(
    "unit",
    ["[", "](", "*", "*a ", "`", "`` ` ", "<", "<a", "@", "a@b", "/", "\\", "&#", "www.", "a.b", "_a", "\n-",
    "|-", "\\(", "# "],
)  # fmt: skip
def test_work_grows_with_length(unit, monkeypatch):
    visits = Visits().watch(monkeypatch, markdown)
    text = unit * (100_000 // len(unit))
    with ends():
        kinds = written(text)
    assert visits.characters < 20 * len(kinds) * len(text)


def test_the_edge_renders_what_is_written_now():
    assert json.loads(FILE.read_text()) == examples()


if __name__ == "__main__":
    FILE.write_text(json.dumps(examples(), ensure_ascii=False, indent=1) + "\n")
