"""The reader `deepseek-ocr-upstream` against vLLM's own server, with the flags of docs/DEPLOY.md and random weights."""

import itertools
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import torch
from checkpoint import make

from fovea.pages.documents import Raster
from fovea.readers import golden
from fovea.readers.base import ReadRequest
from fovea.readers.upstream import Upstream
from fovea.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
KEY = "secret"
MODEL = "deepseek-ai/DeepSeek-OCR"
START_S = 600
# What a GPU does not need.
FOR_CPU = ["--dtype", "float32", "--enforce-eager", "--skip-mm-profiling", "--max-num-seqs", "4"]
FOR_CPU += ["--kv-cache-memory-bytes", str(512 << 20)]


def documented() -> tuple[dict[str, str], list[str]]:
    """Environment and arguments of the command in DEPLOY.md, after `vllm serve MODEL`."""
    text = (ROOT / "docs" / "DEPLOY.md").read_text(encoding="utf-8")
    command = re.search(r"^(?:VLLM_\S+ )*vllm serve .*?(?<!\\)$", text, re.MULTILINE | re.DOTALL)[0]
    words = shlex.split(command.split("#")[0].replace("\\\n", " "))
    serve = words.index("serve")
    arguments = [KEY if word == "$UPSTREAM_KEY" else word for word in words[serve + 2 :]]
    revision = arguments.index("--revision")  # of the Hub; the test's checkpoint is a folder
    del arguments[revision : revision + 2]
    return dict(word.split("=", 1) for word in words[: serve - 1]), arguments


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = make(Path(os.environ["FOVEA_VLLM_CHECKPOINT"]), torch.float32)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment, arguments = documented()
    command = [sys.executable, "-m", "vllm.entrypoints.cli.main", "serve", str(folder), *arguments]
    command += ["--served-model-name", MODEL, "--host", "127.0.0.1", "--port", str(port), *FOR_CPU]
    environment |= {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    environment |= {
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "2"),
    }
    environment |= {"VLLM_EXECUTE_MODEL_TIMEOUT_SECONDS": "1800"}  # for the encoder on a busy CPU
    log = tmp_path_factory.mktemp("log") / "vllm.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command, env={**os.environ, **environment}, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        wait(process, f"http://127.0.0.1:{port}/health", log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(60)


def wait(process, address, log):
    end = time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(1)
    pytest.fail(f"vLLM did not start:\n{log.read_text()[-4000:]}")


def reader(server, max_new=48, **settings) -> Upstream:
    return Upstream(
        Settings(
            upstream_url=server, upstream_key=KEY, max_new_tokens=max_new, page_timeout_s=900, **settings
        )
    )


def page(dpi=None, width=500) -> Raster:
    """Up to 640 pixels wide it has no tiles."""
    return Raster(1, golden.page().image.resize((width, 500)), dpi)


def test_a_page_is_read_with_the_log_probabilities_of_its_tokens(server):
    one = reader(server)
    result = one.read(page(), ReadRequest())
    assert (result.finish_reason, result.text_tokens) == ("length", 48)
    assert (result.model, result.model_digest) == ("deepseek-ocr-upstream", one.digest)
    # Random weights write many bytes that are no characters.
    assert result.blocks and all(block.confidence is not None for block in result.blocks)
    assert result.verdict == "suspect"
    assert one.read(page(), ReadRequest()).markdown == result.markdown


def test_the_guard_reaches_the_processor_of_the_server(server):
    def grams(**guard):
        """All and different pairs of tokens in an answer."""
        body = json.loads(post(server, guard or None))
        tokens = [one["token"] for one in body["choices"][0]["logprobs"]["content"]]
        pairs = list(itertools.pairwise(tokens))
        return len(pairs), len(set(pairs))

    loose, (count, kinds) = grams(), grams(ngram_size=2, window_size=90, whitelist_token_ids=[128821, 128822])
    assert loose[1] < loose[0] and count == kinds


def test_what_the_guard_of_the_settings_sends_is_accepted(server):
    for raster in (page(), page(144.0, width=700)):
        assert reader(server).read(raster, ReadRequest(task="free")).text_tokens == 48


def test_a_model_that_reads_nothing_does_not_serve(server, monkeypatch):
    small = page()
    monkeypatch.setattr(golden, "page", lambda: small)
    with pytest.raises(golden.GoldenPageError, match="deepseek-ocr-upstream does not read the golden page"):
        golden.check({"deepseek-ocr-upstream": reader(server)})


def test_a_wrong_key_is_refused_at_once(server):
    with pytest.raises(ValueError, match="answered with status 401"):
        Upstream(Settings(upstream_url=server, upstream_key="wrong"))


def post(server, xargs):
    """A completion from two tokens only, so that pairs repeat unless they are forbidden."""
    body = {
        "model": MODEL,
        "messages": [{"role": "user", "content": "x"}],
        "temperature": 0,
        "max_tokens": 40,
        "ignore_eos": True,
        "logprobs": True,
        "allowed_token_ids": list(range(1000, 1008)),
        "vllm_xargs": xargs,
    }
    request = urllib.request.Request(
        f"{server}/chat/completions",
        json.dumps(body).encode(),
        {"content-type": "application/json", "authorization": f"Bearer {KEY}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=600) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        pytest.fail(f"{error.code}: {error.read()[:500]!r}")
