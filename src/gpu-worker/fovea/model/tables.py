"""Resizes position tables to other sizes than the trained one.

Resizing runs on the CPU in fp32, because antialiased bicubic kernels differ between devices. The result is cached until
the parameter changes.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def resize_grid(grid: Tensor, height: int, width: int) -> Tensor:
    """(1, h, w, C) -> (1, height, width, C): antialiased bicubic, without aligned corners."""
    if grid.shape[1:3] == (height, width):
        return grid
    resized = F.interpolate(
        grid.float().permute(0, 3, 1, 2),
        size=(height, width),
        mode="bicubic",
        antialias=True,
        align_corners=False,
    )
    return resized.permute(0, 2, 3, 1).to(grid.dtype)


def resize_relative(table: Tensor, length: int) -> Tensor:
    """(L, D) -> (length, D): linear, without antialiasing."""
    if table.shape[0] == length:
        return table
    resized = F.interpolate(table.float().T[None], size=length, mode="linear")
    return resized[0].T.to(table.dtype)


class Resized:
    """Caches the results of `make(parameter on the CPU)` by key, except during training."""

    def __init__(self) -> None:
        self._cache: dict[tuple, Tensor] = {}

    def get(self, parameter: nn.Parameter, key: tuple, make: Callable[[Tensor], Tensor]) -> Tensor:
        if torch.is_grad_enabled() and parameter.requires_grad:
            return make(parameter)
        version = 0 if parameter.is_inference() else parameter._version
        full = (*key, id(parameter), version, parameter.device, parameter.dtype)
        if full not in self._cache:
            self._cache = {k: v for k, v in self._cache.items() if k[-4:] == full[-4:]}
            self._cache[full] = make(parameter.detach().cpu()).to(parameter.device)
        return self._cache[full]
