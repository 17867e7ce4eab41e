import numpy as np
import pytest

from fovea.layout.line import Line
from fovea.recognition.doubts import Doubts
from fovea.recognition.frame import Frame
from fovea.recognition.page import PageLines
from fovea.recognition.verdict import judge
from fovea.result.page_result import Block

FRAME = Frame.of(np.zeros((10, 10, 3), np.uint8))
ALPHABET = frozenset("abcdefghijklmnopqrstuvwxyzλιμνερωταο")


def judged(
    text="harbour office " * 10,
    count=10,
    layer=None,
    refused=False,
    blocks=(),
    tangled=0,
    readable=(),
    **doubts,
):
    """A page of `count` lines, all of whose words are expected to be right unless `doubts` say otherwise."""
    lines = [Line(0, 30.0 * i, 400, 30.0 * i + 20, text, 0.99) for i in range(count)]
    words = count * len(text.split())
    found = Doubts(**({"words": words, "right": words, "height": 24.0} | doubts))
    return judge(PageLines(FRAME, lines, found, layer, refused), blocks, tangled, ALPHABET, readable)


def test_a_page_without_doubts_is_ok():
    assert judged() == ("ok", [])


def test_a_few_uncertain_words_are_no_reason():
    assert judged(right=197, unread=1, drawn=3) == ("ok", [])


def test_a_page_of_which_many_words_are_uncertain_is_suspect():
    verdict, (reason,) = judged(right=180)
    assert verdict == "suspect"
    assert "10% of the words" in reason


def test_of_few_words_one_may_be_uncertain():
    assert judged(text="room twelve", count=1, right=1.7)[0] == "ok"
    assert judged(text="room twelve", count=1, right=1.3)[0] == "suspect"


def test_small_print_is_named_as_the_cause():
    assert "9 pixels" in judged(right=180, height=9.0)[1][0]


def test_lines_that_nobody_could_read_make_a_page_suspect():
    verdict, (reason,) = judged(unread=3, drawn=150)
    assert verdict == "suspect"
    assert "3 of 13 lines" in reason


def test_letters_outside_of_all_lines_make_a_page_suspect():
    verdict, (reason,) = judged(loose=200)
    assert verdict == "suspect"
    assert "200 letters" in reason


def test_prose_in_a_picture_makes_a_page_suspect_and_labels_do_not():
    labels = Block(1, "image", (0, 0, 1, 1), "2015 2016 2017 depth in metres 25 50 75 100")
    prose = Block(2, "image", (0, 0, 1, 1), "The library keeps about forty maps. " * 4)
    assert judged(blocks=[labels])[0] == "ok"
    verdict, (reason,) = judged(blocks=[labels, prose])
    assert verdict == "suspect"
    assert "in pictures" in reason


def test_letters_drawn_as_boxes_make_a_page_suspect():
    assert judged(boxes=2)[0] == "ok"
    verdict, (reason,) = judged(boxes=20)
    assert verdict == "suspect"
    assert "20 letters are drawn as boxes" in reason


@pytest.mark.parametrize(("cut", "verdict"), [(1, "ok"), (3, "suspect")])
def test_lines_through_the_edge_make_a_page_suspect(cut, verdict):
    assert judged(cut=cut)[0] == verdict


def test_a_text_layer_that_agrees_in_part_makes_a_page_suspect():
    assert judged(layer=1.0) == ("ok", [])
    verdict, (reason,) = judged(layer=0.95)
    assert verdict == "suspect"
    assert "5% of its words" in reason


def test_a_text_layer_in_a_script_that_nothing_can_read_is_suspect():
    text = "the harbour Բոլոր մարդիկ"
    verdict, (reason,) = judged(text=text, layer=1.0)
    assert verdict == "suspect"
    assert "Armenian" in reason
    assert judged(text=text, layer=1.0, readable=["Armenian"]) == ("ok", [])


@pytest.mark.parametrize(("tangled", "verdict"), [(2, "ok"), (3, "suspect")])
def test_texts_that_lie_in_each_other_make_a_page_suspect(tangled, verdict):
    assert judged(tangled=tangled)[0] == verdict


def test_a_layer_that_was_not_used_is_a_warning_only():
    verdict, (warning,) = judged(refused=True)
    assert verdict == "ok"
    assert "not used" in warning


def test_a_script_that_is_known_in_part_makes_a_page_suspect():
    verdict, (reason,) = judged(text="λιμνι νερωι εινται ελεερι")
    assert verdict == "suspect"
    assert "Greek" in reason


def test_a_page_without_lines_is_unreadable():
    assert judged(count=0)[0] == "unreadable"
    assert judged(count=0, unread=4, drawn=80) == (
        "unreadable",
        ["None of the 4 lines of the page could be read."],
    )
