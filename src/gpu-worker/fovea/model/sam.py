"""The first half of the DeepEncoder: SAM's ViT-B with windows and relative positions, then a 16× compressor.

It takes a view of any size in patches of 16 px and returns one token for each 64 × 64 px. Tensor names are those of the
official checkpoint (`model.sam_model.…`).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fovea.model.config import SamConfig
from fovea.model.tables import Resized, resize_grid, resize_relative

BIAS_BYTES = 256 << 20
"""Most memory for the bias of relative positions."""


class LayerNorm2d(nn.Module):
    """Layer norm over the channels of (B, C, H, W)."""

    def __init__(self, channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        x = F.layer_norm(x.permute(0, 2, 3, 1), self.weight.shape, self.weight, self.bias, 1e-6)
        return x.permute(0, 3, 1, 2)


class PatchEmbed(nn.Module):
    """(B, 3, H, W) -> (B, H/16, W/16, C)."""

    def __init__(self, config: SamConfig):
        super().__init__()
        if config.stem:
            # For fovea-nano: convolutions learn much faster than a linear map of 768 pixel values.
            eighth, quarter, half = (max(16, config.width // part) for part in (8, 4, 2))
            steps = [(3, eighth, 2), (eighth, quarter, 2), (quarter, quarter, 1)]
            steps += [(quarter, half, 2), (half, half, 1), (half, config.width, 2)]
            layers: list[nn.Module] = []
            for before, after, stride in steps:
                conv = nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False)
                layers += [conv, nn.BatchNorm2d(after), nn.GELU()]
            self.stem = nn.Sequential(*layers[:-1])
        else:
            self.proj = nn.Conv2d(3, config.width, config.patch, stride=config.patch)

    def forward(self, pixels: Tensor) -> Tensor:
        x = self.stem(pixels) if hasattr(self, "stem") else self.proj(pixels)
        return x.permute(0, 2, 3, 1)


class Attention(nn.Module):
    """Self-attention over a grid with decomposed relative positions.

    The bias of query (y, x) for key (y', x') is q·Rh[y − y' + h − 1] + q·Rw[x − x' + w − 1], with the unscaled q.
    For all heads of a view of 1024 px it would take 384 MiB in bf16, so it is made for as many heads at a time as fit
    into `BIAS_BYTES`.
    """

    def __init__(self, width: int, heads: int, grid: int):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.rel_pos_h = nn.Parameter(torch.zeros(2 * grid - 1, width // heads))
        self.rel_pos_w = nn.Parameter(torch.zeros(2 * grid - 1, width // heads))
        self._resized = Resized()

    def forward(self, x: Tensor) -> Tensor:
        """x (B, h, w, C)."""
        batch, h, w, width = x.shape
        q, k, v = (
            self.qkv(x).view(batch, h * w, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        )  # (B, heads, hw, D)
        rows, columns = (bias.flatten(0, 1) for bias in self.biases(q, h, w))
        q, k, v = (part.flatten(0, 1) for part in (q, k, v))  # (B · heads, hw, D)
        some = max(1, BIAS_BYTES // (q.element_size() * (h * w) ** 2))
        groups = zip(*(part.split(some) for part in (q, k, v, rows, columns)), strict=True)
        out = torch.cat([self._attend(*group) for group in groups])
        out = out.view(batch, self.heads, h * w, -1).transpose(1, 2)
        return self.proj(out.reshape(batch, h, w, width))

    @staticmethod
    def _attend(q: Tensor, k: Tensor, v: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        bias = (rows[..., :, None] + columns[..., None, :]).flatten(-2)  # (heads, hw, hw)
        return F.scaled_dot_product_attention(q[:, None], k[:, None], v[:, None], attn_mask=bias[:, None])[
            :, 0
        ]

    def biases(self, q: Tensor, h: int, w: int) -> tuple[Tensor, Tensor]:
        """The bias of each query for every row (B, heads, hw, h) and for every column (B, heads, hw, w)."""
        grid = q.view(*q.shape[:2], h, w, -1)
        rows = torch.einsum("bnyxd,ykd->bnyxk", grid, self._offsets(self.rel_pos_h, h))
        columns = torch.einsum("bnyxd,xkd->bnyxk", grid, self._offsets(self.rel_pos_w, w))
        return rows.flatten(2, 3), columns.flatten(2, 3)

    def plain(self, x: Tensor) -> Tensor:
        """The reference with the bias as a tensor. Tests compare `forward` to it."""
        batch, h, w, width = x.shape
        q, k, v = self.qkv(x).view(batch, h * w, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        rows, columns = self.biases(q, h, w)
        bias = (rows[..., :, None] + columns[..., None, :]).flatten(-2)  # (B, heads, hw, hw)
        weights = (q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5 + bias).softmax(-1)
        return self.proj((weights @ v).transpose(1, 2).reshape(batch, h, w, width))

    def _offsets(self, table: nn.Parameter, size: int) -> Tensor:
        """(size, size, D): the table's row for every pair of query and key positions."""
        name = "h" if table is self.rel_pos_h else "w"

        def make(weights: Tensor) -> Tensor:
            at = torch.arange(size, device=weights.device)
            return resize_relative(weights, 2 * size - 1)[at[:, None] - at[None, :] + size - 1]

        return self._resized.get(table, (name, size), make)


class Block(nn.Module):
    """A pre-norm transformer block. `window=0` means global attention."""

    def __init__(self, config: SamConfig, window: int):
        super().__init__()
        self.window = window
        self.norm1 = nn.LayerNorm(config.width, eps=1e-6)
        self.attn = Attention(config.width, config.heads, window or config.grid)
        self.norm2 = nn.LayerNorm(config.width, eps=1e-6)
        self.mlp = nn.Module()
        self.mlp.lin1 = nn.Linear(config.width, config.mlp)
        self.mlp.lin2 = nn.Linear(config.mlp, config.width)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, h, w, C)."""
        x = x + (self._windowed(self.norm1(x)) if self.window else self.attn(self.norm1(x)))
        return x + self.mlp.lin2(
            F.gelu(self.mlp.lin1(self.norm2(x)))
        )  # exact GELU, not the tanh approximation

    def _windowed(self, x: Tensor) -> Tensor:
        batch, h, w, width = x.shape
        s = self.window
        # As in training, the padding is zeros *after* the norm and is not masked: its keys are the qkv bias and take
        # part in the softmax.
        x = F.pad(x, (0, 0, 0, -w % s, 0, -h % s))
        rows, columns = x.shape[1] // s, x.shape[2] // s
        x = x.view(batch, rows, s, columns, s, width).transpose(2, 3).reshape(-1, s, s, width)
        x = self.attn(x)
        x = x.view(batch, rows, columns, s, s, width).transpose(2, 3)
        return x.reshape(batch, rows * s, columns * s, width)[:, :h, :w]


class Sam(nn.Module):
    """(B, 3, H, W) -> (B, C, H/64, W/64)."""

    def __init__(self, config: SamConfig):
        super().__init__()
        self.patch_embed = PatchEmbed(config)
        self.pos_embed = nn.Parameter(torch.zeros(1, config.grid, config.grid, config.width))
        windows = [0 if i in config.global_blocks else config.window for i in range(config.depth)]
        self.blocks = nn.ModuleList(Block(config, window) for window in windows)
        self.neck = nn.Sequential(
            nn.Conv2d(config.width, config.neck, 1, bias=False),
            LayerNorm2d(config.neck),
            nn.Conv2d(config.neck, config.neck, 3, padding=1, bias=False),
            LayerNorm2d(config.neck),
        )
        middle, out = config.compressor
        self.net_2 = nn.Conv2d(config.neck, middle, 3, stride=2, padding=1, bias=False)
        self.net_3 = nn.Conv2d(middle, out, 3, stride=2, padding=1, bias=False)
        self._resized = Resized()

    def forward(self, pixels: Tensor) -> Tensor:
        x = self.patch_embed(pixels)  # (B, h, w, C)
        h, w = x.shape[1:3]
        x = x + self._resized.get(self.pos_embed, (h, w), lambda grid: resize_grid(grid, h, w))
        for block in self.blocks:
            x = block(x)
        x = self.neck(x.permute(0, 3, 1, 2))
        # As in the official model, there is no activation between the two convolutions.
        return self.net_3(self.net_2(x))
