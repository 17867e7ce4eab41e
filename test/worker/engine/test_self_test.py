"""A machine that says something else than the stored answer does not serve."""

import json

import pytest
import torch
from conftest import TOKENIZER, make_model

from fovea.engine import self_test
from fovea.engine.self_test import FILE, SelfTestError, check, write


@pytest.fixture
def engine(make_engine, monkeypatch):
    monkeypatch.setattr(self_test, "TOKENS", 6)
    monkeypatch.setattr(self_test, "MODE", "tiny")
    return make_engine(own_model=make_model(seed=3))


def test_the_machine_that_wrote_it_passes(engine, tmp_path):
    assert not check(tmp_path, "float32", engine, TOKENIZER)
    write(tmp_path, "float32", engine, TOKENIZER)
    assert check(tmp_path, "float32", engine, TOKENIZER)
    assert not check(tmp_path, "int8", engine, TOKENIZER)
    write(tmp_path, "int8", engine, TOKENIZER)
    assert set(json.loads((tmp_path / FILE).read_text())["answers"]) == {"float32", "int8"}


def test_other_weights_are_found(engine, make_engine, tmp_path):
    write(tmp_path, "float32", engine, TOKENIZER)
    with pytest.raises(SelfTestError, match=r"token|differ"):
        check(tmp_path, "float32", make_engine(own_model=make_model(seed=4)), TOKENIZER)


@pytest.mark.parametrize("where", ["probabilities", "ids", "length", "nan"])
def test_every_difference_is_found(engine, tmp_path, where):
    body = json.loads(write(tmp_path, "float32", engine, TOKENIZER).read_text())
    answer = body["answers"]["float32"]
    if where == "probabilities":
        answer["log_probs"][-1] += 0.02
    elif where == "ids":
        answer["ids"][-1] += 1
    elif where == "nan":
        answer["log_probs"][0] = float("nan")
    else:
        answer["ids"].pop()
        answer["log_probs"].pop()
    (tmp_path / FILE).write_text(json.dumps(body))
    with pytest.raises(SelfTestError, match="does not start"):
        check(tmp_path, "float32", engine, TOKENIZER)


@pytest.mark.parametrize("text", ["", "{}", '{"answers": {"float32": {}}}', "[]"])
def test_a_broken_file_is_no_pass(engine, tmp_path, text):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(SelfTestError, match="is not valid"):
        check(tmp_path, "float32", engine, TOKENIZER)


def test_a_difference_within_the_tolerance_is_none(engine, tmp_path):
    body = json.loads(write(tmp_path, "float32", engine, TOKENIZER).read_text())
    body["answers"]["float32"]["log_probs"][0] += 0.005
    (tmp_path / FILE).write_text(json.dumps(body))
    assert check(tmp_path, "float32", engine, TOKENIZER)
    assert torch.is_inference_mode_enabled() is False
