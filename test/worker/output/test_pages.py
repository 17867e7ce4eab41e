"""An answer about several pages is cut at its separators, however they are spread over tokens."""

import pytest

from fovea.language.tokenizer import Piece
from fovea.output.grammar import markup_pieces
from fovea.output.pages import cut_pages


def texts(pages):
    return ["".join(piece.text for piece in page) for page in pages]


@pytest.mark.parametrize(
    ("answer", "pages"),
    [
        ("", [""]),
        ("no separator", ["no separator"]),
        ("<PAGE>\none\n<PAGE>\ntwo", ["\none\n", "\ntwo"]),
        ("\n<PAGE>one", ["one"]),
        ("zero<PAGE>one", ["zero", "one"]),
        ("<PAGE><PAGE>two", ["", "two"]),
        ("<PAGE>a <PAG b <P<PAGE>c<PAG", ["a <PAG b <P", "c<PAG"]),
        ("<PAGE>one<PAGE>", ["one", ""]),
        ("<page>one", ["<page>one"]),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_pages(answer, pages, size):
    pieces = [
        Piece(answer[at : at + size], False, number) for number, at in enumerate(range(0, len(answer), size))
    ]
    assert texts(cut_pages(pieces)) == pages


def test_a_separator_can_be_a_marker_and_other_markers_stay():
    pieces = [Piece("<PAGE>", True, 0), *markup_pieces("<|det|>text [1, 2, 3, 4]<|/det|>A<PAGE>B")]
    assert texts(cut_pages(pieces)) == ["<|det|>text [1, 2, 3, 4]<|/det|>A", "B"]


def test_pieces_keep_the_token_that_completed_them():
    pieces = [Piece("<PAGE>one", False, 4), Piece(" two<PA", False, 5), Piece("GE>three", False, 6)]
    first, second = cut_pages(pieces)
    assert [(piece.text, piece.token) for piece in first] == [("one", 4), (" two", 5)]
    assert [(piece.text, piece.token) for piece in second] == [("three", 6)]
