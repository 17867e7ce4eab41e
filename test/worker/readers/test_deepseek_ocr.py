"""The whole path from pixels to a page result, with a small random model in the official file layout."""

import dataclasses
import json
import re

import pytest
import torch
from PIL import Image, ImageDraw
from tiny_checkpoint import make

from fovea.engine import self_test
from fovea.language.tokenizer import TokenizerError
from fovea.model import CheckpointError, ModelConfig
from fovea.pages.documents import Raster
from fovea.readers import READERS
from fovea.readers.base import InvalidOptions, ReadRequest
from fovea.readers.deepseek_ocr import DeepseekOcr

pytestmark = pytest.mark.slow

POSITIONS = {"tiny": 73, "small": 111, "base": 273, "large": 421, "gundam": 903}
PATCHES = {"tiny": 64, "small": 100, "base": 256, "large": 400, "gundam": 856}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture
def make_reader(folder, monkeypatch):
    """With short answers, unless a test asks for more: random weights go on to the limit."""
    monkeypatch.setenv("FOVEA_DEEPSEEK_DIR", str(folder))
    monkeypatch.setenv("FOVEA_MAX_NEW_TOKENS", "40")
    readers = []

    def make_one():
        readers.append(DeepseekOcr())
        return readers[-1]

    yield make_one
    for reader in readers:
        reader.engine.close()


@pytest.fixture
def reader(make_reader):
    return make_reader()


def page(width=827, height=1169):
    image = Image.new("RGB", (width, height), "white")
    ImageDraw.Draw(image).text((50, 50), "Invoice 17\nTotal 12.50", fill="black", font_size=40)
    return Raster(2, image, 100.0)


def test_it_is_in_the_registry():
    assert READERS["deepseek-ocr"] == "fovea.readers.deepseek_ocr:DeepseekOcr"


@pytest.mark.parametrize("mode", POSITIONS)
def test_random_weights_end_as_a_clean_suspect_page(make_reader, monkeypatch, mode):
    monkeypatch.setenv("FOVEA_MAX_NEW_TOKENS", "200")
    result = make_reader().read(page(), ReadRequest(mode=mode))
    body = json.loads(json.dumps(result.to_json()))
    assert body["verdict"] == "suspect" and body["warnings"]
    assert body["finish_reason"] in ("stop", "loop", "length")
    assert (body["mode"], body["page"], body["width"], body["height"]) == (mode, 2, 827, 1169)
    assert body["vision_tokens"]["positions"] == POSITIONS[mode]
    assert body["vision_tokens"]["patches"] == PATCHES[mode]
    assert 0 < body["vision_tokens"]["valid"] <= PATCHES[mode]
    assert body["attempts"] == [
        {"mode": mode, "tokens": body["attempts"][0]["tokens"], "finish_reason": body["finish_reason"]}
    ]
    assert body["timings_ms"]["encode"] > 0 and body["timings_ms"]["prefill"] > 0
    assert body["expected_precision"] is None
    assert body["compression"] == pytest.approx(
        body["text_tokens"] / body["vision_tokens"]["valid"], abs=1e-3
    )


@pytest.mark.parametrize("task", ["markdown", "free", "ocr", "figure", "describe", "deep"])
def test_every_task_runs(reader, task):
    result = reader.read(page(400, 300), ReadRequest(task=task))
    assert result.to_json()["task"] == task
    assert [attempt.mode for attempt in result.attempts] == ["base", "large", "gundam"]


def test_locate_runs(reader):
    request = ReadRequest(mode="tiny", task="locate", prompt="the total")
    reader.check(request)
    reader.read(page(), request).to_json()


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1), (641, 640), (33, 47)])
@pytest.mark.parametrize("mode", ["auto", "gundam"])
def test_odd_sizes(make_reader, monkeypatch, size, mode):
    monkeypatch.setenv("FOVEA_MAX_NEW_TOKENS", "2")
    result = make_reader().read(Raster(1, Image.new("RGB", size), None), ReadRequest(mode=mode))
    assert result.to_json()["verdict"] == "suspect"


def test_the_same_page_gives_the_same_answer(reader):
    first, second = (reader.read(page(), ReadRequest(mode="base")) for _ in range(2))
    assert (first.markdown, first.text_tokens) == (second.markdown, second.text_tokens)


def test_the_page_decides_the_answer(reader):
    """The vision tokens reach the decoder: other pixels, other probabilities."""
    blank = Raster(1, Image.new("RGB", (827, 1169), "black"), None)
    sure = [reader.read(one, ReadRequest(mode="base")).warnings for one in (page(), blank)]
    tokens = [reader.engine.encode(one.image, "base").embeddings for one in (page(), blank)]
    assert not torch.equal(*tokens)
    assert all(sure)


def test_the_digest_covers_what_decides_the_answer(reader, make_reader, monkeypatch):
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", reader.digest)
    assert make_reader().digest == reader.digest
    for name, value in (
        ("FOVEA_MAX_TILES", "9"),
        ("FOVEA_NGRAM_GUARD", "30,90"),
        ("FOVEA_NGRAM_GUARD", "off"),
        ("FOVEA_DTYPE", "bfloat16"),
        ("FOVEA_QUANT", "int8"),
    ):
        with monkeypatch.context() as changed:
            changed.setenv(name, value)
            assert make_reader().digest != reader.digest


def test_bfloat16(make_reader, monkeypatch):
    monkeypatch.setenv("FOVEA_DTYPE", "bfloat16")
    make_reader().read(page(), ReadRequest(mode="gundam")).to_json()


def test_int8(make_reader, monkeypatch):
    monkeypatch.setenv("FOVEA_QUANT", "int8")
    make_reader().read(page(), ReadRequest(mode="gundam")).to_json()


def test_more_tiles_by_configuration(make_reader, monkeypatch):
    monkeypatch.setenv("FOVEA_MAX_TILES", "2")
    result = make_reader().read(page(), ReadRequest(mode="gundam"))
    assert result.vision_tokens["positions"] == 273 + 11 * 20
    assert result.vision_tokens["tiles"] == [1, 2]
    assert result.vision_tokens["max_tiles"] == 2


def test_free_prompts_are_opt_in(reader, make_reader, monkeypatch):
    request = ReadRequest(task="free", prompt="Read the total", mode="tiny")
    with pytest.raises(InvalidOptions, match="not enabled"):
        reader.check(request)
    monkeypatch.setenv("FOVEA_FREE_PROMPTS", "1")
    allowed = make_reader()
    allowed.check(request)
    allowed.read(page(), request).to_json()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FOVEA_DEEPSEEK_DIR", ""),
        ("FOVEA_MAX_TILES", "many"),
        ("FOVEA_NGRAM_GUARD", "30"),
        ("FOVEA_NGRAM_GUARD", "90,30"),
        ("FOVEA_DTYPE", "int4"),
        ("FOVEA_MAX_NEW_TOKENS", "0"),
        ("FOVEA_QUANT", "int4"),
        ("FOVEA_KV_BYTES", "lots"),
        ("FOVEA_BATCH", "0"),
    ],
)
def test_settings_that_cannot_be_used_are_named(make_reader, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=name):
        make_reader()


def test_another_checkpoint_is_refused(folder, reader, tmp_path, monkeypatch):
    monkeypatch.setenv("FOVEA_DEEPSEEK_DIR", str(tmp_path))
    with pytest.raises(TokenizerError):
        DeepseekOcr()
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = ModelConfig.from_json(json.loads((folder / "sizes.json").read_text()))
    deeper = dataclasses.replace(config, decoder=dataclasses.replace(config.decoder, depth=4))
    (tmp_path / "sizes.json").write_text(json.dumps(deeper.to_json()))
    with pytest.raises(CheckpointError, match=r"layers\.3"):
        DeepseekOcr()
    (tmp_path / "sizes.json").unlink()
    with pytest.raises(CheckpointError):
        DeepseekOcr()


def test_a_worker_that_fails_the_self_test_does_not_serve(folder, reader, tmp_path, monkeypatch):
    for file in folder.iterdir():
        (tmp_path / file.name).symlink_to(file)
    monkeypatch.setenv("FOVEA_DEEPSEEK_DIR", str(tmp_path))
    path = self_test.write(tmp_path, reader.precision, reader.engine, reader.tokenizer)
    DeepseekOcr()
    body = json.loads(path.read_text())
    body["answers"]["float32"]["log_probs"][0] += 1
    path.write_text(json.dumps(body))
    with pytest.raises(self_test.SelfTestError, match="does not start"):
        DeepseekOcr()
