"""Degrades an image like printing and scanning do: skew, blur, uneven light, noise, JPEG."""

import io
import math
from random import Random

import numpy as np
from PIL import Image, ImageFilter


def degrade(
    image: Image.Image, places: np.ndarray, random: Random, paper: tuple[int, int, int]
) -> tuple[Image.Image, np.ndarray]:
    """The degraded image, and the new positions of `places` (n, 2)."""
    width, height = image.size
    if random.random() < 0.2:
        angle = random.uniform(-1, 1) * min(0.7, math.degrees(4 / width))
        image = image.rotate(angle, Image.Resampling.BICUBIC, fillcolor=paper)
        turn = math.radians(angle)
        offset = places - (width / 2, height / 2)
        matrix = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
        places = (offset @ matrix + (width / 2, height / 2)).astype(np.float32)
    if random.random() < 0.35:
        image = image.filter(ImageFilter.GaussianBlur(random.uniform(0.2, 0.9)))
    if random.random() < 0.2:  # scaled down and up, like screenshots
        factor = random.uniform(0.6, 0.95)
        small = image.resize((round(width * factor), round(height * factor)), Image.Resampling.BILINEAR)
        image = small.resize(
            (width, height), random.choice((Image.Resampling.BILINEAR, Image.Resampling.BICUBIC))
        )
    pixels = np.asarray(image, dtype=np.float32)
    generator = np.random.default_rng(random.getrandbits(32))
    if random.random() < 0.25:
        slope_x, slope_y = random.uniform(-0.25, 0.25), random.uniform(-0.15, 0.15)
        light = (
            1
            + np.add.outer(np.linspace(-slope_y, slope_y, height), np.linspace(-slope_x, slope_x, width)) / 2
        )
        pixels = pixels * light[..., None].astype(np.float32)
    if random.random() < 0.35:
        noise = generator.standard_normal((height, width, 1), dtype=np.float32)
        pixels = pixels + noise * random.uniform(1, 14)
    image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    if random.random() < 0.25:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=random.randint(35, 90))
        image = Image.open(file).convert("RGB")
    return image, places
