"""Choice of the next token: `greedy` sampling, the n-gram `guard`, the `loops` detector.

Choice and guard work on a batch of rows as tensor operations with fixed shapes. The loop detector reads the tokens of
one answer as they are generated, so every engine can use it.
"""

from fovea.engine.sampling.greedy import pick
from fovea.engine.sampling.guard import NgramGuard, tails
from fovea.engine.sampling.loops import LoopDetector, TokenClasses
from fovea.engine.sampling.masks import sampling_mask

__all__ = ["LoopDetector", "NgramGuard", "TokenClasses", "pick", "sampling_mask", "tails"]
