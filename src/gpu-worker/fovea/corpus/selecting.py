"""Writes training data: for each shard of the output one with the records of the pages that pass the filters.

A page is left out as a near-duplicate if it is nearly the same as an earlier page of the plan that passes. That is
decided when the whole output is written, in the order of the plan.
"""

import hashlib
import json
from collections.abc import Collection, Iterator
from typing import Any

from fovea.corpus.filters import DUPLICATE
from fovea.corpus.records import encode, training_record
from fovea.corpus.shards import OUTPUT, Hashed, name_of, reasons
from fovea.corpus.signatures import Kept
from fovea.corpus.store import Store

TRAINING = "training-data"
ROW_GROUP = 500
"""Records that a Parquet file holds together."""


def select(
    store: Store, numbers: Collection[int]
) -> Iterator[tuple[int, set[tuple[int, int]], dict[str, Any]]]:
    """For each shard in order: its number, the (line, page) of its training data, and its summary."""
    kept = Kept()
    for number in sorted(numbers):
        summary = json.loads(store.read(f"{OUTPUT}/{name_of(number)}.json") or b"{}")
        chosen = set()
        dropped = reasons(summary)
        for line, page, reason, signature in summary["notes"]:
            if reason:
                continue
            if signature and not kept.add(int(signature, 16)):
                dropped[DUPLICATE] += 1
            else:
                chosen.add((line, page))
        yield number, chosen, {**summary, "dropped": dict(sorted(dropped.items()))}


def write_selection(url: str, number: int, chosen: set[tuple[int, int]], form: str) -> dict[str, Any]:
    """Writes one shard of training data and returns its summary. Blocks. Raises `StoreFault`."""
    store = Store(url)
    name = f"{TRAINING}/{name_of(number)}"
    digest = hashlib.sha256()
    with store.writing(f"{name}.{form}") as file:
        target = Hashed(file, digest)
        if form == "parquet":
            _write_parquet(target, _records(store, number, chosen))
        else:
            for record in _records(store, number, chosen):
                target.write(encode(record) + b"\n")
    summary = {
        "number": number,
        "records": len(chosen),
        "bytes": target.size,
        "sha256": digest.hexdigest(),
        "path": f"{name}.{form}",
    }
    store.write(f"{name}.json", encode(summary))
    return summary


def _records(store: Store, number: int, chosen: set[tuple[int, int]]) -> Iterator[dict[str, Any]]:
    line: dict[str, Any] = {}
    with store.reading(f"{OUTPUT}/{name_of(number)}.jsonl") as file:
        for text in file:
            record = json.loads(text)
            if record["type"] == "line":
                line = record
            elif (record["line"], record["page"]) in chosen:
                yield training_record(line, record)


def _write_parquet(target: Any, records: Iterator[dict[str, Any]]) -> None:
    """The same records. `metadata` and `receipt`, whose fields differ between records, are JSON texts."""
    # Imported here because only this form needs it; it comes with Ray.
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = _schema(pa)
    sink = pa.PythonFile(_Sink(target), mode="w")
    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        group: list[dict[str, Any]] = []
        for record in records:
            provenance = dict(record["provenance"])
            provenance["receipt"] = json.dumps(receipt) if (receipt := provenance.get("receipt")) else None
            metadata = encode(record["metadata"]).decode()
            group.append({**record, "provenance": provenance, "metadata": metadata})
            if len(group) == ROW_GROUP:
                writer.write_table(pa.Table.from_pylist(group, schema=schema))
                group = []
        if group:
            writer.write_table(pa.Table.from_pylist(group, schema=schema))


class _Sink:
    """What pyarrow needs of a file that is written."""

    closed = False

    def __init__(self, target: Any):
        self._target = target

    def write(self, data: bytes) -> int:
        self._target.write(bytes(data))
        return len(data)

    def tell(self) -> int:
        return self._target.size

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


def _schema(pa: Any) -> Any:
    text, whole, real = pa.string(), pa.int32(), pa.float64()
    image = {"file_id": text, "document_sha256": text, "url": text, "page": whole, "dpi": real}
    image |= {"width": whole, "height": whole}
    box = {
        "type": text,
        "bbox": pa.list_(real),
        "text": text,
        "html": text,
        "latex": text,
        "confidence": real,
    }
    said = dict.fromkeys(
        ("model", "model_digest", "mode", "task", "prompt", "verdict", "finish_reason"), text
    )
    said |= {"warnings": pa.list_(text), "receipt": text}
    return pa.schema(
        {
            "id": text,
            "image": pa.struct(list(image.items())),
            "text": text,
            "boxes": pa.list_(pa.struct(list(box.items()))),
            "provenance": pa.struct(list(said.items())),
            "line": whole,
            "custom_id": text,
            "metadata": text,
        }
    )
