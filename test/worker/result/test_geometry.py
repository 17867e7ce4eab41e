"""Boxes there and back, against what Pillow does to the pixels."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from fovea.result.geometry import (
    FULL,
    Map,
    crop,
    exif,
    from_bins,
    on_page,
    padded,
    pixels,
    tile,
    to_bins,
    turned,
)

SIZES = [(600, 1800), (1920, 1080), (641, 640), (1000, 1000), (7, 3000)]
BOX = (0.2, 0.1, 0.5, 0.35)


def drawn(size, box=BOX):
    """A white page with a black box."""
    page = Image.new("L", size, 255)
    page.paste(0, pixels(box, *size))
    return page


def found(image):
    """The box of what is darker than half, in 0..1."""
    ys, xs = np.nonzero(np.asarray(image) < 64)
    return (
        xs.min() / image.width,
        ys.min() / image.height,
        (xs.max() + 1) / image.width,
        (ys.max() + 1) / image.height,
    )


@pytest.mark.parametrize("size", SIZES[:4])
def test_padding(size):
    page = drawn(size)
    view = ImageOps.pad(page, (1024, 1024), color=127)
    assert on_page(found(view), padded(*size, 1024)) == pytest.approx(found(page), abs=2 / min(size))


@pytest.mark.parametrize("size", SIZES)
def test_padding_has_a_way_back(size):
    step = padded(*size, 640)
    assert on_page(step.box(BOX), step) == pytest.approx(BOX)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif(orientation):
    stored = drawn((60, 40))
    flagged = stored.copy()
    flagged.getexif()[274] = orientation
    upright = ImageOps.exif_transpose(flagged)
    assert exif(orientation).box(found(stored)) == pytest.approx(found(upright))
    assert exif(orientation).inverse().box(found(upright)) == pytest.approx(found(stored))


def test_unknown_orientation_is_upright():
    assert exif(0) == exif(99) == Map()


@pytest.mark.parametrize("quarters", [-1, 0, 1, 2, 3, 4])
def test_turning(quarters):
    page = drawn((60, 40))
    seen = page.rotate(90 * quarters, expand=True)
    assert turned(quarters).box(found(page)) == pytest.approx(found(seen))


def test_tiles():
    size, grid = (1280, 1920), (2, 3)
    page = drawn(size, (0.55, 0.4, 0.9, 0.6))
    part = page.crop((640, 640, 1280, 1280))  # column 1, row 1
    assert on_page(found(part), tile(1, 1, *grid)) == pytest.approx(found(page), abs=1e-3)


def test_steps_compose():
    # A stored photo is turned upright, a part is cut out, and the part is padded.
    steps = exif(6).then(crop((0.25, 0.5, 0.75, 1.0))).then(padded(300, 500, 640))
    assert on_page(steps.box(BOX), exif(1)) != pytest.approx(BOX)
    assert steps.inverse().box(steps.box(BOX)) == pytest.approx(BOX)


def test_a_box_in_a_crop_lands_inside_it():
    region = (0.2, 0.4, 0.6, 0.8)
    assert on_page(FULL, crop(region)) == pytest.approx(region)
    assert on_page((0.0, 0.0, 0.5, 0.5), crop(region)) == pytest.approx((0.2, 0.4, 0.4, 0.6))


def test_boxes_never_leave_the_page():
    assert on_page(FULL, padded(100, 400, 512)) == FULL


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
