"""`deepseek-ocr`: the released DeepSeek-OCR, read by this package's own model code.

| variable | default | |
|---|---|---|
| `FOVEA_DEEPSEEK_DIR` | – | folder with the checkpoint's `*.safetensors` and `tokenizer.json` |
| `FOVEA_FREE_PROMPTS` | off | `1` lets a request replace the official wording of a task with its `prompt` |
| `FOVEA_MAX_TILES` | 6 tiles | most tiles of the gundam mode; the model card's code uses 9 |
| `FOVEA_DTYPE` | the checkpoint's | `bfloat16`, `float16` (GPUs before Ampere) or `float32` |
| `FOVEA_NGRAM_GUARD` | off | `n,window`, such as `30,90`; the loop detector works with and without it |
| `FOVEA_MAX_NEW_TOKENS` | 8192 tokens | longest answer; the context also limits it |
| `FOVEA_QUANT` | off | `int8` quantizes the decoder's weights; for CPUs only |
| `FOVEA_KV_BYTES` | 2 GiB; half of a GPU's free memory | cache for the keys and values of all running pages |
| `FOVEA_BATCH` | 64; 256 on a GPU | sequences that are decoded at once |
| `FOVEA_THREADS` | all cores | threads of the engine |

A `sizes.json` (`ModelConfig.to_json`) in the folder is for a model of the same make with other sizes.
"""

import json
import logging
import os
from pathlib import Path

from fovea.engine.self_test import check
from fovea.model import ModelConfig
from fovea.readers.ocr_model import (
    dtype_setting,
    flag,
    load_folder,
    ngram_setting,
    quant_setting,
    whole_number,
)
from fovea.readers.vision import VisionReader
from fovea.settings import Settings
from fovea.views import MAX_TILES

log = logging.getLogger(__name__)

RULES = b"deepseek-ocr rules 2"
"""Part of the digest: raise the number when parsing or Markdown change what is answered."""

TIME_SHARE = 0.9  # of the page's time limit, so that what was read so far is still delivered


class DeepseekOcr(VisionReader):
    def __init__(self, *, self_test: bool = True) -> None:
        """Blocks while weights load.

        Raises `ValueError` for a setting that cannot be used, `CheckpointError`, `TokenizerError`, and
        `SelfTestError` where `self_test.json` lies beside the weights and this machine does not agree with it.
        """
        folder = os.environ.get("FOVEA_DEEPSEEK_DIR", "")
        if not folder:
            raise ValueError("deepseek-ocr needs FOVEA_DEEPSEEK_DIR: the folder of its checkpoint")
        ngram = ngram_setting("FOVEA_NGRAM_GUARD")
        int8 = quant_setting("FOVEA_QUANT")
        max_tiles = whole_number("FOVEA_MAX_TILES", MAX_TILES)
        sizes = _sizes(Path(folder))
        loaded = load_folder(
            folder,
            ModelConfig.from_json(json.loads(sizes)) if sizes else ModelConfig.official(),
            RULES + repr(ngram).encode() + sizes,
            dtype_setting("FOVEA_DTYPE"),
            max_tiles,
            int8,
        )
        super().__init__(
            "deepseek-ocr",
            loaded.digest,
            loaded.model,
            loaded.tokenizer,
            free_prompts=flag("FOVEA_FREE_PROMPTS"),
            ngram=ngram,
            max_new=whole_number("FOVEA_MAX_NEW_TOKENS", 8192),
            time_limit_s=TIME_SHARE * Settings.from_environment().page_timeout_s,
            measured=True,
            max_tiles=max_tiles,
        )
        self.precision = "int8" if int8 else str(loaded.model.model.dtype).removeprefix("torch.")
        if self_test and not check(Path(folder), self.precision, self.engine, loaded.tokenizer):
            log.warning("there is no self-test for %s: python -m fovea.engine.self_test", self.precision)


def _sizes(folder: Path) -> bytes:
    """What says the model's sizes; nothing where they are the official ones."""
    path = folder / "sizes.json"
    return path.read_bytes() if path.is_file() else b""
