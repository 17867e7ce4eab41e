"""Our modules against independent implementations of the same parts, with weights copied across.

Where the official model differs from the part as transformers has it, the difference is tested on its own:
CLIP without its final norm (compared before it), positions at other sizes (`test_tables`), router probabilities
that are not renormalised (DeepSeek-V2's block has the same rule).
"""

import pytest
import torch
import transformers
from transformers.models.deepseek_v2.modeling_deepseek_v2 import DeepseekV2Moe
from transformers.models.sam.modeling_sam import SamVisionAttention, SamVisionEncoder

from fovea.model import ClipConfig, DecoderConfig, ModelConfig, OcrModel, SamConfig
from fovea.model.clip import Clip
from fovea.model.decoder import MixtureOfExperts
from fovea.model.pixels import to_pixels
from fovea.model.sam import Sam

BOUND = 1e-4


def randomize(module, seed=0):
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        parameter.data.normal_(std=0.1, generator=generator)
    return module.eval()


def distance(ours, theirs) -> float:
    """Largest absolute difference, relative to the scale of what is compared."""
    assert ours.shape == theirs.shape
    return float((ours - theirs).abs().max() / theirs.abs().max())


def their_sam(config: SamConfig, attention="eager"):
    theirs = SamVisionEncoder(
        transformers.SamVisionConfig(
            hidden_size=config.width,
            num_hidden_layers=config.depth,
            num_attention_heads=config.heads,
            mlp_dim=config.mlp,
            mlp_ratio=config.mlp / config.width,
            image_size=config.grid * config.patch,
            patch_size=config.patch,
            window_size=config.window,
            global_attn_indexes=list(config.global_blocks),
            output_channels=config.neck,
            hidden_act="gelu",
            layer_norm_eps=1e-6,
            attn_implementation=attention,
        )
    ).eval()
    return theirs


def sam_names(name: str) -> str:
    for ours, theirs in (
        ("patch_embed.proj.", "patch_embed.projection."),
        ("blocks.", "layers."),
        (".norm1.", ".layer_norm1."),
        (".norm2.", ".layer_norm2."),
        ("neck.0.", "neck.conv1."),
        ("neck.1.", "neck.layer_norm1."),
        ("neck.2.", "neck.conv2."),
        ("neck.3.", "neck.layer_norm2."),
    ):
        name = name.replace(ours, theirs)
    return name


@torch.inference_mode()
def test_sam_with_padded_windows_and_relative_positions():
    # A grid of 8 in windows of 3: the last window of each row and column is padded.
    config = SamConfig(32, 4, 2, 64, grid=8, window=3, global_blocks=(1, 3), neck=16, compressor=(24, 32))
    ours, theirs = randomize(Sam(config)), their_sam(config)
    weights = {sam_names(name): w for name, w in ours.state_dict().items() if not name.startswith("net_")}
    assert set(weights) == set(theirs.state_dict())
    theirs.load_state_dict(weights)
    pixels = torch.randn(2, 3, 128, 128)
    expected = theirs(pixels).last_hidden_state
    x = ours.patch_embed(pixels) + ours.pos_embed
    for block in ours.blocks:
        x = block(x)
    assert distance(ours.neck(x.permute(0, 3, 1, 2)), expected) < BOUND
    compressed = torch.nn.functional.conv2d(expected, ours.net_2.weight, stride=2, padding=1)
    compressed = torch.nn.functional.conv2d(compressed, ours.net_3.weight, stride=2, padding=1)
    assert distance(ours(pixels), compressed) < BOUND


@torch.inference_mode()
@pytest.mark.parametrize("grid", [4, 11])
def test_sam_relative_tables_at_other_sizes(grid):
    config = SamConfig(32, 1, 2, 64, grid=8, window=0, global_blocks=(0,), neck=16, compressor=(24, 32))
    ours = randomize(Sam(config)).blocks[0].attn
    theirs = SamVisionAttention(their_sam(config).config, window_size=0).eval()
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(1, grid, grid, 32)
    assert distance(ours(x), theirs(x)[0]) < BOUND


@torch.inference_mode()
def test_clip_without_its_final_norm():
    config = ClipConfig(width=32, depth=3, heads=4, mlp=64, grid=4, patch=14)
    ours = randomize(Clip(config))
    theirs = transformers.CLIPVisionModel(
        transformers.CLIPVisionConfig(
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=3,
            num_attention_heads=4,
            image_size=56,
            patch_size=14,
            hidden_act="quick_gelu",
            layer_norm_eps=1e-5,
        )
    ).eval()
    weights = {}
    for name, tensor in ours.state_dict().items():
        name = name.replace("transformer.layers.", "encoder.layers.")
        if "qkv_proj" in name:
            for part, rows in zip("qkv", tensor.chunk(3), strict=True):
                weights[name.replace("qkv_proj", f"{part}_proj")] = rows
        else:
            weights[name] = tensor
    wanted = theirs.state_dict()
    prefix = "vision_model." if any(name.startswith("vision_model.") for name in wanted) else ""
    weights = {prefix + name: tensor for name, tensor in weights.items()}
    rest = {
        name: tensor for name, tensor in wanted.items() if "post_layernorm" in name or "position_ids" in name
    }
    assert set(weights) | set(rest) == set(wanted)
    theirs.load_state_dict({**rest, **weights})
    pixels = torch.randn(2, 3, 56, 56)
    features = ours.embeddings.patch_embedding(pixels)  # what the compressor's output stands for
    assert distance(ours(features), theirs(pixels).last_hidden_state[:, 1:]) < BOUND


@torch.inference_mode()
def test_attention_norm_and_rotary_positions_against_llama():
    decoder = DecoderConfig(
        vocab=96, width=48, depth=3, heads=3, head_dim=16, dense_layers=3, dense_mlp=64, context=64
    )
    tiny = ModelConfig.tiny()
    ours = randomize(OcrModel(ModelConfig(tiny.sam, tiny.clip, decoder)))
    theirs = transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=96,
            hidden_size=48,
            intermediate_size=64,
            num_hidden_layers=3,
            num_attention_heads=3,
            num_key_value_heads=3,
            head_dim=16,
            rms_norm_eps=1e-6,
            max_position_embeddings=64,
            tie_word_embeddings=False,
        )
    ).eval()
    skipped = (
        "model.sam_model",
        "model.vision_model",
        "model.projector",
        "model.image_newline",
        "model.view_",
    )
    theirs.load_state_dict({n: t for n, t in ours.state_dict().items() if not n.startswith(skipped)})
    ids = torch.randint(0, 96, (2, 40))
    assert distance(ours(ours.embed(ids)), theirs(ids).logits) < BOUND


@torch.inference_mode()
def test_mixture_of_experts_against_deepseek_v2():
    decoder = DecoderConfig(
        vocab=96, width=48, heads=3, head_dim=16, experts=8, experts_per_token=3, expert_mlp=24, shared_mlp=48
    )
    ours = randomize(MixtureOfExperts(decoder))
    config = transformers.DeepseekV2Config(
        hidden_size=48,
        num_attention_heads=4,
        num_key_value_heads=4,
        moe_intermediate_size=24,
        n_shared_experts=2,
        n_routed_experts=8,
        num_experts_per_tok=3,
        topk_method="greedy",
        n_group=1,
        topk_group=1,
        norm_topk_prob=False,
        routed_scaling_factor=1.0,
        hidden_act="silu",
    )
    theirs = DeepseekV2Moe(config).eval()
    experts = ours.experts
    theirs.load_state_dict(
        {
            "gate.weight": ours.gate.weight,
            "experts.gate_up_proj": torch.stack(
                [torch.cat([e.gate_proj.weight, e.up_proj.weight]) for e in experts]
            ),
            "experts.down_proj": torch.stack([e.down_proj.weight for e in experts]),
            **{f"shared_experts.{name}": tensor for name, tensor in ours.shared_experts.state_dict().items()},
        }
    )
    x = torch.randn(2, 30, 48)
    assert distance(ours(x), theirs(x)) < BOUND
    weights, _ = ours.route(x.view(-1, 48))
    assert (weights.sum(-1) < 0.999).all()


def test_pixels_are_normalised_as_torchvision_would():
    from PIL import Image

    pixels = to_pixels([Image.new("RGB", (2, 2), (0, 127, 255))])
    assert torch.allclose(pixels[0, :, 0, 0], torch.tensor([-1.0, 127 / 127.5 - 1, 1.0]), atol=1e-6)


def test_all_experts_for_every_token_give_what_those_that_were_chosen_give():
    """What a GPU computes while it learns."""
    decoder = DecoderConfig(vocab=96, width=32, experts=6, experts_per_token=2, expert_mlp=16, shared_mlp=24)
    experts = randomize(MixtureOfExperts(decoder)).requires_grad_()
    x = torch.randn(3, 11, 32, requires_grad=True)
    learnt = [x, *experts.parameters()]
    expected = torch.autograd.grad(experts(x).square().sum(), learnt)
    flat = x.view(-1, 32)
    out = (experts._all(flat) + experts.shared_experts(flat)).view(x.shape)
    assert torch.allclose(out, experts(x), rtol=1e-4, atol=1e-5)
    for ours, theirs in zip(torch.autograd.grad(out.square().sum(), learnt), expected, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-3, atol=1e-5)
