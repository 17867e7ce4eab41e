"""The CPU build of vLLM beside the native engine, on a small random checkpoint: `npm run test:vllm`."""

import json
import os
import sys
from contextlib import closing
from pathlib import Path

import pytest

os.environ |= {
    "DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_NO_USAGE_STATS": "1",
}
ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "src/gpu-worker"), str(Path(__file__).parent)]

import torch  # noqa: E402
from checkpoint import make  # noqa: E402
from PIL import Image, ImageDraw, ImageFont  # noqa: E402

from fovea.engine import EngineConfig, NativeEngine  # noqa: E402
from fovea.engine.generate import Rules  # noqa: E402
from fovea.engine.vllm_engine import VllmConfig, VllmEngine  # noqa: E402
from fovea.language.tokenizer import Tokenizer  # noqa: E402
from fovea.model import ModelConfig, OcrModel, load_checkpoint  # noqa: E402

THREADS = int(os.environ.get("OMP_NUM_THREADS", "2"))
MAX_NEW = 400
torch.set_num_threads(THREADS)


@pytest.fixture(scope="session")
def folder():
    """The checkpoint, in fp32: near ties are rare, and few CPUs are fast in bf16."""
    return make(Path(os.environ["FOVEA_VLLM_CHECKPOINT"]), torch.float32)


@pytest.fixture(scope="session")
def tokenizer(folder):
    return Tokenizer.from_file(folder / "tokenizer.json")


@pytest.fixture(scope="session")
def rules(tokenizer):
    return Rules.of(tokenizer, ModelConfig.deepseek_ocr().decoder.vocab)


@pytest.fixture(scope="session")
def model(folder):
    with torch.device("meta"):
        model = OcrModel(ModelConfig.from_json(json.loads((folder / "sizes.json").read_text())))
    load_checkpoint(model, folder)
    return model.eval()


@pytest.fixture(scope="session")
def native(model, rules):
    config = EngineConfig(max_batch=32, kv_bytes=512 << 20, max_new=MAX_NEW, threads=THREADS)
    with closing(NativeEngine(model, rules, config)) as engine:
        yield engine


@pytest.fixture(scope="session")
def engine(model, folder, rules):
    """vLLM with a small cache: 49 blocks of 32 positions."""
    config = VllmConfig(max_batch=16, max_new=MAX_NEW, prefill_tokens=256, threads=THREADS)
    with closing(
        VllmEngine(model, folder, rules, config, block_size=32, num_gpu_blocks_override=50)
    ) as engine:
        yield engine


@pytest.fixture(scope="session")
def page():
    image = Image.new("RGB", (600, 400), "white")
    draw = ImageDraw.Draw(image)
    draw.text((40, 40), "Invoice 2041", "black", ImageFont.load_default(40))
    draw.text((40, 140), "Total 16.50", "black", ImageFont.load_default(28))
    return image


def compare(answers, wanted, most):
    """Prints a line of the parity table, and fails if an answer differs."""
    difference = 0.0
    for answer, other in zip(answers, wanted, strict=True):
        assert (answer.ids, answer.finish_reason) == (other.ids, other.finish_reason)
        assert (answer.sampled, answer.period) == (other.sampled, other.period)
        pairs = zip(answer.log_probs, other.log_probs, strict=True)
        difference = max([difference, *(abs(a - b) for a, b in pairs)])
    tokens = sum(len(answer.ids) for answer in answers)
    print(
        f"\n    {len(answers)} answers, {tokens} tokens: ids equal, log-probabilities within {difference:.1e}"
    )
    assert difference < most
