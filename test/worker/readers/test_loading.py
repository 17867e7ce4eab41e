"""Which engine serves a checkpoint, and what is loaded for it."""

import dataclasses

import pytest
import torch
from tiny_checkpoint import make

from fovea.engine import NativeEngine
from fovea.engine.generate import Rules
from fovea.language.tokenizer import Tokenizer
from fovea.model import ModelConfig, OcrModel, load_checkpoint
from fovea.readers import loading
from fovea.readers.loading import choose_engine, load_folder
from fovea.settings import Settings


@pytest.fixture
def machine(monkeypatch):
    """`machine(gpu=…, vllm=…)`: the device of a machine with these."""

    def has(gpu, vllm):
        monkeypatch.setattr(loading.importlib.util, "find_spec", lambda name: object() if vllm else None)
        return torch.device("cuda" if gpu else "cpu")

    return has


@pytest.mark.parametrize(
    ("gpu", "vllm", "wanted", "chosen"),
    [
        (False, False, "auto", "native"),
        (False, True, "auto", "native"),
        (True, True, "auto", "vllm"),
        (True, True, "native", "native"),
        (False, True, "vllm", "vllm"),
    ],
)
def test_the_engine(machine, gpu, vllm, wanted, chosen):
    device = machine(gpu, vllm)
    assert choose_engine(Settings(engine=wanted), device) == chosen


@pytest.mark.parametrize(("gpu", "wanted"), [(True, "auto"), (False, "vllm")])
def test_a_missing_vllm_is_named(machine, gpu, wanted):
    """A GPU that cannot be used is no reason to read slowly on the CPU."""
    device = machine(gpu, False)
    with pytest.raises(ValueError, match=r"requirements-vllm\.txt.*FOVEA_ENGINE=native"):
        choose_engine(Settings(engine=wanted), device)


def test_a_promised_gpu_is_not_left_idle(machine):
    device = machine(True, True)
    with pytest.raises(ValueError, match="FOVEA_DEVICE is cuda"):
        choose_engine(Settings(device="cuda", engine="native"), device)


def test_int8_is_for_the_native_engine(machine):
    device = machine(True, True)
    with pytest.raises(ValueError, match="FOVEA_QUANT"):
        choose_engine(Settings(int8=True), device)
    assert choose_engine(Settings(int8=True, engine="native"), device) == "native"


def test_the_native_engine_refuses_a_gpu():
    tokenizer = Tokenizer.characters()
    with torch.device("meta"):  # any device that is not the CPU
        model = OcrModel(ModelConfig.tiny(vocab=288))
    with pytest.raises(ValueError, match="FOVEA_ENGINE=vllm"):
        NativeEngine(model, Rules.of(tokenizer, 288))


def test_vllm_needs_the_official_configuration(machine, tmp_path):
    machine(False, True)
    make(tmp_path)
    with pytest.raises(ValueError, match=r"config\.json"):
        load_folder(tmp_path, ModelConfig.tiny(vocab=288, context=1400), b"", Settings(engine="vllm"))


def test_the_native_engine_says_that_it_reads_on_the_cpu(tmp_path, monkeypatch, caplog):
    """Also beside a GPU."""
    monkeypatch.setattr(loading, "device_of", lambda settings: torch.device("cuda"))
    make(tmp_path)
    with caplog.at_level("INFO"):
        config = ModelConfig.tiny(vocab=288, context=1400)
        loaded = load_folder(tmp_path, config, b"", Settings(engine="native"))
    assert loaded.model.device.type == "cpu"
    assert "engine: native; device: CPU" in caplog.text


def test_what_another_engine_has_is_not_loaded(tmp_path):
    """But it is checked, and part of the digest."""
    make(tmp_path)
    config = ModelConfig.tiny(vocab=288, context=1400)
    with torch.device("meta"):
        whole, part = OcrModel(config), OcrModel(config)
    digest = load_checkpoint(whole, tmp_path)
    assert load_checkpoint(part, tmp_path, skip=OcrModel.DECODER) == digest
    left = {name for name, parameter in part.named_parameters() if parameter.is_meta}
    assert left == {name for name, _ in part.named_parameters() if name.startswith(OcrModel.DECODER)}
    assert part.device == whole.device and part.dtype == whole.dtype
    view = torch.randn(3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(part.encode_page(view), whole.encode_page(view))
    with torch.device("meta"):
        wrong = OcrModel(dataclasses.replace(config, decoder=dataclasses.replace(config.decoder, depth=9)))
    with pytest.raises(ValueError, match="missing"):
        load_checkpoint(wrong, tmp_path, skip=OcrModel.DECODER)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FOVEA_ENGINE", "tensorrt"),
        ("FOVEA_VLLM_SHARE", "1"),
        ("FOVEA_VLLM_SHARE", "0"),
        ("FOVEA_VLLM_SHARE", "x"),
    ],
)
def test_settings_that_are_not_valid_are_named(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=name):
        Settings.from_environment()


def test_settings_of_the_engine(monkeypatch):
    monkeypatch.setenv("FOVEA_ENGINE", "native")
    monkeypatch.setenv("FOVEA_VLLM_SHARE", "0.6")
    settings = Settings.from_environment()
    assert (settings.engine, settings.vllm_share) == ("native", 0.6)
    config = loading.vllm_config(100, dataclasses.replace(settings, batch=7, kv_bytes=1 << 30))
    assert (config.max_new, config.max_batch, config.share, config.kv_bytes) == (100, 7, 0.6, 1 << 30)
