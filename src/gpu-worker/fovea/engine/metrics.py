"""What the engine does, in numbers, as Prometheus text.

Cog has no routes of its own to add to, so `serve` opens a port on the loopback interface
(`FOVEA_METRICS_PORT`; off without it).
"""

import os
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COUNTERS = {
    "tokens": "Tokens chosen.",
    "steps": "Decode steps.",
    "prefill_tokens": "Positions of prompts computed.",
    "views": "Views encoded.",
    "sequences": "Answers finished.",
    "loops": "Answers cut because they repeated themselves.",
    "set_aside": "Answers that had to wait for room in the cache after they had begun.",
    "encode_seconds": "Time in the encoder.",
    "prefill_seconds": "Time with prompts.",
    "decode_seconds": "Time in decode steps.",
}
GAUGES = {
    "waiting": "Sequences that wait for room.",
    "prefilling": "Sequences whose prompt is being computed.",
    "batch": "Sequences in the decode step.",
    "views_waiting": "Views that wait for the encoder.",
    "kv_blocks_used": "Blocks of the cache in use.",
    "kv_blocks": "Blocks of the cache.",
}


class Metrics:
    """Written by the engine's thread, read by any."""

    def __init__(self) -> None:
        self.values: dict[str, float] = dict.fromkeys((*COUNTERS, *GAUGES), 0.0)

    def add(self, name: str, amount: float) -> None:
        self.values[name] += amount

    def gauge(self, name: str, value: float) -> None:
        self.values[name] = value


def text(models: Mapping[str, Metrics]) -> str:
    """The exposition format, one sample a model."""
    lines = []
    for table, kind in ((COUNTERS, "counter"), (GAUGES, "gauge")):
        for name, help_ in table.items():
            full = f"fovea_engine_{name}" + ("_total" if kind == "counter" else "")
            lines += [f"# HELP {full} {help_}", f"# TYPE {full} {kind}"]
            lines += [f'{full}{{model="{model}"}} {m.values[name]:g}' for model, m in models.items()]
    lines += [
        "# HELP process_resident_memory_bytes Memory of the worker.",
        "# TYPE process_resident_memory_bytes gauge",
        f"process_resident_memory_bytes {resident_bytes()}",
    ]
    return "\n".join(lines) + "\n"


def resident_bytes() -> int:
    """0 where /proc is not to be had."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def serve(models: Mapping[str, Metrics], port: int) -> ThreadingHTTPServer:
    """`GET /metrics` on 127.0.0.1. Raises `OSError` where the port is taken."""

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
