import numpy as np
import pytest
from PIL import Image, ImageOps
from support import picture

from fovea.pages.blank import is_blank


def noisy(image, sigma, seed=0):
    noise = np.random.default_rng(seed).normal(0, sigma, (*image.size[::-1], 1))
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))


def shadowed(image):
    ramp = np.linspace(1.0, 0.7, image.width)[None, :, None]
    return Image.fromarray((np.asarray(image) * ramp).astype(np.uint8))


A4 = (1190, 1684)


@pytest.mark.parametrize(
    "image",
    [
        picture("", A4),
        noisy(picture("", A4), 8),
        shadowed(noisy(picture("", A4), 4)),
        Image.new("RGB", A4, (30, 30, 30)),
        Image.new("RGB", (1, 1), "black"),
    ],
    ids=["white", "noisy", "shadow", "black", "one pixel"],
)
def test_blank(image):
    assert is_blank(image)


def test_the_dark_edge_of_a_scan_is_not_ink():
    image = picture("", A4)
    image.paste((20, 20, 20), (0, 0, 15, 1684))
    assert is_blank(image)


@pytest.mark.parametrize("text", ["3", "Page 3 of 12"])
def test_a_page_number_alone_is_not_blank(text):
    assert not is_blank(noisy(picture(text, A4, 20), 4))


@pytest.mark.parametrize("text", ["3", "Page 3 of 12"])
def test_light_letters_on_a_dark_page_are_not_blank(text):
    assert not is_blank(noisy(ImageOps.invert(picture(text, A4, 20)), 4))


def test_grey_words_are_not_blank():
    image = picture("", A4)
    image.paste(picture("faint words here", (600, 200)).point(lambda v: 170 + v // 3), (100, 100))
    assert not is_blank(image)


def test_the_darkness_beyond_the_paper_is_not_ink_but_a_printed_band_is():
    image = picture("", A4)
    image.paste((20, 20, 20), (0, 0, 90, 1684))  # wider than the rim that is left out anyway
    assert is_blank(noisy(image, 4))
    band = picture("", A4)
    letters = picture("Annual report 2026", (1190, 100), 40).point(lambda value: 255 - value)
    band.paste(letters, (0, 0))  # white letters in a dark band along the top
    assert not is_blank(band)
