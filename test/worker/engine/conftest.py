"""A tiny model, its plain answers, and engines that are closed again."""

import time

import pytest
import torch

from fovea.engine import EngineConfig, NativeEngine
from fovea.engine.generate import Rules, generate
from fovea.language.tokenizer import Tokenizer
from fovea.model import ModelConfig, OcrModel

TOKENIZER = Tokenizer.characters()
VOCABULARY = 288
SMALL = dict(max_batch=5, block=8, prefill_tokens=16, kv_bytes=8 << 20, max_new=300, threads=1)


def make_model(seed=0, **decoder):
    config = ModelConfig.tiny(**{"vocab": VOCABULARY, "context": 600, **decoder})
    return OcrModel(config).init_weights(seed=seed, std=0.1).eval()


@pytest.fixture(scope="module")
def model():
    return make_model()


@pytest.fixture(scope="module")
def rules():
    return Rules.of(TOKENIZER, VOCABULARY)


@pytest.fixture
def make_engine(model, rules):
    """`make_engine(max_batch=…)`: an engine over the tiny model."""
    engines = []

    def make(own_model=None, own_rules=None, in_place=True, int8=False, clock=time.monotonic, **changes):
        config = EngineConfig(**{**SMALL, **changes})
        engines.append(
            NativeEngine(
                own_model or model, own_rules or rules, config, in_place=in_place, int8=int8, clock=clock
            )
        )
        return engines[-1]

    yield make
    for engine in engines:
        engine.close()


@pytest.fixture(scope="module")
def prompts():
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(5 + 7 * number, 48, generator=generator) for number in range(9)]


@pytest.fixture(scope="module")
def plain(model, rules, prompts):
    """What the loop of one page at a time says to each prompt."""
    return [generate(model, p[None], rules, 12 + 5 * number) for number, p in enumerate(prompts)]
