"""The engine's metrics as Prometheus text.

Cog does not allow additional routes, so `serve` opens a separate port on loopback (`FOVEA_METRICS_PORT`; off by
default).
"""

import os
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COUNTERS = {
    "tokens": "Generated tokens.",
    "steps": "Decode steps.",
    "prefill_tokens": "Prefilled positions.",
    "views": "Encoded views.",
    "sequences": "Finished sequences.",
    "loops": "Sequences cut because they repeated themselves.",
    "set_aside": "Preemptions of sequences because the cache was full.",
    "encode_seconds": "Time in the encoder.",
    "prefill_seconds": "Time in prefill (native engine).",
    "decode_seconds": "Time in decode steps; with vLLM in all steps.",
}
GAUGES = {
    "waiting": "Sequences that wait to be admitted.",
    "prefilling": "Sequences in prefill.",
    "batch": "Sequences in the decode step.",
    "views_waiting": "Views that wait for the encoder.",
    "kv_blocks_used": "Cache blocks in use.",
    "kv_blocks": "Cache blocks.",
}


class Metrics:
    """Counters and gauges. Only the engine's thread writes them; any thread can read them."""

    def __init__(self) -> None:
        self.values: dict[str, float] = dict.fromkeys((*COUNTERS, *GAUGES), 0.0)

    def add(self, name: str, amount: float) -> None:
        self.values[name] += amount

    def gauge(self, name: str, value: float) -> None:
        self.values[name] = value


def text(models: Mapping[str, Metrics]) -> str:
    """Prometheus's text format, with one sample per model."""
    lines = []
    for table, kind in ((COUNTERS, "counter"), (GAUGES, "gauge")):
        for name, help_ in table.items():
            full = f"fovea_engine_{name}" + ("_total" if kind == "counter" else "")
            lines += [f"# HELP {full} {help_}", f"# TYPE {full} {kind}"]
            lines += [f'{full}{{model="{model}"}} {m.values[name]:g}' for model, m in models.items()]
    lines += [
        "# HELP process_resident_memory_bytes Resident memory of the worker.",
        "# TYPE process_resident_memory_bytes gauge",
        f"process_resident_memory_bytes {resident_bytes()}",
    ]
    return "\n".join(lines) + "\n"


def resident_bytes() -> int:
    """Resident memory of this process; 0 without /proc."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def serve(models: Mapping[str, Metrics], port: int) -> ThreadingHTTPServer:
    """Serves `GET /metrics` on 127.0.0.1. Raises `OSError` if the port is in use."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path == "/metrics"
            body = text(models).encode() if known else b"not found\n"
            self.send_response(200 if known else 404)
            self.send_header("content-type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server
