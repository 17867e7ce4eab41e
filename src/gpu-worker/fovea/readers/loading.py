"""Loads an `OcrModel` and its tokenizer from a folder, for one of the engines."""

import dataclasses
import importlib.util
import json
import logging
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import torch

from fovea.engine import Engine, EngineConfig, NativeEngine
from fovea.engine.generate import Rules
from fovea.engine.vllm_engine import VllmConfig, VllmEngine
from fovea.language.tokenizer import Tokenizer
from fovea.model import KvCache, ModelConfig, OcrModel, load_checkpoint
from fovea.readers.device import describe, device_of
from fovea.settings import Settings
from fovea.vision.modes import DEEPSEEK_OCR, Layout

log = logging.getLogger(__name__)


class LoadedModel:
    """An `OcrModel` as a `fovea.readers.vision.VisionModel`.

    `layout`: how pages are cut into views; `int8` quantizes the native engine's weights. `folder`: the checkpoint from
    which vLLM loads the decoder; without it, the native engine decodes. All methods but `serve` are for
    `fovea.engine.generate`, the reference that reads one page at a time without an engine.
    """

    def __init__(
        self,
        model: OcrModel,
        settings: Settings,
        layout: Layout = DEEPSEEK_OCR,
        int8: bool = False,
        folder: Path | None = None,
    ):
        self.model, self.layout, self.int8 = model.eval(), layout, int8
        self._settings, self._folder = settings, folder
        self.context = model.config.decoder.context
        self.vocab_size = model.config.decoder.vocab
        self.device = model.device

    def serve(self, rules: Rules, max_new: int) -> Engine:
        max_new = min(max_new, self.context)
        if self._folder:
            config = vllm_config(max_new, self._settings)
            return VllmEngine(self.model, self._folder, rules, config, layout=self.layout)
        config = engine_config(max_new, self._settings)
        return NativeEngine(self.model, rules, config, layout=self.layout, int8=self.int8)

    def embed(self, ids: torch.Tensor) -> torch.Tensor:
        return self.model.embed(ids)

    def new_cache(self, batch: int, capacity: int) -> KvCache:
        return self.model.new_cache(batch, capacity)

    def step(self, embeddings: torch.Tensor, cache: KvCache) -> torch.Tensor:
        return self.model.step(embeddings, cache)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model and its tokenizer. `digest` covers the weights, the vocabulary and everything that changes the views."""

    model: LoadedModel
    tokenizer: Tokenizer
    digest: str


def load_folder(
    folder: Path,
    config: ModelConfig,
    rules: bytes,
    settings: Settings,
    layout: Layout = DEEPSEEK_OCR,
) -> Loaded:
    """Loads `*.safetensors` and `tokenizer.json` from a folder, for the engine of the settings. Blocks.

    For vLLM only the encoder and the embeddings are loaded, onto the GPU if there is one; for the native engine
    everything, on the CPU. `rules` is the version of everything else that changes an answer. `FOVEA_MAX_TILES`
    overrides the limit of `layout`. Raises `CheckpointError`, `TokenizerError`, and `ValueError` for a setting that
    this machine does not support.
    """
    device = device_of(settings)
    engine = choose_engine(settings, device)
    vllm = engine == "vllm"
    if not vllm:
        device = torch.device("cpu")
    if vllm and not (folder / "config.json").is_file():
        raise ValueError(
            f"vLLM needs {folder / 'config.json'}, as in the official checkpoint: download it again with "
            "src/gpu-worker/download_weights.py, or set FOVEA_ENGINE=native"
        )
    log.info("engine: %s; device: %s", engine, describe(device))
    layout = dataclasses.replace(layout, max_tiles=settings.max_tiles or layout.max_tiles)
    int8 = settings.int8
    dtype = getattr(torch, settings.dtype) if settings.dtype else None
    tokenizer = Tokenizer.from_file(folder / "tokenizer.json")
    with torch.device("meta"):
        model = OcrModel(config)
    weights = load_checkpoint(model, folder, dtype, device, OcrModel.DECODER if vllm else ())
    kind = "int8" if int8 else str(model.dtype)
    parts = json.dumps([weights, kind, layout.max_tiles, rules.decode()]).encode()
    digest = sha256(parts + (folder / "tokenizer.json").read_bytes()).hexdigest()
    loaded = LoadedModel(model, settings, layout, int8, folder if vllm else None)
    return Loaded(loaded, tokenizer, f"sha256:{digest}")


def choose_engine(settings: Settings, device: torch.device) -> str:
    """`vllm` or `native`, for a machine with this device. Raises `ValueError` if the settings ask for what it lacks."""
    if settings.engine == "native":
        if settings.device == "cuda":
            raise ValueError(
                "FOVEA_DEVICE is cuda, but FOVEA_ENGINE=native runs on the CPU: unset one of them"
            )
        return "native"
    if settings.engine == "auto" and device.type == "cpu":
        return "native"
    if importlib.util.find_spec("vllm") is None:
        reason = "there is a GPU" if settings.engine == "auto" else "FOVEA_ENGINE is vllm"
        raise ValueError(
            f"{reason}, but vLLM is not installed: install src/gpu-worker/requirements-vllm.txt, "
            "or set FOVEA_ENGINE=native to read on the CPU"
        )
    if settings.int8:
        raise ValueError("FOVEA_QUANT is for the native engine: unset it, or set FOVEA_ENGINE=native")
    return "vllm"


def vllm_config(max_new: int, settings: Settings) -> VllmConfig:
    """vLLM's sizes from the settings."""
    config = VllmConfig(max_new=max_new, share=settings.vllm_share, kv_bytes=settings.kv_bytes)
    return dataclasses.replace(config, max_batch=settings.batch or config.max_batch, threads=settings.threads)


def engine_config(max_new: int, settings: Settings) -> EngineConfig:
    """The native engine's sizes from the settings."""
    config = EngineConfig(kv_bytes=2 << 30, max_new=max_new)
    return dataclasses.replace(
        config,
        kv_bytes=settings.kv_bytes or config.kv_bytes,
        max_batch=settings.batch or config.max_batch,
        threads=settings.threads,
    )
