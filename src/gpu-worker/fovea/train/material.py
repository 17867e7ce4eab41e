"""What training data is made of — fonts, texts, PDF files — in a folder that travelled to a bare machine.

`fovea.train.pack` makes such a folder. Functions that take `data` draw from the folder that is given, else from the one
that `FOVEA_TRAIN_DATA` names, else from this machine's fonts and texts. Evaluation material is not packed.

| variable | default | |
|---|---|---|
| `FOVEA_TRAIN_DATA` | this machine's | folder of packed fonts, texts and PDF files to train from |
"""

import gzip
import os
from pathlib import Path

FONTS, PDFS = "fonts.txt", "pdfs"


def folder(data: Path | None) -> Path | None:
    """The folder that is used; `None` where it is the machine."""
    named = os.environ.get("FOVEA_TRAIN_DATA")
    return data or (Path(named) if named else None)


def fonts_list(here: Path) -> str:
    """As `fc-list` would list them."""
    return "".join(f"{here}/{line}\n" for line in (here / FONTS).read_text().splitlines())


def paragraphs(here: Path, name: str) -> list[tuple[str, ...]]:
    """Of the `texts`, or of the `foreign` ones."""
    if not (file := here / f"{name}.txt.gz").exists():
        return []
    return [tuple(line.split(" ")) for line in gzip.decompress(file.read_bytes()).decode().splitlines()]
