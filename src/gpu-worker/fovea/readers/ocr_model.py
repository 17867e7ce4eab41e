"""`OcrModel` and a tokenizer as the `VisionModel` that the reader works with, and how both come from a folder."""

import json
import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import torch
from PIL import Image

from fovea.model import KvCache, ModelConfig, OcrModel, load_checkpoint
from fovea.readers.vision import Seen
from fovea.tokenizer import Tokenizer
from fovea.views import MAX_TILES, make_views, to_pixels

DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}


class SeeingModel:
    """See `fovea.readers.vision.VisionModel`. `max_tiles` bounds the tiles of the gundam mode."""

    def __init__(self, model: OcrModel, max_tiles: int = MAX_TILES):
        self.model, self.max_tiles = model.eval(), max_tiles
        self.context = model.config.decoder.context
        self.vocab_size = model.config.decoder.vocab
        self.device = model.device

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
            (views.columns, views.rows) if views.tiles else None,
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
    parts = json.dumps([weights, str(model.dtype), max_tiles, rules.decode()]).encode()
    digest = sha256(parts + (folder / "tokenizer.json").read_bytes()).hexdigest()
    return Loaded(SeeingModel(model, max_tiles), tokenizer, f"sha256:{digest}")


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
