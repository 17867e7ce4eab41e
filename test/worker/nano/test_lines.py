import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from support import picture

from fovea.nano.lines import find_lines
from fovea.nano.packing import HEIGHT, MARGIN, WIDTH, cut, draw, pack

FONT = ImageFont.load_default(24)


def page(places, size=(1000, 800), paper=255, ink=0):
    """Texts at places (x, y); returns the image and the ink box of each."""
    image = Image.new("RGB", size, (paper,) * 3)
    draw = ImageDraw.Draw(image)
    for x, y, text in places:
        draw.text((x, y), text, font=FONT, fill=(ink,) * 3)
    return image, [draw.textbbox((x, y), text, font=FONT) for x, y, text in places]


PLACES = [(60, 60 + 40 * i, f"Line number {i} of the page, in full") for i in range(8)]


def covers(line, box, slack=3):
    return (
        line.x0 <= box[0] + slack
        and line.x1 >= box[2] - slack
        and line.y0 <= box[1] + slack
        and line.y1 >= box[3] - slack
    )


@pytest.mark.parametrize(
    ("paper", "ink"), [(255, 0), (40, 250), (200, 120)], ids=["plain", "reversed", "faint"]
)
def test_each_line_is_found_once_and_whole(paper, ink):
    image, boxes = page(PLACES, paper=paper, ink=ink)
    found = find_lines(image)
    assert len(found.lines) == len(boxes)
    for line, box in zip(sorted(found.lines, key=lambda line: line.y0), boxes, strict=True):
        assert covers(line, box)
        assert line.y1 - line.y0 < 40


def test_columns_are_not_joined_and_words_are_not_parted():
    left = [(60, 60 + 36 * i, "words of the left column") for i in range(6)]
    right = [(560, 60 + 36 * i, "words of the right column") for i in range(6)]
    image, boxes = page(left + right)
    lines = find_lines(image).lines
    assert len(lines) == 12
    assert all(any(covers(line, box) for line in lines) for box in boxes)


def test_noise_rules_and_pictures_are_no_lines():
    image, boxes = page(PLACES)
    drawn = ImageDraw.Draw(image)
    drawn.line((40, 500, 960, 500), fill=0, width=2)
    drawn.rectangle((300, 540, 700, 760), fill=(90, 90, 90))
    noise = np.random.default_rng(0).normal(0, 8, (800, 1000, 1))
    image = Image.fromarray((np.asarray(image) + noise).clip(0, 255).astype(np.uint8))
    lines = find_lines(image).lines
    assert len(lines) == len(boxes)


@pytest.mark.parametrize("angle", [-2.0, 1.3])
def test_a_turned_page_is_levelled_and_its_lines_are_mapped_back(angle):
    places = [(120, 80 + 60 * i, "a line that is long enough to be seen as turned") for i in range(9)]
    image, boxes = page(places)
    found = find_lines(image.rotate(angle, Image.Resampling.BICUBIC, fillcolor="white"))
    assert found.angle == pytest.approx(-angle, abs=0.3)
    assert len(found.lines) == 9
    turn = np.deg2rad(-angle)
    for line, box in zip(sorted(found.lines, key=lambda line: line.y0), boxes, strict=True):
        x0, y0, x1, y1 = found.frame.bbox((line.x0, line.y0, line.x1, line.y1))
        middle = ((x0 + x1) / 2 * 1000 - 500, (y0 + y1) / 2 * 800 - 400)
        back = (
            middle[0] * np.cos(turn) + middle[1] * np.sin(turn) + 500,
            -middle[0] * np.sin(turn) + middle[1] * np.cos(turn) + 400,
        )
        assert back == pytest.approx(((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), abs=8)


def test_a_full_stop_at_the_end_belongs_to_its_line():
    image, (box,) = page([(60, 60, "The end of it .")])
    (line,) = find_lines(image).lines
    assert line.x1 >= box[2]


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (500, 3)])
def test_a_page_without_room_has_no_lines(size):
    assert find_lines(Image.new("RGB", size, "white")).lines == []
    assert isinstance(find_lines(Image.new("RGB", size, "black")).lines, list)


# -- packing ---------------------------------------------------------------------------------------


def ink(pixels):
    return int((pixels < 128).sum())


@pytest.mark.parametrize("rows", [2, 3, 4, 5, 6, 8])
def test_all_ink_of_the_lines_is_in_the_strips_in_order(rows):
    image, _ = page(PLACES)
    found = find_lines(image)
    lines = sorted(found.lines, key=lambda line: line.y0)
    segments = cut(found.upright, lines, rows)
    assert [segment.line for segment in segments] == sorted(segment.line for segment in segments)
    assert {segment.line for segment in segments} == set(range(len(lines)))
    for segment in segments:
        assert segment.pixels.shape[0] == HEIGHT // rows
        assert segment.pixels.shape[1] <= WIDTH - 2 * MARGIN
        assert ink(segment.pixels) > 0
    strips = pack(segments, rows)
    assert [number for strip in strips for number in strip] == list(range(len(segments)))
    for strip in strips:
        drawn = draw([segments[n] for n in strip], rows)
        assert drawn.shape == (HEIGHT, WIDTH)
        assert ink(drawn) == sum(ink(segments[n].pixels) for n in strip)


def test_a_long_line_is_cut_between_words():
    words = " ".join(["wordwordword"] * 7)
    image, _ = page([(20, 60, words)], size=(1400, 160))
    found = find_lines(image)
    segments = cut(found.upright, found.lines, 3)
    assert len(segments) > 1
    for segment in segments[:-1]:
        assert segment.pixels[:, -2:].min() > 200  # paper at the cut
    for segment in segments[1:]:
        assert segment.pixels[:, :2].min() > 200


def test_letters_stand_at_one_height_whatever_is_above_and_below_them():
    image, _ = page([(60, 100, "nnn mmm nnn"), (60, 200, "nnn mfg nnn"), (60, 300, "nnn mmm fff")])
    found = find_lines(image)
    lines = sorted(found.lines, key=lambda line: line.y0)
    feet = []
    for segment in cut(found.upright, lines, 4):
        rows = np.flatnonzero((segment.pixels[:, :40] < 128).sum(1) > 2)
        feet.append(int(rows.max()))
    assert max(feet) - min(feet) <= 2


def test_a_line_at_the_edge_of_the_page_is_whole():
    image, _ = page([(2, 0, "At the very top"), (2, 130, "and at the bottom")], size=(400, 152))
    found = find_lines(image)
    for segment in cut(found.upright, found.lines, 4):
        assert ink(segment.pixels) > 50


def test_what_is_packed_can_be_looked_at():
    found = find_lines(picture("Two lines\nof text"))
    segments = cut(found.upright, found.lines, 4)
    assert len(segments) == 2
    assert draw(segments, 4)[64:].min() > 200  # rows that are not used are paper
