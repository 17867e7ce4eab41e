import pytest
import torch
from train_support import MATERIAL, TINY

from fovea.language.tokenizer import Tokenizer
from fovea.model import OcrModel
from fovea.nano import places
from fovea.nano.places import Place
from fovea.result.page_result import BLOCK_TYPES
from fovea.train import grounding
from fovea.train.batches import IGNORED, Pages, collate_layouts
from fovea.train.grounding import (
    FINENESS,
    POINT,
    REGIONS,
    answer_of,
    blocks_of,
    layout_prompt,
    point_of,
    point_tokens,
    written_out,
)
from fovea.train.layouts import make_layout
from fovea.train.losses import Heads, Weights, compute

pytestmark = pytest.mark.slow

TOKENIZER = Tokenizer.characters()
BLOCKS = [
    ("title", (0.1, 0.05, 0.9, 0.1)),
    ("table", (0.25, 0.5, 0.75, 0.999)),
    ("page_number", (0, 0, 0.01, 0.01)),
]


def ids_of(blocks):
    return [token for token, _ in answer_of(blocks, TOKENIZER)]


@pytest.mark.parametrize("point", [(0, 0), (0.5, 0.25), (0.123, 0.987), (1, 1), (-2, 7)])
def test_a_point_comes_back_to_a_512th(point):
    tokens = point_tokens(*point)
    assert len(tokens) == POINT
    for value, back in zip(point, point_of(tokens), strict=True):
        assert abs(min(max(value, 0), 1) - back) <= 1 / FINENESS


def test_the_first_token_of_a_point_is_the_vision_token_that_shows_it():
    assert Place.of(point_tokens(0.3, 0.9)[0]) == Place(row=7, column=2)


def test_the_labels_are_block_types():
    """Footnotes are text to the model, as it was trained."""
    assert set(REGIONS) == BLOCK_TYPES - {"footnote"}


def test_an_answer_is_written_out_in_the_official_grammar():
    text = TOKENIZER.decode(written_out(ids_of(BLOCKS[:1]), TOKENIZER))
    assert text == "<|ref|>title<|/ref|><|det|>[[100, 51, 899, 100]]<|/det|>"


def test_the_official_parser_finds_the_blocks_again():
    for (kind, box), (was, before) in zip(blocks_of(ids_of(BLOCKS), TOKENIZER), BLOCKS, strict=True):
        assert kind == was
        assert box == pytest.approx(before, abs=2 / FINENESS)


def test_what_is_broken_names_no_block():
    whole = ids_of(BLOCKS[:1])
    for cut in range(len(whole)):
        assert blocks_of(whole[:cut], TOKENIZER) == []
    assert blocks_of(ids_of([("nonsense", (0.1, 0.1, 0.2, 0.2))]), TOKENIZER) == []


def test_noise_never_raises():
    generator = torch.Generator().manual_seed(1)
    for _ in range(200):
        noise = torch.randint(0, places.FIRST + places.COUNT, (40,), generator=generator).tolist()
        blocks_of(noise, TOKENIZER)


def test_a_layout_is_the_same_for_the_same_seed_and_its_blocks_are_on_the_page():
    kinds = set()
    for seed in range(30):
        one, same = make_layout(seed, data=MATERIAL), make_layout(seed, data=MATERIAL)
        assert one.image.tobytes() == same.image.tobytes() and one.parts == same.parts
        for kind, (x0, y0, x1, y1) in one.units():
            assert -0.03 < x0 < x1 < 1.03 and -0.03 < y0 < y1 < 1.03
            kinds.add(kind)
    assert kinds == set(REGIONS)


def test_a_batch_asks_the_official_question_and_says_where_to_look():
    layouts = Pages(count=2, data=MATERIAL).layouts(0)[:2]
    batch = collate_layouts(layouts, TOKENIZER)
    assert batch.pixels.shape == (2, 3, 512, 512)
    prompt = layout_prompt(TOKENIZER)
    assert batch.ids[0, : len(prompt)].tolist() == prompt
    assert blocks_of(batch.targets[0][batch.targets[0] != IGNORED][:-1].tolist(), TOKENIZER)
    pointed = batch.cells[batch.cells != IGNORED]
    assert (batch.ids[0][pointed] == TOKENIZER.image).all()
    kind, (x0, y0, x1, y1) = layouts[0].units()[0]
    inside = batch.regions[0][int((y0 + y1) * 16), int((x0 + x1) * 16)]
    assert inside in (0, 1 + REGIONS.index(kind))


def test_the_losses_of_a_page_fall_when_it_is_seen_again_and_again():
    torch.manual_seed(0)
    batch = collate_layouts(Pages(count=1, data=MATERIAL).layouts(0)[:1], TOKENIZER)
    model, heads = OcrModel(TINY).init_weights(), Heads(TINY)
    optimizer = torch.optim.AdamW([*model.parameters(), *heads.parameters()], lr=3e-3)
    first = None
    for _ in range(8):
        now = compute(model, heads, batch, Weights(), 0.0)
        first = first or now
        now.total.backward()
        optimizer.step()
        optimizer.zero_grad()
    for name in ("page regions", "page zones", "page text", "page guide"):
        assert now.parts[name] < first.parts[name], name
    assert "place" not in now.parts and "page place" not in now.parts


def test_a_page_is_seen_whole():
    assert grounding.page_view(make_layout(1, data=MATERIAL).image).size == (512, 512)
