"""The page result, `schema: 1` (docs/WORKER-PROTOCOL.md, section 3)."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from fovea.contract import CONTRACT, schema_fault

MAX_PAGE_BYTES: int = CONTRACT["max_page_bytes"]
"""Largest body of a page result that the edge accepts."""
MAX_IMAGE_BYTES: int = CONTRACT["max_image_bytes"]
"""Largest page image that the edge accepts."""
BLOCK_TYPES = frozenset(CONTRACT["block_types"])
STAGES = ("raster", "encode", "prefill", "decode")

Box = tuple[float, float, float, float]
"""`(x0, y0, x1, y1)` in 0..1 of the raster; the origin is the top left corner."""


@dataclass(slots=True)
class WordBox:
    text: str
    bbox: Box
    confidence: float | None = None

    def to_json(self) -> dict[str, Any]:
        return {"text": self.text, "bbox": _rounded(self.bbox), "confidence": _sure(self.confidence)}


@dataclass(slots=True)
class LineBox:
    text: str
    bbox: Box
    confidence: float | None = None
    words: list[WordBox] | None = None
    """What white space separates, from left to right; `None` if the places of the words are not known."""

    def to_json(self) -> dict[str, Any]:
        body = {"text": self.text, "bbox": _rounded(self.bbox), "confidence": _sure(self.confidence)}
        if self.words is not None:
            body["words"] = [word.to_json() for word in self.words]
        return body


@dataclass(slots=True)
class TableCell:
    """A cell of a table. Rows and columns count from 0."""

    row: int
    column: int
    rowspan: int
    colspan: int
    text: str
    bbox: Box | None = None
    """The box of its text; `None` if it is empty or its place is not known."""

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "bbox": None if self.bbox is None else _rounded(self.bbox)}


@dataclass(slots=True)
class Block:
    id: int
    type: str
    bbox: Box
    text: str
    confidence: float | None = None
    html: str | None = None
    latex: str | None = None
    lines: list[LineBox] | None = None
    cells: list[TableCell] | None = None
    """Of a table, by rows."""
    figure: dict[str, Any] | None = None
    """Of an image whose picture is attached: `media_type`, `width`, `height` and `bytes`."""
    markdown: str | None = None
    """Of a table without spans: the table in GitHub's Markdown."""
    place: tuple[int, int] | None = None
    """Where it stands in the Markdown of the page, in characters. In the JSON only of a table or an image."""
    message: int | None = None
    """Of a conversation: number of the message."""

    def to_json(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "id": self.id,
            "type": self.type,
            "bbox": _rounded(self.bbox),
            "text": self.text,
            "confidence": _sure(self.confidence),
        }
        for name in ("html", "latex", "figure", "markdown", "message"):
            if (value := getattr(self, name)) is not None:
                body[name] = value
        for name in ("lines", "cells"):
            if (items := getattr(self, name)) is not None:
                body[name] = [item.to_json() for item in items]
        if self.place is not None and self.type in ("table", "image"):
            body["place"] = list(self.place)
        return body


@dataclass(slots=True)
class Link:
    """A link of the document to an address."""

    url: str
    text: str
    """Its words as they stand in the block's text; else as the document has them; empty if there are none."""
    bbox: Box
    block: int | None = None
    """The block in which it stands."""
    start: int | None = None
    """Where `text` begins in the block's text, in characters; `None` if it was not found there."""
    place: tuple[int, int] | None = None
    """Where its words stand in the Markdown of the page, in characters."""
    table_place: tuple[int, int] | None = None
    """The same in the block's `markdown`, of a table that has one."""

    def to_json(self) -> dict[str, Any]:
        body: dict[str, Any] = {"url": self.url, "text": self.text, "bbox": _rounded(self.bbox)}
        body["block"] = self.block
        for name in ("start", "place", "table_place"):
            if (value := getattr(self, name)) is not None:
                body[name] = value if name == "start" else list(value)
        return body


def _rounded(box: Box) -> list[float]:
    return [round(min(max(value, 0.0), 1.0), 5) for value in box]


def _sure(confidence: float | None) -> float | None:
    return None if confidence is None else round(confidence, 4)


@dataclass(slots=True)
class Attempt:
    mode: str
    tokens: int | None
    finish_reason: str
    encoded: str | None = None
    """`stored`: the vision tokens are from an earlier reading."""

    def to_json(self) -> dict[str, Any]:
        body = asdict(self)
        if self.encoded is None:
            del body["encoded"]
        return body


@dataclass(slots=True)
class PageResult:
    """The result of one page. Times are in milliseconds, sizes in pixels."""

    page: int
    width: int
    height: int
    dpi: float | None
    model: str
    model_digest: str
    mode: str = "native"
    task: str = "markdown"
    prompt: str | None = None
    vision_tokens: dict[str, int] | None = None
    text_tokens: int | None = None
    compression: float | None = None
    expected_precision: tuple[float, float] | None = None
    blocks: list[Block] = field(default_factory=list)
    markdown: str = ""
    finish_reason: str = "stop"
    verdict: str = "ok"
    warnings: list[str] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    timings_ms: dict[str, float] = field(default_factory=dict)
    error: dict[str, str] | None = None
    text_source: str | None = None
    """`text_layer`, `recognition` or `mixed`, from readers that use text layers."""
    witness: dict[str, Any] | None = None
    """`model`, `model_digest` and `agreement` of the witness, if the page was checked."""
    links: list[Link] = field(default_factory=list)
    attachments: dict[str, bytes] = field(default_factory=dict)
    """What is pushed next to the JSON, by its path below the page (`fovea.service.push`)."""
    turned: int = 0
    """Quarter turns, clockwise, that make the raster upright. Not in the JSON."""

    def to_json(self) -> dict[str, Any]:
        """The JSON object. Raises `ValueError` if it breaks the contract."""
        body: dict[str, Any] = {"schema": 1}
        for name in self.__slots__:
            body[name] = getattr(self, name)
        del body["attachments"], body["turned"], body["links"]
        body["blocks"] = [block.to_json() for block in self.blocks]
        body["hyperlinks"] = [link.to_json() for link in self.links]
        body["attempts"] = [attempt.to_json() for attempt in self.attempts]
        body["timings_ms"] = {stage: round(self.timings_ms.get(stage, 0.0), 1) for stage in STAGES}
        if self.expected_precision is not None:
            body["expected_precision"] = list(self.expected_precision)
        for optional in ("text_source", "witness"):
            if body[optional] is None:
                del body[optional]
        if self.compression is not None:
            body["compression"] = round(self.compression, 3)
        faults = page_faults(body)
        if faults:
            raise ValueError("; ".join(faults))
        return body


PARTS = ("words", "lines", "cells")
"""What may be missing from a result that would be too large."""


def without(result: PageResult, part: str) -> bool:
    """Removes one of `PARTS` from all blocks. Returns whether there was any."""
    holders = result.blocks
    if part == "words":
        holders = [line for block in result.blocks for line in block.lines or []]
    held = [holder for holder in holders if getattr(holder, part) is not None]
    for holder in held:
        setattr(holder, part, None)
    return bool(held)


def encode(body: dict[str, Any]) -> bytes:
    """The JSON to push. Raises `ValueError` for values that JSON or UTF-8 cannot represent."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def page_faults(body: Any) -> list[str]:
    """Violations of the contract in a page result; empty if the edge accepts it."""
    return [fault for fault in (schema_fault("PageResult", body), failure_fault(body)) if fault]


def failure_fault(body: Any) -> str | None:
    """Checks the one rule that is not in the schema: a failed page has an error, and no other page has one."""
    if isinstance(body, dict) and (body.get("verdict") == "failed") != (body.get("error") is not None):
        return "a failed page has an error, and only a failed page"
    return None


def failed_page(page: int, model: str, digest: str, error: dict[str, str], *, task: str) -> PageResult:
    """The result of a page that could not be read."""
    return PageResult(
        page=page,
        width=0,
        height=0,
        dpi=None,
        model=model,
        model_digest=digest,
        task=task,
        finish_reason="error",
        verdict="failed",
        error=error,
    )
