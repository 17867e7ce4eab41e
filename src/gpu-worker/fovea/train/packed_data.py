"""Sources of training data (fonts, texts, PDF files) in a folder, for machines that have none of their own.

`fovea.train.pack` creates such a folder. Functions with the argument `data` use that folder; without it, the folder
`FOVEA_TRAIN_DATA`; without both, the files of this machine. Held-out data is not packed.

| variable | default | |
|---|---|---|
| `FOVEA_TRAIN_DATA` | this machine's | folder of packed fonts, texts and PDF files to train from |
"""

import gzip
import os
from pathlib import Path

FONTS, PDFS = "fonts.txt", "pdfs"


def folder(data: Path | None) -> Path | None:
    """The folder, or `None` to use the files of this machine."""
    named = os.environ.get("FOVEA_TRAIN_DATA")
    return data or (Path(named) if named else None)


def fonts_list(here: Path) -> str:
    """The fonts, in the format of `fc-list`."""
    return "".join(f"{here}/{line}\n" for line in (here / FONTS).read_text().splitlines())


def paragraphs(here: Path, name: str) -> list[tuple[str, ...]]:
    """The paragraphs of `texts` or `foreign`, each as words."""
    if not (file := here / f"{name}.txt.gz").exists():
        return []
    return [tuple(line.split(" ")) for line in gzip.decompress(file.read_bytes()).decode().splitlines()]
