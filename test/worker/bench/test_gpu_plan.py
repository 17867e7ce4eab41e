"""The counts and simulations behind docs/research/GPU-PLAN.md, against the model itself."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

sys.path.insert(0, str(Path(__file__).parents[3] / "bench"))
import cost
import roofline
import schedule

from fovea.model import ModelConfig, OcrModel
from fovea.vision.views import make_views

EXACT = roofline.Design(folded=False)


def flops(ops):
    return sum(op.flops for op in ops)


@pytest.mark.parametrize(
    "config", [ModelConfig.deepseek_ocr(), ModelConfig.tiny(), *roofline.validation_models().values()]
)
def test_parameters_are_those_of_the_model(config):
    with torch.device("meta"):
        model = OcrModel(config)
    assert sum(roofline.parameters(config).values()) == sum(one.numel() for one in model.parameters())


def test_the_official_model_has_its_published_counts():
    config = ModelConfig.deepseek_ocr()
    assert sum(roofline.parameters(config).values()) == 3_336_106_240
    assert roofline.kv_bytes(config, EXACT) == 61_440
    for side, sam, clip in ((512, 228, 40), (640, 326, 63), (1024, 977, 163), (1280, 1683, 260)):
        assert round(flops(roofline.sam_ops(config, side, 1, EXACT)) / 1e9) == sam
        assert round(flops(roofline.clip_ops(config, side, 1, EXACT)) / 1e9) == clip
    prefill = flops(roofline.decoder_ops(config, 915, 0, 1, EXACT))
    assert prefill / 1e12 == pytest.approx(0.75, abs=0.05)


def test_operations_are_those_that_torch_counts():
    config = ModelConfig.tiny()
    model = OcrModel(config).init_weights().eval()
    # Of the fused CPU kernel torch counts nothing.
    with torch.inference_mode(), sdpa_kernel(SDPBackend.MATH):
        for batch, side in ((1, 128), (2, 192)):
            with FlopCounterMode(display=False) as counter:
                model.encode_view(torch.zeros(batch, 3, side, side))
            ours = flops(roofline.encoder_ops(config, side, batch, roofline.EAGER))
            assert ours == pytest.approx(counter.get_total_flops(), rel=0.02)
        cache = model.new_cache(3, 60)
        model.step(torch.randn(3, 59, config.decoder.width), cache)
        with FlopCounterMode(display=False) as counter:
            model.step(torch.randn(3, 1, config.decoder.width), cache)
        ours = flops(roofline.decoder_ops(config, 1, 59, 3, roofline.EAGER))
        assert ours == pytest.approx(counter.get_total_flops(), rel=0.02)


@pytest.mark.parametrize("mode", ["tiny", "small", "base", "large", "gundam"])
def test_pages_are_those_of_the_views(mode):
    from support import picture

    views = make_views(picture("", roofline.A4), mode)
    page = roofline.Page.of(mode)
    assert (page.positions, page.tokens) == (views.positions, views.patches)


def test_weights_are_read_once_a_step_and_experts_only_as_far_as_they_are_chosen():
    config = ModelConfig.deepseek_ocr()
    full = roofline.weight_bytes(config, EXACT)
    one, many = (
        sum(op.bytes for op in roofline.decoder_ops(config, 1, 0, batch, EXACT) if op.kind == "gemm")
        for batch in (1, 512)
    )
    assert one == pytest.approx(2 * 574.1e6, rel=0.02)  # the active parameters
    assert 5.5e9 < many < full


def outcome(name="H200", mode="base", pages=200, **policy):
    machine, config = roofline.gpu(name), ModelConfig.deepseek_ocr()
    policy = schedule.Policy(**{"max_batch": 32, **policy})
    return schedule.simulate(
        machine, config, EXACT, roofline.Page.of(mode), schedule.lengths(pages, mean=100, most=300), policy
    )


def test_the_simulation_keeps_the_batch_full_and_accounts_for_all_of_its_time():
    one = outcome()
    assert one.batch == pytest.approx(32, rel=0.1)
    assert one.encode + one.prefill + one.decode == pytest.approx(1)
    assert outcome(max_batch=1).pages_s < outcome(max_batch=8).pages_s < one.pages_s
    assert outcome("A100-40G").pages_s < outcome("H100").pages_s < one.pages_s


def test_the_simulation_is_never_faster_than_its_parts():
    machine, config, page = roofline.gpu("H200"), ModelConfig.deepseek_ocr(), roofline.Page.of("gundam")
    encode = roofline.encode_page_s(machine, config, page, 64, EXACT)
    assert outcome(mode="gundam").pages_s < 1 / encode


def test_memory_bounds_the_batch():
    config, design = ModelConfig.deepseek_ocr(), EXACT
    page, outputs = roofline.Page.of("gundam"), schedule.lengths(100, mean=200, most=400)
    small = replace(roofline.gpu("H200"), memory=16e9)
    budget = schedule.kv_budget(small, config, design)
    one = schedule.simulate(small, config, design, page, outputs, schedule.Policy(max_batch=256))
    assert one.kv_peak <= budget and one.batch < 40
    with pytest.raises(ValueError, match="no room"):
        schedule.simulate(replace(small, memory=10e9), config, design, page, outputs)


def test_lengths_have_their_mean():
    values = schedule.lengths(20_000, mean=1000)
    assert sum(values) / len(values) == pytest.approx(1000, rel=0.05)


def test_costs_fall_with_load_and_never_below_those_of_a_busy_gpu():
    inputs = cost.Inputs()
    floor = 1000 / inputs.rate / 3600 * inputs.price
    costs = [cost.simulate(load, inputs, hours=6) for load in (0.01, 0.1, 1.0, 10.0)]
    prices = [one.per_1000 for one in costs]
    assert prices == sorted(prices, reverse=True) and prices[-1] > floor
    assert costs[0].cold > 0.5 and costs[-1].cold < 0.01
    warm = cost.simulate(0.01, replace(inputs, keep=1), hours=6)
    assert warm.cold == 0 and warm.per_1000 > prices[0]


def test_more_load_than_one_gpu_can_read_starts_others():
    assert cost.simulate(50.0, cost.Inputs(), hours=1).gpus > 2
