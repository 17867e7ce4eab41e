"""`deepseek-ocr`: the released DeepSeek-OCR weights, run by this package's own model code.

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

For a model of the same architecture with other sizes, put a `sizes.json` (`ModelConfig.to_json`) into the folder.
"""

import json
import logging
from pathlib import Path

from fovea.engine.self_test import check
from fovea.model import ModelConfig
from fovea.readers.loading import load_folder
from fovea.readers.vision import VisionReader
from fovea.settings import Settings

log = logging.getLogger(__name__)

RULES = b"deepseek-ocr rules 4"
"""Part of the digest. Raise the number when a change of parsing or Markdown changes results."""

MAX_NEW_TOKENS = 8192
TIME_SHARE = 0.9  # of the page's time limit; the rest is for delivering a partial result


class DeepseekOcr(VisionReader):
    def __init__(self, settings: Settings | None = None, *, self_test: bool = True) -> None:
        """Blocks while weights load. `settings` default to those of the environment.

        Raises `ValueError` for a setting that is not valid, `CheckpointError`, `TokenizerError`, and `SelfTestError`
        if the results of this machine differ from `self_test.json` in the weights' folder.
        """
        settings = settings or Settings.from_environment()
        folder = settings.deepseek_dir
        if not folder:
            raise ValueError("deepseek-ocr requires FOVEA_DEEPSEEK_DIR, the folder of its checkpoint")
        sizes = _sizes(folder)
        loaded = load_folder(
            folder,
            ModelConfig.from_json(json.loads(sizes)) if sizes else ModelConfig.official(),
            RULES + repr(settings.ngram_guard).encode() + sizes,
            settings,
        )
        super().__init__(
            "deepseek-ocr",
            loaded.digest,
            loaded.model,
            loaded.tokenizer,
            free_prompts=settings.free_prompts,
            ngram=settings.ngram_guard,
            max_new=settings.max_new_tokens or MAX_NEW_TOKENS,
            time_limit_s=TIME_SHARE * settings.page_timeout_s,
            measured=True,
            max_tiles=loaded.model.max_tiles,
        )
        self.precision = "int8" if settings.int8 else str(loaded.model.model.dtype).removeprefix("torch.")
        if self_test and not check(folder, self.precision, self.engine, loaded.tokenizer):
            log.warning("no self-test for precision %s; write_self_test.py creates one", self.precision)


def _sizes(folder: Path) -> bytes:
    """The contents of `sizes.json`; empty if there is none, that is, for the official sizes."""
    path = folder / "sizes.json"
    return path.read_bytes() if path.is_file() else b""
