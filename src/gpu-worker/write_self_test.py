"""Writes `self_test.json` next to the DeepSeek-OCR weights, for the current precision (`fovea.engine.self_test`).

    python src/gpu-worker/write_self_test.py    # with FOVEA_DEEPSEEK_DIR and the other settings used for serving

Run it on a machine whose results are known to be correct: every worker with these weights compares itself to the file.
"""

import logging
from pathlib import Path

from fovea.engine.self_test import write
from fovea.readers.deepseek_ocr import DeepseekOcr
from fovea.settings import Settings

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    settings = Settings.from_environment()
    reader = DeepseekOcr(settings, self_test=False)
    print(write(Path(settings.deepseek_dir), reader.precision, reader.engine, reader.tokenizer))
