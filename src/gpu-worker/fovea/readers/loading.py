"""Loads an `OcrModel` and its tokenizer from a folder."""

import dataclasses
import json
import logging
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import torch

from fovea.engine import Engine, EngineConfig
from fovea.engine.generate import Rules
from fovea.language.tokenizer import Tokenizer
from fovea.model import KvCache, ModelConfig, OcrModel, load_checkpoint
from fovea.readers.device import describe, device_of
from fovea.settings import Settings
from fovea.vision.modes import MAX_TILES

log = logging.getLogger(__name__)


class LoadedModel:
    """An `OcrModel` as a `fovea.readers.vision.VisionModel`.

    `max_tiles` limits the tiles of the gundam mode; `int8` quantizes the engine's weights. All methods but `serve` are
    for `fovea.engine.generate`, the reference that reads one page at a time without an engine.
    """

    def __init__(self, model: OcrModel, settings: Settings, max_tiles: int = MAX_TILES, int8: bool = False):
        self.model, self.max_tiles, self.int8 = model.eval(), max_tiles, int8
        self._settings = settings
        self.context = model.config.decoder.context
        self.vocab_size = model.config.decoder.vocab
        self.device = model.device

    def serve(self, rules: Rules, max_new: int) -> Engine:
        config = engine_config(self.model, min(max_new, self.context), self._settings)
        return Engine(self.model, rules, config, max_tiles=self.max_tiles, int8=self.int8)

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
) -> Loaded:
    """Loads `*.safetensors` and `tokenizer.json` from a folder, onto the device of the settings. Blocks.

    `rules` is the version of everything else that changes an answer. Raises `CheckpointError`, `TokenizerError`, and
    `ValueError` for a setting that this machine does not support.
    """
    device = device_of(settings)
    if settings.int8 and device.type == "cuda":
        raise ValueError("FOVEA_QUANT is for CPUs only: unset it, or set FOVEA_DEVICE to cpu")
    log.info("device: %s", describe(device))
    max_tiles, int8 = settings.max_tiles or MAX_TILES, settings.int8
    dtype = getattr(torch, settings.dtype) if settings.dtype else None
    tokenizer = Tokenizer.from_file(folder / "tokenizer.json")
    with torch.device("meta"):
        model = OcrModel(config)
    weights = load_checkpoint(model, folder, dtype, device)
    kind = "int8" if int8 else str(model.dtype)
    parts = json.dumps([weights, kind, max_tiles, rules.decode()]).encode()
    digest = sha256(parts + (folder / "tokenizer.json").read_bytes()).hexdigest()
    return Loaded(LoadedModel(model, settings, max_tiles, int8), tokenizer, f"sha256:{digest}")


def engine_config(model: OcrModel, max_new: int, settings: Settings) -> EngineConfig:
    """The engine's sizes from the settings, with defaults for the device."""
    if model.device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(model.device)
        config = EngineConfig.for_cuda(free // 2, max_new)
    else:
        config = EngineConfig(kv_bytes=2 << 30, max_new=max_new)
    return dataclasses.replace(
        config,
        kv_bytes=settings.kv_bytes or config.kv_bytes,
        max_batch=settings.batch or config.max_batch,
        threads=settings.threads,
    )
