"""vLLM's FlexAttention on a CPU, where vLLM otherwise has no attention with a window over outputs.

The masks, their metadata and the cache's management are vLLM's. Only two calls are replaced, which need a GPU: the
compiled `flex_attention` by the one that is not compiled, and the kernel that writes keys and values into the cache.
"""

import pytest
from torch.nn.attention.flex_attention import flex_attention


def use_flex_attention(patch: pytest.MonkeyPatch) -> None:
    from vllm.platforms.cpu import CpuPlatform
    from vllm.v1.attention.backends import flex_attention as flex
    from vllm.v1.attention.backends.registry import AttentionBackendEnum

    def backend(*args, **options):
        return AttentionBackendEnum.FLEX_ATTENTION.get_path()

    def write(self, layer, key, value, kv_cache, slot_mapping):
        """key and value (T, H, D), slot_mapping (T,) -> kv_cache (blocks, H, positions, 2 · D)."""
        valid = slot_mapping >= 0
        slots = slot_mapping[valid]
        size = kv_cache.shape[2]
        count = len(slot_mapping)
        kv_cache[slots // size, :, slots % size, : self.head_size] = key[:count][valid]
        kv_cache[slots // size, :, slots % size, self.head_size :] = value[:count][valid]

    def attention(*args, kernel_options, **options):
        return flex_attention(*args, **options)

    patch.setattr(CpuPlatform, "get_attn_backend_cls", backend)
    patch.setattr(flex.FlexAttentionImpl, "do_kv_cache_update", write)
    patch.setattr(flex, "flex_attention_compiled", attention)
