"""The views against Pillow itself, pixel for pixel."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps
from support import encoded

from fovea.model.pixels import to_pixels
from fovea.pages.documents import open_document
from fovea.vision.modes import MODES, tile_grid, valid_tokens
from fovea.vision.views import make_views

CONTRACT = Path(__file__).parents[2] / "contract"
SIZES = [(1, 1), (641, 640), (640, 640), (600, 1800), (1920, 1080), (1190, 1684)]


def noise(size, seed=0):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8))


def same(a, b):
    return a.size == b.size and a.tobytes() == b.tobytes()


@pytest.mark.parametrize("size", SIZES)
def test_small_modes_stretch_and_large_ones_pad_with_grey(size):
    image = noise(size)
    assert same(make_views(image, "tiny").whole, image.resize((512, 512)))
    assert same(make_views(image, "small").whole, image.resize((640, 640)))
    for mode, side in (("base", 1024), ("large", 1280), ("gundam", 1024)):
        assert same(make_views(image, mode).whole, ImageOps.pad(image, (side, side), color=(127, 127, 127)))


@pytest.mark.parametrize("size", SIZES)
def test_tiles_are_the_stretched_page_cut_row_by_row(size):
    image = noise(size)
    views = make_views(image, "gundam")
    if max(size) <= 640:
        assert (views.tiles, views.columns, views.rows) == ([], 0, 0)
        return
    whole = Image.new("RGB", (views.columns * 640, views.rows * 640))
    for number, tile in enumerate(views.tiles):
        whole.paste(tile, (number % views.columns * 640, number // views.columns * 640))
    assert same(whole, image.resize(whole.size))


@pytest.mark.parametrize(
    ("width", "height", "most", "grid"),
    [
        (1190, 1684, 6, (2, 3)),
        (1684, 1190, 6, (3, 2)),
        (1920, 1080, 6, (2, 1)),
        (1920, 1080, 9, (4, 2)),
        (600, 1800, 6, (1, 3)),
        (2000, 2000, 6, (2, 2)),
        (2000, 2000, 9, (3, 3)),
        (700, 700, 6, (2, 2)),
        (641, 640, 6, (2, 2)),
        (5000, 100, 6, (6, 1)),
        # As near to one grid as to another: the larger one where the page has half of its pixels.
        (1000, 800, 6, (2, 2)),
        (2000, 1600, 6, (3, 2)),
        (1000, 400, 6, (2, 1)),
        (1500, 600, 6, (3, 1)),
        (1000, 1000, 9, (2, 2)),
    ],
)
def test_the_grid_nearest_to_the_pages_aspect(width, height, most, grid):
    assert tile_grid(width, height, most) == grid


@pytest.mark.parametrize(
    ("mode", "positions", "patches", "valid"),
    [
        ("tiny", 73, 64, 64),
        ("small", 111, 100, 100),
        ("base", 273, 256, int(256 * 1190 / 1684)),
        ("large", 421, 400, int(400 * 1190 / 1684)),
        ("gundam", 903, 856, int(256 * 1190 / 1684) + 600),
    ],
)
def test_token_counts_of_an_a4_page(mode, positions, patches, valid):
    views = make_views(noise((1190, 1684)), mode)
    assert (views.positions, views.patches, views.valid) == (positions, patches, valid)
    assert views.whole.size == (MODES[mode].side,) * 2


def test_a_landscape_page_has_fewer_newlines():
    assert make_views(noise((1684, 1190)), "gundam").positions == 893
    assert make_views(noise((300, 300)), "gundam").positions == 273


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_before(orientation):
    image = noise((90, 60))
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = open_document(encoded(image, "PNG", exif=exif), 10**8).raster(1, 144).image
    image.getexif()[0x0112] = orientation
    assert same(upright, ImageOps.exif_transpose(image))
    assert same(make_views(upright, "tiny").whole, upright.resize((512, 512)))


def test_pixels_of_several_views_are_one_batch():
    assert to_pixels([noise((64, 128)), noise((64, 128), 1)]).shape == (2, 3, 128, 64)


@pytest.mark.parametrize("page", json.loads((CONTRACT / "vision-tokens.json").read_text()))
def test_valid_tokens_are_those_that_the_edge_counts(page):
    size = page["width"], page["height"]
    assert {mode: valid_tokens(size, mode) for mode in MODES} == page["valid"]
