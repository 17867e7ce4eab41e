"""Writes `self_test.json` beside the DeepSeek-OCR weights, for the present precision (`fovea.engine.self_test`).

    python src/gpu-worker/write_self_test.py    # FOVEA_DEEPSEEK_DIR and the other settings as for serving

Run it on a machine that is known to be right: every worker with these weights is held to what it writes.
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
