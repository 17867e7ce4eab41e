"""`OcrModel` and a tokenizer as the `VisionModel` that the reader works with; how both come from a folder."""

import dataclasses
import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import torch
from PIL import Image

from fovea.engine import Engine, EngineConfig, VisionTokens
from fovea.engine.generate import Rules
from fovea.language.tokenizer import Tokenizer
from fovea.model import KvCache, ModelConfig, OcrModel, load_checkpoint
from fovea.model.pixels import to_pixels
from fovea.settings import Settings
from fovea.vision.views import MAX_TILES, make_views


class SeeingModel:
    """See `fovea.readers.vision.VisionModel`. `max_tiles` bounds the tiles of the gundam mode; `int8` is for
    the engine's weights.

    Beside `serve` it has the methods by which `fovea.engine.generate` reads, one page at a time and without an
    engine: the reference.
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

    @torch.inference_mode()
    def see(self, image: Image.Image, mode: str) -> VisionTokens:
        views = make_views(image, mode, self.max_tiles)
        whole = to_pixels([views.whole], self.device)[0]
        tiles = to_pixels(views.tiles, self.device) if views.tiles else None
        # A page so thin that no whole token shows it still is looked at with one.
        return VisionTokens(
            self.model.encode_page(whole, tiles, views.columns),
            views.patches,
            max(views.valid, 1),
            views.tiling,
            self.max_tiles,
        )

    def embed(self, ids: torch.Tensor) -> torch.Tensor:
        return self.model.embed(ids)

    def new_cache(self, batch: int, capacity: int) -> KvCache:
        return self.model.new_cache(batch, capacity)

    def step(self, embeddings: torch.Tensor, cache: KvCache) -> torch.Tensor:
        return self.model.step(embeddings, cache)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model that is ready to read; `digest` covers weights, vocabulary and what decides the views."""

    model: SeeingModel
    tokenizer: Tokenizer
    digest: str


def load_folder(
    folder: Path,
    config: ModelConfig,
    rules: bytes,
    settings: Settings,
) -> Loaded:
    """`*.safetensors` and `tokenizer.json` of a folder. Blocks while weights load; runs on CUDA if there is one.

    `rules` names the version of everything else that decides an answer. Raises `CheckpointError`,
    `TokenizerError`, and `ValueError` for a setting that cannot be used on this machine.
    """
    if settings.int8 and torch.cuda.is_available():
        raise ValueError("FOVEA_QUANT is for CPUs: unset it on a machine with a GPU")
    max_tiles, int8 = settings.max_tiles or MAX_TILES, settings.int8
    dtype = getattr(torch, settings.dtype) if settings.dtype else None
    tokenizer = Tokenizer.from_file(folder / "tokenizer.json")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with torch.device("meta"):
        model = OcrModel(config)
    weights = load_checkpoint(model, folder, dtype, device)
    kind = "int8" if int8 else str(model.dtype)
    parts = json.dumps([weights, kind, max_tiles, rules.decode()]).encode()
    digest = sha256(parts + (folder / "tokenizer.json").read_bytes()).hexdigest()
    return Loaded(SeeingModel(model, settings, max_tiles, int8), tokenizer, f"sha256:{digest}")


def engine_config(model: OcrModel, max_new: int, settings: Settings) -> EngineConfig:
    """What the settings say, or what suits the device."""
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
