"""`OcrModel` and a tokenizer as the `VisionModel` that the reader works with; how both come from a folder."""

import dataclasses
import json
import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import torch
from PIL import Image

from fovea.engine import Engine, EngineConfig, Seen
from fovea.engine.generate import Rules
from fovea.language.tokenizer import Tokenizer
from fovea.model import KvCache, ModelConfig, OcrModel, load_checkpoint
from fovea.vision.views import MAX_TILES, make_views, to_pixels

DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}


class SeeingModel:
    """See `fovea.readers.vision.VisionModel`. `max_tiles` bounds the tiles of the gundam mode; `int8` is for
    the engine's weights.

    Beside `serve` it has the methods by which `fovea.engine.generate` reads, one page at a time and without an
    engine: the reference.
    """

    def __init__(self, model: OcrModel, max_tiles: int = MAX_TILES, int8: bool = False):
        self.model, self.max_tiles, self.int8 = model.eval(), max_tiles, int8
        self.context = model.config.decoder.context
        self.vocab_size = model.config.decoder.vocab
        self.device = model.device

    def serve(self, rules: Rules, max_new: int) -> Engine:
        """Raises `ValueError` for a setting that cannot be used."""
        config = engine_config(self.model, min(max_new, self.context))
        return Engine(self.model, rules, config, max_tiles=self.max_tiles, int8=self.int8)

    @torch.inference_mode()
    def see(self, image: Image.Image, mode: str) -> Seen:
        views = make_views(image, mode, self.max_tiles)
        whole = to_pixels([views.whole], self.device)[0]
        tiles = to_pixels(views.tiles, self.device) if views.tiles else None
        # A page so thin that no whole token shows it still is looked at with one.
        return Seen(
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
    folder: str | Path,
    config: ModelConfig,
    rules: bytes,
    dtype: torch.dtype | None = None,
    max_tiles: int = MAX_TILES,
    int8: bool = False,
) -> Loaded:
    """`*.safetensors` and `tokenizer.json` of a folder. Blocks while weights load; runs on CUDA if there is one.

    `rules` names the version of everything else that decides an answer. Raises `CheckpointError`,
    `TokenizerError`.
    """
    folder = Path(folder)
    tokenizer = Tokenizer.from_file(folder / "tokenizer.json")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with torch.device("meta"):
        model = OcrModel(config)
    weights = load_checkpoint(model, folder, dtype, device)
    kind = "int8" if int8 else str(model.dtype)
    parts = json.dumps([weights, kind, max_tiles, rules.decode()]).encode()
    digest = sha256(parts + (folder / "tokenizer.json").read_bytes()).hexdigest()
    return Loaded(SeeingModel(model, max_tiles, int8), tokenizer, f"sha256:{digest}")


def flag(name: str) -> bool:
    """Whether an environment variable says yes."""
    return os.environ.get(name, "").lower() in ("1", "true", "yes", "on")


def whole_number(name: str, fallback: int) -> int:
    """A positive number from the environment. Raises `ValueError` naming the variable."""
    text = os.environ.get(name, "") or str(fallback)
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"{name} must be a whole number above 0, not {text!r}")
    return int(text)


def dtype_setting(name: str) -> torch.dtype | None:
    """A precision from the environment, None where it is not set. Raises `ValueError`."""
    text = os.environ.get(name, "")
    if text and text not in DTYPES:
        raise ValueError(f"{name} must be one of {', '.join(DTYPES)}, not {text!r}")
    return DTYPES.get(text)


def ngram_setting(name: str) -> tuple[int, int] | None:
    """`n,window` of the n-gram guard from the environment, None where it is off. Raises `ValueError`."""
    text = os.environ.get(name, "")
    if not text:
        return None
    parts = text.split(",")
    if len(parts) != 2 or not all(part.strip().isdecimal() for part in parts):
        raise ValueError(f"{name} must be n,window, as in 30,90, not {text!r}")
    return int(parts[0]), int(parts[1])


def quant_setting(name: str) -> bool:
    """Whether weights are to be int8. Raises `ValueError` for any other word than `int8`."""
    text = os.environ.get(name, "")
    if text not in ("", "int8"):
        raise ValueError(f"{name} must be int8 or empty, not {text!r}")
    if text and torch.cuda.is_available():
        raise ValueError(f"{name} is for CPUs: unset it on a machine with a GPU")
    return bool(text)


def engine_config(model: OcrModel, max_new: int) -> EngineConfig:
    """`FOVEA_KV_BYTES`, `FOVEA_BATCH` and `FOVEA_THREADS`, or what suits the device. Raises `ValueError`."""
    if model.device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(model.device)
        config = EngineConfig.for_cuda(free // 2, max_new)
    else:
        config = EngineConfig(kv_bytes=2 << 30, max_new=max_new)
    threads = whole_number("FOVEA_THREADS", 0) if os.environ.get("FOVEA_THREADS") else None
    return dataclasses.replace(
        config,
        kv_bytes=whole_number("FOVEA_KV_BYTES", config.kv_bytes),
        max_batch=whole_number("FOVEA_BATCH", config.max_batch),
        threads=threads,
    )
