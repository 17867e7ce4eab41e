"""Choice of the next token: `greedy` sampling, the n-gram `guard`, the `loops` detector.

Everything works on a batch of rows of different lengths, with fixed shapes and without synchronization with the
device. So the same code is used for one sequence on a CPU and for a full batch on a GPU.
"""

from fovea.engine.sampling.greedy import pick
from fovea.engine.sampling.guard import NgramGuard
from fovea.engine.sampling.history import History
from fovea.engine.sampling.loops import LoopDetector, TokenClasses
from fovea.engine.sampling.masks import sampling_mask

__all__ = ["History", "LoopDetector", "NgramGuard", "TokenClasses", "pick", "sampling_mask"]
