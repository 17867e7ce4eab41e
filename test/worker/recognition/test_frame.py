import math

import numpy as np
import pytest

from fovea.recognition.frame import Frame, skew_of


def page():
    image = np.full((400, 600, 3), 255, np.uint8)
    image[50:60, 100:300] = 0
    return Frame.of(image)


def ink_box(frame):
    rows, columns = np.nonzero(frame.image[:, :, 0] < 128)
    return (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_boxes_of_a_turned_page_are_mapped_back(quarters):
    frame = page().turned(quarters)
    assert (frame.width, frame.height) == ((600, 400) if quarters % 2 == 0 else (400, 600))
    assert frame.bbox(ink_box(frame)) == pytest.approx((100 / 600, 50 / 400, 300 / 600, 60 / 400), abs=0.004)


@pytest.mark.parametrize("degrees", [-8, -1, 3])
def test_a_levelled_page_is_mapped_back(degrees):
    angle = math.radians(degrees)
    frame, there = page().level(angle)
    assert there[:2] @ (300, 200, 1) == pytest.approx((frame.width / 2, frame.height / 2))
    x0, y0, x1, y1 = frame.bbox(
        (frame.width / 2 - 1, frame.height / 2 - 1, frame.width / 2 + 1, frame.height / 2 + 1)
    )
    assert (x0 + x1) / 2 == pytest.approx(0.5, abs=0.002)
    assert (y0 + y1) / 2 == pytest.approx(0.5, abs=0.002)


def quad(degrees, width=300, height=20):
    angle = math.radians(degrees)
    along, across = (
        np.array([math.cos(angle), math.sin(angle)]),
        np.array([-math.sin(angle), math.cos(angle)]),
    )
    return (
        np.array([(0, 0), along * width, along * width + across * height, across * height], np.float32) + 100
    )


def test_the_skew_is_that_of_the_long_lines():
    assert math.degrees(skew_of(np.array([quad(2)] * 4 + [quad(30, 40)]))) == pytest.approx(2, abs=0.01)


@pytest.mark.parametrize(
    "quads",
    [[quad(2)] * 2, [quad(2, 50)] * 9, [quad(0.1)] * 5, [quad(20)] * 5],
    ids=["two lines", "short lines", "hardly any", "far too much"],
)
def test_what_says_too_little_about_the_skew_is_left_as_it_is(quads):
    assert skew_of(np.array(quads)) == 0.0


@pytest.mark.parametrize("quarters", range(4))
def test_a_frame_knows_how_it_was_turned(quarters):
    frame = Frame.of(np.zeros((20, 30, 3), np.uint8)).turned(quarters)
    assert frame.quarters == quarters
    assert frame.level(0.1)[0].quarters == quarters
