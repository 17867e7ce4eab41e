import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from support import picture, until
from train_support import MATERIAL, TINY

from fovea.language.tokenizer import Tokenizer
from fovea.model import OcrModel, load_checkpoint, save_checkpoint
from fovea.train.batches import Stream
from fovea.train.evaluate import Report
from fovea.train.loop import HEADS, Run, Stage, _Trainer, config_of, train
from fovea.train.losses import Heads
from fovea.train.pairs import find_pairs, load_pair
from fovea.train.strips import Style

pytestmark = pytest.mark.slow

STYLE = Style(smallest=28, largest=32, data=MATERIAL)


def run_in(folder, steps, **changes):
    given = {
        **dict(config=TINY, processes=1, workers=0, log_every_s=0, save_every_s=3600, evaluate_every_s=3600),
        **dict(curriculum=(Stage(1.0, STYLE, count=1),), warm_up_steps=1),
        **changes,
    }
    return Run(folder, minutes=60, steps=steps, **given)


def steps(folder):
    return json.loads((folder / "run.json").read_text())["steps"]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("fovea.train.loop.can_evaluate", lambda _: False)


def test_a_run_ends_with_weights_that_load_and_goes_on_from_its_checkpoint(tmp_path):
    train(run_in(tmp_path, 3))
    assert steps(tmp_path) == 3
    assert config_of(tmp_path / "weights") == TINY
    with torch.device("meta"):
        model = OcrModel(TINY)
    load_checkpoint(model, tmp_path / "weights", torch.float32)
    (file,) = (tmp_path / "weights").glob("*.safetensors")
    assert load_file(file)["lm_head.weight"].dtype == torch.int8
    train(run_in(tmp_path, 5))
    log = list(csv.DictReader((tmp_path / "log.csv").open()))
    assert [int(row["step"]) for row in log] == [1, 2, 3, 4, 5]
    assert steps(tmp_path) == 5


def test_in_its_first_stage_the_encoder_is_alone(tmp_path):
    train(run_in(tmp_path, 2, curriculum=(Stage(1.0, STYLE, decode=False, count=1),)))
    row = list(csv.DictReader((tmp_path / "log.csv").open()))[-1]
    assert float(row["patches"]) > 0 and "text" not in row


def test_heads_of_weights_that_came_without_them_learn_first_alone(tmp_path):
    train(run_in(tmp_path / "first", 1))
    start = tmp_path / "first" / "weights"
    (start / HEADS).unlink()
    begin = dict(start_from=start, heads_first=2, encode_every=1)
    train(run_in(tmp_path / "heads", 2, **begin))
    state = torch.load(tmp_path / "heads" / "checkpoint.pt", weights_only=True)
    with torch.device("meta"):
        model = OcrModel(TINY)
    load_checkpoint(model, start, torch.float32)
    fresh_heads = Heads(TINY).state_dict()
    for name, parameter in model.named_parameters():
        assert torch.equal(state["model"][name], parameter), name
    assert not torch.equal(state["heads"]["cells.weight"], fresh_heads["cells.weight"])
    train(run_in(tmp_path / "heads", 3, **begin))
    state = torch.load(tmp_path / "heads" / "checkpoint.pt", weights_only=True)
    moved = [n for n, p in model.named_parameters() if not torch.equal(state["model"][n], p)]
    assert any("sam_model" in name for name in moved) and any("layers" in name for name in moved)


def test_heads_beside_the_weights_of_a_run_are_taken_over(tmp_path):
    train(run_in(tmp_path / "first", 1))
    start = tmp_path / "first" / "weights"
    trainer = _Trainer(run_in(tmp_path / "next", 1, start_from=start, heads_first=5), 0, 1)
    kept = torch.load(start / HEADS, weights_only=True)
    assert torch.equal(trainer.heads.cells.weight, kept["cells.weight"].float())
    assert trainer.heads_first == 0


def test_strips_are_seen_again_while_no_new_ones_are_ready(tmp_path, monkeypatch):
    """Made slowly, and yet every step has some."""
    made = []

    def slow(*_args, **_kwargs):
        for number in range(2):
            made.append(number)
            yield from Stream(STYLE, count=1).pool(number, Tokenizer.characters())[:1]
        threading.Event().wait()

    monkeypatch.setattr("fovea.train.loop.batches", slow)
    train(run_in(tmp_path, 6, again=True))
    assert steps(tmp_path) == 6 and len(made) == 2


def test_whole_pages_are_seen_in_their_share_of_the_steps(tmp_path):
    train(run_in(tmp_path, 4, curriculum=(Stage(1.0, STYLE, count=1, pages=0.5),)))
    rows = list(csv.DictReader((tmp_path / "log.csv").open()))
    assert [bool(row["page text"]) for row in rows] == [False, True, False, True]
    assert [bool(row["text"]) for row in rows] == [True, False, True, False]


def test_what_is_shipped_is_evaluated_on_held_out_strips(tmp_path, monkeypatch):
    from fovea.train import loop

    looked = []
    monkeypatch.setattr(loop, "can_evaluate", lambda _: True)
    monkeypatch.setattr(loop, "evaluate", lambda model, *_: looked.append(model) or Report())
    train(run_in(tmp_path, 1))
    assert len(looked) == 1 and (tmp_path / "evaluations.csv").exists()


def test_a_run_that_was_killed_loses_only_what_came_after_its_checkpoint(tmp_path, monkeypatch):
    train(run_in(tmp_path, 3))
    kept = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    monkeypatch.setattr(torch, "save", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        train(run_in(tmp_path, 5))
    trainer = _Trainer(run_in(tmp_path, 5), 0, 1)
    assert trainer.step == kept["step"]
    for name, tensor in kept["model"].items():
        assert torch.equal(trainer.model.state_dict()[name], tensor)


def test_two_processes_see_different_batches_and_end_with_one_model(tmp_path):
    """Their gradients are averaged: what the first one saves is what both have."""
    train(run_in(tmp_path, 2, processes=2))
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert (state["step"], state["number"]) == (2, 4)


def test_who_kills_a_run_ends_all_its_processes(tmp_path):
    """In the background of a shell, too, where processes are started with SIGINT ignored."""
    code = f"import sys; sys.path[:0] = {sys.path!r}\n" + (
        "import fovea.train.loop as loop\n"
        "from test_loop import run_in\n"
        "from pathlib import Path\n"
        "if __name__ == '__main__':\n"
        f"    loop.train(run_in(Path({str(tmp_path)!r}), None, processes=2, save_every_s=0))\n"
    )
    (tmp_path / "main.py").write_text(code)
    command = ["sh", "-c", f"trap '' INT; exec {sys.executable} {tmp_path / 'main.py'}"]
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    until(lambda: (tmp_path / "log.csv").exists())
    children = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
    run.kill()
    run.wait()
    assert len(children) >= 2
    try:
        until(lambda: not any(map(alive, map(int, children))))
    finally:
        for child in filter(alive, map(int, children)):
            os.kill(child, signal.SIGKILL)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")")[-1].split()[0] != "Z"
    except OSError:
        return False


def test_the_learning_rate_warms_up_and_falls_to_nothing():
    run = replace(run_in(None, None), minutes=10, warm_up_steps=10, cool_down=0.5)
    assert run.rate_at(-1, 0) == run.rate  # the heads alone
    assert run.rate_at(0, 0) == pytest.approx(run.rate / 10)
    assert run.rate_at(50, 1) == run.rate
    assert run.rate_at(50, 7.5) == pytest.approx(run.rate / 2)
    assert run.rate_at(50, 10) == 0


# -- pages of one's own ----------------------------------------------------------------------------


@pytest.fixture
def checkpoint(tmp_path):
    """A checkpoint like the official one in kind: patch embedding, its own tokenizer."""
    config = replace(TINY, sam=replace(TINY.sam, stem=False))
    folder = tmp_path / "start"
    save_checkpoint(OcrModel(config).init_weights(3), folder)
    (folder / "config.json").write_text(json.dumps(config.to_json()))
    return folder


@pytest.fixture
def own_pages(tmp_path):
    folder = tmp_path / "pages"
    folder.mkdir()
    for name in ("one", "two"):
        picture(name, (400, 300)).save(folder / f"{name}.png")
    (folder / "one.md").write_text("<|ref|>text<|/ref|><|det|>[[1, 2, 3, 4]]<|/det|>\none")
    (folder / "two.txt").write_text("two")
    return folder


@pytest.mark.parametrize(("only", "still"), [("decoder", "sam_model"), ("attention", "mlp"), ("all", None)])
def test_going_on_from_a_checkpoint_with_pages_of_ones_own(tmp_path, checkpoint, own_pages, only, still):
    config = config_of(checkpoint)
    run = Run(
        tmp_path / "run", 60, 6, config, start_from=checkpoint, pairs=own_pages, mode="tiny", only=only,
        processes=1, workers=0, rate=1e-3, warm_up_steps=1, log_every_s=0,
    )  # fmt: skip
    train(run)
    before, after = OcrModel(config), OcrModel(config)
    load_checkpoint(before, checkpoint, torch.float32)
    after.load_state_dict(torch.load(tmp_path / "run/checkpoint.pt", weights_only=True)["model"])
    changed = {
        name
        for name, tensor in after.state_dict().items()
        if not torch.equal(tensor, before.state_dict()[name])
    }
    assert any("self_attn" in name for name in changed)
    assert not still or not any(still in name for name in changed)
    log = list(csv.DictReader((tmp_path / "run/log.csv").open()))
    assert sum(float(row["text"]) for row in log[-2:]) < sum(float(row["text"]) for row in log[:2])


def test_markup_in_a_text_file_becomes_markers_and_chooses_the_task(own_pages):
    tokenizer = Tokenizer.characters()
    grounded = load_pair(own_pages / "one.png", own_pages / "one.md", "tiny", tokenizer, 600)
    plain = load_pair(own_pages / "two.png", own_pages / "two.txt", "tiny", tokenizer, 600)
    assert tokenizer.markers["<|grounding|>"] in grounded.ids.tolist()
    assert tokenizer.markers["<|ref|>"] in grounded.targets.tolist()
    assert tokenizer.markers["<|grounding|>"] not in plain.ids.tolist()
    said = plain.targets[plain.targets >= 0].tolist()
    assert said == [*tokenizer.encode("two"), tokenizer.eos]


def test_an_image_without_a_text_is_named(own_pages):
    (own_pages / "two.txt").unlink()
    with pytest.raises(ValueError, match=r"two\.png has no text"):
        find_pairs(own_pages)
    shutil.rmtree(own_pages)
    own_pages.mkdir()
    with pytest.raises(ValueError, match="no images"):
        find_pairs(own_pages)


def test_heads_are_no_part_of_what_is_shipped(tmp_path):
    train(run_in(tmp_path, 2))
    assert (
        Heads(TINY).state_dict().keys()
        == torch.load(tmp_path / "checkpoint.pt", weights_only=True)["heads"].keys()
    )
    with torch.device("meta"):
        shipped = set(OcrModel(TINY).state_dict())
    from safetensors import safe_open

    stored = set()
    for path in (tmp_path / "weights").glob("*.safetensors"):
        with safe_open(path, "pt") as file:
            stored |= set(file.keys())
    assert {name.removesuffix(".scale") for name in stored} == shipped
