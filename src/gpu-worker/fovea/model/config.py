"""All sizes of the models. The defaults are those of DeepSeek-OCR."""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class SamConfig:
    """The first half of the DeepEncoder: SAM ViT-B and the 16× compressor."""

    width: int = 768
    depth: int = 12
    heads: int = 12
    mlp: int = 3072
    patch: int = 16  # pixels
    grid: int = 64  # patches per side of the trained position tables (1024 px)
    window: int = 14  # patches per side of a window
    global_blocks: tuple[int, ...] = (2, 5, 8, 11)  # the other blocks use window attention
    neck: int = 256
    compressor: tuple[int, int] = (512, 1024)  # output channels of the two stride-2 convolutions
    stem: bool = False  # six convolutions instead of the linear patch embedding


@dataclass(frozen=True, slots=True)
class ClipConfig:
    """The second half: CLIP-L without its patch embedding. Its width is the compressor's output width."""

    width: int = 1024
    depth: int = 24
    heads: int = 16
    mlp: int = 4096
    grid: int = 16  # tokens per side of the trained position table (1024 px)
    patch: int | None = 14  # size of the unused patch embedding in the official checkpoint; None: without


@dataclass(frozen=True, slots=True)
class QwenConfig:
    """The second half in DeepSeek-OCR 2: Qwen2-0.5B's transformer. Its width is the compressor's output width."""

    width: int = 896
    depth: int = 24
    heads: int = 14
    kv_heads: int = 2
    mlp: int = 4864
    rope_theta: float = 1e6
    norm_eps: float = 1e-6
    sides: tuple[int, int] = (768, 1024)  # of the views for which there are queries, in pixels


@dataclass(frozen=True, slots=True)
class DecoderConfig:
    """DeepSeek-3B-MoE-A570M. The first `dense_layers` layers are dense, the others are mixtures of experts."""

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
    window: int | None = (
        None  # generated tokens see the prompt and this many of the last generated; None: all
    )


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """The second half of the encoder is `clip` or `qwen`; the other one is `None`."""

    sam: SamConfig = field(default_factory=SamConfig)
    clip: ClipConfig | None = field(default_factory=ClipConfig)
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    qwen: QwenConfig | None = None

    def __post_init__(self) -> None:
        if (self.clip is None) == (self.qwen is None):
            raise ValueError("the encoder has either clip or qwen")
        second = self.clip or self.qwen
        if self.sam.width % self.sam.heads or second.width % second.heads:
            raise ValueError("a width must be a multiple of its number of heads")
        if self.qwen and self.qwen.heads % self.qwen.kv_heads:
            raise ValueError("the number of heads must be a multiple of kv_heads")
        if self.sam.compressor[1] != second.width:
            raise ValueError(
                "the compressor's output width must be equal to the width of the encoder's second half"
            )
        if self.decoder.window is not None and self.decoder.window < 1:
            raise ValueError("window must be greater than 0")
        if self.decoder.head_dim % 2:
            raise ValueError("head_dim must be even for rotary positions")
        if not 0 < self.decoder.experts_per_token <= self.decoder.experts:
            raise ValueError("experts_per_token must be between 1 and the number of experts")

    @classmethod
    def deepseek_ocr(cls) -> "ModelConfig":
        """2,710 tensors, 3,336,106,240 parameters."""
        return cls()

    @classmethod
    def deepseek_ocr_2(cls) -> "ModelConfig":
        """2,707 tensors, 3,389,119,360 parameters."""
        return cls(SamConfig(compressor=(512, 896)), None, DecoderConfig(), QwenConfig())

    @classmethod
    def unlimited_ocr(cls) -> "ModelConfig":
        """The tensors of DeepSeek-OCR."""
        return cls(decoder=DecoderConfig(context=32_768, window=128))

    @classmethod
    def nano(cls) -> "ModelConfig":
        """`fovea-nano` (docs/NANO.md). Its vocabulary has a token per byte and 64 places in a view of 128 × 512 px."""
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
        """A tiny model for tests."""
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

    @classmethod
    def tiny_2(cls, **decoder: Any) -> "ModelConfig":
        """A tiny DeepSeek-OCR 2 for tests."""
        tiny = cls.tiny(**decoder)
        return cls(tiny.sam, None, tiny.decoder, QwenConfig(32, 2, 4, 2, 64))

    @classmethod
    def tiny_unlimited(cls, **decoder: Any) -> "ModelConfig":
        """A tiny Unlimited-OCR for tests."""
        return cls.tiny(**{"window": 8, **decoder})

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> "ModelConfig":
        """Raises `KeyError` for a missing part and `TypeError` for an unknown field."""
        sam = {**body["sam"]}
        for name in ("global_blocks", "compressor"):
            sam[name] = tuple(sam[name])
        clip = ClipConfig(**body["clip"]) if body["clip"] else None
        qwen = None
        if body.get("qwen"):
            qwen = QwenConfig(**{**body["qwen"], "sides": tuple(body["qwen"]["sides"])})
        return cls(SamConfig(**sam), clip, DecoderConfig(**body["decoder"]), qwen)
