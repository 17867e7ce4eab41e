"""Settings of every worker, read from the environment once.

| variable | default | |
|---|---|---|
| `FOVEA_MODELS` | `pp-ocr,fovea-nano` | readers to load, separated by commas; `fovea-render` is always loaded |
| `FOVEA_ALLOWED_ORIGINS` | – | origins that may be called although they are not public `https`, separated by commas |
| `FOVEA_MAX_DOCUMENT_BYTES` | 104857600 bytes | largest document; see [the limits](LIMITS.md#large-documents) |
| `FOVEA_MAX_PIXELS` | 50000000 pixels | largest page or image; a larger one fails with `page_too_large` |
| `FOVEA_PAGE_TIMEOUT_S` | 300 s | longest time for one page |
| `FOVEA_HEARTBEAT_S` | 10 s | interval of a running shard's heartbeats; keep it shorter than the edge's `LEASE_S` |
| `FOVEA_METRICS_PORT` | off | port on loopback that serves Prometheus text at `/metrics` |

Each reader documents its own variables in the same form; `scripts/settings_table.py` collects them all.
"""

import os
from dataclasses import dataclass

DEFAULT_MODELS = ("pp-ocr", "fovea-nano")


@dataclass(frozen=True, slots=True)
class Settings:
    """Sizes in bytes and pixels, times in seconds."""

    allowed_origins: frozenset[str] = frozenset()
    models: tuple[str, ...] = DEFAULT_MODELS
    max_document_bytes: int = 100 * 1024 * 1024
    max_pixels: int = 50_000_000
    page_timeout_s: float = 300
    heartbeat_s: float = 10
    fetch_timeout_s: float = 120
    metrics_port: int = 0
    """On loopback; 0: none."""

    @classmethod
    def from_environment(cls) -> "Settings":
        """Raises `ValueError` naming the variable that cannot be read."""

        def number(name: str, fallback: float) -> float:
            text = os.environ.get(name, "")
            try:
                value = float(text) if text else fallback
            except ValueError:
                raise ValueError(f"{name} is not a number: {text!r}") from None
            if value <= 0:
                raise ValueError(f"{name} must be above 0")
            return value

        def names(name: str) -> list[str]:
            return [part.strip() for part in os.environ.get(name, "").split(",") if part.strip()]

        def port(name: str) -> int:
            text = os.environ.get(name, "") or "0"
            if not text.isdecimal() or int(text) > 65535:
                raise ValueError(f"{name} is not a port: {text!r}")
            return int(text)

        fallback = cls()
        return cls(
            allowed_origins=frozenset(origin.rstrip("/") for origin in names("FOVEA_ALLOWED_ORIGINS")),
            models=tuple(names("FOVEA_MODELS")) or fallback.models,
            max_document_bytes=int(number("FOVEA_MAX_DOCUMENT_BYTES", fallback.max_document_bytes)),
            max_pixels=int(number("FOVEA_MAX_PIXELS", fallback.max_pixels)),
            page_timeout_s=number("FOVEA_PAGE_TIMEOUT_S", fallback.page_timeout_s),
            heartbeat_s=number("FOVEA_HEARTBEAT_S", fallback.heartbeat_s),
            metrics_port=port("FOVEA_METRICS_PORT"),
        )
