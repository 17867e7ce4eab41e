"""Fused weights are the model's own; int8 is close to them and fits a small machine."""

import pytest
import torch
from conftest import TOKENIZER, VOCABULARY, make_model

from fovea.engine.generate import Rules, generate
from fovea.engine.weights import Int8, Packed, fuse, suitable
from fovea.model import ModelConfig, OcrModel
from fovea.model.decoder import MixtureOfExperts

EIGHT_GB = 8_000_000_000


@torch.inference_mode()
def test_fusing_changes_neither_names_nor_values_and_copies_nothing():
    model = make_model()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    weights = fuse(model)
    after = model.state_dict()
    assert set(before) == set(after)
    assert all(torch.equal(before[name], after[name]) for name in before)
    attention = model.model.layers[1].self_attn
    assert attention.k_proj.weight.untyped_storage().data_ptr() == (
        weights.layers[1].qkv.weights.untyped_storage().data_ptr()
    )
    expert = model.model.layers[2].mlp.experts[5]
    assert expert.up_proj.weight.untyped_storage().data_ptr() == (
        weights.layers[2].mlp.gate_up.untyped_storage().data_ptr()
    )


@torch.inference_mode()
@pytest.mark.parametrize("tokens", [1, 2, 7, 60])
def test_grouped_and_looped_experts_are_the_models_own(tokens):
    model = make_model()
    module: MixtureOfExperts = model.model.layers[1].mlp
    x = torch.randn(tokens, 48)
    wanted = module.plain(x)
    experts = fuse(make_model(), suitable(model)).layers[1].mlp
    assert torch.allclose(experts(x), wanted, atol=1e-5)
    experts = fuse(model).layers[1].mlp
    assert torch.allclose(experts(x), wanted, atol=1e-5)
    chosen = torch.randint(0, 8, (tokens * 3,)).sort().values
    inputs, counts = torch.randn(tokens * 3, 48), chosen.bincount(minlength=8)
    assert torch.allclose(experts._grouped(inputs, counts), experts._looped(inputs, counts), atol=1e-5)


@torch.inference_mode()
@pytest.mark.parametrize("shape", [(64, 128), (40, 24), (271, 320)])
@pytest.mark.parametrize("tokens", [1, 3, 16, 70])
def test_packed_is_the_same_product(shape, tokens):
    if suitable(make_model()) != "packed":
        pytest.skip("this build of PyTorch has no oneDNN")
    weights, x = torch.randn(shape), torch.randn(tokens, shape[1])
    assert torch.allclose(Packed.of(weights)(x), x @ weights.T, atol=1e-4)


def test_only_small_fp32_decoders_are_packed():
    assert suitable(make_model().bfloat16()) == "plain"
    with torch.device("meta"):
        assert suitable(OcrModel(ModelConfig.deepseek_ocr())) == "plain"


@torch.inference_mode()
@pytest.mark.parametrize("shape", [(64, 128), (40, 24), (192, 64)])
@pytest.mark.parametrize("tokens", [1, 16, 17])
def test_int8_is_within_its_rounding(shape, tokens):
    weights, x = torch.randn(shape), torch.randn(tokens, shape[1])
    packed = Int8.of(weights)
    assert packed.weights.dtype == torch.int8
    step = packed.scales[:, None]
    assert ((packed.weights * step - weights).abs() <= step / 2 + 1e-6).all()
    error = (packed(x) - x @ weights.T).norm() / (x @ weights.T).norm()
    assert error < 0.015


def test_int8_says_nearly_what_fp32_says(make_engine, prompts):
    """On a random model, which is never sure: the same beginning, and probabilities that are close."""
    model = make_model(seed=9, width=64, heads=2, head_dim=32, dense_mlp=128, expert_mlp=64, shared_mlp=64)
    rules = Rules.of(TOKENIZER, VOCABULARY)
    generator = torch.Generator().manual_seed(2)
    prompts = [torch.randn(20 + 3 * n, 64, generator=generator) for n in range(4)]
    wanted = [generate(model, p[None], rules, 12) for p in prompts]
    engine = make_engine(own_model=model, int8=True)
    answers = [handle.result(60) for handle in [engine.submit(p, max_new=12) for p in prompts]]
    same = [ours.ids[0] == theirs.ids[0] for ours, theirs in zip(answers, wanted, strict=True)]
    assert sum(same) >= 3
    for ours, theirs, equal in zip(answers, wanted, same, strict=True):
        if equal:
            assert ours.log_probs[0] == pytest.approx(theirs.log_probs[0], abs=0.05)


def test_int8_of_a_bf16_checkpoint_computes_in_fp32(make_engine, prompts):
    engine = make_engine(own_model=make_model(seed=9).bfloat16(), int8=True)
    assert engine._decoder.cache.keys.dtype == torch.float32
    assert next(engine.model.model.sam_model.parameters()).dtype == torch.float32
    assert len(engine.submit(prompts[1], max_new=3).result(60).log_probs) <= 3


def int8_bytes(model: OcrModel, encoder: torch.dtype = torch.float32) -> int:
    """Bytes of all weights with the decoder in int8; embeddings and norms stay as they are. By arithmetic:
    works on the meta device."""
    total = 0
    for name, tensor in model.state_dict().items():
        if name.startswith(("model.sam_model.", "model.vision_model.", "model.projector.")):
            total += tensor.numel() * encoder.itemsize
        elif tensor.dim() == 2 and not name.endswith(("embed_tokens.weight", "mlp.gate.weight")):
            total += tensor.numel() + 4 * tensor.shape[0]
        elif name.endswith("mlp.gate.weight"):
            total += 4 * tensor.numel()
        else:
            total += tensor.numel() * tensor.element_size()
    return total


def test_the_full_model_in_int8_fits_8_gb_with_a_whole_context():
    with torch.device("meta"):
        model = OcrModel(ModelConfig.deepseek_ocr()).to(torch.bfloat16)
    weights = int8_bytes(model)
    decoder = model.config.decoder
    a_position = 2 * decoder.depth * decoder.heads * decoder.head_dim * 4  # keys and values in fp32
    assert weights == pytest.approx(4.72e9, rel=0.02)
    assert a_position == 2 * 61_440
    assert weights + (2 << 30) < EIGHT_GB  # the default cache: two whole contexts
    assert 2 * a_position * decoder.context < (2 << 30)
