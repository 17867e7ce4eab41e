"""`deepseek-ocr-2`: the released DeepSeek-OCR 2 weights (arXiv 2601.20552), run by this package's own model code.

| variable | default | |
|---|---|---|
| `FOVEA_DEEPSEEK_2_DIR` | – | folder with the checkpoint's `*.safetensors` and `tokenizer.json` |

All other variables are those of `deepseek-ocr`.
"""

from typing import ClassVar

from fovea.language.tasks import DOCUMENT_TASKS
from fovea.model import ModelConfig
from fovea.pages.documents import Raster
from fovea.readers.base import ReadRequest
from fovea.readers.deepseek_ocr import DeepseekOcr, Release
from fovea.vision.modes import DEEPSEEK_OCR_2

AUTO = ("gundam", "base")
"""The modes of `auto`: first the one of the official code, and the other one if the reading is not sound."""


class DeepseekOcr2(DeepseekOcr):
    release: ClassVar = Release(
        "deepseek-ocr-2",
        "FOVEA_DEEPSEEK_2_DIR",
        "deepseek_2_dir",
        ModelConfig.deepseek_ocr_2(),
        DEEPSEEK_OCR_2,
        DOCUMENT_TASKS,
        b"deepseek-ocr-2 rules 1",
    )

    def _ladder(self, raster: Raster, request: ReadRequest) -> tuple[str, ...]:
        return AUTO if request.mode == "auto" else (request.mode,)
