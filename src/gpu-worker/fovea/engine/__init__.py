"""The inference engines (docs/ENGINE.md).

Read `interface` and `answer` first. The native engine: native, scheduler, sequence, kv_cache, decoder, weights,
sampler, encoder. The engine for GPUs: vllm_engine.
"""

from fovea.engine.config import EngineConfig
from fovea.engine.interface import Engine, Handle
from fovea.engine.native import NativeEngine
from fovea.engine.sequence import Busy, Canceled
from fovea.engine.vision_tokens import VisionTokens, VisionTokensError, load_tokens, save_tokens

__all__ = [
    "Busy",
    "Canceled",
    "Engine",
    "EngineConfig",
    "Handle",
    "NativeEngine",
    "VisionTokens",
    "VisionTokensError",
    "load_tokens",
    "save_tokens",
]
