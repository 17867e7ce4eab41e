"""The places of links in a page result."""

import pytest

from fovea.pages.links import FoundLink
from fovea.result import links
from fovea.result.links import attach_links
from fovea.result.markdown import to_markdown
from fovea.result.page_result import Block, LineBox, PageResult, TableCell, WordBox, page_faults

URL = "https://a.test/"


def result(*blocks: Block) -> PageResult:
    page = PageResult(1, 100, 100, 72.0, "pp-ocr", f"sha256:{'0' * 64}", blocks=list(blocks))
    page.markdown = to_markdown(page.blocks)
    return page


def words(text: str, top: float, left: float = 0.0) -> LineBox:
    """A line whose letters are 0.01 wide."""
    boxes, at = [], 0
    for word in text.split(" "):
        box = (left + at / 100, top, left + (at + len(word)) / 100, top + 0.05)
        boxes.append(WordBox(word, box))
        at += len(word) + 1
    return LineBox(text, (left, top, left + len(text) / 100, top + 0.05), words=boxes)


def paragraph(*lines: str, kind: str = "text", text: str | None = None, id: int = 1) -> Block:
    placed = [words(line, 0.1 * number) for number, line in enumerate(lines)]
    bottom = 0.1 * (len(lines) - 1) + 0.05
    return Block(id, kind, (0, 0, 0.9, bottom), " ".join(lines) if text is None else text, lines=placed)


def box(start: int, end: int, line: int = 0):
    return (start / 100, 0.1 * line, end / 100, 0.1 * line + 0.05)


def attached(page: PageResult, *found: FoundLink, is_known: bool = False) -> list:
    attach_links(page, found, is_known)
    assert page_faults(page.to_json()) == []
    return page.links


def placed(page: PageResult) -> list[str | None]:
    return [link.place and page.markdown[slice(*link.place)] for link in page.links]


def test_of_equal_words_the_ones_below_the_link_are_linked():
    page = result(paragraph("here and here, not here"))
    attached(page, FoundLink("https://b.test/", "here", (box(9, 13),)), FoundLink(URL, "here", (box(0, 4),)))
    assert [(link.url, link.start) for link in page.links] == [(URL, 0), ("https://b.test/", 9)]
    assert [link.place for link in page.links] == [(0, 4), (9, 13)]


@pytest.mark.parametrize("small", [(0, 4), (4, 8)])
def test_a_link_over_the_whole_block_leaves_words_to_a_smaller_one(small: tuple[int, int]):
    page = result(paragraph("here you are"))
    text = "here you are"[slice(*small)].strip()
    found = [FoundLink(URL, "", (box(0, 12),)), FoundLink("https://b.test/", text, (box(*small),))]
    attached(page, *found)
    assert [(link.url, link.place) for link in page.links if link.place] == [
        ("https://b.test/", (page.markdown.index(text), page.markdown.index(text) + len(text)))
    ]


def test_parts_on_several_lines_are_one_link():
    page = result(paragraph("see the terms", "of payment now"))
    (link,) = attached(
        page, FoundLink(URL, "the terms", (box(4, 13),)), FoundLink(URL, "of payment", (box(0, 10, 1),))
    )
    assert (link.text, link.start, placed(page)) == ("the terms of payment", 4, ["the terms of payment"])
    assert link.bbox == (0, 0, 0.13, 0.15000000000000002)


def test_without_words_of_the_document_those_that_the_reader_has_found_count():
    page = result(paragraph("see the terms now"))
    (link,) = attached(page, FoundLink(URL, "", (box(4, 13),)))
    assert (link.text, link.start) == ("the terms", 4)


def test_words_that_were_read_differently_are_those_in_the_box():
    page = result(paragraph("see the tcrms now"))
    (link,) = attached(page, FoundLink(URL, "the terms", (box(4, 13),)))
    assert (link.text, link.start) == ("the tcrms", 4)


def test_a_reader_without_words_gets_the_nearest_text():
    block = Block(1, "text", (0, 0, 1, 1), "x here\n" + "y " * 40 + "\nz here")
    page = result(block)
    (link,) = attached(page, FoundLink(URL, "here", ((0, 0.9, 0.2, 1),)))
    assert link.start == block.text.rindex("here")


def test_a_link_without_a_text_has_a_block_or_none():
    page = result(Block(1, "image", (0, 0, 0.5, 0.5), ""))
    over, beside = attached(
        page, FoundLink(URL, "", ((0.1, 0.1, 0.2, 0.2),)), FoundLink(URL, "", ((0.8, 0.8, 0.9, 0.9),))
    )
    assert (over.block, over.start, over.place) == (1, None, None)
    assert (beside.block, beside.text) == (None, "")


def test_places_count_what_is_escaped_and_whose_sign_comes_first():
    page = result(
        paragraph("1.2 About [x](y) *a* b*", kind="sub_title"),
        Block(2, "list", (0, 0.2, 1, 0.3), "- one\n- two [x](y)"),
    )
    attached(
        page,
        FoundLink(URL, "[x](y) *a* b*", (box(10, 23),)),
        FoundLink(URL, "two [x](y)", ((0, 0.25, 0.3, 0.3),)),
    )
    assert placed(page) == ["[x\\](y) \\*a* b*", "two [x\\](y)"]


def test_a_link_in_a_table_has_a_place_in_both_of_its_forms():
    cells = [
        TableCell(0, 0, 1, 1, "a & b", (0, 0, 0.4, 0.1)),
        TableCell(0, 1, 1, 1, "site | x", (0.5, 0, 0.9, 0.1)),
        TableCell(1, 0, 1, 1, "site", (0, 0.2, 0.4, 0.3)),
        TableCell(1, 1, 1, 1, "site", (0.5, 0.2, 0.9, 0.3)),
    ]
    html = "<table><tr><td>a &amp; b</td><td>site | x</td></tr><tr><td>site</td><td>site</td></tr></table>"
    table = Block(1, "table", (0, 0, 1, 0.3), "a & b\tsite | x\nsite\tsite", cells=cells, html=html)
    page = result(table)
    attached(
        page, FoundLink(URL, "site", ((0.5, 0.2, 0.9, 0.3),)), FoundLink(URL, "a & b", ((0, 0, 0.4, 0.1),))
    )
    amp, site = page.links
    assert (amp.start, site.start) == (0, 20)
    assert placed(page) == ["a &amp; b", "site"] and site.place[0] == html.rindex("site")
    assert table.markdown[slice(*amp.table_place)] == "a & b"
    assert site.table_place[0] == table.markdown.rindex("site")


def test_a_link_does_not_go_on_in_the_next_cell():
    table = Block(1, "table", (0, 0, 1, 1), "a\tb", html="<table><tr><td>a</td><td>b</td></tr></table>")
    (link,) = attached(result(table), FoundLink(URL, "a b", ((0, 0, 1, 1),)))
    assert link.start is None


@pytest.mark.parametrize("kind", ["code", "equation"])
def test_code_and_formulas_have_no_link_in_their_markdown(kind):
    page = result(paragraph("x here y", kind=kind))
    (link,) = attached(page, FoundLink(URL, "here", (box(2, 6),)))
    assert (link.start, link.place) == (2, None)


def test_of_two_links_over_the_same_words_one_is_in_the_text():
    page = result(paragraph("see the terms now"))
    attached(
        page, FoundLink(URL, "the terms", (box(4, 13),)), FoundLink("https://b.test/", "terms", (box(8, 13),))
    )
    assert placed(page) == [None, "terms"]


def test_a_document_that_knows_its_blocks_is_believed():
    page = result(paragraph("here here"))
    (link,) = attached(page, FoundLink(URL, "here", (box(0, 4),), 1, 5), is_known=True)
    assert (link.start, link.place) == (5, (5, 9))


def test_links_and_their_words_are_limited(monkeypatch):
    monkeypatch.setattr(links, "MAX_LINKS", 2)
    monkeypatch.setattr(links, "MAX_TEXT", 5)
    page = result(paragraph("one two three four"))
    found = [
        FoundLink(f"https://{n}.test/", word, (box(at, at + len(word)),))
        for n, (word, at) in enumerate([("one two", 0), ("three", 8), ("four", 14)])
    ]
    assert [link.text for link in attached(page, *found)] == ["one t", "three"]
    assert page.warnings == [links.LEFT_OUT.format(1)]
