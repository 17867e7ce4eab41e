"""Keeps one Cog server alive: `python -m fovea.service.supervisor --host 127.0.0.1 --port 5000 --pid-file FILE`.

A Cog server does not restart by itself when its worker process dies (it reports UNHEALTHY) or its setup fails
(SETUP_FAILED). This process starts the server, checks its health and restarts it, with growing pauses while it keeps
failing. If the server fails three times in a row in the same way without ever being ready, this process exits with
status 1.

If this process ends for any reason, the server ends, too: the kernel kills the server, and the server's children
notice (`fovea.parent`). The first SIGTERM or SIGINT drains the worker (`fovea.service.drain`) for at most
`FOVEA_DRAIN_S` seconds; the second one stops it at once.

Cog makes a folder for each prediction and never removes it: folders older than an hour are removed here.

| variable | default | |
|---|---|---|
| `FOVEA_SLOTS` | 4 predictions | predictions at once (Cog's `COG_MAX_CONCURRENCY`); at most 8 |
| `FOVEA_DRAIN_S` | 20 s | time for running pages to finish after SIGTERM |
| `COG_SETUP_TIMEOUT` | 600 s | time for the readers to load |
| `COG_LOG_LEVEL` | `warning` | log level of the Cog server |
| `WEBHOOK_AUTH_TOKEN` | – | bearer token that Cog sends with its completion webhook: the edge's `WORKER_TOKEN` |
"""

import argparse
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from fovea.service.drain import DONE

ROOT = Path(__file__).resolve().parents[4]
BAD_STATES = frozenset({"UNHEALTHY", "SETUP_FAILED", "DEFUNCT"})
POLL_S = 1.0
SILENCE_S = 60.0
"""If a server that has answered before is silent for this long, it counts as hung."""
MAX_PAUSE_S = 30.0
MAX_FAILED_STARTS = 3
GRACE_S = 10.0
DRAIN_S = 20.0
CLOSE_S = 0.5
"""Time for Cog to close its predictions after the last page."""
PREDICTIONS = Path("/tmp/coglet/predictions")
"""Fixed in Cog, whatever TMPDIR is. The folders of our predictions are empty."""
KEEP_S = 3600.0
SWEEP_S = 60.0
WORKING = frozenset({"READY", "BUSY"})
PR_SET_PDEATHSIG = 1


def environment(port: int, drain_file: Path) -> dict[str, str]:
    """The server's environment. Cog starts `python`, so this interpreter's folder comes first in PATH."""
    folders = [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    return {
        **os.environ,
        "PATH": os.pathsep.join(folders),
        "PYTHONPATH": str(ROOT / "src" / "gpu-worker"),
        "PORT": str(port),
        "FOVEA_DRAIN_FILE": str(drain_file),
        "COG_PREDICT_TYPE_STUB": "src/gpu-worker/predict.py:Runner",
        "COG_MAX_CONCURRENCY": os.environ.get("FOVEA_SLOTS", "4"),
        "COG_SETUP_TIMEOUT": os.environ.get("COG_SETUP_TIMEOUT", "600"),
        "COG_LOG_LEVEL": os.environ.get("COG_LOG_LEVEL", "warning"),
    }


def _die_with_parent(parent: int) -> None:
    """Runs in the child before exec. Safe as `preexec_fn` because this process has a single thread."""
    os.setsid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # the parent ended before prctl was called
            os._exit(1)


def start_server(host: str, port: int, drain_file: Path) -> subprocess.Popen:
    parent = os.getpid()
    return subprocess.Popen(
        [sys.executable, "-m", "cog.server.http", "--host", host],
        cwd=ROOT,
        env=environment(port, drain_file),
        stdin=subprocess.DEVNULL,
        preexec_fn=lambda: _die_with_parent(parent),
    )


def stop_server(server: subprocess.Popen, grace_s: float = GRACE_S) -> None:
    """Ends the server's process group with SIGTERM, and with SIGKILL after `grace_s` seconds."""
    for number, wait_s in ((signal.SIGTERM, grace_s), (signal.SIGKILL, 5.0)):
        try:
            os.killpg(server.pid, number)
        except ProcessLookupError:
            break
        end = time.monotonic() + wait_s
        while time.monotonic() < end and _group_runs(server):
            time.sleep(0.05)
        if not _group_runs(server):
            break
    server.poll()


def _group_runs(server: subprocess.Popen) -> bool:
    server.poll()
    try:
        os.killpg(server.pid, 0)
    except ProcessLookupError:
        return False
    return True


def health(host: str, port: int) -> str | None:
    """The state that the server reports, or `None` if it does not answer."""
    try:
        with urllib.request.urlopen(f"http://{host}:{port}/health-check", timeout=5) as answer:
            return json.load(answer).get("status")
    except (OSError, ValueError, urllib.error.URLError):
        return None


def may_predict() -> bool:
    """Whether Cog can make its folders; without them every prediction fails, and nothing says why."""
    try:
        PREDICTIONS.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(PREDICTIONS, os.W_OK | os.X_OK)


def sweep(now: float) -> None:
    """Removes the folders of predictions that began before `now - KEEP_S` (seconds since the epoch)."""
    for folder in PREDICTIONS.glob("*"):
        try:
            old = now - folder.stat().st_mtime > KEEP_S
        except FileNotFoundError:  # another worker on this machine was faster
            continue
        if old:
            shutil.rmtree(folder, ignore_errors=True)


class Supervisor:
    def __init__(self, host: str, port: int, pid_file: Path | None):
        self._host = "127.0.0.1" if host == "0.0.0.0" else host
        self._bind = host
        self._port = port
        self._pid_file = pid_file
        self._stopping = self._stop_now = self._was_ready = False
        self._drain_s = float(os.environ.get("FOVEA_DRAIN_S") or DRAIN_S)
        self._drain_file = Path(tempfile.mkdtemp(prefix="fovea-drain-")) / "drain"

    def stop(self, *_: object) -> None:
        self._stopping, self._stop_now = True, self._stopping

    def run(self) -> int:
        """Returns the exit status: 0 after a signal, 1 if the server cannot start."""
        if not may_predict():
            message = f"Cog needs {PREDICTIONS}, where this user may not write: another user made it"
            print(f"fovea supervisor: {message}", file=sys.stderr, flush=True)
            return 1
        pause, failures, last_reason = 0.5, 0, ""
        while not self._stopping:
            server = start_server(self._bind, self._port, self._drain_file)
            self._write_pid(server.pid)
            started = time.monotonic()
            reason = self._watch(server)
            if self._stopping:
                self._drain(server)
            stop_server(server)
            if self._stopping:
                break
            failures = 0 if self._was_ready else failures + 1 if reason == last_reason else 1
            last_reason = reason
            if failures == MAX_FAILED_STARTS:
                message = f"fovea supervisor: {reason} {failures} times without being ready; giving up"
                print(message, file=sys.stderr, flush=True)
                break
            # A server that ran for a minute is restarted without a long pause.
            pause = 0.5 if time.monotonic() - started > 60 else min(pause * 2, MAX_PAUSE_S)
            print(f"fovea supervisor: {reason}; restarting in {pause:.0f} s", file=sys.stderr, flush=True)
            end = time.monotonic() + pause
            while time.monotonic() < end and not self._stopping:
                time.sleep(0.05)
        self._drain_file.unlink(missing_ok=True)
        self._drain_file.parent.rmdir()
        if self._pid_file:
            self._pid_file.unlink(missing_ok=True)
        return 0 if self._stopping else 1

    def _drain(self, server: subprocess.Popen) -> None:
        """Waits until the worker has pushed its running pages, if it runs at all."""
        if health(self._host, self._port) not in WORKING:
            return
        self._drain_file.touch()
        end = time.monotonic() + self._drain_s
        while time.monotonic() < end and server.poll() is None and not self._stop_now:
            if self._drain_file.read_text() == DONE:
                time.sleep(CLOSE_S)
                return
            time.sleep(0.05)

    def _watch(self, server: subprocess.Popen) -> str:
        """Blocks until the server has to be restarted or stopped, and returns the reason."""
        next_check = next_sweep = time.monotonic()
        last_answer: float | None = None
        self._was_ready = False
        while not self._stopping:
            if server.poll() is not None:
                return f"the Cog server ended with status {server.returncode}"
            if time.monotonic() >= next_check:
                next_check = time.monotonic() + POLL_S
                state = health(self._host, self._port)
                self._was_ready = self._was_ready or state in WORKING
                if state in BAD_STATES:
                    return f"the Cog server is {state}"
                if state is not None:
                    last_answer = time.monotonic()
                elif last_answer is not None and time.monotonic() - last_answer > SILENCE_S:
                    return "the Cog server does not answer"
            if time.monotonic() >= next_sweep:
                next_sweep = time.monotonic() + SWEEP_S
                sweep(time.time())
            time.sleep(0.05)
        return "stopped by a signal"

    def _write_pid(self, pid: int) -> None:
        if self._pid_file:
            fresh = self._pid_file.with_suffix(".new")
            fresh.write_text(str(pid))
            fresh.replace(self._pid_file)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m fovea.service.supervisor", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: loopback only)")
    parser.add_argument("--port", type=int, default=5000)
    parser.add_argument("--pid-file", type=Path, help="file for the Cog server's process id")
    arguments = parser.parse_args()
    supervisor = Supervisor(arguments.host, arguments.port, arguments.pid_file)
    signal.signal(signal.SIGTERM, supervisor.stop)
    signal.signal(signal.SIGINT, supervisor.stop)
    sys.exit(supervisor.run())


if __name__ == "__main__":
    main()
