"""What reading 33 million pages a day takes, on paper: GPUs, cores, network, object store, the one driving process.

    .venv/bin/python bench/corpus/estimate.py

Measures here, over `examples/`: CPU seconds and bytes of a page at each stage (CPU time, so other work on this machine
counts little). Pages a second of a GPU are inputs, not measured: published ones, and forecasts of bench/forecast.py.
"""

import argparse
import json
import random
import tempfile
import time
from pathlib import Path

import pages

from fovea.corpus.alone import Alone
from fovea.corpus.drawn import DrawnPage, Row
from fovea.corpus.filters import Note
from fovea.corpus.manifest import PlannedDocument
from fovea.corpus.opening import Opened
from fovea.corpus.options import Options, Reading
from fovea.corpus.run import run
from fovea.corpus.shards import Collector
from fovea.corpus.signatures import Kept, signature
from fovea.corpus.store import Store
from fovea.pages.documents import open_document
from fovea.service.shard import Needs, draw
from fovea.settings import Settings

DAY_S = 86_400
GPUS = (
    ("A100-40G, published by the model's authors", 200_000 / DAY_S),
    ("A100-40G, gundam, forecast", 6.8),
    ("H100, gundam, forecast", 16.9),
    ("H200, gundam, forecast", 22.5),
    ("H200, base, forecast", 37.1),
)
NEEDS = Needs(least_side=0, text_layer=False, characters=True)
"""Those of deepseek-ocr."""
FILES = ("paper.pdf", "report-12.pdf", "invoice.pdf", "photo.jpg", "chinese.png")


def cpu(call, times: int = 1):
    """The CPU seconds of a call, the least of several, and the last answer."""
    best = float("inf")
    for _ in range(times):
        started = time.process_time()
        answer = call()
        best = min(best, time.process_time() - started)
    return best, answer


def drawing() -> dict[str, float]:
    """Means over the pages of the examples."""
    reading = Reading("deepseek-ocr")
    draws, packs, unpacks, raw, packed, count, source = 0.0, 0.0, 0.0, 0, 0, 0, 0
    for name in FILES:
        data = (pages.ROOT / "examples" / name).read_bytes()
        document = open_document(data, 50_000_000)
        source += len(data)
        for page in range(1, document.page_count + 1):
            seconds, raster = cpu(lambda d=document, p=page: draw(d, p, 144, reading.request(), NEEDS))
            one = DrawnPage(page, document.page_count, "ab" * 32, document.media_type, None, raster)
            pack_s, body = cpu(one.pack)
            unpack_s, _ = cpu(lambda b=body: DrawnPage.unpack(b))
            draws, packs, unpacks = draws + seconds, packs + pack_s, unpacks + unpack_s
            raw += raster.image.width * raster.image.height * 3
            packed, count = packed + len(body), count + 1
    means = {"draw_s": draws, "pack_s": packs, "unpack_s": unpacks}
    means |= {"raw_bytes": raw, "packed_bytes": packed, "source_bytes": source}
    return {name: value / count for name, value in means.items()}


def records(model: str) -> dict[str, float]:
    """Bytes of a page in the output and in training data, from a run over the examples."""
    with tempfile.TemporaryDirectory() as folder:
        manifest = Path(folder) / "manifest.txt"
        manifest.write_text("\n".join(str(pages.ROOT / "examples" / name) for name in FILES))
        out = Path(folder) / "out"
        listed = run(str(manifest), str(out), Options(Reading(model)), Alone(), Settings()).manifest
        sidecars = sum(file.stat().st_size for file in out.glob("*/*.json"))
        records = [
            json.loads(line)
            for file in out.glob("training-data/*.jsonl")
            for line in file.read_text().splitlines()
        ]
    count = listed["pages"]
    sign_s, _ = cpu(lambda: [signature(record["text"]) for record in records])
    return {
        "output_bytes": (listed["bytes"] + sidecars) / count,
        "training_bytes": listed["training_data"]["bytes"] / max(1, len(records)),
        "signature_s": sign_s / max(1, len(records)),
    }


def driving(size: int, count: int = 20_000) -> float:
    """CPU seconds of a page in the process that collects and writes: shards of 64 documents with 8 pages."""
    with tempfile.TemporaryDirectory() as folder:
        documents = [PlannedDocument(line, "s3://bucket/x.pdf") for line in range(1, count // 8 + 1)]
        shards = {
            number: documents[at : at + 64] for number, at in enumerate(range(0, len(documents), 64), 1)
        }
        body, note = b"x" * size, Note("ok", "", "0123456789abcdef").encode()
        rows = []
        for number, planned in shards.items():
            for document in planned:
                rows.append(
                    Row(number, document.line, 0, "document", Opened(None, "ab" * 32, 8, "1-").encode())
                )
                rows += [Row(number, document.line, page, "done", body, note) for page in range(1, 9)]
        collector = Collector(Store(folder), shards, Reading("deepseek-ocr"))
        seconds, _ = cpu(lambda: [collector.add(row) for row in rows], 1)
    return seconds / count


def comparing(count: int) -> float:
    """CPU seconds to compare one more signature when so many are kept."""
    rng = random.Random(1)
    kept = Kept()
    for _ in range(count):
        kept.add(rng.getrandbits(64))
    seconds, _ = cpu(lambda: [kept.add(rng.getrandbits(64)) for _ in range(5000)], 1)
    return seconds / 5000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pages", type=float, default=33e6, help="pages a day")
    parser.add_argument("--model", default="pp-ocr", help="reader whose records are measured")
    parser.add_argument("--signatures", type=int, default=400_000)
    given = parser.parse_args()
    drawn, written = drawing(), records(given.model)
    drive_s = driving(round(written["output_bytes"]))
    compare_s = comparing(given.signatures)
    print("measured here, of a page:")
    for name, value in {**drawn, **written, "drive_s": drive_s, "compare_s": compare_s}.items():
        text = f"{value * 1000:.3f} ms CPU" if name.endswith("_s") else f"{value / 1000:,.1f} kB"
        print(f"  {name:16} {text}")
    rate = given.pages / DAY_S
    print(f"\n{given.pages:,.0f} pages a day are {rate:.0f} pages/s.\n")
    print(
        "| GPU | pages/s of one | GPUs | machines of 8 | cores for drawing, of a GPU | MB/s of drawn pages to a GPU |"
    )
    print("|---|---|---|---|---|---|")
    for name, speed in GPUS:
        cores = speed * (drawn["draw_s"] + drawn["pack_s"] + drawn["unpack_s"])
        gpus = rate / speed
        mega = speed * drawn["packed_bytes"] / 1e6
        print(f"| {name} | {speed:.1f} | {gpus:.0f} | {gpus / 8:.1f} | {cores:.2f} | {mega:.1f} |")
    wire = rate * drawn["packed_bytes"]
    print(
        f"\nDrawn pages: {wire / 1e6:.0f} MB/s in the whole cluster ({wire * 8 / 1e9:.2f} Gbit/s); uncompressed "
        f"{rate * drawn['raw_bytes'] / 1e9:.1f} GB/s. Documents: {rate * drawn['source_bytes'] / 1e6:.0f} MB/s."
    )
    per_day = given.pages * (written["output_bytes"] + written["training_bytes"]) / 1e9
    print(f"Object store: {per_day:,.0f} GB a day of output and training data.")
    print(
        f"The driving process: {rate * drive_s:.2f} cores; at most {1 / drive_s:,.0f} pages/s. Near-duplicates, at the "
        f"end: {given.pages * compare_s / 60:,.0f} minutes if each comparison costs what it costs at "
        f"{given.signatures:,} kept pages; buckets grow with the corpus, so this is a lower bound."
    )
    print(f"Signatures: {rate * written['signature_s']:.2f} cores in the whole cluster.")


if __name__ == "__main__":
    main()
