"""Makes the pages: HTML, PDF with text layer, truth, and two looks with a camera's and a scanner's faults."""

import io
import json
import random
import subprocess
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pypdfium2 as pdfium
from PIL import Image
from reading_pages.designs import DESIGNS

LOOKS = {"digital": "pdf", "scanned": "scan.jpg", "photographed": "photo.jpg"}


@dataclass(frozen=True, slots=True)
class Sample:
    """One page in one look."""

    name: str
    group: str
    """`dev` or `held`."""
    look: str
    path: Path
    truth: list[dict]


def make(folder: Path, node: str, seed: int, variants: int) -> list[Sample]:
    """Writes the pages to `folder` unless the same ones are there."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = {
        f"{name}-{variant}": DESIGNS[name][1](random.Random(f"{seed} {name} {variant}"))
        for name in DESIGNS
        for variant in range(variants)
    }
    old = {path.stem: path.read_text() for path in folder.glob("*.html")}
    if old != pages or not all(
        (folder / f"{name}.{end}").exists() for name in pages for end in LOOKS.values()
    ):
        for path in folder.iterdir():
            path.unlink()
        for name, html in pages.items():
            (folder / f"{name}.html").write_text(html)
        subprocess.run([node, str(Path(__file__).with_name("print.mjs")), str(folder)], check=True)
        for name in pages:
            _degrade(folder, name)
    return [
        Sample(
            name,
            DESIGNS[name.rsplit("-", 1)[0]][0],
            look,
            folder / f"{name}.{end}",
            json.loads((folder / f"{name}.json").read_text()),
        )
        for name in pages
        for look, end in LOOKS.items()
    ]


def _degrade(folder: Path, name: str) -> None:
    document = pdfium.PdfDocument(folder / f"{name}.pdf")
    if len(document) != 1:
        raise SystemExit(f"{name} has {len(document)} pages.")
    draw = np.random.default_rng(int.from_bytes(name.encode(), "big") % 2**63)
    scale = draw.uniform(150, 200) / 72
    scale = min(scale, 2600 / max(document[0].get_size()))
    clean = np.asarray(document[0].render(scale=scale).to_pil().convert("RGB"))
    document.close()
    _save(folder / f"{name}.scan.jpg", _scan(clean, draw), int(draw.integers(55, 85)))
    _save(folder / f"{name}.photo.jpg", _photo(clean, draw), int(draw.integers(65, 88)))


def _save(path: Path, pixels: np.ndarray, quality: int) -> None:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    path.write_bytes(buffer.getvalue())


def _scan(page: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Grey, turned by at most 1.5°, soft and noisy. (H, W, 3) → (H, W)."""
    grey = cv2.cvtColor(page, cv2.COLOR_RGB2GRAY)
    tall, wide = grey.shape
    turn = cv2.getRotationMatrix2D((wide / 2, tall / 2), draw.uniform(-1.5, 1.5), 1)
    grey = cv2.warpAffine(grey, turn, (wide, tall), flags=cv2.INTER_CUBIC, borderValue=255)
    grey = cv2.GaussianBlur(grey, (0, 0), draw.uniform(0.4, 0.9)).astype(np.float32)
    grey = 22 + grey * (225 / 255) + draw.normal(0, draw.uniform(3, 8), grey.shape)
    return np.clip(grey, 0, 255).astype(np.uint8)


def _photo(page: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Warm paper on a table, seen at an angle in uneven light. (H, W, 3) → (H', W', 3)."""
    tall, wide = page.shape[:2]
    paper = page.astype(np.float32) * (np.array([250, 243, 226]) / 255)
    edge = int(0.06 * wide)
    size = (wide + 2 * edge, tall + 2 * edge)
    corners = np.array(
        [(edge, edge), (edge + wide, edge), (edge + wide, edge + tall), (edge, edge + tall)], np.float32
    )
    moved = corners + draw.uniform(-0.035, 0.035, corners.shape).astype(np.float32) * wide
    warp = cv2.getPerspectiveTransform(
        np.array([(0, 0), (wide, 0), (wide, tall), (0, tall)], np.float32), moved
    )
    photo = cv2.warpPerspective(paper, warp, size, flags=cv2.INTER_CUBIC, borderValue=(72, 60, 50))
    y, x = np.mgrid[0 : size[1], 0 : size[0]]
    angle, deep = draw.uniform(0, 2 * np.pi), draw.uniform(0.15, 0.35)
    light = 1 - deep * (
        0.5 + 0.5 * (np.cos(angle) * (x / size[0] - 0.5) + np.sin(angle) * (y / size[1] - 0.5)) * 1.4
    )
    photo = cv2.GaussianBlur(photo * light[:, :, None], (0, 0), draw.uniform(0.7, 1.2))
    return np.clip(photo + draw.normal(0, draw.uniform(2, 6), photo.shape), 0, 255).astype(np.uint8)
