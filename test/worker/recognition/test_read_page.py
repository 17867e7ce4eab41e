import numpy as np
import pytest
from support import picture

from fovea.recognition.engine import Text
from fovea.recognition.page import read_page


class Stub:
    """Finds the rows of ink, and reads the same in each."""

    def __init__(self, text):
        self.text = text

    def detect(self, image):
        dark = image[:, :, 0] < 128
        edges = np.flatnonzero(np.diff(np.pad(dark.any(axis=1), 1).astype(int)))
        quads = []
        for top, bottom in zip(edges[::2], edges[1::2], strict=True):
            columns = np.flatnonzero(dark[top:bottom].any(axis=0))
            x0, x1, y0, y1 = columns[0] - 4, columns[-1] + 5, top - 4, bottom + 4
            quads.append([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
        return np.array(quads, np.float32)

    def recognize(self, crops):
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
