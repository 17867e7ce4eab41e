"""Damages the documents of examples/ in many ways and counts what becomes of them in the real document process.

Each file is a seeded mutation, opened with `IsolatedDocument` like any document; every page is drawn at a small dpi.
A page that is drawn without an error or damage, although a share of the original's ink is gone, is read by `pp-ocr`: it
is a *silent loss* if its verdict is `ok` and a share of the original's text is gone, too.

    .venv/bin/python bench/hostile.py --files 10000 --seed 1

prints a table of mutations and outcomes and, for each silent loss, hang or crash, the seed that repeats it
(`--only SEED --keep FILE` writes that file). The exit status is 1 if a process was left over or the parent failed.
"""

import argparse
import collections
import io
import itertools
import multiprocessing
import os
import random
import re
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src/gpu-worker"))

from fovea.errors import DocumentError, FoveaError  # noqa: E402
from fovea.pages.isolated import IsolatedDocument  # noqa: E402
from fovea.readers.base import ReadRequest  # noqa: E402
from fovea.readers.pp_ocr import PpOcr  # noqa: E402
from fovea.settings import Settings  # noqa: E402

MAX_PIXELS = 20_000_000
DPI = 36
READING_DPI = 144
LIMIT_S = 20.0
ROUND = 64
"""Files between two looks at the processes that are left."""
INK = 96
"""Grey levels by which a pixel is darker than the page's background, so that a shifted brightness is no loss."""
LOST = 0.10
"""Share of the original's ink, and of its text, whose loss must be reported."""
REACH = 2
"""Pixels by which ink may have moved."""


# -- originals -----------------------------------------------------------------------------------------


@cache
def originals() -> dict[str, tuple[bytes, str]]:
    """Documents by name, each with its declared type: the PDFs of examples/, some with scans, images and texts."""
    examples = ROOT / "examples"
    files = {
        path.name: (path.read_bytes(), "")
        for path in sorted(examples.iterdir())
        if path.suffix in (".pdf", ".png", ".jpg")
    }
    scan = Image.open(examples / "chinese.png").convert("L")
    small = scan.resize((scan.width // 2, scan.height // 2))
    for kind, options in {
        "PNG": {},
        "JPEG": {"quality": 70},
        "WEBP": {"lossless": True},
        "TIFF": {"compression": "tiff_lzw"},
    }.items():
        files[f"scan.{kind.lower()}"] = (_encoded(small, kind, **options), "")
    files["fax.tiff"] = (_encoded(scan.convert("1"), "TIFF", compression="group4"), "")
    files["pages.tiff"] = (_encoded(small, "TIFF", save_all=True, append_images=[small, small]), "")
    files["progressive.jpeg"] = (_encoded(small, "JPEG", progressive=True), "")
    files["scan-jpeg.pdf"] = (_encoded(small, "PDF", resolution=72), "")
    files["scan-fax.pdf"] = (_encoded(scan.convert("1"), "PDF", resolution=144), "")
    files["scan-flate.pdf"] = (_scan_pdf(small), "")
    files["README.md"] = ((examples / "README.md").read_bytes(), "text/markdown")
    return files


def _encoded(image: Image.Image, kind: str, **options) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def _scan_pdf(image: Image.Image) -> bytes:
    """A PDF of one page whose picture is deflated, with a text in an uncompressed content stream."""
    width, height = image.size
    content = b"q %d 0 0 %d 0 0 cm /Im Do Q BT /F 20 Tf 40 20 Td (Page one of one) Tj ET" % (width, height)
    bodies = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %d %d] /Contents 4 0 R /Resources "
        b"<< /XObject << /Im 5 0 R >> /Font << /F 6 0 R >> >> >>" % (width, height),
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
    ]
    pixels = zlib.compress(image.tobytes())
    bodies.append(
        b"<< /Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceGray /BitsPerComponent 8 "
        b"/Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream" % (width, height, len(pixels), pixels)
    )
    bodies.append(b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
    out, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(bodies, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(bodies) + 1
    return (
        out
        + b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
        % (
            size,
            table,
            size,
            len(out),
        )
    )


# -- mutations -----------------------------------------------------------------------------------------

Mutation = Callable[[bytes, random.Random], bytes]


def flip(data: bytes, rng: random.Random) -> bytes:
    """1 to 8 changed bytes."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def truncate(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(1, len(data))]


def hole(data: bytes, rng: random.Random) -> bytes:
    """A part of the file is zeros, as after an interrupted download."""
    start = rng.randrange(len(data))
    length = min(len(data) - start, rng.choice((16, 512, 4096)))
    return data[:start] + bytes(length) + data[start + length :]


def splice(data: bytes, rng: random.Random) -> bytes:
    """A part is missing, or is there twice."""
    start = rng.randrange(len(data))
    end = min(len(data), start + rng.choice((1, 7, 300, 5000)))
    return data[:start] + (data[start:end] * 2 if rng.random() < 0.5 else b"") + data[end:]


def swap_case(data: bytes, rng: random.Random) -> bytes:
    """Printable text is changed, which in a PDF is its structure."""
    places = [match.start() for match in re.finditer(rb"[A-Za-z0-9/<>\[\]]", data[-4000:] + data[:4000])]
    changed = bytearray(data)
    for place in rng.sample(places, min(len(places), rng.choice((1, 3, 10)))):
        changed[(place - min(4000, len(data))) % len(data)] = rng.randrange(32, 127)
    return bytes(changed)


_OBJECT = re.compile(rb"\d+ \d+ obj\b.*?endobj\s*", re.DOTALL)


def _one_object(data: bytes, rng: random.Random) -> re.Match[bytes] | None:
    found = list(_OBJECT.finditer(data))
    return rng.choice(found) if found else None


def remove_object(data: bytes, rng: random.Random) -> bytes:
    found = _one_object(data, rng)
    return data[: found.start()] + b" " * len(found[0]) + data[found.end() :] if found else data


def repeat_object(data: bytes, rng: random.Random) -> bytes:
    """An object is there twice, the second time under the number of another one."""
    one, other = _one_object(data, rng), _one_object(data, rng)
    if not one or not other:
        return data
    number = other[0].split(b" ")[0]
    return data[: one.end()] + re.sub(rb"^\d+", number, one[0]) + data[one.end() :]


def _replace_one(data: bytes, rng: random.Random, pattern: bytes, new: Callable[[bytes], bytes]) -> bytes:
    found = list(re.finditer(pattern, data))
    if not found:
        return data
    match = rng.choice(found)
    return data[: match.start()] + new(match[0]) + data[match.end() :]


def lie_about_length(data: bytes, rng: random.Random) -> bytes:
    length = rng.choice((0, 1, 17, 10**4, 2**31, 10**12))
    return _replace_one(data, rng, rb"/Length\s+\d+", lambda _: b"/Length %d" % length)


def swap_filter(data: bytes, rng: random.Random) -> bytes:
    names = (b"FlateDecode", b"DCTDecode", b"LZWDecode", b"JBIG2Decode", b"JPXDecode", b"CCITTFaxDecode")
    name = rng.choice((*names, b"ASCII85Decode", b"ASCIIHexDecode", b"RunLengthDecode", b"FooDecode"))
    return _replace_one(data, rng, rb"/\w+Decode\b", lambda _: b"/" + name)


def damage_xref(data: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.3:
        return _replace_one(
            data, rng, rb"startxref\s+\d+", lambda _: b"startxref %d" % rng.randrange(len(data) * 2)
        )
    return _replace_one(data, rng, rb"\d{10} \d{5} n", lambda _: b"%010d 00000 n" % rng.randrange(len(data)))


def huge_numbers(data: bytes, rng: random.Random) -> bytes:
    """Sizes, counts and coordinates become absurd."""
    number = rng.choice((b"0", b"-1", b"65535", b"99999999", b"2147483648", b"1e30"))
    keys = rb"/(?:Width|Height|Count|Size|Columns|Predictor|BitsPerComponent|Rotate|MediaBox|First|N|W)\s*\[?\s*\d+"
    return _replace_one(data, rng, keys, lambda found: re.sub(rb"\d+$", number, found))


def nest(data: bytes, rng: random.Random) -> bytes:
    """Deeply nested arrays or dictionaries in place of a value."""
    depth = rng.choice((50, 5000, 100_000))
    opening, closing = rng.choice(((b"[", b"]"), (b"<</A ", b">>"), (b"(", b")")))
    return _replace_one(
        data,
        rng,
        rb"/(?:Contents|Resources|Kids|Font|XObject)\b",
        lambda found: found + b" " + opening * depth + closing * depth,
    )


def cycle(data: bytes, rng: random.Random) -> bytes:
    """A reference leads elsewhere, often back."""
    return _replace_one(data, rng, rb"\b\d+ 0 R\b", lambda _: b"%d 0 R" % rng.randrange(1, 12))


def image_header(data: bytes, rng: random.Random) -> bytes:
    """Bytes in the head of an image: sizes, depths, tables. Checksums of a PNG are made to fit again."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 2, 4))):
        changed[rng.randrange(min(len(changed), 64))] = rng.choice((0, 1, 127, 255, rng.randrange(256)))
    if data.startswith(b"\x89PNG"):
        changed[29:33] = struct.pack(">I", zlib.crc32(bytes(changed[12:29])))
    return bytes(changed)


def odd_characters(data: bytes, rng: random.Random) -> bytes:
    """Control characters, directions of writing, lone combining marks, broken UTF-8, nested Markdown."""
    text = data.decode(errors="replace")
    for _ in range(rng.choice((1, 20))):
        odd = rng.choice(
            ("\0", "\x1b[2J", "\u202e", "\u2066", "\ufeff", "́" * 50, "\U000e0041", ">" * 300, "- " * 300)
        )
        odd = rng.choice((odd, "[" * 500, "*" * 999 + "x", "|" * 500 + "\n", "`" * 333, "<" * 200 + ">"))
        place = rng.randrange(len(text))
        text = text[:place] + odd + text[place:]
    out = text.encode()
    return out if rng.random() < 0.9 else flip(out, rng)


ANY: tuple[Mutation, ...] = (flip, truncate, hole, splice)
PDF: tuple[Mutation, ...] = (
    *(*ANY, flip, swap_case, remove_object, repeat_object, lie_about_length),
    *(swap_filter, damage_xref, huge_numbers, nest, cycle),
)
IMAGE: tuple[Mutation, ...] = (*ANY, image_header)
TEXT: tuple[Mutation, ...] = (odd_characters, truncate)


def mutant(seed: int) -> tuple[str, str, bytes]:
    """The name of the original, the name of the mutation and the damaged file."""
    rng = random.Random(seed)
    name = rng.choice(list(originals()))
    data, media_type = originals()[name]
    kinds = TEXT if media_type else PDF if name.endswith(".pdf") else IMAGE
    mutation = rng.choice(kinds)
    return name, mutation.__name__, mutation(data, rng)


# -- outcomes ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Outcome:
    seed: int
    name: str
    mutation: str
    kind: str
    """One of `ORDER`; the worst of the file's pages."""
    seconds: float


ORDER = ("same", "legible", "error", "damage", "silent", "hang", "crash")
"""`legible`: the page looks otherwise, but its text is still read. `damage` includes what the reader's verdict says."""


def ink(image: Image.Image) -> np.ndarray:
    """(H, W) bool: pixels that are clearly darker or lighter than the median of their row."""
    grey = np.asarray(image.convert("L"), dtype=np.int16)
    return np.abs(grey - np.median(grey, axis=1, keepdims=True)) > INK


def lost_ink(before: Image.Image, after: Image.Image) -> float:
    """Share of the original's ink that has no ink nearby in the other picture."""
    old = ink(before)
    if not old.any():
        return 0.0
    if after.size != before.size:
        after = after.resize(before.size)
    new = ink(after)
    near = np.zeros_like(new)
    for down in range(-REACH, REACH + 1):
        for right in range(-REACH, REACH + 1):
            near |= np.roll(new, (down, right), (0, 1))
    return float((old & ~near).sum() / old.sum())


@cache
def pictures(name: str) -> tuple[Image.Image, ...]:
    """The pages of an original."""
    data, media_type = originals()[name]
    document = IsolatedDocument(data, MAX_PIXELS, media_type=media_type).open()
    try:
        rasters = [document.raster(page, DPI) for page in range(1, document.page_count + 1)]
    finally:
        document.close()
    assert not any(raster.damage for raster in rasters), name
    return tuple(raster.image for raster in rasters)


@cache
def reader() -> PpOcr:
    return PpOcr(Settings(threads=1))


def reading(document: IsolatedDocument, page: int) -> tuple[str, collections.Counter]:
    """The verdict on a page, and how often it has each pair of letters."""
    raster = document.raster(page, READING_DPI, PpOcr.least_side)
    result = reader().read(replace(raster, layer=document.text_layer(page)), ReadRequest())
    text = "".join(block.text for block in result.blocks)
    text = "".join(text.split())
    return result.verdict, collections.Counter(map("".join, itertools.pairwise(text)))


@cache
def original_text(name: str, page: int) -> collections.Counter:
    document = IsolatedDocument(originals()[name][0], MAX_PIXELS).open()
    try:
        return reading(document, page)[1]
    finally:
        document.close()


def lost_text(name: str, document: IsolatedDocument, page: int) -> str:
    """What became of a page that looks otherwise than the original."""
    before = original_text(name, page)
    verdict, after = reading(document, page)
    if verdict != "ok":
        return "damage"
    kept = (before & after).total()
    return "silent" if kept < (1 - LOST) * before.total() else "legible"


def outcome(seed: int) -> Outcome:
    """Draws a mutant in the real process."""
    name, mutation, data = mutant(seed)
    before = pictures(name)
    began = time.monotonic()
    try:
        kind = _kind(name, data, before)
    except Exception as error:
        print(f"seed {seed}: {error!r}", file=sys.stderr)
        kind = "crash"
    return Outcome(seed, name, mutation, kind, time.monotonic() - began)


def _kind(name: str, data: bytes, before: tuple[Image.Image, ...]) -> str:
    media_type = originals()[name][1]
    document = IsolatedDocument(
        data, MAX_PIXELS, media_type=media_type, open_limit_s=LIMIT_S, render_limit_s=LIMIT_S
    )
    seen = ["same"]
    try:
        document.open()
        # Pages of a text move when something is put in, so only their number is compared.
        for page in range(1, min(document.page_count, len(before) + 2) + 1):
            began = time.monotonic()
            try:
                raster = document.raster(page, DPI)
                document.characters(page)
            except FoveaError as error:
                seen.append(
                    "hang"
                    if error.code == "page_timeout" and time.monotonic() - began > 3 * LIMIT_S
                    else "error"
                )
                continue
            if raster.damage:
                seen.append("damage")
            elif page <= len(before) and not media_type and lost_ink(before[page - 1], raster.image) > LOST:
                try:
                    seen.append(lost_text(name, document, page))
                except FoveaError:  # too large to be read
                    seen.append("error")
        if document.page_count < len(before) and not media_type and seen == ["same"]:
            seen.append("silent")
    except DocumentError:
        seen.append("error")
    finally:
        document.close()
    return max(seen, key=ORDER.index)


def processes() -> list[str]:
    """Processes of documents that children of this process have left behind."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True)
    rows = [line.split(None, 2) for line in listed.stdout.splitlines()]
    ours = {str(os.getpid())}
    for pid, parent, _ in rows:
        if parent in ours:
            ours.add(pid)
    return [args for _, parent, args in rows if parent in ours and "fovea.pages.isolated" in args]


def table(outcomes: list[Outcome]) -> str:
    """A row for each mutation, a column for each outcome."""
    counts = collections.Counter((outcome.mutation, outcome.kind) for outcome in outcomes)
    rows = ["| mutation | files | " + " | ".join(ORDER) + " |", "|---|" + "---|" * (len(ORDER) + 1)]
    for mutation in sorted({outcome.mutation for outcome in outcomes}):
        numbers = [counts[mutation, kind] for kind in ORDER]
        rows.append(f"| `{mutation}` | {sum(numbers)} | " + " | ".join(map(str, numbers)) + " |")
    totals = [sum(outcome.kind == kind for outcome in outcomes) for kind in ORDER]
    rows.append(f"| all | {len(outcomes)} | " + " | ".join(map(str, totals)) + " |")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1, help="the first seed; each file has the next one")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument(
        "--minutes", type=float, default=float("inf"), help="begin no more rounds after this time"
    )
    parser.add_argument("--only", type=int, help="one seed")
    parser.add_argument("--keep", type=Path, help="where the file of --only goes")
    options = parser.parse_args()
    if options.only is not None:
        if options.keep:
            options.keep.write_bytes(mutant(options.only)[2])
        print(outcome(options.only))
        return
    seeds = range(options.seed, options.seed + options.files)
    outcomes, left, end = [], [], time.monotonic() + 60 * options.minutes
    with multiprocessing.Pool(options.jobs) as pool:
        for start in range(0, len(seeds), ROUND):
            outcomes += pool.imap_unordered(outcome, seeds[start : start + ROUND])
            left = processes()  # no document is open now
            print(f"{len(outcomes)} files", file=sys.stderr, flush=True)
            if left or time.monotonic() > end:
                break
    print(table(outcomes))
    slowest = max(outcomes, key=lambda outcome: outcome.seconds)
    print(f"\nslowest file: {slowest.seconds:.1f} s (seed {slowest.seed}); processes left over: {len(left)}")
    for one in sorted(outcomes, key=lambda outcome: outcome.seed):
        if one.kind in ("silent", "hang", "crash"):
            print(f"seed {one.seed}: {one.kind}, {one.mutation} of {one.name}")
    sys.exit(bool(left) or any(one.kind == "crash" for one in outcomes))


if __name__ == "__main__":
    main()
