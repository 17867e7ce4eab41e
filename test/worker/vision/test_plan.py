import itertools
from pathlib import Path

import pytest
from support import picture

from fovea.pages.documents import open_document
from fovea.vision.modes import MODES, valid_tokens
from fovea.vision.plan import (
    TARGET,
    Density,
    choose,
    glyph_in,
    least_tokens,
    measure,
    precision_in,
    spread,
)
from fovea.vision.views import make_views

LADDER = tuple(MODES)

A4 = (1191, 1684)
EXAMPLES = Path(__file__).parents[3] / "examples"


def page(tokens, glyph=0.0, size=A4):
    return Density(*size, tokens, glyph)


def total(modes, pages):
    return sum(valid_tokens(one.size, mode) for mode, one in zip(modes, pages, strict=True))


@pytest.mark.parametrize("mode", LADDER)
@pytest.mark.parametrize("size", [A4, (1684, 1191), (600, 400), (300, 3000)])
def test_vision_tokens_are_counted_as_the_views_will_have_them(mode, size):
    assert valid_tokens(size, mode) == make_views(picture("", size), mode).valid


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [
        ("paper.pdf", 0.35),
        ("invoice.pdf", 0.35),
        ("report-12.pdf", 0.35),
        ("photo.jpg", 0.35),
        ("chinese.png", 0.35),
    ],
)
def test_the_text_of_a_page_is_estimated_from_its_pixels(name, tolerance, official_tokenizer):
    document = open_document((EXAMPLES / name).read_bytes(), 50_000_000)
    pages = [document.raster(number, 144) for number in range(1, document.page_count + 1)]
    estimate = sum(measure(raster.image).tokens for raster in pages)
    truth = (EXAMPLES / "truth" / f"{Path(name).stem}.txt").read_text()
    assert estimate == pytest.approx(len(official_tokenizer.encode(truth)), rel=tolerance)


def test_letters_are_measured_in_pixels_of_the_page():
    for height in (16, 32, 64):
        density = measure(picture("The quick brown fox\njumps over lazy dogs", (1200, 900), height))
        assert 0.4 * height < density.glyph < 0.9 * height


def test_light_letters_on_a_dark_page_count_too():
    from PIL import ImageOps

    image = picture("The quick brown fox\njumps over lazy dogs")
    assert measure(ImageOps.invert(image)).tokens == pytest.approx(measure(image).tokens, rel=0.1)


def test_a_page_without_text_has_none():
    assert measure(picture("")).tokens == 0
    framed = picture("")
    framed.paste((0, 0, 0), (100, 100, 700, 500))
    assert measure(framed).tokens < 2


def test_a_text_layer_is_believed_unless_the_pixels_say_far_more():
    image = picture("The quick brown fox jumps\nover lazy dogs and more\nof them than one")
    seen = measure(image).tokens
    assert measure(image, 600).tokens == 200
    assert measure(image, round(2 * seen)).tokens == pytest.approx(2 * seen / 3, abs=1)
    assert measure(image, 3).tokens == pytest.approx(seen / 2)


def test_the_cheapest_mode_from_base_on_that_reaches_the_precision_is_chosen():
    assert [choose(page(tokens)) for tokens in (0, 400, 700, 1300, 2000, 4000)] == [
        *("base", "base", "base", "base", "large", "gundam"),
    ]
    # No mode is known to reach it: the richest.
    assert choose(page(100_000)) == "gundam"


def test_a_lower_target_is_cheaper_and_never_the_other_way_round():
    for tokens in range(0, 9000, 250):
        order = [LADDER.index(choose(page(tokens), target)) for target in (0.5, 0.8, 0.9, TARGET)]
        assert order == sorted(order)
        if order[-1] < len(LADDER) - 1:
            assert precision_in(page(tokens), LADDER[order[-1]]) >= TARGET


def test_letters_must_be_large_enough_in_the_view():
    little = page(100, glyph=6)
    assert glyph_in(little, "tiny") == pytest.approx(6 * 512 / 1684)
    assert precision_in(little, "tiny") == precision_in(little, "small") == 0 < precision_in(little, "base")
    assert precision_in(page(100, glyph=12), "tiny") > 0
    assert choose(page(100, glyph=4)) == "large"
    # A tile shows the page larger than the view of the whole does, but never larger than it is.
    assert glyph_in(page(1, 4), "gundam") == 4
    assert glyph_in(page(1, 4, (2382, 3368)), "gundam") == pytest.approx(4 * 1920 / 3368)


def test_a_budget_goes_to_the_pages_that_need_it():
    pages = [page(3000), page(50), page(50), page(900)]
    modes = spread(pages, 1100)
    assert total(modes, pages) <= 1100
    assert modes[1:3] == ["small", "small"]
    assert LADDER.index(modes[0]) > LADDER.index(modes[3]) > 0


def test_a_budget_is_never_exceeded_and_more_of_it_never_reads_less():
    pages = [page(200 * (i % 9), glyph=4 + i % 11) for i in range(20)]
    least = least_tokens(pages)
    worth = []
    for budget in range(least, 12_000, 431):
        modes = spread(pages, budget)
        assert total(modes, pages) <= budget
        worth.append(
            sum(one.tokens * precision_in(one, mode) for one, mode in zip(pages, modes, strict=True))
        )
    assert worth[-1] > worth[0]
    assert all(later >= earlier - 60 for earlier, later in itertools.pairwise(worth))


def test_a_budget_that_is_large_enough_gives_each_page_the_mode_it_would_have_had():
    pages = [page(tokens) for tokens in (0, 500, 1000, 2000, 5000)]
    assert spread(pages, 10**6) == [choose(one) for one in pages]


def test_a_budget_that_is_too_small_gives_every_page_its_cheapest_mode():
    pages = [page(3000)] * 3
    assert spread(pages, 10) == ["tiny"] * 3
    assert least_tokens(pages) == 192
    # Of a narrow strip the square views show little but border.
    strip = [page(3000, size=(100, 2000))]
    assert spread(strip, 10) == ["base"] and least_tokens(strip) == 12


def test_no_pages_take_no_budget():
    assert spread([], 1000) == []
