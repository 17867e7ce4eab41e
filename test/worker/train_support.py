"""What the tests of training share: a model of the shape of `fovea-nano`, small enough to be trained for a few steps,
and fonts and texts that do not depend on the machine.
"""

import atexit
import gzip
import os
import shutil
import tempfile
from pathlib import Path
from random import Random

from fovea.model import ModelConfig
from fovea.model.config import ClipConfig, DecoderConfig, SamConfig
from fovea.nano import places
from fovea.pages import glyphs
from fovea.train import packed_data

TINY = ModelConfig(
    SamConfig(32, 2, 2, 64, grid=8, window=4, global_blocks=(1,), neck=16, compressor=(24, 32), stem=True),
    ClipConfig(32, 1, 4, 64, grid=2, patch=None),
    DecoderConfig(
        vocab=places.FIRST + places.COUNT,
        width=48,
        depth=4,
        heads=3,
        head_dim=16,
        dense_mlp=64,
        context=1000,
        experts=4,
        experts_per_token=2,
        expert_mlp=24,
        shared_mlp=32,
    ),
)

EXAMPLES = Path(__file__).parents[2] / "examples"
FACES = {
    "DejaVu Sans": ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf"),
    "DejaVu Sans Mono": ("DejaVuSansMono.ttf",),
    # A family that is kept for evaluation: which families are is decided by their names alone.
    "Go Mono": ("DejaVuSansMono.ttf",),
}
ACCENTED = """Größe Äpfel Königstraße täglich über schön été français garçon où naïve señor mañana coração ação niño
příliš žluťoučký kůň zażółć gęślą jaźń ångström smörgås øl æble îţi şapte çığır İstanbul fıkra škola țară città"""


def make_material(
    folder: Path, texts: list[str], foreign: list[str] = (), pdfs: dict[str, bytes] | None = None
) -> Path:
    """A folder as `fovea.train.packed_data` packs it: the fonts that are shipped, paragraphs and PDF files."""
    here = os.path.relpath(glyphs.FOLDER, folder)
    listed = [f"{here}/{file}: {family}" for family, files in FACES.items() for file in files]
    (folder / packed_data.FONTS).write_text("\n".join(listed))
    for name, paragraphs in (("texts", texts), ("foreign", foreign)):
        (folder / f"{name}.txt.gz").write_bytes(gzip.compress("\n".join(paragraphs).encode()))
    (folder / packed_data.PDFS).mkdir()
    for name, data in (pdfs or {}).items():
        (folder / packed_data.PDFS / name).write_bytes(data)
    return folder


def _paragraphs(words: list[str], count: int, random: Random) -> list[str]:
    return [" ".join(random.choices(words, k=random.randint(8, 60))) for _ in range(count)]


def _shipped_material() -> Path:
    """Paragraphs of the words of the examples in random order."""
    folder = Path(tempfile.mkdtemp(prefix="fovea-material-")).resolve()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    truths = " ".join(
        (EXAMPLES / "truth" / f"{name}.txt").read_text() for name in ("report-12", "paper", "invoice")
    )
    words = sorted({word for word in truths.split() if word.isascii() and len(word) <= 24})
    random = Random(1)
    return make_material(
        folder,
        _paragraphs(words, 800, random),
        _paragraphs(words[::9] + ACCENTED.split(), 200, random),
        {"paper.pdf": (EXAMPLES / "paper.pdf").read_bytes()},
    )


MATERIAL = _shipped_material()
