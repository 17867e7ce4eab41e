import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from work import Visits

from fovea.errors import DocumentError
from fovea.pages import glyphs
from fovea.pages.documents import MAX_TEXT_BYTES, open_document
from fovea.pages.markup import normalize, parse
from fovea.pages.render import MAX_SIZE, SHEETS, _pages, paginate

MARKDOWN = """# Title of *some* length

Running text with **bold**, `code` and a [link](https://example.com/é "its title"), ![picture](a.png), <b>HTML</b>,
&amp; an entity, \\* an escape, <https://auto.link>.

- one
  more of it
  - nested
10. ten
11. eleven

> quoted
> > twice

```python
def f(x):
\treturn x
```

    indented code

| Name | Value |
|---|---|
| a | a long cell which has to be broken over several lines because its column is narrow, or else |
| **b** | 短い |

中文测试：这是一个很长的段落。日本語。 한국어 Ωμέγα кириллица 😀

---
[reference]: http://example.com/x
"""


def shown(pages) -> str:
    """All that is drawn, line by line."""
    return "\n".join(
        " ".join(text for _, text, _ in sorted(line.words)) for page in pages for _, _, line in page.placed
    )


def letters(text: str) -> Counter:
    return Counter(filter(str.isalnum, text))


@pytest.mark.parametrize("mode", ["auto", *SHEETS])
@pytest.mark.parametrize("media_type", ["text/markdown", "text/plain"])
def test_the_pages_sources_are_the_text_and_no_letter_is_missing(mode, media_type):
    text = MARKDOWN * 4
    pages = paginate(text, media_type, mode)
    assert "".join(page.source for page in pages) == text
    for page in pages:
        # Of each page: what is drawn on it is what its source says, but for a word that a cut goes through.
        assert sum((letters(page.source) - letters(shown([page]))).values()) == 0
        assert all(x >= 0 and y + line.height <= page.sheet.height for x, y, line in page.placed)
        for x, _, line in page.placed:
            for at, word, face in line.words:
                assert x + at + glyphs.width(word, face, line.size) <= page.sheet.width


@settings(max_examples=150)
@given(
    st.text(st.sampled_from("ab1# \t\n*_`[]()<>|-+>!\\&;:.~=字é\r\u200d😀"), max_size=300),
    st.sampled_from(["text/markdown", "text/plain"]),
)
def test_no_text_loses_a_letter_or_its_order(text, media_type):
    pages = paginate(text, media_type, "tiny")
    source = "".join(page.source for page in pages)
    assert source == normalize(text)
    assert not letters(source) - letters(shown(pages))


def test_what_markdown_would_lose_is_set_as_it_stands():
    deep = "> " * 150 + "the bottom"
    assert "the bottom" in shown(paginate(deep))


def test_the_same_text_gives_the_same_pixels():
    first, second = (paginate(MARKDOWN, "text/markdown", "tiny")[0].draw() for _ in range(2))
    assert first[0].tobytes() == second[0].tobytes()
    assert first[1] == second[1]


def test_marks_become_form():
    text = shown(paginate(MARKDOWN, "text/markdown", "large"))
    for words in (
        "Title of some length",
        "• one more of it",
        "10. ten",
        "&amp; an entity, * an escape",
        "```python",
    ):
        assert words in " ".join(text.split()), words
    assert "(https://example.com/é" in text
    blocks = parse("# A\n\n> b\n\n- c", "text/markdown")
    assert [(b.kind, b.level, b.bars, b.marker) for b in blocks] == [
        ("heading", 1, (), ""),
        ("text", 0, (0,), ""),
        ("text", 0, (), "•"),
    ]


def test_plain_text_keeps_its_lines_and_indents():
    page = paginate("# no heading\n    four blanks\n\ttab", "text/plain", "tiny")[0]
    lines = [(line.words[0][0], " ".join(text for _, text, _ in line.words)) for _, _, line in page.placed]
    assert [text for _, text in lines] == ["# no heading", "four blanks", "tab"]
    assert lines[0][0] == 0 < lines[1][0] == lines[2][0]
    assert paginate("  one line", "text/plain", "tiny")[0].placed[0][2].words[0][0] > 0


def test_a_page_break_falls_between_two_lines_of_the_source():
    text = "\n".join(f"{number} line of the text" for number in range(400))
    pages = paginate(text, "text/plain", "tiny")
    assert len(pages) > 5
    for page in pages[1:]:
        assert page.source[0].isdigit()
    words = " ".join(f"word{number}" for number in range(3000))
    for page in paginate(words, "text/markdown", "tiny")[1:]:
        assert page.source.startswith("word")


def test_a_heading_stays_with_its_text_and_a_head_with_its_table():
    for filler in range(14, 26):
        text = "line\n" * filler + "\n# The heading\n\nIts text.\n\n| Head | of |\n|---|---|\n| a | table |\n"
        for page in paginate(text.replace("line\n", "line\n\n"), "text/markdown", "tiny"):
            drawn = shown([page])
            assert ("The heading" in drawn) == ("Its text." in drawn)
            assert ("Head" in drawn) == ("table" in drawn)


def test_a_text_that_fits_on_one_page_is_set_as_large_as_it_fits():
    shorter, short, long = (paginate("word " * count, "text/markdown", "base") for count in (5, 400, 4000))
    assert MAX_SIZE == shorter[0].sheet.size > short[0].sheet.size > SHEETS["base"].size
    assert {page.sheet for page in long} == {SHEETS["base"]}
    larger = replace(short[0].sheet, size=short[0].sheet.size + 1)
    assert len(_pages("word " * 400, parse("word " * 400, "text/markdown"), larger)) > 1


def test_a_page_is_the_view_of_its_mode_and_has_no_more_tiles_than_it_needs():
    for mode, size in {"tiny": (512, 512), "base": (1024, 1024), "gundam": (1280, 640)}.items():
        assert paginate("word", "text/markdown", mode)[0].draw()[0].size == size
    heights = [
        paginate("word " * count, "text/markdown", "gundam")[0].sheet.height for count in (500, 1500, 2600)
    ]
    assert heights == [640, 1280, 1920]


def test_long_lines_of_small_type_are_set_in_columns():
    for mode, sheet in SHEETS.items():
        assert sheet.columns == {"tiny": 1, "small": 1}.get(mode, 2)
    assert replace(SHEETS["base"], size=24).columns == 1
    # No column of the gundam mode goes over the border between two tiles.
    sheet = SHEETS["gundam"]
    assert sheet.margin + sheet.column <= 640 <= sheet.margin + sheet.column + sheet.gutter


def test_widths_do_not_depend_on_the_fonts_of_the_machine(monkeypatch):
    before = [page.source for page in paginate(MARKDOWN * 5, "text/markdown", "tiny")]
    monkeypatch.setattr(glyphs, "_system_font", lambda character: None)
    glyphs._glyph.cache_clear()
    pages = paginate(MARKDOWN * 5, "text/markdown", "tiny")
    assert [page.source for page in pages] == before
    missing = {character for page in pages for character in page.draw()[1]}
    assert {"中", "文", "한"} <= missing
    assert "é" not in missing
    glyphs._glyph.cache_clear()


def test_control_characters_are_drawn_and_joiners_take_no_room():
    assert glyphs.parts("a\x07b", "prose")[0][0] == "a^Gb"
    assert glyphs.width("a\u200db", "prose", 20) == glyphs.width("ab", "prose", 20)
    assert glyphs.width("中", "prose", 20) == 20


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\xff\xfe\x00", "document_broken"),
        (b" \n\t", "document_empty"),
        (b"\xef\xbb\xbf", "document_empty"),
        (b"a" * (MAX_TEXT_BYTES + 1), "document_too_large"),
    ],
)
def test_what_is_no_text_is_refused(data, code):
    with pytest.raises(DocumentError) as fault:
        open_document(data, 10**8, "text/plain")
    assert fault.value.code == code


def test_a_text_is_one_only_where_it_was_announced():
    assert open_document(b"# A text about %PDF-1.7", 10**8, "text/markdown").media_type == "text/markdown"
    with pytest.raises(DocumentError):
        open_document(b"# A text", 10**8)
    with pytest.raises(DocumentError) as fault:
        open_document(b"%PDF-1.7 broken", 10**8, "text/plain")
    assert fault.value.message.startswith("The PDF")


def calls(function: Callable[[], object]) -> int:
    """The number of calls that a function makes, at any depth."""
    count = 0

    def counted(_frame, event, _argument):
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(counted)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


def laid_out(source: str, media_type: str = "text/markdown") -> None:
    _pages(source, parse(source, media_type), SHEETS["base"])


@pytest.mark.parametrize(
    "unit",
    [
        "[", "![", "[[]", "[](", "[a](b) ", "[a]:[", "](", "*", "*a ", "*a_ ", "`", "`a", "``` ", "```\n", "~",
        "> ", ">", "> a\n",
        "|", "|a", "a|b\n", "\\", "\\[", "<", "<a ", "&", "_", "- ", "- a\n",
        "1. ", "#", "# a\n", " ", "\n", "a\n", "a**b", "[a](b\\_c) ",
    ],
)  # fmt: skip
def test_work_grows_with_length(unit):
    few, many = unit * (2_000 // len(unit)), unit * (4_000 // len(unit))
    laid_out(many)  # fills the caches of glyphs
    counts = [calls(lambda text=text: laid_out(text)) for text in (few, many)]
    assert counts[1] < 2.5 * counts[0]
    assert counts[1] < 150 * len(many)


def test_brackets_before_a_link_take_bounded_work():
    text = "[" * 4_000 + "](a)"
    assert calls(lambda: laid_out(text)) < 150 * len(text)


@pytest.mark.parametrize("cell", ["a\\|b", "a"])
def test_cells_are_found_once(cell):
    visits = Visits()
    count = 4_000
    rows = ["|".join(["a"] * count), "|".join(["-"] * count), "|".join([cell] * count)]
    text = visits.text("\n".join(rows))
    parse(text, "text/markdown")
    assert visits.characters < 2 * len(text) + 5_000 * (cell != "a") * count


def test_a_table_wider_than_a_page_is_set_as_text():
    count = 300
    text = "\n".join(["|".join(["head"] * count), "|".join(["-"] * count), "|".join(["cell"] * count)])
    pages = paginate(text, "text/markdown", "base")
    assert "".join(page.source for page in pages) == text
    words = [word for page in pages for _, _, line in page.placed for _, word, _ in line.words]
    assert words.count("cell") == words.count("head") == count and "|" in words


def test_blank_lines_part_the_paragraphs_of_a_plain_text():
    source = "\n  a\nb \n \t\n" + " " * 50_000 + "\nc"
    blocks = parse(source, "text/plain")
    assert [(block.at, block.pieces[0].text) for block in blocks] == [(1, "  a\nb"), (source.index("c"), "c")]


@pytest.mark.parametrize("where", ["{}", "- {}", "head|head\n-|-\n{}|cell"])
def test_a_word_of_a_million_letters_is_divided(where):
    word = "n" * 1_100_000
    pages = paginate(where.format(word), "text/markdown", "large")
    drawn = "".join(text for page in pages for _, _, line in page.placed for _, text, _ in line.words)
    assert drawn.count("n") == len(word)
