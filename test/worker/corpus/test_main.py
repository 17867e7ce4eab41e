"""The command: its exit statuses, and what it says."""

import json
import os
import signal

import corpus_support as corpus
import pytest

from fovea.corpus import __main__ as command
from fovea.corpus.__main__ import BAD_INPUT, COMPLETE, DRAINED, FAULT, main
from fovea.corpus.store import Store, StoreFault


@pytest.fixture(autouse=True)
def _readers(monkeypatch):
    corpus.use(monkeypatch)
    monkeypatch.setenv("FOVEA_GOLDEN_PAGE", "off")


@pytest.fixture
def arguments(tmp_path):
    manifest = corpus.documents(tmp_path / "documents", 3)
    return [str(manifest), "--out", str(tmp_path / "out"), "--model", "text", "--engine", "alone"]


def test_a_complete_run(arguments, tmp_path, capsys):
    assert main([*arguments, "--near-duplicates", "keep", "--price", "3.6"]) == COMPLETE
    assert "complete: 4 documents, 7 pages, 7 of them training data" in capsys.readouterr().err
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert (metrics["pages_read"], metrics["documents"], metrics["shards_written"]) == (7, 4, 1)
    assert metrics["cost"] == pytest.approx(metrics["reader_hours"] * 3.6, abs=1e-3)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--model", "gpt"], "There is no model gpt"),
        (["--sample", "2"], "--sample"),
        (["--verdicts", "good"], "--verdicts: good"),
        (["--engine", "ray", "--readers", "0"], "--readers is a number such as 4"),
        (["--engine", "ray", "--readers", "3-1"], "--readers is a number such as 4"),
        (["--batch", "0"], "--batch is at least 1"),
        (["--engine", "ray", "--reader-cpus", "0"], "--reader-cpus and --open-cpus are above 0"),
        (["--engine", "ray", "--model", "gpt"], "There is no model gpt"),
        (["--out", "nowhere://x"], "Protocol not known"),
    ],
)
def test_bad_input_has_a_status_of_its_own(arguments, capsys, more, said):
    assert main([*arguments, *more]) == BAD_INPUT
    assert said in capsys.readouterr().err


def test_a_fault_and_a_stop_say_how_to_continue(arguments, capsys, monkeypatch):
    stop = lambda batch: corpus.Interrupted(1, lambda: os.kill(os.getpid(), signal.SIGTERM))  # noqa: E731
    with monkeypatch.context() as patch:
        patch.setattr(command, "Alone", stop)
        assert main([*arguments, "--shard-documents", "1"]) == DRAINED
    assert "the same command continues the run" in capsys.readouterr().err

    def full(self, name):
        raise StoreFault("no space")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "writing", full)
        patch.setattr(Store, "check", lambda self: None)
        assert main([*arguments, "--shard-documents", "1"]) == FAULT
    assert "stopped: no space" in capsys.readouterr().err
    assert main([*arguments, "--shard-documents", "1"]) == COMPLETE
