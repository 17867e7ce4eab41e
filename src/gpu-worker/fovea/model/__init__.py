"""DeepSeek-OCR's encoder and decoder in plain PyTorch (docs/MODEL.md).

Read the modules in this order: config, sam, clip, decoder, ocr_model. `checkpoint` loads and saves weights.
"""

from fovea.model.checkpoint import CheckpointError, checkpoint_digest, load_checkpoint, save_checkpoint
from fovea.model.config import ClipConfig, DecoderConfig, ModelConfig, SamConfig
from fovea.model.decoder import KvCache
from fovea.model.ocr_model import OcrModel

__all__ = [
    "CheckpointError",
    "ClipConfig",
    "DecoderConfig",
    "KvCache",
    "ModelConfig",
    "OcrModel",
    "SamConfig",
    "checkpoint_digest",
    "load_checkpoint",
    "save_checkpoint",
]
