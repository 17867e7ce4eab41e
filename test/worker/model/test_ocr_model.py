import pytest
import torch

from fovea.model import ModelConfig, OcrModel, sam
from fovea.model.sam import Attention, Block
from fovea.model.tables import resize_grid


@pytest.fixture(scope="module")
def model():
    return OcrModel(ModelConfig.tiny()).init_weights(std=0.1).eval()


def test_the_official_model_has_the_official_size():
    with torch.device("meta"):
        tensors = OcrModel(ModelConfig.deepseek_ocr()).state_dict()
    assert len(tensors) == 2710
    assert sum(tensor.numel() for tensor in tensors.values()) == 3_336_106_240
    parts = {
        "model.sam_model.": 95_569_152,
        "model.vision_model.": 303_177_728,
        "model.projector.": 2_622_720,
        "model.embed_tokens.": 165_478_400,
        "lm_head.": 165_478_400,
        "model.layers.": 2_603_775_000 + 1_000,
    }
    for prefix, size in parts.items():
        total = sum(tensor.numel() for name, tensor in tensors.items() if name.startswith(prefix))
        assert total == size or prefix == "model.layers."
    assert (
        sum(t.numel() for n, t in tensors.items() if n.startswith(("model.layers.", "model.norm.")))
        == 2_603_777_280
    )
    for name, shape in {
        "model.sam_model.blocks.2.attn.rel_pos_h": (127, 64),
        "model.sam_model.blocks.3.attn.rel_pos_w": (27, 64),
        "model.sam_model.neck.1.weight": (256,),
        "model.vision_model.embeddings.class_embedding": (1024,),
        "model.vision_model.embeddings.patch_embedding.weight": (1024, 3, 14, 14),
        "model.vision_model.embeddings.position_embedding.weight": (257, 1024),
        "model.vision_model.transformer.layers.23.self_attn.qkv_proj.weight": (3072, 1024),
        "model.projector.layers.weight": (1280, 2048),
        "model.image_newline": (1280,),
        "model.view_seperator": (1280,),
        "model.layers.0.mlp.gate_proj.weight": (6848, 1280),
        "model.layers.11.mlp.experts.63.down_proj.weight": (1280, 896),
        "model.layers.1.mlp.shared_experts.up_proj.weight": (1792, 1280),
        "model.layers.1.mlp.gate.weight": (64, 1280),
        "lm_head.weight": (129280, 1280),
    }.items():
        assert tuple(tensors[name].shape) == shape, name


def test_a_seed_decides_all_weights():
    one, other = (OcrModel(ModelConfig.tiny()).init_weights(seed=7).state_dict() for _ in range(2))
    assert all(torch.equal(one[name], other[name]) for name in one)


@torch.inference_mode()
@pytest.mark.parametrize("pieces", [(12,), (5, 7), (1,) * 12, (4, 1, 1, 5, 1)])
def test_reading_in_pieces_equals_reading_at_once(model, pieces):
    embeddings = torch.randn(2, 12, 48)
    whole = model(embeddings)
    cache = model.new_cache(2, 12)
    end = 0
    for length in pieces:
        logits = model.step(embeddings[:, end : end + length], cache)
        end += length
        assert torch.allclose(logits, whole[:, end - 1], atol=1e-5)
    with pytest.raises(ValueError, match="full"):
        model.step(embeddings[:, :1], cache)


@torch.inference_mode()
def test_grouped_experts_equal_the_loop(model):
    block = model.model.layers[1].mlp
    for tokens in (1, 2, 57):
        x = torch.randn(1, tokens, 48)
        assert torch.allclose(block(x), block.plain(x), atol=1e-6)


@torch.inference_mode()
@pytest.mark.parametrize(("h", "w"), [(8, 8), (5, 9), (1, 1)])
def test_relative_positions_equal_the_written_out_bias(monkeypatch, h, w):
    torch.manual_seed(0)
    attention = Attention(32, 2, 8)
    torch.nn.init.normal_(attention.rel_pos_h)
    torch.nn.init.normal_(attention.rel_pos_w)
    x = torch.randn(2, h, w, 32)
    assert torch.allclose(attention(x), attention.plain(x), atol=1e-5)
    monkeypatch.setattr(sam, "BIAS_BYTES", 1)  # one head at a time
    assert torch.allclose(attention(x), attention.plain(x), atol=1e-5)


@torch.inference_mode()
def test_a_windows_padding_takes_its_share_of_attention():
    block = Block(ModelConfig.tiny().sam, window=3).eval()
    torch.nn.init.normal_(block.attn.qkv.bias)
    x = torch.randn(1, 4, 4, 32)  # padded to 6 × 6
    corner = block._windowed(x)[:, 3:, 3:]  # a window with one real patch and eight padded ones
    alone = block.attn(x[:, 3:, 3:])
    assert not torch.allclose(corner, alone, atol=1e-3)
    padded = torch.zeros(1, 3, 3, 32)
    padded[:, :1, :1] = x[:, 3:, 3:]
    assert torch.allclose(corner, block.attn(padded)[:, :1, :1], atol=1e-6)


@torch.inference_mode()
def test_a_batch_of_views_equals_its_views(model):
    views = torch.randn(3, 3, 192, 128)
    together = model.encode_view(views)
    assert together.shape == (3, 6, 48)
    for view, tokens in zip(views, together, strict=True):
        assert torch.allclose(model.encode_view(view[None])[0], tokens, atol=1e-5)


@torch.inference_mode()
def test_the_page_is_tiles_then_whole_then_separator_with_a_newline_behind_each_row(model):
    whole, tiles = torch.randn(3, 128, 128), torch.randn(6, 3, 128, 128)
    page = model.encode_page(whole, tiles, columns=3)
    assert page.shape == ((3 * 2 + 1) * (2 * 2) + 2 * 3 + 1, 48)
    newline, separator = model.model.image_newline, model.model.view_seperator
    local, rest = page[:28].view(4, 7, 48), page[28:]
    assert torch.equal(local[:, 6], newline.expand(4, -1))
    encoded = model.encode_view(tiles)
    assert torch.allclose(local[0, 2:4], encoded[1, :2], atol=1e-5)  # second tile, its first row
    assert torch.allclose(local[3, 4:6], encoded[5, 2:], atol=1e-5)  # last tile, its last row
    assert torch.allclose(rest[:2], model.encode_view(whole[None])[0, :2], atol=1e-5)
    assert torch.equal(rest[2], newline)
    assert torch.equal(page[-1], separator)
    assert torch.allclose(model.encode_page(whole), rest, atol=1e-6)


def test_position_tables_are_resized_as_specified_and_kept_until_they_change():
    grid = torch.randn(1, 8, 8, 4)
    assert resize_grid(grid, 8, 8) is grid
    expected = torch.nn.functional.interpolate(
        grid.permute(0, 3, 1, 2), (5, 6), mode="bicubic", antialias=True, align_corners=False
    )
    assert torch.equal(resize_grid(grid, 5, 6), expected.permute(0, 2, 3, 1))
    model = OcrModel(ModelConfig.tiny()).init_weights().eval()
    with torch.no_grad():
        before = model.encode_view(torch.ones(1, 3, 64, 64))
        model.model.sam_model.pos_embed.add_(1.0)
        assert not torch.equal(model.encode_view(torch.ones(1, 3, 64, 64)), before)


@torch.inference_mode()
def test_bfloat16_runs_and_stays_near(model):
    import copy

    half = copy.deepcopy(model).to(torch.bfloat16)
    embeddings = torch.randn(1, 9, 48)
    assert (half(embeddings) - model(embeddings)).abs().max() < 0.15 * model(embeddings).abs().max()
    assert half.encode_view(torch.randn(1, 3, 128, 128)).dtype == torch.bfloat16
    half.encoder_to(torch.float32)
    pixels = torch.randn(3, 128, 128)
    assert torch.allclose(half.encode_page(pixels), model.encode_page(pixels), atol=0.05)
    assert half(embeddings).dtype == torch.float32


def test_it_trains():
    model = OcrModel(ModelConfig.tiny()).init_weights()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    pixels, target = torch.randn(1, 3, 128, 128), torch.tensor([[5, 7, 9]])
    losses = []
    for _ in range(12):
        vision = model.encode_page(pixels[0])[None]
        logits = model(torch.cat([vision, model.embed(target)], 1))[:, vision.shape[1] - 1 : -1]
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), target.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 3


def test_configurations_survive_json_and_refuse_nonsense():
    for config in (ModelConfig.deepseek_ocr(), ModelConfig.tiny()):
        import json

        assert ModelConfig.from_json(json.loads(json.dumps(config.to_json()))) == config
    with pytest.raises(ValueError, match="experts_per_token"):
        ModelConfig.tiny(experts_per_token=99)
