"""Boxes in 0..1, in 0..999 and in pixels."""

import pytest

from fovea.result.geometry import FULL, from_bins, pixels, to_bins


@pytest.mark.parametrize(
    ("bins", "box"),
    [
        ((0, 0, 999, 999), FULL),
        ((500, 300, 100, 200), (100 / 999, 200 / 999, 500 / 999, 300 / 999)),
        ((5, 5, 5, 5), (5 / 999, 5 / 999, 6 / 999, 6 / 999)),
        ((999, 999, 999, 999), (998 / 999, 998 / 999, 1.0, 1.0)),
    ],
)
def test_bins(bins, box):
    assert from_bins(bins) == box


def test_bins_there_and_back():
    assert to_bins(from_bins((3, 77, 500, 998))) == (3, 77, 500, 998)
    assert to_bins((-0.5, 0.2, 1.5, 0.4)) == (0, 200, 999, 400)


@pytest.mark.parametrize("box", [FULL, (0, 0, 1e-9, 1e-9), (1.0, 1.0, 1.0, 1.0), (0.999, 0, 1, 0.0001)])
def test_pixels_are_never_empty_nor_outside(box):
    x0, y0, x1, y1 = pixels(box, 13, 7)
    assert 0 <= x0 < x1 <= 13 and 0 <= y0 < y1 <= 7
