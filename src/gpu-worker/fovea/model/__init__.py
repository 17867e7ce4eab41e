"""The encoders and the decoder of DeepSeek-OCR and its successors in plain PyTorch (docs/MODEL.md).

Read the modules in this order: config, sam, clip, qwen, decoder, ocr_model. `checkpoint` loads and saves weights.
"""

from fovea.model.checkpoint import CheckpointError, checkpoint_digest, load_checkpoint, save_checkpoint
from fovea.model.config import ClipConfig, DecoderConfig, ModelConfig, QwenConfig, SamConfig
from fovea.model.decoder import KvCache
from fovea.model.ocr_model import OcrModel

__all__ = [
    "CheckpointError",
    "ClipConfig",
    "DecoderConfig",
    "KvCache",
    "ModelConfig",
    "OcrModel",
    "QwenConfig",
    "SamConfig",
    "checkpoint_digest",
    "load_checkpoint",
    "save_checkpoint",
]
