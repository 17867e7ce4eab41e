"""The inference engine (docs/ENGINE.md).

Read its modules in this order: engine, scheduler, sequence, kv_cache, decoder, weights, sampler, encoder.
"""

from fovea.engine.config import EngineConfig
from fovea.engine.engine import Engine, Handle
from fovea.engine.sequence import Busy, Canceled
from fovea.engine.vision_tokens import VisionTokens, VisionTokensError, load_tokens, save_tokens

__all__ = [
    "Busy",
    "Canceled",
    "Engine",
    "EngineConfig",
    "Handle",
    "VisionTokens",
    "VisionTokensError",
    "load_tokens",
    "save_tokens",
]
