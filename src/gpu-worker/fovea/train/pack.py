"""Packs training fonts, texts and PDF files of this machine into a folder: `python -m fovea.train.pack FOLDER`.

Fonts are subset to the alphabet. Held-out data is not packed. Training uses the folder with `FOVEA_TRAIN_DATA=FOLDER`
(`fovea.train.packed_data`).
"""

import argparse
import gzip
import hashlib
import io
import logging
from collections import defaultdict
from pathlib import Path
from random import Random

from fovea.train import fonts, pdfs, texts
from fovea.train.packed_data import FONTS, PDFS


def pack(
    to: Path, font_bytes: int, text_bytes: int, pdf_bytes: int, seed: int = 0, data: Path | None = None
) -> None:
    """Packs up to the given number of bytes of each kind, chosen by `seed`."""
    random = Random(seed)
    (to / PDFS).mkdir(parents=True, exist_ok=True)
    _pack_texts(to, text_bytes, random, data)
    _pack_fonts(to, font_bytes, random, data)
    _pack_pdfs(to, pdf_bytes, data)


def _pack_texts(to: Path, most: int, random: Random, data: Path | None) -> None:
    for name, found in (("texts", texts.paragraphs(data)), ("foreign", texts.foreign_paragraphs(data))):
        lines = [line for line in map(" ".join, found) if not texts.held_out(line)]
        random.shuffle(lines)
        packed = gzip.compress("\n".join(lines).encode())
        keep = min(1.0, most / 2 / max(1, len(packed)))
        lines = lines[: int(keep * len(lines))]
        (to / f"{name}.txt.gz").write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))
        print(f"{name}: {len(lines):,} paragraphs, {(to / f'{name}.txt.gz').stat().st_size / 1e6:.1f} MB")


def _pack_fonts(to: Path, most: int, random: Random, data: Path | None) -> None:
    """Takes one face of each design in turn, so that designs with many faces do not take all the room."""
    by_design: dict[str, list[fonts.Face]] = defaultdict(list)
    for face in fonts.faces(False, data):
        by_design[fonts.design(face.family)].append(face)
    for faces in by_design.values():
        random.shuffle(faces)
    queue = [
        face
        for turn in range(max(map(len, by_design.values())))
        for faces in by_design.values()
        for face in faces[turn : turn + 1]
    ]
    size, listed = 0, []
    (to / "fonts").mkdir(exist_ok=True)
    for face in queue:
        subset = _subset(face.path, face.index)
        if subset is None or size + len(subset) > most:
            continue
        size += len(subset)
        name = f"fonts/{hashlib.sha256(subset).hexdigest()[:16]}{Path(face.path).suffix}"
        (to / name).write_bytes(subset)
        listed.append(f"{name}: {face.family}")
    (to / FONTS).write_text("\n".join(listed))
    print(f"fonts: {len(listed)} faces of {len(by_design)} designs, {size / 1e6:.1f} MB")


def _subset(path: str, index: int) -> bytes | None:
    """A face with only the alphabet's glyphs and the tables that Pillow reads; `None` if that fails."""
    from fontTools import subset  # imported here because training does not need it

    options = subset.Options(
        layout_features=[], legacy_kern=True, notdef_outline=True, ignore_missing_glyphs=True
    )
    options.drop_tables += [
        "GPOS",
        "GSUB",
        "GDEF",
        "BASE",
        "FFTM",
        "DSIG",
        "meta",
        "STAT",
        "hdmx",
        "VDMX",
        "LTSH",
    ]
    options.name_IDs = [1]
    options.font_number = index
    try:
        font = subset.load_font(path, options)
        subsetter = subset.Subsetter(options)
        subsetter.populate(text=texts.ALPHABET)
        subsetter.subset(font)
        file = io.BytesIO()
        font.save(file)
    except Exception:  # fontTools raises many kinds of errors for broken tables
        return None
    return file.getvalue()


def _pack_pdfs(to: Path, most: int, data: Path | None) -> None:
    """Packs small files first, to get many documents."""
    size = count = 0
    for _, file in sorted(pdfs.files(evaluation=False, data=data), key=lambda named: len(named[1])):
        if size + len(file) > most:
            break
        size, count = size + len(file), count + 1
        (to / PDFS / f"{hashlib.sha256(file).hexdigest()[:16]}.pdf").write_bytes(file)
    print(f"PDF files: {count}, {size / 1e6:.1f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m fovea.train.pack", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--fonts", type=float, default=60, help="megabytes of fonts")
    parser.add_argument("--texts", type=float, default=12, help="megabytes of texts")
    parser.add_argument("--pdfs", type=float, default=60, help="megabytes of PDF files")
    given = parser.parse_args()
    logging.getLogger("fontTools").setLevel(logging.CRITICAL)
    pack(given.folder, *(round(mb * 1e6) for mb in (given.fonts, given.texts, given.pdfs)))


if __name__ == "__main__":
    main()
