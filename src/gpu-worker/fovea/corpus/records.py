"""The records of the output and of training data: the schemas of the service (`/v1/batches`), without a receipt.

`src/edge/domain/pages/training.ts` has the schemas and writes the same records; `contract.json` brings them here.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from fovea.corpus.manifest import PlannedDocument
from fovea.corpus.options import Reading

RUN = 1
"""A corpus is read in one run, however often that is interrupted."""
TENANT = ""
"""Stands for the tenant in the id of a reading."""
FORM = {
    "granularity": "block",
    "table_format": "html",
    "join_tables": False,
    "figures": "none",
    "hyperlinks": "list",
}
"""The form of the service's batches."""
HIDDEN = ("markdown", "place", "lines")
"""Fields of a pushed block that the plain form does not show."""


def encode(body: Any) -> bytes:
    """JSON as JavaScript writes it, except for whole numbers that are floats here."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def reading_id(document_sha256: str, reading: Reading, page: int) -> str:
    """The same page, read the same way, has the same id. `pageKey` of src/edge/domain/pages/page-key.ts."""
    parts: list[Any] = [1, TENANT, document_sha256, reading.model, reading.mode, reading.task, reading.prompt]
    parts += [reading.dpi, page]
    if reading.witness:
        parts += [None, None, True]
    if reading.text_layer != "auto":
        parts += ["text_layer", reading.text_layer]
    if reading.languages:
        parts.append({"languages": list(reading.languages)})
    return hashlib.sha256(encode(parts)).hexdigest()


def shown(result: dict[str, Any]) -> dict[str, Any]:
    """A page result in the plain form. Times are 0: with them no two runs would have the same bytes."""
    blocks = []
    for block in result["blocks"]:
        body = {name: value for name, value in block.items() if name not in HIDDEN}
        if figure := body.pop("figure", None):
            body["figure"] = figure
        blocks.append(body)
    if "hyperlinks" in result:
        result = {**result, "hyperlinks": [_shown_link(link) for link in result["hyperlinks"]]}
    return {**result, "blocks": blocks, "timings_ms": dict.fromkeys(result["timings_ms"], 0)}


def _shown_link(link: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in link.items() if name not in ("place", "table_place")}


def page_record(
    line: int, custom_id: str | None, document_sha256: str, reading: Reading, result: dict[str, Any]
) -> dict[str, Any]:
    return {
        "type": "page",
        "line": line,
        "run": RUN,
        "custom_id": custom_id,
        "page": result["page"],
        "reading": reading_id(document_sha256, reading, result["page"]),
        "result": shown(result),
    }


def line_record(
    document: PlannedDocument,
    reading: Reading,
    *,
    error: dict[str, str] | None,
    document_sha256: str | None,
    selection: str,
    done: int,
    failed: Sequence[tuple[int, dict[str, str]]],
) -> dict[str, Any]:
    """`failed`: pages and their errors, in order."""
    some = "partial" if done else "failed"
    state = "failed" if error else some if failed else "succeeded"
    return {
        "type": "line",
        "line": document.line,
        "run": RUN,
        "custom_id": document.custom_id,
        "state": state,
        "error": error,
        "metadata": document.metadata,
        "source": {"url": document.url},
        "file_id": None,
        "document_sha256": document_sha256,
        "model": reading.model,
        "mode": reading.mode,
        "task": reading.task,
        "prompt": reading.prompt,
        "dpi": reading.dpi,
        "budget": None,
        "witness": reading.witness,
        **({"text_layer": reading.text_layer} if reading.text_layer != "auto" else {}),
        **({"languages": list(reading.languages)} if reading.languages else {}),
        **FORM,
        "selection": selection,
        "pages_done": done,
        "failed_pages": [{"page": page, "error": error} for page, error in failed],
    }


def training_record(line: dict[str, Any], page: dict[str, Any]) -> dict[str, Any]:
    """From the records of a line and of one of its pages. `trainingRecord` of src/edge/domain/pages/training.ts."""
    result = page["result"]
    boxes = ("type", "bbox", "text", "html", "latex", "confidence")
    said = (
        "model",
        "model_digest",
        "mode",
        "task",
        "prompt",
        "verdict",
        "finish_reason",
        "warnings",
        "receipt",
    )
    source = line["source"] or {}
    return {
        "id": page["reading"],
        "image": {
            "file_id": line.get("file_id"),
            "document_sha256": line.get("document_sha256"),
            **({"url": source["url"]} if "url" in source else {}),
            "page": page["page"],
            "dpi": result["dpi"],
            "width": result["width"],
            "height": result["height"],
        },
        "text": result["markdown"],
        "boxes": [{name: block[name] for name in boxes if name in block} for block in result["blocks"]],
        "provenance": {name: result[name] for name in said if name in result},
        "line": line["line"],
        "custom_id": line["custom_id"],
        "metadata": line["metadata"],
    }


def selection_text(pages: Sequence[int]) -> str:
    """Ascending page numbers as ranges such as `1-3,7`. `formatSelection` of the edge."""
    ranges: list[list[int]] = []
    for page in pages:
        if ranges and ranges[-1][1] == page - 1:
            ranges[-1][1] = page
        else:
            ranges.append([page, page])
    return ",".join(f"{first}" if first == last else f"{first}-{last}" for first, last in ranges)
