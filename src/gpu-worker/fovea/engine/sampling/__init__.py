"""How the next token is chosen and when to stop: `greedy`, the n-gram `guard`, the `loops` detector.

Everything here works on a batch of rows of different lengths with fixed shapes and no read-back from the
device, so the same code serves one sequence on a CPU and a full batch on a GPU.
"""

from fovea.engine.sampling.greedy import pick
from fovea.engine.sampling.guard import NgramGuard
from fovea.engine.sampling.history import History
from fovea.engine.sampling.loops import LoopDetector, TokenClasses
from fovea.engine.sampling.masks import sampling_mask

__all__ = ["History", "LoopDetector", "NgramGuard", "TokenClasses", "pick", "sampling_mask"]
