"""Deep parsing: which crops are read, and what is made of the answers."""

import json

import pytest
from PIL import Image

from fovea.output.deep import MAX_FIGURES, Answer, figure_blocks, parse_figures
from fovea.result.page_result import Block
from fovea.vision.compression import expected_precision

PAGE = Image.new("RGB", (400, 800), "white")
PICTURE = (0.25, 0.5, 0.75, 0.75)


def picture(box=PICTURE):
    return Block(1, "image", box, "", 0.9)


def test_only_pictures_are_read_and_the_list_is_numbered_anew():
    page = PAGE.copy()
    page.paste((255, 0, 0), (100, 400, 300, 600))
    seen = []

    def read(crop):
        seen.append((crop.size, crop.getcolors()))
        return Answer("<table><tr><td>2023</td><td>7</td></tr></table>", 0.8)

    blocks = [
        Block(1, "title", (0, 0, 1, 0.1), "T"),
        picture(),
        Block(3, "image_caption", (0, 0.8, 1, 0.9), "Fig"),
    ]
    parsed = parse_figures(page, blocks, read)
    assert seen == [((200, 200), [(40000, (255, 0, 0))])]
    assert [(b.id, b.type, b.text) for b in parsed.blocks] == [
        (1, "title", "T"),
        (2, "image", ""),
        (3, "table", "2023\t7"),
        (4, "image_caption", "Fig"),
    ]
    assert parsed.blocks[2].bbox == PICTURE
    assert parsed.blocks[2].html == "<table><tr><td>2023</td><td>7</td></tr></table>"
    assert parsed.figures == 1


def test_specks_are_not_read():
    parsed = parse_figures(PAGE, [picture((0.1, 0.1, 0.12, 0.2))], lambda crop: pytest.fail("read"))
    assert [block.type for block in parsed.blocks] == ["image"]


def test_the_number_of_figures_is_bounded():
    calls = []
    parsed = parse_figures(
        PAGE, [picture() for _ in range(30)], lambda crop: calls.append(1) or Answer("x y", 0.5)
    )
    assert len(calls) == MAX_FIGURES == parsed.figures
    assert len(parsed.warnings) == 1 and str(MAX_FIGURES) in parsed.warnings[0]


def test_an_answer_that_loops_is_not_used():
    parsed = parse_figures(PAGE, [picture()], lambda crop: Answer("a a a a", 0.9, sound=False))
    assert [(b.type, b.text) for b in parsed.blocks] == [("image", "")]
    assert "Figure 1" in parsed.warnings[0]


@pytest.mark.parametrize(
    ("answer", "blocks", "description"),
    [
        ("CC(=O)Oc1ccccc1C(=O)O", [("code", "CC(=O)Oc1ccccc1C(=O)O")], ""),
        ("`CCO`", [("code", "CCO")], ""),
        ("A dog on a beach.", [], "A dog on a beach."),
        ("| x | y |\n|---|---|\n| 1 | 2 |", [("table", "x\ty\n1\t2")], ""),
        ("Sales:\n\n<table><tr><td>1</td></tr></table>", [("table", "1")], "Sales:"),
        ("", [], ""),
        ("__import__('os').system('true')", [], "__import__('os').system('true')"),
    ],
)
def test_answers(answer, blocks, description):
    block = picture()
    assert [(b.type, b.text) for b in figure_blocks(block, Answer(answer, 0.5))] == blocks
    assert block.text == description


def test_a_plane_figure_becomes_json():
    answer = "{'Line': {'line': ['(0, 0) -- (3, 4)'], 'line_type': ['--'], 'line_endpoint': ['A: (0, 0)']}}"
    (block,) = figure_blocks(picture(), Answer(answer, 0.5))
    assert block.type == "code"
    assert json.loads(block.text) == {
        "lines": [{"from": [0, 0], "to": [3, 4], "style": "--"}],
        "points": [{"name": "A", "at": [0, 0]}],
        "circles": [],
    }


@pytest.mark.parametrize(
    ("compression", "band"),
    [(3.0, (0.968, 0.985)), (10.5, (0.898, 0.965)), (19.7, (0.591, 0.764)), (20.1, None)],
)
def test_expected_precision(compression, band):
    assert expected_precision(compression) == band
