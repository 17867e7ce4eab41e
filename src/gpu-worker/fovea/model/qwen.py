"""The second half of DeepSeek-OCR 2's encoder: a language model's transformer that reorders the compressed tokens.

The image's tokens come first and see each other. As many learned queries follow; each sees the image and the queries
before it ("visual causal flow", arXiv 2601.20552). Only the queries' outputs are used. Tensor names are those of the
official checkpoint (`model.qwen2_model.…`).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fovea.model.config import QwenConfig
from fovea.model.decoder import Mlp, RmsNorm, rotary, rotate


class Attention(nn.Module):
    """Grouped-query attention; biases on queries, keys and values only."""

    def __init__(self, config: QwenConfig):
        super().__init__()
        self.heads, self.head_dim = config.heads, config.width // config.heads
        self.q_proj = nn.Linear(config.width, config.width)
        self.k_proj = nn.Linear(config.width, config.kv_heads * self.head_dim)
        self.v_proj = nn.Linear(config.width, config.kv_heads * self.head_dim)
        self.o_proj = nn.Linear(config.width, config.width, bias=False)

    def forward(self, x: Tensor, place: tuple[Tensor, Tensor]) -> Tensor:
        """x (B, 2n, C): n tokens of the image, then n queries."""
        batch, length, width = x.shape
        q, k, v = (
            proj(x).view(batch, length, -1, self.head_dim).transpose(1, 2)  # (B, heads, 2n, D)
            for proj in (self.q_proj, self.k_proj, self.v_proj)
        )
        q, k = rotate(q, *place), rotate(k, *place)
        k, v = (side.repeat_interleave(self.heads // side.shape[1], 1) for side in (k, v))
        # Two calls, because only the second one needs a mask.
        n = length // 2
        image = F.scaled_dot_product_attention(q[:, :, :n], k[:, :, :n], v[:, :, :n])
        visible = torch.ones(n, length, dtype=torch.bool, device=x.device).tril(n)
        queries = F.scaled_dot_product_attention(q[:, :, n:], k, v, attn_mask=visible)
        out = torch.cat([image, queries], 2)
        return self.o_proj(out.transpose(1, 2).reshape(batch, length, width))


class Layer(nn.Module):
    def __init__(self, config: QwenConfig):
        super().__init__()
        self.input_layernorm = RmsNorm(config.width, config.norm_eps)
        self.self_attn = Attention(config)
        self.post_attention_layernorm = RmsNorm(config.width, config.norm_eps)
        self.mlp = Mlp(config.width, config.mlp)

    def forward(self, x: Tensor, place: tuple[Tensor, Tensor]) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), place)
        return x + self.mlp(self.post_attention_layernorm(x))


class Qwen(nn.Module):
    """(B, C, h, w) from the compressor -> (B, h·w, C), in the order that the queries give to the page."""

    def __init__(self, config: QwenConfig):
        super().__init__()
        self.config = config
        transformer = nn.Module()
        transformer.layers = nn.ModuleList(Layer(config) for _ in range(config.depth))
        transformer.norm = RmsNorm(config.width, config.norm_eps)
        self.model = nn.Module()
        self.model.model = transformer
        for side in config.sides:
            setattr(self, f"query_{side}", nn.Embedding((side // 64) ** 2, config.width))

    def forward(self, features: Tensor) -> Tensor:
        """Raises `ValueError` for views of a size without queries."""
        batch, _, h, w = features.shape
        table = getattr(self, f"query_{64 * h}", None)
        if h != w or table is None:
            raise ValueError(f"there are no queries for a view of {64 * w} × {64 * h} pixels")
        queries = table.weight.expand(batch, -1, -1)
        x = torch.cat([features.flatten(2).transpose(1, 2), queries.to(features.dtype)], 1)
        positions = torch.arange(x.shape[1], device=x.device)
        place = rotary(positions, self.config.width // self.config.heads, self.config.rope_theta)
        for layer in self.model.model.layers:
            x = layer(x, place)
        return self.model.model.norm(x[:, h * w :])
