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
    """Caches the results of `make(parameter on the CPU)` by key, except during training.

    Compiled code (`torch.compile`) reads the cache and never fills it: run a module once before compiling it.
    """

    def __init__(self) -> None:
        self._cache: dict[tuple, tuple[tuple, Tensor]] = {}

    def get(self, parameter: nn.Parameter, key: tuple, make: Callable[[Tensor], Tensor]) -> Tensor:
        if torch.is_grad_enabled() and parameter.requires_grad:
            return make(parameter)
        if torch.compiler.is_compiling():
            return self._cache[key][1]
        version = 0 if parameter.is_inference() else parameter._version
        stamp = (id(parameter), version, parameter.device, parameter.dtype)
        if key not in self._cache or self._cache[key][0] != stamp:
            self._cache[key] = stamp, make(parameter.detach().cpu()).to(parameter.device)
        return self._cache[key][1]
