"""Pictures of image blocks, cut out of the page."""

import io

import numpy as np
import pytest
from PIL import Image
from support import DIGEST, encoded

from fovea.pages.figures import LONGEST_SIDE, MAX_FIGURES, attach_figures
from fovea.result.page_result import Block, PageResult

NOISE = np.random.default_rng(1).integers(0, 256, (600, 600, 3), np.uint8)


def page(image, *boxes, turned=0):
    blocks = [Block(number, "image", box, "") for number, box in enumerate(boxes, 1)]
    result = PageResult(1, *image.size, 144, "m", DIGEST, blocks=blocks, turned=turned)
    attach_figures(result, image)
    result.to_json()
    return result


def figure(result, number=1):
    picture = Image.open(io.BytesIO(result.attachments[f"figures/{number}"]))
    said = result.blocks[number - 1].figure
    assert (picture.get_format_mimetype(), *picture.size) == (
        said["media_type"],
        said["width"],
        said["height"],
    )
    assert said["bytes"] == len(result.attachments[f"figures/{number}"])
    return picture


def test_a_drawing_is_a_png_of_its_part_of_the_page():
    image = Image.new("RGB", (400, 200), "white")
    image.paste("red", (100, 50, 300, 150))
    picture = figure(page(image, (0.25, 0.25, 0.75, 0.75)))
    assert (picture.format, picture.size, picture.getcolors()) == ("PNG", (200, 100), [(20000, (255, 0, 0))])


def test_a_photograph_is_a_jpeg():
    assert figure(page(Image.fromarray(NOISE), (0, 0, 1, 1))).format == "JPEG"
    grey = figure(page(Image.fromarray(np.repeat(NOISE[..., :1], 3, 2)), (0, 0, 1, 1)))
    assert (grey.format, grey.mode) == ("JPEG", "L")


@pytest.mark.parametrize(("turned", "corner"), [(1, (0, 0)), (2, (199, 0)), (3, (199, 399))])
def test_a_figure_of_a_turned_page_is_upright(turned, corner):
    image = Image.new("RGB", (400, 200) if turned != 2 else (200, 400), "white")
    image.paste("red", (0, image.height - 20, 20, image.height))
    picture = figure(page(image, (0, 0, 1, 1), turned=turned))
    assert picture.size == (200, 400)
    assert picture.getpixel(corner) == (255, 0, 0)


def test_boxes_outside_the_page_and_other_blocks_do_no_harm():
    result = page(Image.fromarray(NOISE), (-0.1, 0.9, 0.1, 1.2), (1, 1, 1, 1))
    assert figure(result).size == (60, 60)
    assert figure(result, 2).size == (1, 1)
    text = PageResult(1, 9, 9, 144, "m", DIGEST, blocks=[Block(1, "text", (0, 0, 1, 1), "x")])
    attach_figures(text, Image.new("RGB", (9, 9)))
    assert (text.attachments, text.warnings) == ({}, [])


def test_a_large_figure_is_reduced():
    assert figure(page(Image.new("RGB", (5000, 100)), (0, 0, 1, 1))).size == (LONGEST_SIDE, 40)


def test_the_largest_figures_are_kept_and_a_warning_says_how_many_are_not():
    boxes = [(0, 0, 0.5 + 0.01 * number, 0.1) for number in range(MAX_FIGURES + 2)]
    result = page(Image.new("RGB", (200, 200), "blue"), *boxes)
    assert [block.id for block in result.blocks if block.figure is None] == [1, 2]
    assert result.warnings == [f"Only {MAX_FIGURES} of {MAX_FIGURES + 2} figures are kept as images."]


def test_figures_share_the_bytes_of_a_page(monkeypatch):
    image = Image.fromarray(NOISE)
    monkeypatch.setattr("fovea.pages.figures.MAX_FIGURES_BYTES", len(encoded(image, "JPEG", quality=85)))
    result = page(image, (0, 0, 1, 1), (0, 0, 0.9, 0.9))
    assert set(result.attachments) == {"figures/1"}
    assert "Only 1 of 2" in result.warnings[0]
