"""Makes the pages: HTML, PDF with text layer, truth, two looks with a camera's and a scanner's faults, and harms."""

import hashlib
import json
import random
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pypdfium2 as pdfium
from reading_pages.designs import DESIGNS
from reading_pages.harm import HARMS, harmed, jpeg, translated

LOOKS = {"digital": "pdf", "scanned": "scan.jpg", "photographed": "photo.jpg"}


@dataclass(frozen=True, slots=True)
class Sample:
    """One page in one look."""

    name: str
    group: str
    """`dev` or `held`."""
    look: str
    """One of `LOOKS`, or of `HARMS`."""
    path: Path
    truth: list[dict]
    lang: str


def make(
    folder: Path, node: str, seed: int, variants: int, designs: Sequence[str], looks: Sequence[str]
) -> list[Sample]:
    """Writes the pages to `folder`, those that are not there yet, and returns them."""
    folder.mkdir(parents=True, exist_ok=True)
    _forget_old(folder)
    names = [f"{design}-{variant}" for design in designs for variant in range(variants)]
    pages = {name: DESIGNS[_design(name)][1](random.Random(f"{seed} {_variant(name)}")) for name in names}
    foreign = {
        f"{name}.foreign": translated(html, random.Random(f"foreign {seed} {_variant(name)}"))
        for name, html in pages.items()
        if "foreign" in looks
    }
    _print(folder, node, pages | foreign)
    samples = []
    for look in looks:
        for name, html in pages.items():
            stem = f"{name}.foreign" if look == "foreign" else name
            path = folder / f"{name}.{LOOKS[look] if look in LOOKS else f'{look}.{HARMS[look][0]}'}"
            if not path.exists():
                if look in LOOKS:
                    _degrade(folder, name)
                else:
                    path.write_bytes(harmed(look, folder / f"{stem}.pdf", f"{seed} {name}"))
            truth = json.loads((folder / f"{stem}.json").read_text())
            lang = html.split('lang="', 1)[1][:2]
            samples.append(Sample(name, DESIGNS[_design(name)][0], look, path, truth, lang))
    return samples


def _forget_old(folder: Path) -> None:
    """Deletes pages that other code has made. Changed designs are found by their HTML."""
    code = [Path(__file__).with_name(name).read_bytes() for name in ("corpus.py", "harm.py", "print.mjs")]
    made_by, now = folder / "made-by", hashlib.sha256(b"".join(code)).hexdigest()
    if not made_by.exists() or made_by.read_text() != now:
        for old in folder.iterdir():
            old.unlink()
        made_by.write_text(now)


def _design(name: str) -> str:
    return name.rsplit("-", 1)[0]


def _variant(name: str) -> str:
    return " ".join(name.rsplit("-", 1))


def _print(folder: Path, node: str, pages: dict[str, str]) -> None:
    """Prints the pages that changed, and forgets everything that was made of them before."""
    changed = []
    for name, html in pages.items():
        path = folder / f"{name}.html"
        if path.exists() and path.read_text() == html and path.with_suffix(".json").exists():
            continue
        for old in folder.glob(f"{name}.*"):
            if name.endswith(".foreign") or not old.name.startswith(f"{name}.foreign"):
                old.unlink()
        path.write_text(html)
        changed.append(str(path))
    if changed:
        subprocess.run([node, str(Path(__file__).with_name("print.mjs")), *changed], check=True)


def key_of(sample: Sample) -> str:
    """Identifies the page's file."""
    return hashlib.sha256(sample.path.read_bytes()).hexdigest()[:16]


def _degrade(folder: Path, name: str) -> None:
    document = pdfium.PdfDocument(folder / f"{name}.pdf")
    if len(document) != 1:
        raise SystemExit(f"{name} has {len(document)} pages.")
    draw = np.random.default_rng(int.from_bytes(name.encode(), "big") % 2**63)
    scale = draw.uniform(150, 200) / 72
    scale = min(scale, 2600 / max(document[0].get_size()))
    clean = np.asarray(document[0].render(scale=scale).to_pil().convert("RGB"))
    document.close()
    (folder / f"{name}.scan.jpg").write_bytes(jpeg(_scan(clean, draw), int(draw.integers(55, 85))))
    (folder / f"{name}.photo.jpg").write_bytes(jpeg(_photo(clean, draw), int(draw.integers(65, 88))))


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
