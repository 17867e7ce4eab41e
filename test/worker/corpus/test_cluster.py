"""The same bytes from Ray as from one process, also when a reader is killed and when the run is drained."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import corpus_support as corpus
import pytest

from fovea.corpus.__main__ import BAD_INPUT, COMPLETE, DRAINED, main

pytest.importorskip("ray", reason="of the Python group corpus: npm run corpus:install")
pytestmark = pytest.mark.slow

WORKER = Path(__file__).resolve().parents[3] / "src" / "gpu-worker"
MODEL = ["--model", "fovea-render", "--shard-documents", "2"]
# As many cores to read as to open documents, which must not make one stage of both.
LOCAL = ["--cpus", "2", "--readers", "1", "--reader-cpus", "0.5", "--open-cpus", "0.5", "--batch", "2"]
LOCAL += ["--object-store-bytes", "100000000"]
READER = b"ray::MapWorker(MapBatches(ReadPages))"


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    """Texts, which `fovea-render` knows without reading them, and a file that is none."""
    folder = tmp_path_factory.mktemp("documents")
    names = [f"{number}.md" for number in range(8)]
    for number, name in enumerate(names):
        (folder / name).write_text(f"# Document {number}\n\n" + f"Some words of document {number}.\n\n" * 60)
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4 broken")
    (folder / "manifest.txt").write_text("\n".join([*names, "broken.pdf"]))
    return str(folder / "manifest.txt")


@pytest.fixture(scope="module")
def calm(manifest, tmp_path_factory):
    out = tmp_path_factory.mktemp("calm")
    assert main([manifest, "--out", str(out), *MODEL, "--engine", "alone"]) == COMPLETE
    return corpus.files(out)


def start(manifest, out, *more):
    """In a process of its own: Ray handles signals as long as a process lives."""
    command = [sys.executable, "-m", "fovea.corpus", manifest, "--out", str(out), *MODEL, *LOCAL, *more]
    environment = {**os.environ, "PYTHONPATH": str(WORKER)}
    return subprocess.Popen(
        command, env=environment, start_new_session=True, stderr=subprocess.PIPE, text=True
    )


def readers(session):
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            title = (folder / "cmdline").read_bytes()
            if title.startswith(READER) and os.getsid(int(folder.name)) == session:
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def test_a_reader_that_is_killed_changes_nothing(manifest, calm, tmp_path):
    process = start(manifest, tmp_path)
    while process.poll() is None and not (found := readers(process.pid)):
        time.sleep(0.05)
    assert found, process.stderr.read()
    os.kill(found[0], signal.SIGKILL)
    assert process.wait() == COMPLETE, process.stderr.read()
    assert corpus.files(tmp_path) == calm


def test_a_run_that_is_stopped_continues_to_the_same_bytes(manifest, calm, tmp_path):
    process = start(manifest, tmp_path)
    while process.poll() is None and not list(tmp_path.glob("output/*.json")):
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert process.wait() in (DRAINED, COMPLETE), process.stderr.read()
    process = start(manifest, tmp_path)
    assert process.wait() == COMPLETE, process.stderr.read()
    assert corpus.files(tmp_path) == calm


def test_a_model_that_needs_gpus_is_refused_without_any(manifest, tmp_path):
    process = start(manifest, tmp_path, "--model", "deepseek-ocr")
    assert "needs GPUs and the cluster has none" in process.communicate()[1]
    assert process.returncode == BAD_INPUT
    process = start(manifest, tmp_path, "--model", "deepseek-ocr", "--reader-gpus", "0")
    assert "deepseek-ocr requires FOVEA_DEEPSEEK_DIR" in process.communicate()[1]
    assert process.returncode == BAD_INPUT
    assert not list(tmp_path.iterdir())
