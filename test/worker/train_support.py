"""A model of the shape of `fovea-nano`, small enough to be trained for a few steps in a test."""

from fovea.model import ModelConfig
from fovea.model.config import ClipConfig, DecoderConfig, SamConfig
from fovea.nano import places

TINY = ModelConfig(
    SamConfig(32, 2, 2, 64, grid=8, window=4, global_blocks=(1,), neck=16, compressor=(24, 32), stem=True),
    ClipConfig(32, 1, 4, 64, grid=2, patch=None),
    DecoderConfig(
        vocab=places.FIRST + places.COUNT,
        width=48,
        depth=4,
        heads=3,
        head_dim=16,
        dense_mlp=64,
        context=1000,
        experts=4,
        experts_per_token=2,
        expert_mlp=24,
        shared_mlp=32,
    ),
)
