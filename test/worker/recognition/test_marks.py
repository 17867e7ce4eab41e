import cv2
import numpy as np
import pytest

from fovea.recognition.frame import Frame
from fovea.recognition.marks import find_marks

UNIT = 24


def page():
    return np.full((600, 800, 3), 255, np.uint8)


def text(x, y, width=200):
    return (float(x), float(y), float(x + width), float(y + UNIT))


def test_check_boxes_are_frames_and_a_square_in_them_is_a_mark():
    image = page()
    for y in (103, 153):
        cv2.rectangle(image, (50, y), (67, y + 17), (0, 0, 0), 2)
    cv2.rectangle(image, (55, 158), (62, 165), (0, 0, 0), -1)
    boxes = [text(80, 100), text(44, 150)]  # the second was found together with its box
    assert [marked for _, marked in sorted(find_marks(Frame.of(image), boxes, UNIT).boxes)] == [False, True]
    assert find_marks(Frame.of(image), [], UNIT).boxes == ()


def test_stems_whose_serifs_touch_are_no_check_box():
    image = page()
    cv2.rectangle(image, (50, 102), (66, 118), (0, 0, 0), 3)
    image[100:121, 49:56] = image[100:121, 62:69] = 0
    assert find_marks(Frame.of(image), [text(48, 100)], UNIT).boxes == ()


def test_bullets_are_small_and_filled_or_round_and_stand_before_text():
    image = page()
    cv2.circle(image, (60, 112), 4, (0, 0, 0), -1)
    cv2.circle(image, (60, 162), 4, (0, 0, 0), 1, cv2.LINE_AA)
    boxes = [text(80, 100), text(80, 150)]
    assert len(find_marks(Frame.of(image), boxes, UNIT).bullets) == 2
    assert find_marks(Frame.of(image), [text(500, 100)], UNIT).bullets == ()


def test_a_letter_before_another_cell_is_no_bullet():
    image = page()
    cv2.circle(image, (60, 112), 4, (0, 0, 0), -1)
    assert find_marks(Frame.of(image), [text(52, 100, 20), text(100, 100)], UNIT).bullets == ()


def test_walls_of_a_single_row_stand_between_level_lines():
    image = page()
    for y in (100, 136):
        cv2.line(image, (50, y), (400, y), (0, 0, 0), 2)
    for x in (50, 200, 400):
        cv2.line(image, (x, 100), (x, 136), (0, 0, 0), 2)
    cv2.line(image, (600, 100), (600, 136), (0, 0, 0), 2)  # stands alone
    marks = find_marks(Frame.of(image), [], UNIT)
    assert len(marks.across) == 2
    assert sorted(round(wall[0], -1) for wall in marks.down) == [50, 200, 400]


def test_serifs_that_touch_are_no_ruled_line():
    image = page()
    cv2.line(image, (150, 116), (230, 116), (0, 0, 0), 2)
    assert find_marks(Frame.of(image), [text(100, 100, 400)], UNIT).across == ()
    assert len(find_marks(Frame.of(image), [], UNIT).across) == 1


@pytest.mark.parametrize("size", [(1, 500), (500, 1), (1, 1), (3, 2)])
def test_a_page_may_be_a_pixel_wide(size):
    assert find_marks(Frame.of(np.full((*size, 3), 255, np.uint8)), [], 20).pictures == ()
