"""What training data is made of — fonts, texts, PDF files — in a folder that travelled to a bare machine.

`fovea.train.pack` makes such a folder. Where `FOVEA_TRAIN_DATA` names one, it is used in place of what the machine has.

| variable | default | |
|---|---|---|
| `FOVEA_TRAIN_DATA` | this machine's | folder of packed fonts, texts and PDF files to train from |
"""

import gzip
import os
from pathlib import Path

FONTS, PDFS = "fonts.txt", "pdfs"


def folder() -> Path | None:
    """The folder that is used; `None` where it is the machine."""
    named = os.environ.get("FOVEA_TRAIN_DATA")
    return Path(named) if named else None


def fonts_list() -> str:
    """As `fc-list` would list them."""
    here = folder()
    return "".join(f"{here}/{line}\n" for line in (here / FONTS).read_text().splitlines()) if here else ""


def paragraphs(name: str) -> list[tuple[str, ...]]:
    """Of the `texts`, or of the `foreign` ones."""
    here = folder()
    if not here or not (file := here / f"{name}.txt.gz").exists():
        return []
    return [tuple(line.split(" ")) for line in gzip.decompress(file.read_bytes()).decode().splitlines()]
