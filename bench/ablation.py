"""Are the auxiliary losses worth their time? Trains a small model from scratch with and without each of them.

    .venv/bin/python bench/ablation.py FOLDER                        # 6 minutes of CPU time per variant
    .venv/bin/python bench/ablation.py FOLDER --minutes 2 --seeds 2  # continues from the state in FOLDER

The task is narrow, so that minutes suffice: strips of 256 × 64 px (4 vision tokens) with two rows of 21 to 28 px in
twelve DejaVu and Liberation fonts, 80 % of them undegraded. The evaluation reads held-out texts and strings of random
characters in the same fonts; the random strings expose a decoder that guesses from language. All variants have the same
seed, model, strips, optimizer and CPU time of one thread, including data generation but not evaluation. They take turns
of half a minute, so that other load on the machine affects all of them alike. Writes docs/training/ablation.csv and
ablation.svg.
"""

import argparse
import math
import re
import time
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from statistics import mean

import nano
import torch
from nano import ROOT, plot, shown, write
from torch import nn

from fovea.language.tokenizer import Tokenizer
from fovea.model import ModelConfig, OcrModel
from fovea.nano.places import FIRST
from fovea.train import fonts
from fovea.train.batches import CELL, Batch, Stream, collate
from fovea.train.evaluate import distance, read_strips
from fovea.train.loop import fresh
from fovea.train.losses import Heads, Weights, compute
from fovea.train.strips import Strip, Style

nano.OUT = ROOT / "docs" / "training"
TOKENIZER = Tokenizer.characters()
TURN = 30  # seconds of CPU time between two points
WIDTH, HEIGHT, COUNT = 256, 64, 16
STYLE = Style(packed=1.0, rows=(2,), clean=0.8, empty=0.0)
FACES = r"/(DejaVu(Sans|Serif|SansMono)(-Bold)?|Liberation(Sans|Serif|Mono)-(Regular|Bold))\.ttf$"
READ = {"texts": 1.0, "random": -1.0}  # Style.prose: below zero no words come from a text
STRIPS = 96  # in each evaluation set
RATE, WARM_UP_STEPS, COOL_DOWN = 2e-3, 50, 0.5


def config() -> ModelConfig:
    """A `fovea-nano` of 6 instead of 15 million parameters, with windows of the strips' four rows of patches."""
    nano = ModelConfig.nano()
    sam = {"width": 128, "depth": 2, "mlp": 512, "window": 4, "global_blocks": (1,), "neck": 128}
    decoder = {"width": 256, "heads": 4, "dense_mlp": 512, "experts": 4, "expert_mlp": 96, "shared_mlp": 192}
    return ModelConfig(
        replace(nano.sam, **sam, compressor=(192, 320)),
        replace(nano.clip, width=320, heads=5, mlp=640),
        replace(nano.decoder, **decoder),
    )


@dataclass(frozen=True, slots=True)
class Variant:
    weights: Weights = field(default_factory=Weights)
    corruption: float = 0.06
    alone: float = 0.25
    """Share of the time in which only the encoder and its heads are trained."""


NO_HEADS = Weights(spots=0, patches=0, cells=0)
# Without heads an encoder alone learns nothing, so these variants train the decoder from the start.
VARIANTS = {
    "all losses": Variant(),
    "all losses, both at once": Variant(alone=0),
    "no dense heads": Variant(NO_HEADS, alone=0),
    "no guided attention": Variant(Weights(guide=0)),
    "no place head": Variant(Weights(place=0)),
    "no corruption": Variant(corruption=0),
    "next token only": Variant(replace(NO_HEADS, guide=0, place=0), corruption=0, alone=0),
}


class Trial:
    """A variant with a seed. Its state is saved after each turn and restored from there."""

    def __init__(self, folder: Path, name: str, seed: int):
        self.variant, self.seed = VARIANTS[name], seed
        self.file = folder / f"{name.replace(' ', '-')}-{seed}.pt"
        torch.manual_seed(seed)
        self.model, self.heads = fresh(OcrModel(config()), seed), Heads(config())
        self.model.model.sam_model.to(memory_format=torch.channels_last)
        self.parameters = [*self.model.parameters(), *self.heads.parameters()]
        self.optimizer = torch.optim.AdamW(self.parameters, RATE, betas=(0.9, 0.98), weight_decay=0.05)
        self.row = {"variant": name, "seed": seed, "seconds": 0.0, "steps": 0, "characters": 0}
        self.row |= {f"{name} {how}": "" for how in ("right", "read") for name in READ}
        self.rows: list[dict] = []
        self.pools = 0
        if self.file.exists():
            state = torch.load(self.file, weights_only=True)
            for part in (self.model, self.heads, self.optimizer):
                part.load_state_dict(state[type(part).__name__])
            self.row, self.rows, self.pools = state["row"], state["rows"], state["pools"]

    def turn(self, end: float, total: float) -> None:
        """Trains until second `end` of `total`, then evaluates. Does nothing if the trial is already that far."""
        if self.row["seconds"] >= end:
            return
        stream = Stream(STYLE, WIDTH, HEIGHT, COUNT, self.seed)
        torch.manual_seed((self.seed << 20) + self.pools)
        began = time.process_time() - self.row["seconds"]
        while self.row["seconds"] < end:
            for batch in stream.pool(self.pools, TOKENIZER):
                self.step(batch, self.row["seconds"] / total)
                self.row["seconds"] = time.process_time() - began
            self.pools += 1
        self.row |= {f"{name} right": next_right(self.model, held_out(name)) for name in READ}
        if end >= total:
            self.row |= {f"{name} read": read(deepcopy(self.model), held_out(name)) for name in READ}
        self.rows.append(dict(self.row))
        print(shown(self.row), flush=True)
        state = {type(part).__name__: part.state_dict() for part in (self.model, self.heads, self.optimizer)}
        state |= {"row": self.row, "rows": self.rows, "pools": self.pools}
        torch.save(state, self.file.with_suffix(".new"))
        self.file.with_suffix(".new").replace(self.file)

    def step(self, batch: Batch, done: float) -> None:
        """`done`: share of the training time that has passed."""
        warm = min(1, (self.row["steps"] + 1) / WARM_UP_STEPS)
        for group in self.optimizer.param_groups:
            group["lr"] = RATE * warm * min(1, max(0, 1 - done) / COOL_DOWN)
        self.model.train()
        variant, decode = self.variant, done >= self.variant.alone
        with torch.autocast("cpu", torch.bfloat16):
            losses = compute(
                self.model, self.heads, batch, variant.weights, variant.corruption, decode=decode
            )
        losses.total.backward()
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.row["steps"] += 1
        self.row["characters"] += batch.characters


@cache
def held_out(name: str) -> list[Strip]:
    style = replace(STYLE, prose=READ[name])
    return Stream(style, WIDTH, HEIGHT, STRIPS, seed=77, evaluation=True).strips(0)


@torch.no_grad()
def next_right(model: OcrModel, strips: list[Strip]) -> float:
    """Share of characters predicted correctly with teacher forcing, without location tokens and the end."""
    model.eval()
    batch = collate(strips, TOKENIZER)
    with torch.autocast("cpu", torch.bfloat16):
        tokens = model.encode_view(batch.views())
        seen = model.arrange(tokens.view(len(tokens), HEIGHT // CELL, WIDTH // CELL, -1))
        embedded = model.embed(batch.ids).clone()
        embedded[batch.ids == TOKENIZER.image] = seen.flatten(0, 1).to(embedded.dtype)
        said = model(embedded).argmax(-1)
    counted = (batch.targets > TOKENIZER.pad) & (batch.targets < FIRST)
    return float((said == batch.targets)[counted].float().mean())


def read(model: OcrModel, strips: list[Strip]) -> float:
    """1 − CER of free-running decoding."""
    said = read_strips(model.eval(), TOKENIZER, strips, limit=120)
    errors = sum(distance(a, strip.text) for a, strip in zip(said, strips, strict=True))
    return max(0.0, 1 - errors / sum(len(strip.text) for strip in strips))


def report(trials: list[list[dict]]) -> None:
    """`trials`: the rows of each trial, all with the same number of points."""
    write("ablation.csv", [row for rows in trials for row in rows])
    series = {}
    for name in VARIANTS:
        points = zip(*(rows for rows in trials if rows[0]["variant"] == name), strict=True)
        series[name] = [
            (mean(row["seconds"] for row in seeds) / 60, 100 * mean(row["texts right"] for row in seeds))
            for seeds in points
        ]
    most = math.ceil(trials[0][-1]["seconds"] / 60)
    (nano.OUT / "ablation.svg").write_text(plot(series, "minutes of CPU time", most))
    print("\n".join(shown(rows[-1]) for rows in trials))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where the state of the trials is saved")
    parser.add_argument("--minutes", type=float, default=6, help="CPU time per variant")
    parser.add_argument("--seeds", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(1)
    faces = {Path(f.path).name: f for f in fonts.faces(False) if re.search(FACES, f.path)}
    if len(faces) != 12:
        raise SystemExit("some of the twelve fonts are missing (Debian: fonts-dejavu, fonts-liberation)")
    fonts.faces = lambda evaluation, data=None: tuple(faces.values())  # texts are held out, fonts are not
    given.folder.mkdir(parents=True, exist_ok=True)
    total = 60 * given.minutes
    for turn in range(math.ceil(total / TURN)):
        for seed in range(given.seeds):
            for name in VARIANTS:
                Trial(given.folder, name, seed).turn(min(total, TURN * (turn + 1)), total)
    report([Trial(given.folder, name, seed).rows for name in VARIANTS for seed in range(given.seeds)])


if __name__ == "__main__":
    main()
