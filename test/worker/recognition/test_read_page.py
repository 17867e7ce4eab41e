import numpy as np
import pytest
from support import picture

from fovea.pages.text_layer import LayerWord
from fovea.recognition.engine import Text
from fovea.recognition.page import read_page


class Stub:
    """Finds the rows of ink, and reads the same in each."""

    alphabet = frozenset("abcdefghijklmnopqrstuvwxyz ")

    def __init__(self, text):
        self.text = text
        self.detected, self.recognized = [], 0

    def detect(self, image):
        self.detected.append(image.shape[:2])
        dark = image[:, :, 0] < 128
        edges = np.flatnonzero(np.diff(np.pad(dark.any(axis=1), 1).astype(int)))
        quads = []
        for top, bottom in zip(edges[::2], edges[1::2], strict=True):
            columns = np.flatnonzero(dark[top:bottom].any(axis=0))
            x0, x1, y0, y1 = columns[0] - 4, columns[-1] + 5, top - 4, bottom + 4
            quads.append([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
        return np.array(quads, np.float32)

    def recognize(self, crops):
        self.recognized += len(crops)
        return [self.text for _ in crops]


def page(text, lines=4):
    return np.asarray(picture("\n".join(["the old harbour"] * lines), (900, 300), 36))[
        :, :, ::-1
    ].copy(), Stub(text)


def text(said, sure):
    letters = len("".join(said.split()))
    places = tuple((i + 0.5) / letters for i in range(letters))
    return Text(said, 0.97, places, (1.0,) * (letters - 1) + (sure,))


def test_the_confidence_of_a_line_is_the_share_of_words_expected_to_be_right():
    read = read_page(*page(text("the old harbour", 0.4)))
    assert [line.confidence for line in read.lines] == [pytest.approx(0.8)] * 4
    assert (read.doubts.words, read.doubts.right) == (12, pytest.approx(9.6))
    assert (read.doubts.unread, read.doubts.loose, read.doubts.cut) == (0, 0, 0)


def test_a_line_that_could_not_be_read_counts_with_its_letters():
    image, stub = page(text(". :", 0.9))
    read = read_page(image, stub)
    assert read.lines == []
    assert read.doubts.unread == 4
    assert 0.7 * 4 * 13 < read.doubts.drawn < 1.3 * 4 * 13


def test_no_line_is_recognized_twice():
    image, stub = page(text("the old harbour", 1.0))
    assert len(read_page(image, stub).lines) == 4
    assert stub.recognized == 4


def layer(rows=4, text="the old harbour"):
    """The text layer of the page: words in the places of the ink."""
    image, stub = page(None)
    words = []
    for (x0, y0), _, (x1, y1), _ in stub.detect(image)[:rows]:
        step = (x1 - x0) / len(text)
        for word in text.split():
            left = x0 + step * text.index(word)
            box = (left / 900, y0 / 300, (left + step * len(word)) / 900, y1 / 300)
            words.append(LayerWord(word, *box, False, False, True))
    return words


def test_a_page_with_a_right_layer_is_not_searched_for_lines():
    image, stub = page(text("theoldharbour", 1.0))
    read = read_page(image, stub, layer())
    assert [line.text for line in read.lines] == ["the old harbour"] * 4
    assert (read.layer, read.mixed, stub.detected) == (1.0, False, [])
    assert read.marks is not None


def test_only_what_the_layer_lacks_is_searched_for():
    image, stub = page(text("the old harbour", 1.0))
    read = read_page(image, stub, layer(rows=3))
    assert len(read.lines) == 4 and read.mixed
    assert (
        0 < max(height for height, _ in stub.detected) < 500
    )  # the whole page is searched at twice its 300 pixels


def test_a_layer_that_lacks_most_letters_does_not_count():
    image, stub = page(text("the old harbour", 1.0))
    read = read_page(image, stub, layer(rows=1))
    assert read.layer is None and read.refused and len(read.lines) == 4


def test_a_layer_that_says_something_else_does_not_count():
    image, stub = page(text("the old harbour", 1.0))
    read = read_page(image, stub, layer(text="ten dry barrels"))
    assert read.layer is None and read.refused and read.lines[0].text == "the old harbour"


def test_a_layer_of_text_that_cannot_be_seen_does_not_count():
    image, stub = page(text("the old harbour", 1.0))
    read = read_page(np.full_like(image, 255), stub, layer())
    assert read.lines == [] and read.refused


@pytest.mark.parametrize(("said", "quarters"), [("the old harbour", 2), ("xxx xxx xxxxxxx", 0)])
def test_only_lines_with_several_characters_turn_a_page_upside_down(said, quarters):
    """A message of one repeated letter once turned a page of a conversation, and nothing on it could be read."""

    class BetterTurned(Stub):
        def recognize(self, crops):
            sure = 0.6 if self.recognized == 0 else 0.95
            self.recognized += len(crops)
            letters = len("".join(said.split()))
            return [Text(said, sure, tuple((i + 0.5) / letters for i in range(letters)))] * len(crops)

    image, _ = page(None)
    assert read_page(image, BetterTurned(None)).frame.quarters == quarters
