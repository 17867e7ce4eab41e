from dataclasses import replace

import pytest
from layout.lines import HEIGHT, WIDTH, blocks, line, prose

from fovea.layout.line import Marks, Region
from fovea.layout.page import CAPTION, caption_kind
from fovea.result.markdown import to_markdown


def kinds(lines, **page):
    return [block.type for block in blocks(lines, **page)]


def test_boxes_are_in_pixels_and_ids_count_in_reading_order():
    found = blocks([line("one", 100, 140, 200), line("two", 100, 700, 200)])
    assert [block.id for block in found] == [1, 2]
    assert found[0].bbox == (100, 140, 300, 160)
    assert blocks([]) == []


def test_headings_are_larger_or_bold_on_lines_of_their_own():
    lines = [
        line("Report", 50, 50, 300, 45),
        *prose("text", 50, 150, 4, 900),
        line("2 Method", 50, 300, bold=True),
        *prose("text", 50, 330, 4, 900),
    ]
    assert kinds(lines) == ["title", "text", "sub_title", "text"]


def test_a_bold_line_with_nothing_below_or_a_sentence_is_no_heading():
    text = prose("text", 50, 150, 4, 900)
    assert kinds([*text, line("Total due now", 50, 320, bold=True)])[-1] == "text"
    sentence = line("This is important to all of us.", 50, 100, bold=True)
    assert kinds([sentence, *text])[0] == "text"


def test_a_page_that_is_bold_throughout_has_no_bold_headings():
    lines = [line("Some heading", 50, 100, bold=True)]
    lines += [line(f"bold words {'more ' * 12}{i}", 50, 160 + 26 * i, 900, bold=True) for i in range(4)]
    assert "sub_title" not in kinds(lines)


def test_furniture_is_at_the_edge_and_apart():
    body = prose("text", 50, 200, 20, 900)
    edges = [line("Table tokenization", 50, 60, 200, 18), line("9", 930, 60, 10, 18)]
    edges += [line("Proceedings, 2026", 50, 1340, 200, 18), line("- 117 -", 470, 1370, 60, 18)]
    assert kinds([*body, *edges]) == ["header", "page_number", "text", "footer", "page_number"]
    # Text that goes on down to the edge has no foot.
    assert "footer" not in kinds(prose("text", 50, 200, 44, 900))


def test_footnotes_are_small_marked_and_at_the_foot_of_their_column():
    body = [*prose("left", 50, 200, 30), *prose("right", 530, 200, 30)]
    notes = [
        line("1 See the survey of the upper basin.", 50, 1010, 420, 16),
        line("2 The lock was closed in winter.", 530, 1010, 420, 16),
    ]
    number = line("117", 470, 1370, 30, 18)
    assert kinds([*body, *notes, number]) == ["text", "text", "footnote", "footnote", "page_number"]
    # Not of the body's size, not without a mark, not above other text.
    assert "footnote" not in kinds([*body, line("1 See the survey of the basin.", 50, 1010, 420, 20)])
    assert "footnote" not in kinds([*body, line("See the survey of the basin.", 50, 1010, 420, 16)])
    after = line("and the text goes on below it", 50, 1060, 420)
    assert "footnote" not in kinds([*body, notes[0], after])


def test_a_list_keeps_its_nesting_and_check_boxes():
    lines = [
        line("• first", 50, 100),
        line("• nested", 90, 126),
        line("• second", 50, 152),
    ]
    (found,) = blocks(lines)
    assert found.text == "• first\n  • nested\n• second"
    assert to_markdown([found]) == "- first\n  - nested\n- second"
    boxes = tuple(((50.0, y, 70.0, y + 20), y == 126) for y in (100.0, 126.0))
    lines = [line("Fresh water", 90, 100), line("Shore power", 90, 126), line("c", 52, 126, 15)]
    (found,) = blocks(lines, marks=Marks(boxes=boxes))
    assert to_markdown([found]) == "- [ ] Fresh water\n- [x] Shore power"


def test_code_keeps_its_indentation():
    texts = [("def total(rows):", 0), ("for row in rows:", 4), ("if row.done():", 8), ("continue", 12)]
    lines = [line(text, 100 + 10 * indent, 100 + 26 * y, mono=True) for y, (text, indent) in enumerate(texts)]
    lines += prose("text", 50, 260, 4, 900)
    code = blocks(lines)[0]
    assert code.type == "code"
    assert code.text.split("\n") == [" " * indent + text for text, indent in texts]


def test_a_letter_from_a_typewriter_is_no_code():
    lines = [line(f"Dear Sir, we write to you about {i}", 50, 100 + 26 * i, mono=True) for i in range(6)]
    assert "code" not in kinds(lines)


def test_labels_are_part_of_their_picture_and_its_caption_is_known():
    marks = Marks(pictures=((200.0, 300.0, 800.0, 600.0),))
    lines = [
        *prose("above", 50, 100, 4, 900),
        line("60", 210, 320),
        line("2021", 300, 580),
        line("Figure 2. Fixations by year.", 300, 620, 300),
        *prose("below", 50, 700, 4, 900),
    ]
    assert kinds(lines, marks=marks) == ["text", "image", "image_caption", "text"]
    assert "2021" not in to_markdown(blocks(lines, marks=marks))


@pytest.mark.parametrize(
    "text",
    ["Table 3. Rain", "Tableau II", "Figura 1: Lluvia", "Abb. 4 Regen", "Rys. 2", "图 3", "Рис. 5", "Map 1."],
)
def test_captions_are_known_in_several_languages(text):
    assert CAPTION.match(text)


def test_a_word_after_table_is_no_number():
    assert not CAPTION.match("Table of contents")
    assert not CAPTION.match("Maps show it")


@pytest.mark.parametrize("text", ["Table 3", "Tabelle 1", "Таблица 2", "表1"])
def test_captions_of_tables_are_told_from_those_of_pictures(text):
    assert caption_kind(text) == "table_caption"
    assert caption_kind(f"Fig. 1. {text}") == "image_caption"


def test_a_legend_stands_right_below_its_picture_in_small_type():
    marks = Marks(pictures=((200.0, 300.0, 800.0, 600.0),))
    text = [*prose("above", 50, 100, 4, 900), *prose("below", 50, 760, 4, 900)]
    legend = line("The lock in the winter of 1912", 300, 612, 300, 16)
    assert "image_caption" in kinds([*text, legend], marks=marks)
    far = line("The lock in the winter of 1912", 300, 670, 300, 16)
    large = line("The lock in the winter of 1912", 300, 612, 300)
    assert all("image_caption" not in kinds([*text, other], marks=marks) for other in (far, large))


def chart(pieces, labels=4):
    bars = tuple((300.0 + 120 * i, 500.0 - 40 * i, 350.0 + 120 * i, 600.0) for i in range(pieces))
    marks = Marks(across=((200.0, 600.0, 800.0, 602.0),), down=((200.0, 300.0, 202.0, 602.0),), pictures=bars)
    lines = [
        *prose("above", 50, 100, 4, 900),
        *(line(str(60 - 20 * i), 165, 320 + 80 * i) for i in range(labels)),
        *(line(str(2021 + i), 300 + 120 * i, 610) for i in range(labels)),
        line("Figure 2. Fixations by year.", 300, 660, 300),
        *prose("below", 50, 740, 4, 900),
    ]
    return kinds(lines, marks=marks)


def test_bars_on_two_axes_are_a_chart_with_its_labels():
    assert chart(4) == ["text", "image", "image_caption", "text"]
    assert "image" not in chart(1, labels=1)


def test_two_axes_with_labels_are_a_chart_although_its_thin_line_is_not_seen():
    assert chart(0) == ["text", "image", "image_caption", "text"]


def test_a_region_with_text_only_is_no_picture():
    lines = prose("text that goes on and on", 50, 100, 6, 900)
    whole = Region("figure", 0.9, (0, 0, WIDTH, HEIGHT))
    assert kinds(lines, regions=[whole]) == ["text"]


def test_a_turned_line_is_read_on_its_own():
    lines = [*prose("text", 150, 100, 5, 700), line("Archive copy", 20, 100, 24, 300, turned=True)]
    assert [block.text for block in blocks(lines)][-1] == "Archive copy"


def test_blocks_have_their_lines_and_words():
    (block,) = blocks([line("The quick", 50, 100), line("brown fox", 50, 126)])
    assert [one.text for one in block.lines] == ["The quick", "brown fox"]
    assert [word.text for one in block.lines for word in one.words] == ["The", "quick", "brown", "fox"]
    assert block.lines[1].words[1].bbox == (110, 126, 140, 146)
    assert block.lines[1].words[1].confidence == 0.9


def test_words_whose_places_are_not_known_are_left_out():
    (block,) = blocks([replace(line("The quick", 50, 100), words=()), line("brown fox", 50, 126)])
    assert [one.words is None for one in block.lines] == [True, False]
