"""Vision tokens as a file."""

import dataclasses

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save

from fovea.engine import VisionTokens, VisionTokensError, load_tokens, save_tokens

DIGEST = "sha256:" + "1" * 64


def seen():
    return VisionTokens(torch.randn(273, 48), 272, 136, (2, 3), 6)


def file(**changes):
    return save_tokens(seen(), **{"digest": DIGEST, "mode": "base", "page": 7, **changes})


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_was_saved_comes_back_in_its_own_precision(dtype, tmp_path):
    one = dataclasses.replace(seen(), embeddings=seen().embeddings.to(dtype))
    data = save_tokens(one, digest=DIGEST, mode="gundam", page=7)
    back, mode, page = load_tokens(data, digest=DIGEST, width=48)
    assert (mode, page) == ("gundam", 7)
    assert back.counts() == one.counts() and back.embeddings.dtype == dtype
    assert torch.equal(back.embeddings, one.embeddings)
    (tmp_path / "tokens.safetensors").write_bytes(data)
    with safe_open(tmp_path / "tokens.safetensors", "pt") as opened:
        assert opened.metadata()["model_digest"] == DIGEST


def test_another_model_is_refused():
    with pytest.raises(VisionTokensError, match="another model"):
        load_tokens(file(digest="sha256:" + "2" * 64), digest=DIGEST, width=48)


def test_names_follow_the_content_and_cannot_be_chosen():
    data = file()
    first, second = (load_tokens(data, digest=DIGEST, width=48)[0] for _ in range(2))
    assert first.key == second.key
    assert load_tokens(file(), digest=DIGEST, width=48)[0].key != first.key
    assert seen().key != seen().key


def test_broken_files_are_refused():
    data = file()
    other = save({"vision_tokens": torch.zeros(3, 48)}, {"format": "something else"})
    nothing = save({"x": torch.zeros(1)})
    metadata = {"format": "fovea-vision-tokens-1", "model_digest": DIGEST, "mode": "base", "page": "1"}
    counts = '{"positions": 3, "patches": 2, "valid": 1}'
    small = save({"vision_tokens": torch.zeros(3, 47)}, {**metadata, "counts": counts})
    nan = save({"vision_tokens": torch.full((3, 48), torch.nan)}, {**metadata, "counts": counts})
    wrong = save({"vision_tokens": torch.zeros(4, 48)}, {**metadata, "counts": counts})
    listed = save({"vision_tokens": torch.zeros(3, 48)}, {**metadata, "counts": "[]"})
    cases = [b"", b"{}", data[:100], data[:-1], data[8:], other, nothing, small, nan, wrong, listed]
    for case in (*cases, b"\xff" * 64, (2**40).to_bytes(8, "little") + data[8:]):
        with pytest.raises(VisionTokensError):
            load_tokens(case, digest=DIGEST, width=48)
