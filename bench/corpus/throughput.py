"""How pages a second grow with the number of readers, beside plain reading in one process.

    .venv/bin/python bench/corpus/throughput.py /tmp/throughput --pages 80 --wait 4
    .venv/bin/python bench/corpus/throughput.py /tmp/throughput-cpu --pages 150 --model pp-ocr

The readers are `deepseek-ocr-upstream`, on Ray four pages at a time each; a stand-in for its server takes `--wait`
seconds for each page, as a GPU would that reads four at once. So the figures show what this package and Ray add, on a
machine without a GPU, and not how fast a model is. They are drawn in docs/images/corpus-readers.svg. `--model pp-ocr`
reads on the CPU instead, each reader with one thread.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pages

ROOT = pages.ROOT
ANSWER = (
    "<|ref|>text<|/ref|><|det|>[[50, 50, 900, 900]]<|/det|>\nThe quick brown fox jumps over the lazy dog."
)
PLOT = ROOT / "docs" / "images" / "corpus-readers.svg"


class Server:
    """A stand-in for a server with an OpenAI-compatible API."""

    def __init__(self, wait_s: float):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self._send({"object": "list", "data": [{"id": "stand-in", "object": "model"}]})

            def do_POST(self):
                self.rfile.read(int(self.headers["content-length"]))
                time.sleep(wait_s)
                choice = {
                    "index": 0,
                    "finish_reason": "stop",
                    "message": {"role": "assistant", "content": ANSWER},
                }
                usage = {"prompt_tokens": 280, "completion_tokens": 30, "total_tokens": 310}
                self._send({"id": "x", "object": "chat.completion", "choices": [choice], "usage": usage})

            def _send(self, body):
                data = json.dumps(body).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def command(self, manifest: Path, out: Path) -> tuple[list[str], dict[str, str]]:
        """A run whose reader asks this server, and its environment."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src" / "gpu-worker")}
        environment |= {"FOVEA_UPSTREAM_URL": self.url, "FOVEA_GOLDEN_PAGE": "off"}
        environment |= {"FOVEA_ALLOWED_ORIGINS": self.url.removesuffix("/v1")}
        command = [sys.executable, "-m", "fovea.corpus", str(manifest), "--out", str(out)]
        return [*command, "--model", "deepseek-ocr-upstream", "--mode", "small"], environment


def measure(manifest: Path, out: Path, wait_s: float, more: list[str]) -> float:
    """Pages a second."""
    command, environment = Server(wait_s).command(manifest, out)
    environment["FOVEA_THREADS"] = "1"
    subprocess.run([*command, "--shard-documents", "2", *more], env=environment, check=True)
    return rate(out)


def rate(out: Path) -> float:
    """Pages a second between the first and the last tenth of the shards: without the start of the processes."""
    written = sorted(
        (file.stat().st_mtime, json.loads(file.read_text())["pages"]) for file in out.glob("output/*.json")
    )
    skip = max(1, len(written) // 10)
    middle = written[skip:-skip]
    return sum(count for _, count in middle) / (middle[-1][0] - written[skip - 1][0])


def plot(measured: dict[str, float]) -> str:
    """Bars of pages a second."""
    most, width, left, bottom = max(measured.values()), 560, 150, 40 * len(measured) + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {bottom + 10}" font-family="sans-serif" '
        'font-size="13"><title>Pages a second by the number of readers</title>',
        '<rect width="100%" height="100%" fill="white"/>',
        '<text x="10" y="22">Pages a second; readers wait for a stand-in of a GPU, four pages at a time on Ray</text>',
    ]
    for place, (name, value) in enumerate(measured.items()):
        y, length = 40 + 40 * place, (width - left - 70) * value / most
        parts.append(f'<text x="{left - 8}" y="{y + 19}" text-anchor="end">{name}</text>')
        parts.append(f'<rect x="{left}" y="{y}" width="{length:.0f}" height="28" fill="#2171b5"/>')
        parts.append(f'<text x="{left + length + 6:.0f}" y="{y + 19}">{value:.2f}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", help="reader on the CPU, instead of a stand-in of a GPU")
    parser.add_argument("--pages", type=int, default=80)
    parser.add_argument("--wait", type=float, default=4.0, help="seconds of the stand-in for each page")
    parser.add_argument("--readers", type=int, nargs="*", default=[1, 2])
    given = parser.parse_args()
    manifest = pages.write(given.folder / "documents", given.pages, seed=3)
    measured = {}
    for readers in (0, *given.readers):
        out = given.folder / f"out-{readers}"
        more = ["--engine", "alone"]
        if readers:
            more = ["--cpus", "2", "--readers", str(readers), "--reader-cpus", "0.5"]
            more += ["--object-store-bytes", "100000000"]
        if given.model:
            more += ["--model", given.model, "--mode", "auto"]
        else:
            more += ["--batch", "1"]
        name = f"{readers} reader{'s' * (readers > 1)}, Ray" if readers else "one process"
        measured[name] = measure(manifest, out, given.wait, more)
        print(f"{name}: {measured[name]:.2f} pages/s", flush=True)
    if not given.model:
        PLOT.write_text(plot(measured))


if __name__ == "__main__":
    main()
