"""The second half of the DeepEncoder: the transformer of CLIP-L over the compressed tokens (`model.vision_model.…`)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fovea.model.config import ClipConfig
from fovea.model.tables import Resized, resize_grid


class Attention(nn.Module):
    """Full self-attention."""

    def __init__(self, config: ClipConfig):
        super().__init__()
        self.heads = config.heads
        self.qkv_proj = nn.Linear(config.width, 3 * config.width)
        self.out_proj = nn.Linear(config.width, config.width)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        q, k, v = self.qkv_proj(x).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        out = F.scaled_dot_product_attention(q, k, v)  # (B, heads, T, D)
        return self.out_proj(out.transpose(1, 2).reshape(batch, length, width))


class Layer(nn.Module):
    def __init__(self, config: ClipConfig):
        super().__init__()
        self.layer_norm1 = nn.LayerNorm(config.width, eps=1e-5)
        self.self_attn = Attention(config)
        self.layer_norm2 = nn.LayerNorm(config.width, eps=1e-5)
        self.mlp = nn.Module()
        self.mlp.fc1 = nn.Linear(config.width, config.mlp)
        self.mlp.fc2 = nn.Linear(config.mlp, config.width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.self_attn(self.layer_norm1(x))
        hidden = self.mlp.fc1(self.layer_norm2(x))
        return x + self.mlp.fc2(hidden * torch.sigmoid(1.702 * hidden))  # quick GELU


class Embeddings(nn.Module):
    """Prepends the class token and adds position embeddings."""

    def __init__(self, config: ClipConfig):
        super().__init__()
        self.grid = config.grid
        self.class_embedding = nn.Parameter(torch.zeros(config.width))
        if config.patch is not None:
            # Part of the official checkpoint, but not used.
            self.patch_embedding = nn.Conv2d(3, config.width, config.patch, stride=config.patch, bias=False)
        self.position_embedding = nn.Embedding(config.grid**2 + 1, config.width)
        self._resized = Resized()

    def forward(self, tokens: Tensor, h: int, w: int) -> Tensor:
        """tokens (B, h·w, C) -> (B, 1 + h·w, C)."""

        def make(table: Tensor) -> Tensor:
            grid = table[1:].view(1, self.grid, self.grid, -1)
            return torch.cat([table[:1], resize_grid(grid, h, w).flatten(0, 2)])

        first = self.class_embedding.expand(len(tokens), 1, -1).to(tokens.dtype)
        return torch.cat([first, tokens], 1) + self._resized.get(self.position_embedding.weight, (h, w), make)


class Clip(nn.Module):
    """(B, C, h, w) from the compressor -> (B, h·w, C)."""

    def __init__(self, config: ClipConfig):
        super().__init__()
        self.embeddings = Embeddings(config)
        self.pre_layrnorm = nn.LayerNorm(config.width, eps=1e-5)  # the spelling of the checkpoint
        self.transformer = nn.Module()
        self.transformer.layers = nn.ModuleList(Layer(config) for _ in range(config.depth))

    def forward(self, features: Tensor) -> Tensor:
        h, w = features.shape[2:]
        x = self.pre_layrnorm(self.embeddings(features.flatten(2).transpose(1, 2), h, w))
        for layer in self.transformer.layers:
            x = layer(x)
        # The class token is dropped. The patch tokens get no final norm, because CLIP has one only for the class token.
        return x[:, 1:]
