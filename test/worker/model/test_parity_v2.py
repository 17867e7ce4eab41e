"""DeepSeek-OCR 2 as a whole against transformers' implementation (`deepseek_ocr2`), with the same random weights.

The weights go through transformers' own table of the official checkpoint's names, so the names are tested, too.
"""

import re

import numpy as np
import pytest
import torch
from PIL import Image
from transformers.conversion_mapping import get_checkpoint_conversion_mapping
from transformers.core_model_loading import WeightRenaming
from transformers.models.deepseek_ocr2 import (
    DeepseekOcr2Config,
    DeepseekOcr2ForConditionalGeneration,
)
from transformers.models.deepseek_ocr2.image_processing_pil_deepseek_ocr2 import (
    DeepseekOcr2ImageProcessorPil,
    get_optimal_tiled_canvas,
)

from fovea.model import ModelConfig, OcrModel
from fovea.model.pixels import to_pixels
from fovea.vision.modes import DEEPSEEK_OCR_2, positions, tiling
from fovea.vision.views import make_views

BOUND = 1e-5


def distance(ours, theirs) -> float:
    """Largest absolute difference, relative to the scale of what is compared."""
    assert ours.shape == theirs.shape
    return float((ours - theirs).abs().max() / theirs.abs().max())


def their_config(config: ModelConfig) -> DeepseekOcr2Config:
    sam, qwen, decoder = config.sam, config.qwen, config.decoder
    return DeepseekOcr2Config(
        vision_config={
            "sam_config": {
                "hidden_size": sam.width,
                "num_hidden_layers": sam.depth,
                "num_attention_heads": sam.heads,
                "mlp_dim": sam.mlp,
                "image_size": sam.grid * sam.patch,
                "window_size": sam.window,
                "global_attn_indexes": list(sam.global_blocks),
                "output_channels": sam.neck,
                "downsample_channels": list(sam.compressor),
            },
            "encoder_config": {
                "hidden_size": qwen.width,
                "intermediate_size": qwen.mlp,
                "num_hidden_layers": qwen.depth,
                "num_attention_heads": qwen.heads,
                "num_key_value_heads": qwen.kv_heads,
                "rope_parameters": {"rope_type": "default", "rope_theta": qwen.rope_theta},
            },
        },
        text_config={
            "vocab_size": decoder.vocab,
            "hidden_size": decoder.width,
            "intermediate_size": decoder.dense_mlp,
            "num_hidden_layers": decoder.depth,
            "num_attention_heads": decoder.heads,
            "n_routed_experts": decoder.experts,
            "num_experts_per_tok": decoder.experts_per_token,
            "moe_intermediate_size": decoder.expert_mlp,
            "n_shared_experts": decoder.shared_mlp // decoder.expert_mlp,
            "n_group": 1,
            "topk_group": 1,
            "mlp_layer_types": ["dense"] * decoder.dense_layers
            + ["sparse"] * (decoder.depth - decoder.dense_layers),
            "max_position_embeddings": decoder.context,
            "rope_parameters": {"rope_type": "default", "rope_theta": decoder.rope_theta},
        },
        image_token_id=decoder.vocab - 1,
    )


def their_weights(ours: OcrModel) -> dict[str, torch.Tensor]:
    """Our tensors, which have the official checkpoint's names, under the names that transformers gives them."""
    renamings = [
        rule
        for rule in get_checkpoint_conversion_mapping("deepseek_ocr2")
        if isinstance(rule, WeightRenaming)
    ]
    weights: dict[str, torch.Tensor] = {}
    experts: dict[str, dict[int, dict[str, torch.Tensor]]] = {}
    for name, tensor in ours.state_dict().items():
        if found := re.match(r"model\.(layers\.\d+\.mlp\.experts)\.(\d+)\.(\w+)_proj\.weight", name):
            layer, expert, part = found.groups()
            experts.setdefault(layer, {}).setdefault(int(expert), {})[part] = tensor
            continue
        for rule in renamings:
            name, _ = rule.rename_source_key(name)
        weights[name] = tensor
    for layer, parts in experts.items():
        ordered = [parts[number] for number in sorted(parts)]
        prefix = f"model.language_model.{layer}"
        weights[f"{prefix}.gate_up_proj"] = torch.stack([torch.cat([e["gate"], e["up"]]) for e in ordered])
        weights[f"{prefix}.down_proj"] = torch.stack([e["down"] for e in ordered])
    return weights


@pytest.fixture(scope="module")
def models():
    config = ModelConfig.tiny_2(context=1200, shared_mlp=48)
    ours = OcrModel(config)
    generator = torch.Generator().manual_seed(0)
    for parameter in ours.parameters():
        parameter.data.normal_(std=0.1, generator=generator)
    theirs = DeepseekOcr2ForConditionalGeneration(their_config(config))
    theirs.load_state_dict(their_weights(ours), strict=True)
    return ours.eval(), theirs.eval()


def test_the_official_model_has_as_many_parameters_as_transformers():
    with torch.device("meta"):
        ours = OcrModel(ModelConfig.deepseek_ocr_2()).state_dict()
        theirs = DeepseekOcr2ForConditionalGeneration(their_config(ModelConfig.deepseek_ocr_2())).state_dict()
    assert len(ours) == 2707
    total = sum(tensor.numel() for tensor in ours.values())
    assert total == sum(tensor.numel() for tensor in theirs.values()) == 3_389_119_360
    for name, shape in {
        "model.sam_model.net_3.weight": (896, 512, 3, 3),
        "model.qwen2_model.query_768.weight": (144, 896),
        "model.qwen2_model.query_1024.weight": (256, 896),
        "model.qwen2_model.model.model.layers.23.self_attn.k_proj.weight": (128, 896),
        "model.qwen2_model.model.model.layers.0.self_attn.q_proj.bias": (896,),
        "model.qwen2_model.model.model.layers.0.mlp.down_proj.weight": (896, 4864),
        "model.qwen2_model.model.model.norm.weight": (896,),
        "model.projector.layers.weight": (1280, 896),
        "model.view_seperator": (1280,),
    }.items():
        assert tuple(ours[name].shape) == shape, name
    assert "model.image_newline" not in ours


@torch.inference_mode()
def test_sam_with_compressor(models):
    ours, theirs = models
    pixels = torch.randn(1, 3, 1024, 1024)
    expected = theirs.model.vision_tower.sam_encoder(pixels).last_hidden_state
    assert distance(ours.model.sam_model(pixels), expected) < BOUND


@torch.inference_mode()
@pytest.mark.parametrize("side", [768, 1024])
def test_the_encoder(models, side):
    ours, theirs = models
    pixels = torch.randn(2, 3, side, side)
    expected = theirs.model.multi_modal_projector(theirs.model.vision_tower(pixels).last_hidden_state)
    assert distance(ours.encode_view(pixels), expected) < BOUND


@torch.inference_mode()
def test_the_decoder(models):
    ours, theirs = models
    ids = torch.randint(0, 90, (2, 40))
    assert distance(ours(ours.embed(ids)), theirs(input_ids=ids).logits) < BOUND


@torch.inference_mode()
@pytest.mark.parametrize("tiles", [0, 2])
def test_from_pixels_to_logits(models, tiles):
    ours, theirs = models
    whole, parts = torch.randn(1, 3, 1024, 1024), torch.randn(tiles, 3, 768, 768)
    page = ours.encode_page(whole[0], parts, columns=tiles)
    assert page.shape == (144 * tiles + 256 + 1, 48)
    image, vocab = ours.config.decoder.vocab - 1, 90
    ids = torch.cat([torch.tensor([0]), torch.full((len(page),), image), torch.randint(1, vocab, (9,))])[None]
    embeddings = ours.embed(ids)
    embeddings[0, 1 : 1 + len(page)] = page
    expected = theirs(
        input_ids=ids,
        pixel_values=whole,
        pixel_values_local=parts if tiles else None,
        num_local_patches=[tiles],
    ).logits
    assert distance(ours(embeddings), expected) < BOUND


def noise(size, seed=0):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8))


def test_tile_grids_are_those_of_transformers():
    for width in range(64, 3200, 37):
        for height in range(769, 3200, 41):
            expected = get_optimal_tiled_canvas((height, width), (768, 768), 2, 6)
            columns, rows = tiling((width, height), "gundam", DEEPSEEK_OCR_2)
            # At the midpoint between two grids with equally many tiles the order of a set decides in the official code.
            tie = abs(2 * width / height - columns / rows - expected[0] / expected[1]) < 1e-12
            assert (columns, rows) == expected or (tie and columns * rows == expected[0] * expected[1])
            assert positions("gundam", (columns, rows), DEEPSEEK_OCR_2) == 144 * columns * rows + 257


@pytest.mark.parametrize("size", [(300, 200), (769, 500), (1190, 1684), (1684, 1190), (1000, 1000)])
def test_pixels_are_those_of_transformers(size):
    """With its Pillow backend; its other backend resizes a little differently."""
    image = noise(size)
    theirs = DeepseekOcr2ImageProcessorPil()(images=image, return_tensors="pt")
    views = make_views(image, "gundam", DEEPSEEK_OCR_2)
    assert len(views.tiles) == int(theirs["num_local_patches"][0])
    assert (to_pixels([views.whole]) - theirs["pixel_values"]).abs().max() < 1e-6
    if views.tiles:
        local = theirs["pixel_values_local"]
        assert (to_pixels(views.tiles) - local.view(-1, *local.shape[-3:])).abs().max() < 1e-6
