"""A checkpoint in the official layout with small random weights: `python test/worker/tiny_checkpoint.py FOLDER`."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

from fovea.language.tokenizer import character_vocabulary
from fovea.model import ModelConfig, OcrModel, save_checkpoint


def make(folder: Path, tiny: Callable[..., ModelConfig] = ModelConfig.tiny) -> Path:
    """Room for a tiled page, and a vocabulary of one token a byte."""
    config = tiny(vocab=288, context=1400)
    save_checkpoint(OcrModel(config).init_weights(seed=7), folder)
    (folder / "tokenizer.json").write_text(json.dumps(character_vocabulary()))
    (folder / "sizes.json").write_text(json.dumps(config.to_json()))
    return folder


if __name__ == "__main__":
    make(Path(sys.argv[1]))
