"""The worker with what `npm start` installs first: requirements.txt and requirements-alone.txt, and no PyTorch.

All packages lie in the tests' environment. A `sitecustomize` hides those that the two files do not name from the worker
and from the processes that it starts.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
WORKER = ROOT / "src" / "gpu-worker"
FIRST = ("requirements.txt", "requirements-alone.txt")

HIDES = """
import sys
HIDDEN = frozenset({hidden!r})

class Hider:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in HIDDEN:
            raise ModuleNotFoundError(f"{{name}} is not among what is installed first", name=name)

sys.meta_path.insert(0, Hider())
"""

READS = """
import asyncio, base64, importlib, json, pkgutil, sys
import fovea.pages
from predict import Runner
from fovea.readers import ReadRequest
from fovea.service.shard import ShardRequest, run_shard

for module in pkgutil.walk_packages(fovea.pages.__path__, "fovea.pages."):
    importlib.import_module(module.name)  # they run in processes of their own
runner = Runner()
runner.setup()
for path, options in json.loads(sys.argv[1]):
    data = base64.b64encode(open(path, "rb").read()).decode()
    request = ShardRequest(document=f"data:;base64,{data}", pages="1", model="pp-ocr", options=ReadRequest(**options))
    answer = asyncio.run(run_shard(request, runner.readers, runner.settings))
    assert answer["pages"][0]["verdict"] == "ok", answer
assert "torch" not in sys.modules
print("read")
"""


def hidden_modules() -> list[str]:
    """The modules of all packages that the two files do not name."""
    from importlib.metadata import packages_distributions

    def plain(name: str) -> str:
        return re.sub(r"[-_.]+", "-", name).lower()

    named = {
        plain(name)
        for file in FIRST
        for name in re.findall(r"^([\w.-]+)==", (WORKER / file).read_text(), re.MULTILINE)
    }
    if "openvino" in named and not _has("openvino"):
        named.add("onnxruntime")  # takes its place
    owners = packages_distributions()
    return sorted(module for module, of in owners.items() if not {plain(name) for name in of} & named)


def _has(module: str) -> bool:
    return subprocess.run([sys.executable, "-c", f"import {module}"], capture_output=True).returncode == 0


def run(tmp_path: Path, program: str, *arguments: str) -> subprocess.CompletedProcess:
    (tmp_path / "sitecustomize.py").write_text(HIDES.format(hidden=hidden_modules()))
    paths = os.pathsep.join([str(tmp_path), str(WORKER)])
    env = {**os.environ, "PYTHONPATH": paths, "FOVEA_MODELS": "pp-ocr"}
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=ROOT, env=env, capture_output=True, text=True
    )


@pytest.mark.slow
def test_pp_ocr_reads_photos_and_text_layers_and_converts_documents(tmp_path):
    documents = [
        ("examples/photo.jpg", {}),
        ("examples/invoice.pdf", {}),
        ("examples/invoice.pdf", {"text_layer": "never"}),
    ]
    done = run(tmp_path, READS, json.dumps(documents))
    assert done.stdout.strip() == "read", done.stderr[-2000:]


def test_pytorch_is_hidden_from_it(tmp_path):
    done = run(tmp_path, "import torch")
    assert "torch is not among what is installed first" in done.stderr
