"""The real Cog server under the real supervisor, with the real reader."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from support import EdgeStub, encoded, pdf, picture, until
from tiny_checkpoint import make

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


class Server:
    def __init__(self, edge, folder, state="READY", **settings):
        self.url = f"http://127.0.0.1:{free_port()}"
        self.pid_file = folder / "cog.pid"
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "fovea.service.supervisor",
                "--port",
                self.url.rsplit(":")[-1],
                "--pid-file",
                str(self.pid_file),
            ],
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT / "src/gpu-worker"),
                "FOVEA_ALLOWED_ORIGINS": edge.origin,
                "FOVEA_SLOTS": "2",
                "WEBHOOK_AUTH_TOKEN": "token",
                **settings,
            },
        )
        self.wait_for(state)

    def call(self, method, path, body=None, **headers):
        data = None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json", **headers}
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, None
        except (OSError, ValueError):
            return None, None

    def predict(self, **inputs):
        return self.call("POST", "/predictions", {"input": inputs})

    def wait_for(self, state):
        until(lambda: self.health().get("status") == state)

    def health(self):
        return self.call("GET", "/health-check")[1] or {}

    @property
    def cog_pid(self):
        return int(self.pid_file.read_text())


def data_url(data):
    return "data:;base64," + base64.b64encode(data).decode()


@pytest.fixture(scope="module", autouse=True)
def schema():
    subprocess.run([sys.executable, ROOT / "src/gpu-worker/schema.py"], check=True, capture_output=True)


@pytest.fixture(scope="module")
def edge():
    with EdgeStub({"/doc": encoded(picture("Good morning"))}) as stub:
        yield stub


@pytest.fixture(scope="module")
def server(edge, tmp_path_factory):
    server = Server(edge, tmp_path_factory.mktemp("server"))
    yield server
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(60) == 0


def test_a_prediction_pushes_its_pages_and_closes_with_the_bearer(server, edge):
    body = {
        "input": {"document": f"{edge.origin}/doc", "push_url": edge.push_url},
        "webhook": f"{edge.origin}/closed",
        "webhook_events_filter": ["completed"],
    }
    status, _ = server.call("PUT", "/predictions/p1", body, prefer="respond-async")
    assert status == 202
    closed = until(lambda: next((body for path, body in edge.pushes if path == "/closed"), None))
    assert (closed["id"], closed["status"], closed["output"]["pushed"]) == ("p1", "succeeded", [1])
    assert edge.headers["/closed"]["authorization"] == "Bearer token"
    assert [body["markdown"] for path, body in edge.pushes if path == "/pages/1"] == ["Good morning"]


def test_the_health_says_what_was_started(server):
    assert "pp-ocr reads the golden page" in server.health()["setup"]["logs"]


def test_a_worker_that_cannot_read_the_golden_page_does_not_serve(edge, tmp_path):
    settings = {
        "FOVEA_MODELS": "deepseek-ocr",
        "FOVEA_DEEPSEEK_DIR": str(make(tmp_path)),
        "FOVEA_MAX_NEW_TOKENS": "16",
    }
    broken = Server(edge, tmp_path, "SETUP_FAILED", **settings)
    assert "deepseek-ocr does not read the golden page" in broken.health()["setup"]["logs"]
    broken.process.send_signal(signal.SIGTERM)
    assert broken.process.wait(60) == 0
    skipped = Server(edge, tmp_path, FOVEA_GOLDEN_PAGE="off", **settings)
    logs = skipped.health()["setup"]["logs"]
    assert "device: CPU (" in logs and "engine: native, float32" in logs
    skipped.process.send_signal(signal.SIGTERM)
    assert skipped.process.wait(60) == 0


def test_inputs_are_validated_before_anything_runs(server):
    for inputs in ({}, {"document": "x", "dpi": 9000}, {"document": "x", "mode": "huge"}, {"document": 7}):
        assert server.predict(**inputs)[0] == 422


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"%PDF-1.4 broken", "document_broken"), (b"hello", "document_unsupported"), (b"", "document_empty")],
)
def test_a_bad_document_is_an_error_and_the_server_keeps_serving(server, data, code):
    status, body = server.predict(document=data_url(data))
    assert (status, body["status"], body["output"]["error"]["code"]) == (200, "succeeded", code)
    assert server.predict(document=data_url(encoded(picture("still here"))))[1]["output"]["pages"]


def test_hostile_sizes_are_page_errors(server):
    _, body = server.predict(document=data_url(pdf(1, (14_000, 14_000))))
    assert body["output"]["pages"][0]["error"]["code"] == "page_too_large"
    _, body = server.predict(document=data_url(encoded(picture("", (1, 1)))))
    assert body["output"]["pages"][0]["verdict"] == "blank"


def test_a_killed_server_is_started_again(server):
    before = server.cog_pid
    os.kill(before, signal.SIGKILL)
    until(lambda: server.cog_pid != before)
    server.wait_for("READY")
    assert server.predict(document=data_url(encoded(picture("back"))))[1]["output"]["pages"]


def test_the_server_goes_with_its_supervisor_even_when_that_is_killed(edge, tmp_path):
    server = Server(edge, tmp_path)
    pid = server.cog_pid
    server.process.kill()
    server.process.wait()

    def is_gone():
        try:
            return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
        except (FileNotFoundError, ProcessLookupError):
            return True

    until(is_gone)
    until(lambda: server.call("GET", "/health-check")[0] is None)


def test_told_to_stop_it_finishes_the_page_in_hand_and_begins_no_other(tmp_path):
    """The first and the second page are pushed, most of the others are left for another worker."""
    with EdgeStub({"/doc": pdf(12)}) as edge:
        server = Server(edge, tmp_path)
        body = {"input": {"document": f"{edge.origin}/doc", "push_url": edge.push_url}}
        assert server.call("PUT", "/predictions/p1", body, prefer="respond-async")[0] == 202
        until(lambda: edge.pages())
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(60) == 0
        assert edge.pages() == list(range(1, len(edge.pages()) + 1))
        assert 2 <= len(edge.pages()) < 12
