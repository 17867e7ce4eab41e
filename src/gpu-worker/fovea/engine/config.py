"""Sizes of the native engine."""

from dataclasses import dataclass

GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Sizes of the batch and of the KV cache."""

    max_batch: int = 64  # sequences in the cache, including those in prefill
    kv_bytes: int = GIB  # size of the KV cache, all layers together
    block: int = 32  # positions in a block of the cache
    prefill_tokens: int = 256  # most positions of prefill in a step; limits the delay of running pages
    encode_pixels: int = 1 << 20  # most pixels in a batch of views (at least one view), for the same reason
    max_new: int = 8192  # longest answer in tokens
    threads: int | None = None  # CPU threads; None: PyTorch's default

    def __post_init__(self) -> None:
        for name in ("max_batch", "kv_bytes", "block", "prefill_tokens", "encode_pixels", "max_new"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be greater than 0")
