"""What only `fovea-nano` has: lines packed into strips, places as tokens, its weights (docs/NANO.md)."""
