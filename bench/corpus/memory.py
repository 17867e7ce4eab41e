"""The memory of the process that collects pages and writes shards, for more and more pages.

    .venv/bin/python bench/corpus/memory.py
    .venv/bin/python bench/corpus/memory.py --ray --pages 500 5000

Each number of pages runs in a process of its own. Pages come in a random order within a window of 2,000, as from many
readers; records have 15 kB. `--stages` reads drawn pages instead: documents are opened and their pages drawn, packed,
unpacked and collected, all in one process, without a model. `--ray` measures a whole run on Ray with two readers, which
ask a stand-in of a server: the driving process, and all processes together with pages that they share counted once.
"""

import argparse
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pages
from throughput import Server

from fovea.corpus.drawn import DrawnPage, Row
from fovea.corpus.filters import Note
from fovea.corpus.manifest import PlannedDocument
from fovea.corpus.opening import Opened, open_shard
from fovea.corpus.options import Reading
from fovea.corpus.shards import Collector
from fovea.corpus.store import Store
from fovea.service.shard import Needs
from fovea.settings import Settings

PAGES = 8  # of a document
LONG = 50  # pages of a document with --ray: opening a document takes a second
SAMPLE_S = 1.0
WINDOW = 2000
RECORD = os.urandom(15_000)
NOTE = Note("ok", "", "0123456789abcdef").encode()


def planned(count: int, url: str = "s3://bucket/x.pdf") -> dict[int, list[PlannedDocument]]:
    documents = [PlannedDocument(line, url) for line in range(1, max(1, count // PAGES) + 1)]
    return {number: documents[at : at + 64] for number, at in enumerate(range(0, len(documents), 64), 1)}


def rows(shards: dict[int, list[PlannedDocument]]) -> Iterator[Row]:
    rng = random.Random(1)
    held: list[Row] = []
    for number, documents in shards.items():
        for document in documents:
            head = Opened(None, "ab" * 32, PAGES, "1-").encode()
            held.append(Row(number, document.line, 0, "document", head))
            held += [Row(number, document.line, page, "done", RECORD, NOTE) for page in range(1, PAGES + 1)]
            while len(held) > WINDOW:
                yield held.pop(rng.randrange(len(held)))
    rng.shuffle(held)
    yield from held


def drawn(shards: dict[int, list[PlannedDocument]]) -> Iterator[Row]:
    """The same, of pages that are drawn."""
    needs = Needs(least_side=0, text_layer=False, characters=False)
    for number, documents in shards.items():
        for row in open_shard(number, documents, Reading("deepseek-ocr"), needs, Settings()):
            if row.state == "drawn":
                DrawnPage.unpack(row.body)
                row = row._replace(state="done", body=RECORD, note=NOTE)
            yield row


def one(count: int, stages: bool) -> None:
    """Prints the peak memory before and after, in MB."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "document.tif"
        images = [pages.letter(random.Random(page)) for page in range(PAGES)]
        images[0].save(file, save_all=True, append_images=images[1:], compression="tiff_deflate")
        shards = planned(count, f"file://{file}")
        collector = Collector(Store(folder), shards, Reading("deepseek-ocr"))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        for row in (drawn if stages else rows)(shards):
            collector.add(row)
        assert len(collector.written) == len(shards)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{count:8,} pages: {before:.0f} MB before, at most {after:.0f} MB", flush=True)


def on_ray(count: int) -> None:
    """Prints the most memory of a whole run."""
    with tempfile.TemporaryDirectory() as folder:
        images = [pages.letter(random.Random(page)) for page in range(LONG)]
        for number in range(count // LONG):
            file = Path(folder) / f"{number}.tif"
            images[0].save(file, save_all=True, append_images=images[1:], compression="tiff_deflate")
        manifest = Path(folder) / "manifest.txt"
        manifest.write_text(f"{folder}/*.tif\n")
        command, environment = Server(0.0).command(manifest, Path(folder) / "out")
        command += [
            "--cpus",
            "2",
            "--readers",
            "2",
            "--reader-cpus",
            "0.5",
            "--object-store-bytes",
            "200000000",
        ]
        process = subprocess.Popen(
            command, env=environment, start_new_session=True, stderr=subprocess.DEVNULL
        )
        driver, together = 0.0, 0.0
        while process.poll() is None:
            shares = session_memory(process.pid)
            driver, together = max(driver, shares.get(process.pid, 0.0)), max(together, sum(shares.values()))
            time.sleep(SAMPLE_S)
        assert process.returncode == 0, process.returncode
    print(
        f"{count:8,} pages: driving process at most {driver:.0f} MB, all at most {together:.0f} MB",
        flush=True,
    )


def session_memory(session: int) -> dict[int, float]:
    """MB of each process of a session; what several share is divided among them."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.getsid(int(folder.name)) == session:
                rollup = (folder / "smaps_rollup").read_text()
                found[int(folder.name)] = int(rollup.split("Pss:")[1].split()[0]) / 1024
        except (OSError, IndexError):
            continue
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pages", type=int, nargs="*", default=[500, 5_000, 50_000])
    parser.add_argument("--stages", action="store_true")
    parser.add_argument("--ray", action="store_true")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        return one(given.pages[0], given.stages)
    for count in given.pages:
        if given.ray:
            on_ray(count)
            continue
        command = [sys.executable, __file__, "--one", "--pages", str(count)]
        subprocess.run([*command, *(["--stages"] if given.stages else [])], check=True)


if __name__ == "__main__":
    main()
