import itertools

import numpy as np
import pytest

from fovea.recognition.detect import BAND, OVERLAP, cuts, find_lines, is_tall, stacked


class Inked:
    """In place of the detector: every row of ink is a line."""

    def __init__(self):
        self.seen = []

    def detect(self, image):
        self.seen.append(image.shape)
        dark = image[:, :, 0] < 128
        rows = np.flatnonzero(np.diff(np.concatenate([[False], dark.any(axis=1), [False]]).astype(int)))
        quads = []
        for top, bottom in zip(rows[::2], rows[1::2], strict=True):
            columns = np.flatnonzero(dark[top:bottom].any(axis=0))
            x0, x1 = columns[0], columns[-1] + 1
            quads.append([[x0, top], [x1, top], [x1, bottom], [x0, bottom]])
        return np.array(quads, np.float32).reshape(-1, 4, 2)


def page(height, width, lines, tall=24):
    image = np.full((height, width, 3), 255, np.uint8)
    for y, x0, x1 in lines:
        image[y : y + tall, x0:x1] = 0
    return image


@pytest.mark.parametrize("length", [1, BAND, 2001, 3100, 11_000, 60_000])
def test_bands_cover_everything_and_overlap(length):
    bands = cuts(length)
    assert bands[0][0] == 0 and bands[-1][1] == length
    assert all(bottom - top <= 1.25 * BAND for top, bottom in bands)
    assert all(above[1] - below[0] >= OVERLAP - 2 for above, below in itertools.pairwise(bands))


def test_every_line_of_a_long_page_is_found_once():
    lines = [(40 + 50 * i, 100, 800) for i in range(219)]
    found = find_lines(page(11_000, 900, lines), Inked())
    tops = sorted(round(float(quad[:, 1].min())) for quad in found)
    assert tops == [y for y, _, _ in lines]
    assert all(abs(np.ptp(quad[:, 1]) - 24) <= 1 for quad in found)


def test_a_line_over_several_bands_is_one_line():
    (quad,) = find_lines(page(40, 5200, [(8, 10, 5190)]), Inked())
    assert np.ptp(quad[:, 0]) == pytest.approx(5180, abs=4)


def test_the_margins_of_a_page_are_not_searched():
    engine = Inked()
    (quad,) = find_lines(page(1600, 1200, [(100, 100, 260)]), engine)
    assert quad.min(axis=0) == pytest.approx((100, 100), abs=1)
    assert engine.seen[0][0] < 200 and engine.seen[0][1] < 400


@pytest.mark.parametrize(("tall", "low", "high"), [(7, 20, 26), (90, 20, 30)])
def test_letters_are_brought_to_a_good_size(tall, low, high):
    engine = Inked()
    lines = [(20 + 3 * tall * i, 20, 400) for i in range(8)]
    found = find_lines(page(60 + 24 * tall, 500, lines, tall), engine)
    assert len(found) == 8
    scale = engine.seen[-1][1] / 440
    assert low <= tall * scale <= high


def test_a_blank_page_has_no_lines():
    engine = Inked()
    assert find_lines(np.full((500, 500, 3), 255, np.uint8), engine).shape == (0, 4, 2)
    assert engine.seen == []


def test_a_line_that_is_higher_than_wide_is_tall():
    assert is_tall(np.array([(0, 0), (20, 0), (20, 30), (0, 30)], np.float32))
    assert not is_tall(np.array([(0, 0), (20, 0), (20, 29), (0, 29)], np.float32))


def test_characters_of_a_column_come_side_by_side():
    column = np.full((200, 40, 3), 255, np.uint8)
    for i in range(5):
        column[40 * i + 6 : 40 * i + 34, 6:34] = 40 * i
    row = stacked(column)
    assert row.shape == (40, 200, 3)
    assert [int(row[20, 40 * i + 20, 0]) for i in range(5)] == [0, 40, 80, 120, 160]
