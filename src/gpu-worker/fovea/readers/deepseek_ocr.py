"""`deepseek-ocr`: the released DeepSeek-OCR weights, run by this package's own model code.

| variable | default | |
|---|---|---|
| `FOVEA_DEEPSEEK_DIR` | – | folder with the checkpoint's `*.safetensors` and `tokenizer.json` |
| `FOVEA_FREE_PROMPTS` | off | `1` lets a request replace the official wording of a task with its `prompt` |
| `FOVEA_MAX_TILES` | 6 tiles | most tiles of the gundam mode: 6 as in the paper's code and vLLM; the Hub's code has 9 |
| `FOVEA_DTYPE` | the checkpoint's | `bfloat16`, `float16` (GPUs before Ampere) or `float32` |
| `FOVEA_NGRAM_GUARD` | `30,90`; for PDF pages `20,50` | `n,window` for all pages, or `off`. Loops are detected anyway |
| `FOVEA_MAX_NEW_TOKENS` | 8192 tokens | longest answer; the context also limits it |
| `FOVEA_QUANT` | off | `int8` quantizes the decoder's weights; for CPUs only |
| `FOVEA_ENGINE` | auto | `vllm`; `native`, which reads on the CPU; `auto`: `vllm` on a GPU ([the engines](ENGINE.md)) |
| `FOVEA_VLLM_SHARE` | 0.8 | share of the GPU's memory for vLLM: decoder and cache; the encoder uses the rest |
| `FOVEA_KV_BYTES` | 2 GiB; what `FOVEA_VLLM_SHARE` leaves | cache for the keys and values of all running pages |
| `FOVEA_BATCH` | 64; 256 with `vllm` | sequences that are decoded at once |
| `FOVEA_THREADS` | all cores | threads of the engine |

For a model of the same architecture with other sizes, put a `sizes.json` (`ModelConfig.to_json`) into the folder.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from fovea.engine.self_test import check
from fovea.language.tasks import TASKS, Task
from fovea.model import ModelConfig
from fovea.readers.loading import load_folder
from fovea.readers.vision import VisionReader
from fovea.settings import Settings
from fovea.vision.modes import DEEPSEEK_OCR, Layout

log = logging.getLogger(__name__)

RULES = b"deepseek-ocr rules 4"
"""Part of the digest. Raise the number when a change of parsing or Markdown changes results."""

MAX_NEW_TOKENS = 8192
TIME_SHARE = 0.9  # of the page's time limit; the rest is for delivering a partial result


@dataclass(frozen=True, slots=True)
class Release:
    """A checkpoint of the family. `folder` is the variable with its folder, and `setting` that of `Settings`."""

    name: str
    folder: str
    setting: str
    config: ModelConfig
    layout: Layout
    tasks: Mapping[str, Task]
    rules: bytes
    ngram: tuple[int, int] | None = None
    """The n-gram guard if the setting is left at its default; `None`: that default."""
    max_document: int = 0
    document_ngram: tuple[int, int] | None = None
    """The guard of several pages in one sequence, if the setting is left at its default."""
    measured: bool = False


class DeepseekOcr(VisionReader):
    """Also the base of the readers of its successors, whose `release` differs."""

    release: ClassVar = Release(
        "deepseek-ocr",
        "FOVEA_DEEPSEEK_DIR",
        "deepseek_dir",
        ModelConfig.deepseek_ocr(),
        DEEPSEEK_OCR,
        TASKS,
        RULES,
        measured=True,
    )

    def __init__(self, settings: Settings | None = None, *, self_test: bool = True) -> None:
        """Blocks while weights load. `settings` default to those of the environment.

        Raises `ValueError` for a setting that is not valid, `CheckpointError`, `TokenizerError`, and `SelfTestError`
        if the results of this machine differ from `self_test.json` in the weights' folder.
        """
        settings = settings or Settings.from_environment()
        release = self.release
        folder = getattr(settings, release.setting)
        if not folder:
            raise ValueError(f"{release.name} requires {release.folder}, the folder of its checkpoint")
        sizes = _sizes(folder)
        ngram, pdf_ngram = settings.ngram_guard, settings.pdf_ngram_guard
        document_ngram = None
        defaults = Settings()
        if release.ngram and (ngram, pdf_ngram) == (defaults.ngram_guard, defaults.pdf_ngram_guard):
            ngram = pdf_ngram = release.ngram
            document_ngram = release.document_ngram
        guards = (ngram, pdf_ngram, document_ngram) if document_ngram else (ngram, pdf_ngram)
        loaded = load_folder(
            folder,
            ModelConfig.from_json(json.loads(sizes)) if sizes else release.config,
            release.rules + repr(guards).encode() + sizes,
            settings,
            release.layout,
        )
        super().__init__(
            release.name,
            loaded.digest,
            loaded.model,
            loaded.tokenizer,
            free_prompts=settings.free_prompts,
            ngram=ngram,
            pdf_ngram=pdf_ngram,
            max_new=settings.max_new_tokens or MAX_NEW_TOKENS,
            time_limit_s=TIME_SHARE * settings.page_timeout_s,
            measured=release.measured,
            layout=loaded.model.layout,
            tasks=release.tasks,
            max_document=release.max_document,
            document_ngram=document_ngram,
        )
        self.precision = "int8" if settings.int8 else str(loaded.model.model.dtype).removeprefix("torch.")
        log.info("engine: %s, %s", self.engine.name, self.precision)
        if self_test and not check(folder, self.precision, self.engine, loaded.tokenizer):
            log.warning("no self-test for precision %s; write_self_test.py creates one", self.precision)


def _sizes(folder: Path) -> bytes:
    """The contents of `sizes.json`; empty if there is none, that is, for the official sizes."""
    path = folder / "sizes.json"
    return path.read_bytes() if path.is_file() else b""
