"""Converts images to the encoder's input."""

import numpy as np
import torch
from PIL import Image
from torch import Tensor


def to_pixels(images: list[Image.Image], device: torch.device | str = "cpu") -> Tensor:
    """RGB images of one size -> (n, 3, H, W) in −1..1, fp32."""
    array = np.stack([np.asarray(image, dtype=np.uint8) for image in images])
    pixels = torch.from_numpy(array).to(device).permute(0, 3, 1, 2).float() / 255
    return (pixels - 0.5) / 0.5
