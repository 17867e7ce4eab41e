"""The canonical page result, `schema: 1` (docs/WORKER-PROTOCOL.md, section 3)."""

import json
import math
import re
from collections.abc import Callable
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
        """The JSON object. Raises `ValueError` when it would break the protocol."""
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
            raise ValueError("; ".join(faults[:10]))
        return body


MAX_BODY_BYTES = 4 << 20
"""The largest page result that the edge takes."""
MAX_IMAGE_BYTES = 8 << 20
"""The largest page image that it takes."""

STAGES = ("raster", "encode", "prefill", "decode")


def encode(body: dict[str, Any]) -> bytes:
    """JSON as it is pushed. Raises `ValueError` for what JSON or UTF-8 cannot hold."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _integer(value: Any, least: int = 0) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _unit(value: Any) -> bool:
    return _number(value) and 0 <= value <= 1


def _text(value: Any, most: int) -> bool:
    """At most `most` UTF-16 units, as the edge counts them, and not half of a surrogate pair among them."""
    if not isinstance(value, str):
        return False
    try:
        return len(value.encode("utf-16-le")) <= 2 * most
    except UnicodeEncodeError:
        return False


def _digest(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"sha256:[0-9a-f]{64}", value) is not None


def _error(value: Any) -> bool:
    return isinstance(value, dict) and _text(value.get("code"), 64) and _text(value.get("message"), 1000)


def _vision_tokens(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    tiles = value.get("tiles", [1, 1])
    return (
        all(_integer(value.get(name)) for name in ("positions", "patches", "valid"))
        and isinstance(tiles, list)
        and len(tiles) == 2
        and all(_integer(side, 1) for side in tiles)
        and _integer(value.get("max_tiles", 1), 1)
    )


def _witness(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and _text(value.get("model"), 64)
        and _digest(value.get("model_digest"))
        and "agreement" in value
        and (value["agreement"] is None or _unit(value["agreement"]))
    )


def _attempt(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and _text(value.get("mode"), 32)
        and "tokens" in value
        and (value["tokens"] is None or _integer(value["tokens"]))
        and value.get("finish_reason") in FINISH_REASONS
        and value.get("encoded", "stored") == "stored"
    )


def _list(value: Any, most: int, good: Callable[[Any], bool]) -> bool:
    return isinstance(value, list) and len(value) <= most and all(map(good, value))


def _or_null(good: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or good(value)


_PAGE: dict[str, Callable[[Any], bool]] = {
    "schema": lambda value: value == 1,
    "page": lambda value: _integer(value, 1),
    "width": _integer,
    "height": _integer,
    "dpi": _or_null(lambda value: _number(value) and value > 0),
    "model": lambda value: _text(value, 64),
    "model_digest": _digest,
    "mode": lambda value: _text(value, 32),
    "task": lambda value: _text(value, 32),
    "prompt": _or_null(lambda value: _text(value, 4000)),
    "vision_tokens": _or_null(_vision_tokens),
    "text_tokens": _or_null(_integer),
    "compression": _or_null(lambda value: _number(value) and value >= 0),
    "expected_precision": _or_null(lambda value: _list(value, 2, _unit) and len(value) == 2),
    "blocks": lambda value: isinstance(value, list) and len(value) <= 20_000,
    "markdown": lambda value: _text(value, 4_000_000),
    "finish_reason": lambda value: value in FINISH_REASONS,
    "verdict": lambda value: value in VERDICTS,
    "warnings": lambda value: _list(value, 200, lambda item: _text(item, 500)),
    "attempts": lambda value: _list(value, 50, _attempt),
    "timings_ms": lambda value: (
        isinstance(value, dict) and all(_number(value.get(name)) and value[name] >= 0 for name in STAGES)
    ),
    "error": _or_null(_error),
}

_BLOCK: dict[str, Callable[[Any], bool]] = {
    "id": lambda value: _integer(value, 1),
    "type": lambda value: value in BLOCK_TYPES,
    "bbox": lambda value: _list(value, 4, _unit) and len(value) == 4,
    "text": lambda value: _text(value, 1_000_000),
    "confidence": _or_null(_unit),
}
_BLOCK_OPTIONAL = {"html": 2_000_000, "latex": 100_000}


def page_faults(body: Any) -> list[str]:
    """What breaks the protocol in a page result; empty when nothing does. The edge checks the same."""
    if not isinstance(body, dict):
        return ["it is no object"]
    faults = _field_faults(body, _PAGE, "")
    if (body.get("verdict") == "failed") != (body.get("error") is not None):
        faults.append("a failed page has an error, others have none")
    if "witness" in body and not _witness(body["witness"]):
        faults.append("witness is wrong")
    blocks = body.get("blocks")
    for block in blocks if isinstance(blocks, list) else []:
        if not isinstance(block, dict):
            faults.append("a block is no object")
            continue
        faults += _field_faults(block, _BLOCK, "block.")
        faults += [
            f"block.{name} is wrong"
            for name, most in _BLOCK_OPTIONAL.items()
            if name in block and not _text(block[name], most)
        ]
    return faults


def _field_faults(body: dict[str, Any], fields: dict[str, Callable[[Any], bool]], prefix: str) -> list[str]:
    return [
        f"{prefix}{name} is {'wrong' if name in body else 'missing'}"
        for name, good in fields.items()
        if name not in body or not good(body[name])
    ]


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
