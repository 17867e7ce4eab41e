"""The worker's settings, read from the environment once.

| variable | default | |
|---|---|---|
| `FOVEA_MODELS` | `pp-ocr,fovea-nano` | readers to load, separated by commas; `fovea-render` is always loaded |
| `FOVEA_ALLOWED_ORIGINS` | – | origins that may be called even if they are not public `https`, separated by commas |
| `FOVEA_MAX_DOCUMENT_BYTES` | 104857600 bytes | largest document; see [the limits](LIMITS.md#large-documents) |
| `FOVEA_MAX_PIXELS` | 50000000 pixels | largest page or image; a larger one fails with `page_too_large` |
| `FOVEA_PAGE_TIMEOUT_S` | 300 s | longest time for one page |
| `FOVEA_DEVICE` | a GPU, if there is one | `cuda`: the worker does not start without one; `cpu`: it uses none |
| `FOVEA_GOLDEN_PAGE` | on | `off` starts readers that cannot read the golden page: for random weights |
| `FOVEA_HEARTBEAT_S` | 10 s | interval of a running shard's heartbeats; keep it shorter than the edge's `LEASE_S` |
| `FOVEA_METRICS_PORT` | off | port on loopback that serves Prometheus text at `/metrics` |

Each reader documents its own variables in the same form; `scripts/settings-table.ts` collects them all.

Only code that starts other processes reads the environment, too: the supervisor and `fovea.pages.isolated`.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

DEFAULT_MODELS = ("pp-ocr", "fovea-nano")
DEVICES = ("cpu", "cuda")
DTYPES = ("bfloat16", "float16", "float32")
ENGINES = ("vllm", "native")


@dataclass(frozen=True, slots=True)
class Settings:
    """Times are in seconds. A setting of one reader is described in that reader's file."""

    allowed_origins: frozenset[str] = frozenset()
    models: tuple[str, ...] = DEFAULT_MODELS
    max_document_bytes: int = 100 * 1024 * 1024
    max_pixels: int = 50_000_000
    page_timeout_s: float = 300
    heartbeat_s: float = 10
    metrics_port: int = 0
    """On loopback; 0: no metrics."""
    drain_file: Path | None = None
    """See `fovea.service.drain`; set by the supervisor."""
    device: str | None = None
    """One of `DEVICES`; `None`: a GPU, if there is one."""
    golden_page: bool = True
    """See `fovea.readers.golden`."""

    threads: int | None = None
    """CPU threads; `None`: the reader's default."""
    engine: str = "auto"
    """`auto`, or one of `ENGINES`."""
    vllm_share: float = 0.8
    kv_bytes: int | None = None
    batch: int | None = None
    deepseek_dir: Path | None = None
    deepseek_2_dir: Path | None = None
    unlimited_dir: Path | None = None
    nano_dir: Path | None = None
    dtype: str | None = None
    """One of `DTYPES`."""
    int8: bool = False
    max_tiles: int | None = None
    ngram_guard: tuple[int, int] | None = (30, 90)
    """(n, window)."""
    pdf_ngram_guard: tuple[int, int] | None = (20, 50)
    """Instead of `ngram_guard` for the pages of a PDF."""
    max_new_tokens: int | None = None
    free_prompts: bool = False
    upstream_url: str = ""
    upstream_model: str = ""
    upstream_key: str = field(default="", repr=False)
    upstream_parallel: int = 8

    @classmethod
    def from_environment(cls) -> "Settings":
        """Raises `ValueError`, which names the variable, for a value that is not valid."""
        fallback = cls()
        ngram_guard, pdf_ngram_guard = _ngram_guards(
            "FOVEA_NGRAM_GUARD", (fallback.ngram_guard, fallback.pdf_ngram_guard)
        )
        return cls(
            allowed_origins=frozenset(origin.rstrip("/") for origin in _names("FOVEA_ALLOWED_ORIGINS")),
            models=tuple(_names("FOVEA_MODELS")) or fallback.models,
            max_document_bytes=int(_number("FOVEA_MAX_DOCUMENT_BYTES", fallback.max_document_bytes)),
            max_pixels=int(_number("FOVEA_MAX_PIXELS", fallback.max_pixels)),
            page_timeout_s=_number("FOVEA_PAGE_TIMEOUT_S", fallback.page_timeout_s),
            heartbeat_s=_number("FOVEA_HEARTBEAT_S", fallback.heartbeat_s),
            metrics_port=_port("FOVEA_METRICS_PORT"),
            drain_file=_path("FOVEA_DRAIN_FILE"),
            device=_one_of("FOVEA_DEVICE", DEVICES),
            golden_page=_one_of("FOVEA_GOLDEN_PAGE", ("on", "off")) != "off",
            threads=_whole_number("FOVEA_THREADS"),
            engine=_one_of("FOVEA_ENGINE", ("auto", *ENGINES)) or fallback.engine,
            vllm_share=_share("FOVEA_VLLM_SHARE", fallback.vllm_share),
            kv_bytes=_whole_number("FOVEA_KV_BYTES"),
            batch=_whole_number("FOVEA_BATCH"),
            deepseek_dir=_path("FOVEA_DEEPSEEK_DIR"),
            deepseek_2_dir=_path("FOVEA_DEEPSEEK_2_DIR"),
            unlimited_dir=_path("FOVEA_UNLIMITED_DIR"),
            nano_dir=_path("FOVEA_NANO_DIR"),
            dtype=_one_of("FOVEA_DTYPE", DTYPES),
            int8=_one_of("FOVEA_QUANT", ("int8",)) is not None,
            max_tiles=_whole_number("FOVEA_MAX_TILES"),
            ngram_guard=ngram_guard,
            pdf_ngram_guard=pdf_ngram_guard,
            max_new_tokens=_whole_number("FOVEA_MAX_NEW_TOKENS"),
            free_prompts=_text("FOVEA_FREE_PROMPTS").lower() in ("1", "true", "yes", "on"),
            upstream_url=_text("FOVEA_UPSTREAM_URL").rstrip("/"),
            upstream_model=_text("FOVEA_UPSTREAM_MODEL"),
            upstream_key=_text("FOVEA_UPSTREAM_KEY"),
            upstream_parallel=_whole_number("FOVEA_UPSTREAM_PARALLEL") or fallback.upstream_parallel,
        )


def _text(name: str) -> str:
    return os.environ.get(name, "")


def _path(name: str) -> Path | None:
    text = _text(name)
    return Path(text) if text else None


def _names(name: str) -> list[str]:
    return [part.strip() for part in _text(name).split(",") if part.strip()]


def _number(name: str, fallback: float) -> float:
    text = _text(name)
    try:
        value = float(text) if text else fallback
    except ValueError:
        raise ValueError(f"{name} is not a number: {text!r}") from None
    if value <= 0:
        raise ValueError(f"{name} must be greater than 0")
    return value


def _share(name: str, fallback: float) -> float:
    share = _number(name, fallback)
    if share >= 1:
        raise ValueError(f"{name} must be less than 1")
    return share


def _whole_number(name: str) -> int | None:
    text = _text(name)
    if not text:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"{name} must be a whole number greater than 0, not {text!r}")
    return int(text)


def _port(name: str) -> int:
    text = _text(name) or "0"
    if not text.isdecimal() or int(text) > 65535:
        raise ValueError(f"{name} is not a port number: {text!r}")
    return int(text)


def _one_of(name: str, words: tuple[str, ...]) -> str | None:
    text = _text(name)
    if text and text not in words:
        raise ValueError(f"{name} must be one of {', '.join(words)} or empty, not {text!r}")
    return text or None


_Guards = tuple[tuple[int, int] | None, tuple[int, int] | None]


def _ngram_guards(name: str, fallback: _Guards) -> _Guards:
    """The guard, and the guard for the pages of a PDF."""
    text = _text(name)
    if not text:
        return fallback
    if text == "off":
        return None, None
    parts = text.split(",")
    if len(parts) != 2 or not all(part.strip().isdecimal() for part in parts):
        raise ValueError(f"{name} must be n,window such as 30,90, or off, not {text!r}")
    n, window = map(int, parts)
    if not 2 <= n <= window:
        raise ValueError(f"{name} requires 2 <= n <= window, not {text!r}")
    return (n, window), (n, window)
