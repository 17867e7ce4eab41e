"""Sizes of an engine."""

from dataclasses import dataclass

GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Sizes of the batch and of the KV cache. The defaults are for a CPU; `for_cuda` is for a GPU."""

    max_batch: int = 64  # sequences in the cache, including those in prefill
    kv_bytes: int = GIB  # size of the KV cache, all layers together
    block: int = 32  # positions in a block of the cache
    prefill_tokens: int = 256  # most positions of prefill in a step; limits the delay of running pages
    encode_pixels: int = 1 << 20  # most pixels in a batch of views (at least one view), for the same reason
    max_new: int = 8192  # longest answer in tokens
    threads: int | None = None  # CPU threads; None: PyTorch's default
    lag: int = 0  # steps until the host notices that a row has ended; 1 hides the copy from a GPU

    def __post_init__(self) -> None:
        for name in ("max_batch", "kv_bytes", "block", "prefill_tokens", "encode_pixels", "max_new"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be greater than 0")
        if self.lag not in (0, 1):
            raise ValueError("lag must be 0 or 1")

    @classmethod
    def for_cuda(cls, kv_bytes: int, max_new: int = 8192) -> "EngineConfig":
        return cls(
            max_batch=256,
            kv_bytes=kv_bytes,
            block=64,
            prefill_tokens=4096,
            encode_pixels=16 << 20,
            max_new=max_new,
            lag=1,
        )
