import pytest
import torch
from safetensors.torch import load_file, save_file

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
