"""The inference engine (docs/ENGINE.md). Read it in this order: engine, scheduler, sequence, kv_cache, decoder,
weights, sampler, encoder.
"""

from fovea.engine.config import EngineConfig
from fovea.engine.engine import Engine, Handle
from fovea.engine.seen import Seen, SeenError, load_seen, save_seen
from fovea.engine.sequence import Busy, Canceled

__all__ = [
    "Busy",
    "Canceled",
    "Engine",
    "EngineConfig",
    "Handle",
    "Seen",
    "SeenError",
    "load_seen",
    "save_seen",
]
