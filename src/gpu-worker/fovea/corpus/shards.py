"""Collects pages, in whatever order they come, and writes each shard when it has all of them.

`output/000001.jsonl` has the records of `/v1/batches`: each line, then its pages. `output/000001.json` is written after
it and makes the shard count as finished: its size, its SHA-256, its counts, and what the selection needs of each page.
"""

import hashlib
import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from fovea.corpus.drawn import Row
from fovea.corpus.filters import FAILED, Note
from fovea.corpus.manifest import PlannedDocument
from fovea.corpus.opening import Opened
from fovea.corpus.options import Reading
from fovea.corpus.records import RUN, encode, line_record
from fovea.corpus.store import Store, StoreFault, copy

OUTPUT = "output"
MEMORY_BYTES = 4 << 20
"""Of a shard that is being collected; the rest lies in a temporary file."""


def name_of(number: int) -> str:
    return f"{number:06d}"


def finished(store: Store, folder: str) -> set[int]:
    """The numbers of the shards that need not be written again."""
    names = (name.partition(".") for name in store.names(folder))
    return {int(stem) for stem, _, ending in names if ending == "json" and stem.isdecimal()}


@dataclass(slots=True)
class _Open:
    """A shard that is being collected."""

    pages: IO[bytes] = field(default_factory=lambda: tempfile.SpooledTemporaryFile(MEMORY_BYTES))  # noqa: SIM115
    size: int = 0
    documents: dict[int, Opened] = field(default_factory=dict)
    places: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)
    """Offset and length of each page's record."""
    notes: dict[tuple[int, int], Note] = field(default_factory=dict)
    failed: dict[tuple[int, int], dict[str, str]] = field(default_factory=dict)
    missing: int = 0
    """Pages that documents have announced and that have not come, less those that came first."""

    def add(self, row: Row) -> bool:
        """Whether the row is new: after a crash, rows can come twice."""
        key = (row.line, row.page)
        if row.state == "document":
            if row.line in self.documents:
                return False
            self.documents[row.line] = opened = Opened.decode(row.body)
            self.missing += opened.pages
            return True
        if key in self.places or key in self.failed:
            return False
        self.missing -= 1
        if row.state == "failed":
            self.failed[key] = json.loads(row.body)
            return True
        self.pages.seek(self.size)
        self.pages.write(row.body)
        self.places[key] = (self.size, len(row.body))
        self.size += len(row.body)
        self.notes[key] = Note.decode(row.note)
        return True


class Collector:
    """Takes rows of all shards. Raises `StoreFault` when a shard cannot be written."""

    def __init__(self, store: Store, shards: Mapping[int, Sequence[PlannedDocument]], reading: Reading):
        """`shards`: the documents of each shard that is to be written."""
        self._store, self._shards, self._reading = store, shards, reading
        self._open: dict[int, _Open] = {}
        self.written: set[int] = set()

    def add(self, row: Row) -> dict[str, Any] | None:
        """The summary of the row's shard if this row completes it and it is written."""
        if row.shard in self.written:
            return None
        shard = self._open.setdefault(row.shard, _Open())
        try:
            shard.add(row)
        except OSError as error:
            raise StoreFault(f"The temporary folder {tempfile.gettempdir()} is full: {error}") from error
        if shard.missing or len(shard.documents) < len(self._shards[row.shard]):
            return None
        summary = self._write(row.shard, shard)
        del self._open[row.shard]
        shard.pages.close()
        self.written.add(row.shard)
        return summary

    def _write(self, number: int, shard: _Open) -> dict[str, Any]:
        digest, size = hashlib.sha256(), 0
        errors: Counter[str] = Counter()
        left_out: Counter[str] = Counter()
        states: Counter[str] = Counter()
        with self._store.writing(f"{OUTPUT}/{name_of(number)}.jsonl") as file:
            target = Hashed(file, digest)
            for line, pages in self._records(number, shard):
                target.write(encode(line) + b"\n")
                states[line["state"]] += 1
                errors.update(failure["error"]["code"] for failure in line["failed_pages"])
                if line["error"]:
                    errors[line["error"]["code"]] += 1
                left_out.update(shard.documents[line["line"]].left_out)
                for key in pages:
                    offset, length = shard.places[key]
                    shard.pages.seek(offset)
                    copy(shard.pages, target, length)
                    target.write(b"\n")
            size = target.size
        summary = {
            "number": number,
            "run": RUN,
            "lines": len(shard.documents),
            "pages": len(shard.places),
            "bytes": size,
            "sha256": digest.hexdigest(),
            "states": _sorted(states),
            "failed_pages": len(shard.failed),
            "errors": _sorted(errors),
            "left_out": _sorted(left_out),
            "verdicts": _sorted(Counter(note.verdict for note in shard.notes.values())),
            "notes": [[*key, note.reason, note.signature] for key, note in sorted(shard.notes.items())],
        }
        self._store.write(f"{OUTPUT}/{name_of(number)}.json", encode(summary))
        return summary

    def _records(self, number: int, shard: _Open) -> Iterator[tuple[dict[str, Any], list[tuple[int, int]]]]:
        """The record of each line, and the keys of its pages, in order."""
        places, failed = _by_line(shard.places), _by_line(shard.failed)
        for document in self._shards[number]:
            opened = shard.documents[document.line]
            pages = places.get(document.line, [])
            yield (
                line_record(
                    document,
                    self._reading,
                    error=opened.error,
                    document_sha256=opened.document_sha256,
                    selection=(document.pages or "1-") if opened.error else opened.selection,
                    done=len(pages),
                    failed=[(key[1], shard.failed[key]) for key in failed.get(document.line, [])],
                ),
                pages,
            )


class Hashed:
    def __init__(self, file: Any, digest: Any):
        self._file, self._digest, self.size = file, digest, 0

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self._digest.update(data)
        self.size += len(data)


def _by_line(keys: Mapping[tuple[int, int], Any]) -> dict[int, list[tuple[int, int]]]:
    lines: dict[int, list[tuple[int, int]]] = {}
    for key in sorted(keys):
        lines.setdefault(key[0], []).append(key)
    return lines


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items()))


def reasons(summary: Mapping[str, Any]) -> Counter[str]:
    """How many pages of a shard are no training data, by reason; near-duplicates are not known yet."""
    counts = Counter(reason for _, _, reason, _ in summary["notes"] if reason)
    counts.update(summary["left_out"])
    counts[FAILED] += summary["failed_pages"]
    return +counts
