"""The canonical page result, `schema: 1` (docs/WORKER-PROTOCOL.md, section 3)."""

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
"""`(x0, y0, x1, y1)` in 0..1 of the raster, origin top left."""


@dataclass(slots=True)
class Block:
    id: int
    type: str
    bbox: Box
    text: str
    confidence: float | None = None
    html: str | None = None
    latex: str | None = None

    def to_json(self) -> dict[str, Any]:
        body = asdict(self)
        body["bbox"] = [round(min(max(value, 0.0), 1.0), 5) for value in self.bbox]
        if self.confidence is not None:
            body["confidence"] = round(self.confidence, 4)
        for optional in ("html", "latex"):
            if body[optional] is None:
                del body[optional]
        return body


@dataclass(slots=True)
class Attempt:
    mode: str
    tokens: int | None
    finish_reason: str
    encoded: str | None = None
    """`stored`: the page was not encoded; its vision tokens were there from an earlier reading."""

    def to_json(self) -> dict[str, Any]:
        body = asdict(self)
        if self.encoded is None:
            del body["encoded"]
        return body


@dataclass(slots=True)
class PageResult:
    """Everything that is known of one page. Times in milliseconds, sizes in pixels."""

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
    witness: dict[str, Any] | None = None
    """`model`, `model_digest` and `agreement` of the check, where one was asked for."""
    attachments: dict[str, bytes] = field(default_factory=dict)
    """What is delivered beside the JSON, by its name in `fovea.service.push.ATTACHMENTS`."""

    def to_json(self) -> dict[str, Any]:
        """The JSON object. Raises `ValueError` if it breaks the contract."""
        body: dict[str, Any] = {"schema": 1}
        for name in self.__slots__:
            body[name] = getattr(self, name)
        del body["attachments"]
        body["blocks"] = [block.to_json() for block in self.blocks]
        body["attempts"] = [attempt.to_json() for attempt in self.attempts]
        body["timings_ms"] = {stage: round(self.timings_ms.get(stage, 0.0), 1) for stage in STAGES}
        if self.expected_precision is not None:
            body["expected_precision"] = list(self.expected_precision)
        if self.witness is None:
            del body["witness"]
        if self.compression is not None:
            body["compression"] = round(self.compression, 3)
        faults = page_faults(body)
        if faults:
            raise ValueError("; ".join(faults))
        return body


def encode(body: dict[str, Any]) -> bytes:
    """JSON as it is pushed. Raises `ValueError` for what JSON or UTF-8 cannot hold."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def page_faults(body: Any) -> list[str]:
    """What breaks the contract in a page result; empty if the edge accepts it."""
    return [fault for fault in (schema_fault("PageResult", body), failure_fault(body)) if fault]


def failure_fault(body: Any) -> str | None:
    """The one rule that JSON Schema cannot express: a failed page has an error, and only a failed page."""
    if isinstance(body, dict) and (body.get("verdict") == "failed") != (body.get("error") is not None):
        return "a failed page has an error, and only a failed page"
    return None


def failed_page(page: int, model: str, digest: str, error: dict[str, str], *, task: str) -> PageResult:
    """A page that has no reading, with the reason."""
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
