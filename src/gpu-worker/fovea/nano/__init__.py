"""The parts of `fovea-nano`: lines packed into strips, place tokens, weights (docs/NANO.md)."""
