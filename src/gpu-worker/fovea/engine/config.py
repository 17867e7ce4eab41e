"""What an engine is allowed to use."""

from dataclasses import dataclass

GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Sizes of the batch and of the cache. The defaults suit a CPU; `for_cuda` is for a GPU."""

    max_batch: int = 64  # sequences that hold a place in the cache, those being prefilled included
    kv_bytes: int = GIB  # of keys and values, all layers together
    block: int = 32  # positions in a block of the cache
    prefill_tokens: int = 256  # of new prompts in one step: how long running pages may be held up
    encode_pixels: int = 1 << 20  # of one batch of views, at least one view: the same for the encoder
    max_new: int = 8192  # longest answer
    threads: int | None = None  # of the CPU; None leaves PyTorch's own choice
    lag: int = 0  # steps by which the host learns of an end later; 1 hides the copy from a GPU

    def __post_init__(self) -> None:
        for name in ("max_batch", "kv_bytes", "block", "prefill_tokens", "encode_pixels", "max_new"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be above 0")
        if self.lag not in (0, 1):
            raise ValueError("lag is 0 or 1")

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
