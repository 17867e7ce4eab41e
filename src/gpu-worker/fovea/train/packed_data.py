"""Sources of training data (fonts, texts, PDF files) in a folder, for machines that have none of their own.

`fovea.train.pack` creates such a folder. If `FOVEA_TRAIN_DATA` names one, only its files are used.

| variable | default | |
|---|---|---|
| `FOVEA_TRAIN_DATA` | this machine's | folder of packed fonts, texts and PDF files to train from |
"""

import gzip
import os
from pathlib import Path

FONTS, PDFS = "fonts.txt", "pdfs"


def folder() -> Path | None:
    """The folder, or `None` to use the files of this machine."""
    named = os.environ.get("FOVEA_TRAIN_DATA")
    return Path(named) if named else None


def fonts_list() -> str:
    """The fonts, in the format of `fc-list`."""
    here = folder()
    return "".join(f"{here}/{line}\n" for line in (here / FONTS).read_text().splitlines()) if here else ""


def paragraphs(name: str) -> list[tuple[str, ...]]:
    """The paragraphs of `texts` or `foreign`, each as words."""
    here = folder()
    if not here or not (file := here / f"{name}.txt.gz").exists():
        return []
    return [tuple(line.split(" ")) for line in gzip.decompress(file.read_bytes()).decode().splitlines()]
