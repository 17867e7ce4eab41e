"""The canonical page result, `schema: 1` (docs/WORKER-PROTOCOL.md, section 3)."""

import math
from dataclasses import asdict, dataclass, field
from typing import Any

BLOCK_TYPES = frozenset(
    [
        "title",
        "sub_title",
        "text",
        "list",
        "table",
        "table_caption",
        "image",
        "image_caption",
        "equation",
        "code",
        "header",
        "footer",
        "page_number",
    ]
)
FINISH_REASONS = frozenset(["stop", "length", "loop", "blank", "error"])
VERDICTS = frozenset(["ok", "blank", "suspect", "unreadable", "failed"])

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

    def to_json(self) -> dict[str, Any]:
        """The JSON object. Raises `ValueError` when it would break the protocol."""
        body: dict[str, Any] = {"schema": 1}
        for name in self.__slots__:
            body[name] = getattr(self, name)
        body["blocks"] = [block.to_json() for block in self.blocks]
        body["attempts"] = [asdict(attempt) for attempt in self.attempts]
        body["timings_ms"] = {
            stage: round(self.timings_ms.get(stage, 0.0), 1)
            for stage in ("raster", "encode", "prefill", "decode")
        }
        if self.expected_precision is not None:
            body["expected_precision"] = list(self.expected_precision)
        if self.compression is not None:
            body["compression"] = round(self.compression, 3)
        faults = page_faults(body)
        if faults:
            raise ValueError("; ".join(faults))
        return body


def page_faults(body: dict[str, Any]) -> list[str]:
    """What breaks the protocol in a page result; empty when nothing does. The edge checks the same."""
    faults: list[str] = []

    def want(good: bool, what: str) -> None:
        if not good:
            faults.append(what)

    def integer(value: Any, least: int = 0) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and value >= least

    def number(value: Any) -> bool:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)

    def unit(value: Any) -> bool:
        return number(value) and 0 <= value <= 1

    want(body.get("schema") == 1, "schema is not 1")
    want(integer(body.get("page"), 1), "page is not a number from 1")
    for side in ("width", "height"):
        want(integer(body.get(side)), f"{side} is not a number of pixels")
    dpi = body.get("dpi")
    want(dpi is None or (number(dpi) and dpi > 0), "dpi is not above 0")
    digest = body.get("model_digest")
    want(
        isinstance(digest, str)
        and digest.startswith("sha256:")
        and len(digest) == 71
        and all(character in "0123456789abcdef" for character in digest[7:]),
        "model_digest is not sha256:…",
    )
    for name in ("model", "mode", "task", "markdown"):
        want(isinstance(body.get(name), str), f"{name} is not text")
    want(body.get("finish_reason") in FINISH_REASONS, "unknown finish_reason")
    want(body.get("verdict") in VERDICTS, "unknown verdict")
    error = body.get("error")
    want((body.get("verdict") == "failed") == (error is not None), "a failed page has an error, others none")
    if error is not None:
        want(
            isinstance(error, dict) and all(isinstance(error.get(key), str) for key in ("code", "message")),
            "error has no code and message",
        )
    precision = body.get("expected_precision")
    want(
        precision is None
        or (isinstance(precision, list) and len(precision) == 2 and all(map(unit, precision))),
        "expected_precision is not [low, high]",
    )
    timings = body.get("timings_ms")
    want(
        isinstance(timings, dict)
        and all(
            number(timings.get(stage)) and timings[stage] >= 0
            for stage in ("raster", "encode", "prefill", "decode")
        ),
        "timings_ms is not complete",
    )
    blocks = body.get("blocks")
    want(isinstance(blocks, list), "blocks is not a list")
    for block in blocks if isinstance(blocks, list) else []:
        box = block.get("bbox")
        want(integer(block.get("id"), 1), "a block has no id")
        want(block.get("type") in BLOCK_TYPES, f"unknown block type {block.get('type')!r}")
        want(isinstance(box, list) and len(box) == 4 and all(map(unit, box)), "a box is not in 0..1")
        want(isinstance(block.get("text"), str), "a block has no text")
        confidence = block.get("confidence")
        want("confidence" in block and (confidence is None or unit(confidence)), "confidence is not in 0..1")
    return faults


def failed_page(
    page: int, model: str, digest: str, error: dict[str, str], *, task: str, size: tuple[int, int] = (0, 0)
) -> PageResult:
    """A page that has no reading, with the reason."""
    return PageResult(
        page=page,
        width=size[0],
        height=size[1],
        dpi=None,
        model=model,
        model_digest=digest,
        task=task,
        finish_reason="error",
        verdict="failed",
        error=error,
    )
