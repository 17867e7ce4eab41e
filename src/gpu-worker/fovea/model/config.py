"""Every size of the model. The defaults are the official ones, so `ModelConfig()` is the 3B model."""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class SamConfig:
    """The first half of the DeepEncoder: SAM ViT-B and the 16× compressor behind it."""

    width: int = 768
    depth: int = 12
    heads: int = 12
    mlp: int = 3072
    patch: int = 16  # pixels
    grid: int = 64  # patches per side for which the position tables were trained (1024 px)
    window: int = 14  # patches per side of a window
    global_blocks: tuple[int, ...] = (2, 5, 8, 11)  # the others attend inside windows
    neck: int = 256
    compressor: tuple[int, int] = (512, 1024)  # channels after each of its two stride-2 convolutions
    stem: bool = False  # six convolutions instead of the linear patch embedding


@dataclass(frozen=True, slots=True)
class ClipConfig:
    """The second half: CLIP-L without its own patch embedding. Its width is that of the compressor's output."""

    width: int = 1024
    depth: int = 24
    heads: int = 16
    mlp: int = 4096
    grid: int = 16  # tokens per side for which the position table was trained (1024 px)
    patch: int | None = (
        14  # of the unused patch embedding that the official checkpoint carries; None: without
    )


@dataclass(frozen=True, slots=True)
class DecoderConfig:
    """DeepSeek-3B-MoE-A570M. `dense_layers` of the first layers are dense, the others mixtures of experts."""

    vocab: int = 129_280
    width: int = 1280
    depth: int = 12
    heads: int = 10
    head_dim: int = 128
    dense_layers: int = 1
    dense_mlp: int = 6848
    experts: int = 64
    experts_per_token: int = 6
    expert_mlp: int = 896
    shared_mlp: int = 1792
    context: int = 8192  # positions, vision tokens included
    rope_theta: float = 10_000.0
    norm_eps: float = 1e-6


@dataclass(frozen=True, slots=True)
class ModelConfig:
    sam: SamConfig = field(default_factory=SamConfig)
    clip: ClipConfig = field(default_factory=ClipConfig)
    decoder: DecoderConfig = field(default_factory=DecoderConfig)

    def __post_init__(self) -> None:
        if self.sam.width % self.sam.heads or self.clip.width % self.clip.heads:
            raise ValueError("a width is not a multiple of its heads")
        if self.sam.compressor[1] != self.clip.width:
            raise ValueError("the compressor's output is CLIP's input: their widths must agree")
        if self.decoder.head_dim % 2:
            raise ValueError("rotary positions need an even head_dim")
        if not 0 < self.decoder.experts_per_token <= self.decoder.experts:
            raise ValueError("experts_per_token is not between 1 and the number of experts")

    @classmethod
    def official(cls) -> "ModelConfig":
        """2,710 tensors, 3,336,106,240 parameters."""
        return cls()

    @classmethod
    def nano(cls) -> "ModelConfig":
        """`fovea-nano` (docs/NANO.md): one token a byte, and 64 for
        places in a view of 128 × 512 px, the only size that it is trained on.
        """
        return cls(
            SamConfig(
                192,
                3,
                4,
                768,
                grid=32,
                window=8,
                global_blocks=(2,),
                neck=192,
                compressor=(320, 512),
                stem=True,
            ),
            ClipConfig(512, 2, 8, 1024, grid=8, patch=None),
            DecoderConfig(
                vocab=335,
                width=384,
                depth=4,
                heads=5,
                head_dim=64,
                dense_mlp=768,
                context=2048,
                experts=8,
                experts_per_token=2,
                expert_mlp=72,
                shared_mlp=256,
            ),
        )

    @classmethod
    def tiny(cls, **decoder: Any) -> "ModelConfig":
        """Everything small, for tests: 32-px windows of 2×2 tokens would do, here it is 4×4."""
        return cls(
            SamConfig(32, 3, 2, 64, grid=8, window=3, global_blocks=(1,), neck=16, compressor=(24, 32)),
            ClipConfig(32, 2, 4, 64, grid=2, patch=14),
            DecoderConfig(
                **{
                    **dict(vocab=96, width=48, depth=3, heads=3, head_dim=16, dense_mlp=64, context=256),
                    **dict(experts=8, experts_per_token=3, expert_mlp=24, shared_mlp=32),
                    **decoder,
                }
            ),
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> "ModelConfig":
        """Raises `TypeError` for a field that does not exist."""
        sam = {**body["sam"]}
        for name in ("global_blocks", "compressor"):
            sam[name] = tuple(sam[name])
        return cls(SamConfig(**sam), ClipConfig(**body["clip"]), DecoderConfig(**body["decoder"]))
