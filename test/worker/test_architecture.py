"""What pyproject.toml says of imports, held against a running interpreter: import-linter sees only our own files."""

import subprocess
import sys
from pathlib import Path

import pytest

WORKER = Path(__file__).resolve().parents[2] / "src" / "gpu-worker"
WITHOUT_TORCH = (
    "predict",
    "fovea.corpus.__main__",
    "fovea.service.shard",
    "fovea.service.supervisor",
    "fovea.pages.isolated",
    "fovea.readers.pp_ocr",
    "fovea.readers.upstream",
    "fovea.readers.fovea_render",
)


@pytest.mark.parametrize("module", WITHOUT_TORCH)
def test_what_runs_no_model_loads_no_pytorch(module):
    program = f"import {module}, sys; sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=WORKER, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr or f"{module} loads PyTorch"


def test_the_environment_is_read_in_one_place():
    """Beside the settings, only what starts other processes looks at it. vLLM has settings in it, training its data."""
    readers = {
        str(file.relative_to(WORKER)) for file in WORKER.rglob("*.py") if "os.environ" in file.read_text()
    }
    assert readers == {
        "fovea/corpus/cluster.py",
        "fovea/settings.py",
        "fovea/engine/vllm_engine.py",
        "fovea/pages/isolated.py",
        "fovea/service/supervisor.py",
        "fovea/train/packed_data.py",
    }
