"""The memory of the process that collects pages and writes shards, for more and more pages.

    .venv/bin/python bench/corpus/memory.py

Each number of pages runs in a process of its own. Pages come in a random order within a window of 2,000, as from many
readers; records have 15 kB. `--stages` reads drawn pages instead: documents are opened and their pages drawn, packed,
unpacked and collected, all in one process, without a model.
"""

import argparse
import os
import random
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pages

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pages", type=int, nargs="*", default=[500, 5_000, 50_000])
    parser.add_argument("--stages", action="store_true")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        return one(given.pages[0], given.stages)
    for count in given.pages:
        command = [sys.executable, __file__, "--one", "--pages", str(count)]
        subprocess.run([*command, *(["--stages"] if given.stages else [])], check=True)


if __name__ == "__main__":
    main()
