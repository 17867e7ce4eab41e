import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from fovea.model import (
    CheckpointError,
    ModelConfig,
    OcrModel,
    checkpoint_digest,
    load_checkpoint,
    save_checkpoint,
)


@pytest.fixture(scope="module")
def model():
    return OcrModel(ModelConfig.tiny()).init_weights().eval()


def empty():
    with torch.device("meta"):
        return OcrModel(ModelConfig.tiny())


@pytest.mark.parametrize("shard_bytes", [10**9, 200_000])
def test_what_is_saved_is_what_is_loaded(model, tmp_path, shard_bytes):
    files = save_checkpoint(model, tmp_path, shard_bytes)
    assert (len(files) > 1) == (shard_bytes < 10**9)
    assert (tmp_path / "model.safetensors.index.json").exists() == (len(files) > 1)
    loaded = empty()
    digest = load_checkpoint(loaded, tmp_path)
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name
    with torch.inference_mode():
        embeddings = torch.randn(1, 5, 48)
        # Not to the last bit: where a tensor lies in memory decides which instructions multiply it.
        torch.testing.assert_close(loaded(embeddings), model(embeddings))
        assert loaded.encode_view(torch.randn(1, 3, 64, 64)).shape == (1, 1, 48)
    assert digest == checkpoint_digest(tmp_path)


def test_the_digest_is_of_the_tensors_not_of_the_files(model, tmp_path):
    one, many, other = (tmp_path / name for name in ("one", "many", "other"))
    save_checkpoint(model, one)
    save_checkpoint(model, many, 200_000)
    assert checkpoint_digest(one) == checkpoint_digest(many)
    with torch.no_grad():
        model.lm_head.weight[0, 0] += 1
    save_checkpoint(model, other)
    assert checkpoint_digest(other) != checkpoint_digest(one)
    assert checkpoint_digest(one).startswith("sha256:")


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float32])
def test_any_floating_type_is_loaded_as_the_one_asked_for(model, tmp_path, kind):
    save_file({n: t.to(kind) for n, t in model.state_dict().items()}, tmp_path / "m.safetensors")
    loaded = empty()
    load_checkpoint(loaded, tmp_path / "m.safetensors", dtype=torch.float32)
    assert {t.dtype for t in loaded.state_dict().values()} == {torch.float32}
    untouched = empty()
    load_checkpoint(untouched, tmp_path)
    assert untouched.dtype == kind


def test_every_difference_is_named_and_nothing_is_changed(model, tmp_path):
    save_checkpoint(model, tmp_path)
    (path,) = tmp_path.glob("*.safetensors")
    tensors = load_file(path)
    del tensors["model.norm.weight"]
    tensors["model.surplus"] = torch.zeros(2)
    tensors["lm_head.weight"] = torch.zeros(3, 4)
    save_file(tensors, path)
    target = empty()
    with pytest.raises(CheckpointError) as fault:
        load_checkpoint(target, tmp_path)
    text = str(fault.value)
    assert "missing: model.norm.weight [48]" in text
    assert "unexpected: model.surplus [2]" in text
    assert "shape: lm_head.weight is [3, 4], not [96, 48]" in text
    assert target.lm_head.weight.is_meta
    with pytest.raises(CheckpointError, match="no safetensors"):
        load_checkpoint(target, tmp_path / "nothing")


# -- int8 ------------------------------------------------------------------------------------------

CONVOLUTION = "model.sam_model.net_3.weight"


def in_int8(state):
    return {n for n, t in state.items() if t.is_floating_point() and t.dim() > 1 and t.numel() >= 4096}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, None])
def test_in_int8_every_value_is_within_half_a_step_of_its_row(model, tmp_path, dtype):
    save_checkpoint(model, tmp_path, int8=True)
    loaded = empty()
    digest = load_checkpoint(loaded, tmp_path, dtype)
    assert digest == checkpoint_digest(tmp_path)
    assert loaded.dtype == (dtype or torch.bfloat16)
    state, rounded = model.state_dict(), loaded.state_dict()
    assert {"lm_head.weight", "model.embed_tokens.weight", CONVOLUTION} <= in_int8(state)
    for name, tensor in state.items():
        if name not in in_int8(state):
            assert torch.equal(rounded[name].float(), tensor.bfloat16().float()), name
            continue
        rows, largest = tensor.flatten(1), tensor.flatten(1).abs().amax(1, keepdim=True)
        bound = largest * 0.502 / 127  # the scale itself is rounded to bf16
        if dtype != torch.float32:
            bound += largest * 2**-8  # and then the product
        assert ((rounded[name].float().flatten(1) - rows).abs() <= bound).all(), name


def test_in_int8_matrices_lie_beside_their_scales_and_all_else_in_bf16(model, tmp_path):
    (path,) = save_checkpoint(model, tmp_path, int8=True)
    with safe_open(path, "pt") as file:
        assert "NAME.scale" in file.metadata()["int8"]
    state, stored = model.state_dict(), load_file(path)
    assert stored.keys() == state.keys() | {f"{name}.scale" for name in in_int8(state)}
    for name in in_int8(state):
        assert stored[name].dtype == torch.int8
        assert stored[f"{name}.scale"].shape == state[name].shape[:1]
        assert stored[f"{name}.scale"].dtype == torch.bfloat16
    assert {stored[name].dtype for name in state.keys() - in_int8(state)} == {torch.bfloat16}


def test_int8_in_many_files_is_the_same_and_replaces_what_was_there(model, tmp_path):
    save_checkpoint(model, tmp_path / "one", int8=True)
    assert len(save_checkpoint(model, tmp_path / "many", 20_000, int8=True)) > 2
    digest = checkpoint_digest(tmp_path / "one")
    assert load_checkpoint(empty(), tmp_path / "many") == digest
    (path,) = save_checkpoint(model, tmp_path / "many", int8=True)
    assert list((tmp_path / "many").iterdir()) == [path]
    assert load_checkpoint(empty(), tmp_path / "many") == digest


def test_the_digest_covers_scales(model, tmp_path):
    (path,) = save_checkpoint(model, tmp_path, int8=True)
    before, tensors = checkpoint_digest(tmp_path), load_file(path)
    tensors["lm_head.weight.scale"][0] *= 2
    save_file(tensors, path)
    assert checkpoint_digest(tmp_path) != before


def test_a_row_of_zeros_stays_one(tmp_path):
    some = nn.Linear(64, 64)
    with torch.no_grad():
        some.weight[3] = 0
    save_checkpoint(some, tmp_path, int8=True)
    load_checkpoint(some, tmp_path, torch.float32)
    assert not some.weight[3].any() and some.weight[2].any()


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("lm_head.weight.scale", None, "int8 without scale: lm_head.weight"),
        ("lm_head.weight", None, "scale without int8 tensor: lm_head.weight.scale"),
        ("lm_head.weight", lambda t: t.float(), "scale without int8 tensor: lm_head.weight.scale"),
        ("lm_head.weight", lambda t: t[:, :40].contiguous(), "shape: lm_head.weight is [96, 40], not [96, 48]"),
        ("lm_head.weight.scale", lambda t: t[:-1], "shape: lm_head.weight.scale is [95], of a tensor [96, 48]"),
        ("lm_head.weight.scale", lambda t: t[:, None], "shape: lm_head.weight.scale is [96, 1]"),
        ("lm_head.weight.scale", lambda t: t / 0, "not all finite and positive: lm_head.weight.scale"),
        ("lm_head.weight.scale", lambda t: t * torch.nan, "not all finite and positive: lm_head.weight.scale"),
        ("lm_head.weight.scale", lambda t: -t, "not all finite and positive: lm_head.weight.scale"),
        ("lm_head.weight.scale", lambda t: t.to(torch.int8) + 1, "not all finite and positive: lm_head.weight.scale"),
    ],
)  # fmt: skip
def test_scales_that_do_not_belong_are_named_and_nothing_is_changed(model, tmp_path, name, change, message):
    (path,) = save_checkpoint(model, tmp_path, int8=True)
    tensors = load_file(path)
    tensor = tensors.pop(name)
    if change:
        tensors[name] = change(tensor)
    save_file(tensors, path)
    target = empty()
    with pytest.raises(CheckpointError) as fault:
        load_checkpoint(target, tmp_path)
    assert message in str(fault.value)
    assert target.lm_head.weight.is_meta
