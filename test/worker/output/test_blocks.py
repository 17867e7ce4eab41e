"""One list of blocks: types, boxes, confidences, and the Markdown and crops that are numbered from it."""

import math

import pytest

from fovea.language.tokenizer import Tokenizer, pieces_of
from fovea.output.blocks import MAX_BLOCKS, block_type, crop_name, read_blocks
from fovea.output.grammar import markup_pieces
from fovea.output.markdown import write_markdown


def ref(label, *boxes):
    inside = ", ".join(str(list(box)) for box in boxes)
    return f"<|ref|>{label}<|/ref|><|det|>[{inside}]<|/det|>\n"


BOX, OTHER = (0, 0, 999, 333), (0, 333, 999, 999)


def read(text, **options):
    return read_blocks(markup_pieces(text), **options)


def kinds(reading):
    return [(block.type, block.text) for block in reading.blocks]


def test_a_grounded_page():
    reading = read(
        ref("title", BOX) + "# Annual report\n\n"
        + ref("text", BOX) + "First.\n\nSecond.\n\n"
        + ref("image", BOX) + ref("image_caption", BOX) + "<center>Fig. 1</center>\n"
        + ref("equation", BOX) + "\\[ E = mc^2 \\]\n"
        + ref("table", BOX) + "<table><tr><td>a</td><td>b</td></tr></table>\n"
        + ref("sub_title", BOX) + "## 2. Next"
    )  # fmt: skip
    assert kinds(reading) == [
        ("title", "Annual report"),
        ("text", "First.\n\nSecond."),
        ("image", ""),
        ("image_caption", "Fig. 1"),
        ("equation", "E = mc^2"),
        ("table", "a\tb"),
        ("sub_title", "2. Next"),
    ]
    assert [block.id for block in reading.blocks] == [1, 2, 3, 4, 5, 6, 7]
    assert reading.warnings == []
    assert all(block.bbox == (0.0, 0.0, 1.0, 333 / 999) for block in reading.blocks)


def test_links_and_crops_have_the_same_numbers():
    reading = read(ref("image", BOX, OTHER) + ref("image", BOX, OTHER) + ref("text", BOX) + "end")
    images = [block for block in reading.blocks if block.type == "image"]
    assert [block.bbox for block in images] == [(0, 0, 1, 333 / 999), (0, 333 / 999, 1, 1)] * 2
    names = [crop_name(7, block) for block in images]
    assert len(set(names)) == 4
    assert write_markdown(reading.blocks, 7) == "\n\n".join([*(f"![]({name})" for name in names), "end"])


def test_several_boxes_of_a_text_are_one_block():
    (block,) = read(ref("text", (0, 0, 499, 999), (500, 0, 999, 500)) + "two columns").blocks
    assert block.bbox == (0.0, 0.0, 1.0, 1.0)


def test_text_without_markup_covers_the_page():
    reading = read("# A\n\nb\n\nc")
    assert kinds(reading) == [("title", "A"), ("text", "b"), ("text", "c")]
    assert all(block.bbox == (0.0, 0.0, 1.0, 1.0) for block in reading.blocks)


def test_located_words():
    reading = read(ref("red stamp", BOX, OTHER), located=True)
    assert kinds(reading) == [("text", "red stamp")] * 2
    _, after = read(ref("red stamp", BOX) + "and a remark", located=True).blocks
    assert (after.text, after.bbox) == ("and a remark", (0.0, 0.0, 1.0, 1.0))
    assert kinds(read(ref("table", BOX), located=True)) == [("text", "table")]


def test_a_line_as_its_own_label():
    assert kinds(read(ref("Invoice 17", BOX) + ref("Total", BOX))) == [
        ("text", "Invoice 17"),
        ("text", "Total"),
    ]


def test_broken_boxes_keep_label_and_text():
    reading = read("<|ref|>sub_title<|/ref|><|det|>[[1,2]]<|/det|>\n## Part\n")
    assert kinds(reading) == [("sub_title", "Part")]
    assert reading.malformed == 1 and "broken" in reading.warnings[0]


def test_table_faults_are_named():
    reading = read(ref("table", BOX) + "<table><tr><td>a</td></tr><tr><td>b</td><td>c</td></tr></table>")
    assert reading.warnings == ["Block 1: table rows of unequal length were filled up."]


def test_a_caption_before_its_table():
    reading = read(ref("table", BOX) + "Table 1\n<table><tr><td>a</td></tr></table>")
    assert kinds(reading) == [("table_caption", "Table 1"), ("table", "a")]


def test_confidence_is_the_mean_of_a_blocks_own_tokens():
    tokenizer = Tokenizer.characters()
    ids = tokenizer.encode_template(ref("text", BOX) + "ab" + ref("image", BOX) + ref("text", BOX) + "cd")
    text = [tokenizer.decode([i]) for i in ids]
    log_probs = [0.0 if tokenizer.marker(i) else -1.0 for i in ids]
    for index, letter in enumerate(text):
        if letter in "ab" and text[index - 1] != "t":
            log_probs[index] = -0.5
    first, image, last = read_blocks(pieces_of(tokenizer, ids), log_probs).blocks
    assert last.confidence == pytest.approx(math.exp(-1))
    assert math.exp(-1) < first.confidence < math.exp(-0.5) or first.confidence == pytest.approx(
        math.exp(-0.5)
    )
    assert math.exp(-1) < image.confidence < 1
    assert read("words").blocks[0].confidence is None


def test_confidence_of_one_of_several_parts():
    tokenizer = Tokenizer.characters()
    ids = tokenizer.encode("# A\n\nb")
    title, text = read_blocks(pieces_of(tokenizer, ids), [-0.1] * 3 + [-3.0] * 3).blocks
    assert title.confidence == pytest.approx(math.exp(-0.1))
    assert text.confidence == pytest.approx(math.exp(-3.0))


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        ("title", "title"),
        ("Sub Title", "sub_title"),
        ("figure", "image"),
        ("page-number", "page_number"),
        ("footnote", "footnote"),
        ("x", None),
    ],
)
def test_labels(label, kind):
    assert block_type(label) == kind


def test_blocks_are_bounded():
    reading = read((ref("image", *[BOX] * 100)) * 60)
    assert len(reading.blocks) == MAX_BLOCKS
    assert "limit" in reading.warnings[0]


def test_markdown_takes_the_power_from_what_was_read():
    reading = read(
        ref("text", BOX)
        + "<script>x</script> ![p](http://tracker.invalid/a.png) [go](javascript:x) \\(a<b\\)"
    )
    text = write_markdown(reading.blocks, 1)
    assert "<script" not in text and "![p\\](http:\\//tracker" in text and "[go\\](javascript" in text
    assert "$a< b$" in text


def test_markdown_of_every_type():
    reading = read(
        ref("title", BOX) + "# T\n" + ref("list", BOX) + "• a • b\n" + ref("code", BOX) + "x = 1\n  y\n"
        + ref("equation", BOX) + "\\[x\\]\n" + ref("table", BOX) + "<table><tr><td>a</td></tr></table>\n"
        + ref("footer", BOX) + "Page 1"
    )  # fmt: skip
    assert write_markdown(reading.blocks, 1) == (
        "# T\n\n- a\n- b\n\n```\nx = 1\n  y\n```\n\n$$\nx\n$$\n\n<table><tr><td>a</td></tr></table>\n\nPage 1"
    )
