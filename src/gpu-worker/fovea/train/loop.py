"""The training loop: several processes on a CPU, or one process on a GPU.

A run can be killed at any time and resumes from its last checkpoint, which is replaced atomically. The length of a run
is a number of minutes, with warm-up of the learning rate at the start and decay at the end. The data depends only on
the seed.
"""

import csv
import json
import os
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from fovea.language.tokenizer import Tokenizer
from fovea.model import ModelConfig, OcrModel, load_checkpoint, save_checkpoint
from fovea.train.batches import POOL, Batch, Pages, Stream, again, batches
from fovea.train.evaluate import can_evaluate, evaluate
from fovea.train.losses import Heads, Losses, Weights, compute
from fovea.train.pairs import Pair, pair_loss, pairs
from fovea.train.strips import Style

PAGE = 16
"""A step has one whole page in place of this many strips: a page has four times the pixels and is slow to draw."""
SHIPPED_BYTES = 15 << 20
"""Largest file of shipped weights. Those of `fovea-nano` fit into one file."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of the curriculum. It ends at `share` of the minutes."""

    share: float
    style: Style
    decode: bool = True
    count: int = 8
    """Strips per step and process."""
    pages: float = 0.0
    """Share of steps with whole pages, for grounding."""


HEADS = "heads.pt"
"""File of the training heads, next to the weights of a run. It is not shipped."""
PARTS = {
    "all": r"",
    "decoder": r"^model\.(layers|norm|embed_tokens)\.|^lm_head\.",
    "attention": r"^model\.layers\.\d+\.self_attn\.",
}
"""Names of the parameters that are trained. `attention` (of the decoder) needs little additional memory: only 79
million of the official model's 3.3 billion parameters have gradients and moments.
"""

CURRICULUM = (  # from scratch
    Stage(0.22, Style(smallest=18, largest=40), decode=False, count=16),
    Stage(0.5, Style(smallest=18, largest=34)),
    Stage(1.0, Style(smallest=20, largest=34, packed=0.85, rows=(4, 4, 4, 4, 2))),
)
_FURTHER = Style(
    smallest=11, largest=44, packed=0.5, rows=(4, 4, 4, 3, 3, 6, 6, 8, 2), empty=0.05, foreign=0.2, real=0.25
)
FURTHER = (Stage(1.0, _FURTHER, count=16, pages=0.1),)  # for a trained model
GOING_ON: dict[str, Any] = {
    "curriculum": FURTHER,
    "heads_first": 150,
    "encode_every": 1,
    "through": 1.0,
    "cool_down": 0.6,
}
"""Settings that differ in a run that starts from a trained model."""


@dataclass(frozen=True, slots=True)
class Run:
    """The settings of a run."""

    folder: Path
    minutes: float
    steps: int | None = None
    """Ends the run early."""
    config: ModelConfig = field(default_factory=ModelConfig.nano)
    curriculum: tuple[Stage, ...] = CURRICULUM
    rate: float = 1.5e-3
    warm_up_steps: int = 150
    cool_down: float = 0.5
    """Share of the minutes in which the learning rate falls linearly to zero."""
    decay: float = 0.05
    clip: float = 1.0
    corruption: float = 0.06
    heads_first: int = 0
    """Steps in which only the training heads are trained, for a checkpoint that is shipped without them."""
    encode_every: int = 3
    """The encoder is trained in one of this many steps, because the decoder needs more steps at first."""
    through: float = 0.1
    """Share of the decoder's gradient that reaches the encoder. It is small at first, because a decoder that cannot
    read yet would destroy what the encoder has learned from the heads.
    """
    weights: Weights = field(default_factory=Weights)
    average: float = 0.99
    """Decay of the moving average of the weights. The averaged weights are evaluated and shipped."""
    seed: int = 0
    start_from: Path | None = None
    """Folder of initial weights. Its `tokenizer.json`, if any, is used, too."""
    pairs: Path | None = None
    """Your own pages in place of synthetic strips (`fovea.train.pairs`)."""
    mode: str = "base"
    """Mode of these pages."""
    only: str = "all"
    """Part of the model to train, see `PARTS`."""
    device: str = "cpu"
    processes: int = 2
    count: int | None = None
    """Strips per step, in place of those of the stages."""
    workers: int = 1
    again: bool = False
    """Whether to reuse strips while no new ones are ready, if a GPU trains faster than the cores can draw."""
    log_every_s: float = 20
    save_every_s: float = 300
    evaluate_every_s: float = 600

    def stage(self, minutes: float) -> Stage:
        share = minutes / self.minutes
        return next((stage for stage in self.curriculum if share < stage.share), self.curriculum[-1])

    def rate_at(self, step: int, minutes: float) -> float:
        """The learning rate. A negative `step` is before the model's own training, when only the heads are trained."""
        warm = min(1.0, (step + 1) / self.warm_up_steps) if step >= 0 else 1.0
        left = (1 - minutes / self.minutes) / self.cool_down if self.cool_down else 1.0
        return self.rate * warm * min(1.0, max(left, 0.0))


def train(run: Run) -> None:
    """Trains until the run's end; blocks. Resumes from the folder's checkpoint if there is one."""
    run.folder.mkdir(parents=True, exist_ok=True)
    if run.processes > 1 and run.device == "cpu":
        meeting = run.folder / "meeting"
        meeting.unlink(missing_ok=True)
        torch.multiprocessing.spawn(_process, (run, str(meeting)), nprocs=run.processes)
    else:
        _Trainer(run, 0, 1).loop()


def _process(rank: int, run: Run, meeting: str) -> None:
    # PyTorch sends SIGINT when the parent is killed, but processes that a shell starts in the background ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=run.processes)
    try:
        _Trainer(run, rank, run.processes).loop()
    finally:
        dist.destroy_process_group()


class _Trainer:
    def __init__(self, run: Run, rank: int, world: int):
        self.run, self.rank, self.world = run, rank, world
        self.device = torch.device(run.device)
        if self.device.type == "cpu":
            torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) // world))
        torch.manual_seed(run.seed)
        self.tokenizer = tokenizer_of(run.start_from)
        self.model = fresh(OcrModel(run.config), run.seed)
        self.heads = Heads(run.config)
        self.heads_first = run.heads_first
        if run.start_from:
            load_checkpoint(self.model, run.start_from, torch.float32)
            if (kept := run.start_from / HEADS).exists():
                self.heads.load_state_dict(torch.load(kept, weights_only=True))
                self.heads_first = 0
        self.model.to(self.device)
        self.heads.to(self.device)
        self._teach(model=True)
        if hasattr(self.model.model.sam_model.patch_embed, "stem"):
            self.model.model.sam_model.to(memory_format=torch.channels_last)
        named = [*self.model.named_parameters(), *self.heads.named_parameters()]
        trained = [(name, tensor) for name, tensor in named if tensor.requires_grad]
        self.parameters = [tensor for _, tensor in trained]
        self.experts = {tensor for name, tensor in trained if ".experts." in name}
        groups = [
            {
                "params": [t for n, t in trained if t.dim() > 1 and "embed" not in n],
                "weight_decay": run.decay,
            },
            {"params": [t for n, t in trained if t.dim() <= 1 or "embed" in n], "weight_decay": 0.0},
        ]
        fused = self.device.type == "cuda"
        self.optimizer = torch.optim.AdamW(groups, lr=run.rate, betas=(0.9, 0.98), eps=1e-8, fused=fused)
        self.average = {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}
        self.step, self.seconds, self.characters, self.number = 0, 0.0, 0, 0
        self._resume()

    # -- checkpoint ------------------------------------------------------------------------------------

    @property
    def _file(self) -> Path:
        return self.run.folder / "checkpoint.pt"

    def _resume(self) -> None:
        if not self._file.exists():
            return
        state = torch.load(self._file, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.heads.load_state_dict(state["heads"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average = state["average"]
        self.step, self.seconds = state["step"], state["seconds"]
        self.characters, self.number = state["characters"], state["number"]

    def save(self) -> None:
        """Writes the checkpoint, and the averaged weights in the form in which they are shipped."""
        if self.rank:
            return
        state: dict[str, Any] = {
            "model": self.model.state_dict(),
            "heads": self.heads.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average,
            **{name: getattr(self, name) for name in ("step", "seconds", "characters", "number")},
        }
        new = self._file.with_suffix(".new")
        torch.save(state, new)
        new.replace(self._file)
        # Fine-tuned models are not quantized.
        export(self.averaged(), self.run.folder / "weights", int8=not self.run.pairs)
        if not self.run.pairs:
            heads = {name: tensor.bfloat16() for name, tensor in self.heads.state_dict().items()}
            torch.save(heads, self.run.folder / "weights" / HEADS)
        facts = {"minutes": self.seconds / 60, "steps": self.step, "characters": self.characters}
        (self.run.folder / "run.json").write_text(json.dumps(facts | {"seed": self.run.seed}, indent=1))

    def averaged(self) -> OcrModel:
        with torch.device("meta"):
            model = OcrModel(self.run.config)
        model.load_state_dict(self.average, assign=True)
        return model.eval()

    # -- the loop --------------------------------------------------------------------------------------

    def loop(self) -> None:
        run = self.run
        stage, source, pages = None, None, None
        began = last_log = last_save = last_evaluation = time.monotonic()
        before, seconds_before = began, self.seconds
        sums: dict[str, list[Tensor]] = {}
        steps, waited = 0, 0.0
        while self.seconds < run.minutes * 60 and (run.steps is None or self.step < run.steps):
            now_stage = run.stage(self.seconds / 60)
            if now_stage is not stage:
                stage, source = now_stage, self._source(now_stage)
                pages = pages or (self._pages(stage) if stage.pages else None)
            page = int((self.step + 1) * stage.pages) > int(self.step * stage.pages)
            asked = time.monotonic()
            batch = next(pages if page else source)
            waited += time.monotonic() - asked
            parts = self._step(batch, stage)
            for name, value in parts.items():
                sums.setdefault(name, []).append(value)
            steps += 1
            now = time.monotonic()
            self.seconds = self._agree(seconds_before + now - before)
            if self.rank == 0 and now - last_log > run.log_every_s:
                means = {name: float(torch.stack(values).mean()) for name, values in sums.items()}
                self._log(means, (now - last_log) / steps, waited / (now - last_log))
                sums, steps, waited, last_log = {}, 0, 0.0, now
            # All processes use the clock of the first one, so that they save and end in the same step.
            if self.seconds - last_save + began - seconds_before > run.save_every_s:
                self.save()
                last_save = began + self.seconds - seconds_before
            due = self.seconds - last_evaluation + began - seconds_before > run.evaluate_every_s
            if due and stage.decode and not run.pairs:
                self._evaluate(stage)
                last_evaluation = began + self.seconds - seconds_before
        self.save()
        if not run.pairs:
            self._evaluate(run.curriculum[-1])

    def _source(self, stage: Stage) -> Iterator[Batch] | Iterator[Pair]:
        run = self.run
        if run.pairs:
            context = run.config.decoder.context
            return pairs(run.pairs, run.mode, self.tokenizer, context, run.seed, self.number + self.rank)
        return self._batches(Stream(stage.style, count=run.count or stage.count, seed=run.seed), run.workers)

    def _pages(self, stage: Stage) -> Iterator[Batch]:
        run = self.run
        count = max(4, (run.count or stage.count) // PAGE)
        return self._batches(Pages(count, run.seed, data=stage.style.data), workers=-(-run.workers // 6))

    def _batches(self, stream: Stream | Pages, workers: int) -> Iterator[Batch]:
        first = -(-self.number // POOL) + self.rank
        made = batches(stream, first, workers, self.world, pin=self.device.type == "cuda")
        return again(made, Random(f"{self.run.seed}/{self.number}")) if self.run.again else made

    def _losses(self, batch: Batch | Pair, stage: Stage) -> Losses:
        run = self.run
        if isinstance(batch, Pair):
            loss = pair_loss(self.model, batch, self.tokenizer.image)
            return Losses(loss, {"text": loss.detach()})
        batch = batch.to(self.device)
        encode = not stage.decode or self.step % run.encode_every == 0
        return compute(
            self.model,
            self.heads,
            batch,
            run.weights,
            run.corruption,
            encode,
            stage.decode,
            run.through,
        )

    def _step(self, batch: Batch | Pair, stage: Stage) -> dict[str, Tensor]:
        run = self.run
        self.model.train()
        if run.only != "all":
            self.model.model.sam_model.eval()  # so that its running statistics do not change
        for group in self.optimizer.param_groups:
            group["lr"] = run.rate_at(self.step - self.heads_first, self.seconds / 60)
        if self.step <= self.heads_first:
            self._teach(model=self.step == self.heads_first)
        with torch.autocast(self.device.type, torch.bfloat16):
            losses = self._losses(batch, stage)
        losses.total.backward()
        self._share_gradients()
        norm = nn.utils.clip_grad_norm_(self.parameters, run.clip)
        if torch.isfinite(norm):
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        self.number += self.world
        self.characters += batch.characters * self.world
        self._update_average()
        return losses.parts | {"norm": norm}

    def _teach(self, model: bool) -> None:
        """Enables or disables training of the model. The heads are always trained."""
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad_(model and re.search(PARTS[self.run.only], name) is not None)

    def _share_gradients(self) -> None:
        if self.world == 1:
            return
        # Parameters that had no part in this step keep no gradient, because with zeros Adam would still move them. An
        # expert without a gradient in one process may have one in another, so it takes part with zeros.
        asked = [p for p in self.parameters if p.grad is not None or (p in self.experts and p.requires_grad)]
        with torch.no_grad():
            given = [p.grad if p.grad is not None else torch.zeros_like(p) for p in asked]
            flat = torch.cat([gradient.flatten() for gradient in given])
            dist.all_reduce(flat)
            flat /= self.world
            for parameter, piece in zip(asked, flat.split([p.numel() for p in asked]), strict=True):
                parameter.grad = piece.view_as(parameter)

    @torch.no_grad()
    def _update_average(self) -> None:
        """Updates the moving average of the weights. Its decay is smaller in the first steps."""
        keep = min(self.run.average, (1 + self.step) / (10 + self.step))
        now = self.model.state_dict()
        moved = [name for name, tensor in now.items() if tensor.is_floating_point()]
        torch._foreach_lerp_([self.average[name] for name in moved], [now[name] for name in moved], 1 - keep)
        for name in now.keys() - set(moved):
            self.average[name].copy_(now[name])

    def _agree(self, seconds: float) -> float:
        """The run's time, from the clock of the first process."""
        if self.world == 1:
            return seconds
        clock = torch.tensor([seconds], dtype=torch.float64)
        dist.broadcast(clock, 0)
        return float(clock)

    def _log(self, parts: dict[str, float], step_s: float, waited: float) -> None:
        """Writes a line to the log. `waited`: share of the time spent waiting for data."""
        line = {
            "minutes": self.seconds / 60,
            "step": self.step,
            "characters": self.characters,
            "step s": step_s,
            "waited": waited,
        }
        _append(self.run.folder / "log.csv", line | parts)
        shown = " ".join(f"{name} {value:.3g}" for name, value in parts.items())
        print(
            f"{line['minutes']:.1f} min, step {self.step}, {self.characters:,} characters, {shown}",
            flush=True,
        )

    def _evaluate(self, stage: Stage) -> None:
        if self.rank:
            return
        if not can_evaluate(stage.style.data):
            print("not evaluated: this machine has no held-out fonts (docs/NANO.md)", flush=True)
            return
        report = evaluate(self.averaged().cpu(), self.tokenizer, replace(stage.style, prose=0.5))
        _append(
            self.run.folder / "evaluations.csv",
            {"minutes": self.seconds / 60, "characters": self.characters, **report.row()},
        )
        print(report.text(), flush=True)


def fresh(model: OcrModel, seed: int) -> OcrModel:
    """Initializes the weights for training from scratch.

    Token embeddings are large and the outputs of layers small. With the usual standard deviation of 0.02 for all
    weights, the first attention layer would drown out the tokens, and the decoder would learn much more slowly where to
    look (docs/research/NANO.md).
    """
    model.init_weights(seed)
    residual = (2 * model.config.decoder.depth) ** -0.5
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(("embed_tokens.weight", "image_newline", "view_seperator")):
                parameter *= 25
            elif name.startswith("model.layers.") and parameter.dim() > 1:
                if name.endswith(("o_proj.weight", "down_proj.weight")):
                    parameter *= residual
                elif not name.endswith("gate.weight"):
                    parameter *= 2
    return model


def tokenizer_of(folder: Path | None) -> Tokenizer:
    """The tokenizer in a checkpoint's folder; without one, a tokenizer with one token per byte."""
    file = folder / "tokenizer.json" if folder else None
    return Tokenizer.from_file(file) if file and file.exists() else Tokenizer.characters()


def config_of(folder: Path | None) -> ModelConfig:
    """The configuration in a checkpoint's folder; the official one if `config.json` is not ours."""
    if folder is None:
        return ModelConfig.nano()
    file = folder / "config.json"
    body = json.loads(file.read_text()) if file.exists() else {}
    return ModelConfig.from_json(body) if "sam" in body else ModelConfig.deepseek_ocr()


def export(model: OcrModel, folder: Path, int8: bool = True) -> None:
    """Writes what a reader needs: weights in int8 or bf16, and the configuration."""
    if int8:
        save_checkpoint(model, folder, SHIPPED_BYTES, int8=True)
    else:
        save_checkpoint(model.bfloat16(), folder)
    (folder / "config.json").write_text(json.dumps(asdict(model.config), indent=1) + "\n")


def _append(path: Path, row: dict[str, Any]) -> None:
    """Appends a row to a CSV file. Adds columns that the file lacks."""
    rows = list(csv.DictReader(path.open())) if path.exists() else []
    names = list(dict.fromkeys([*(rows[0] if rows else {}), *row]))
    row = {name: f"{value:.5g}" if isinstance(value, float) else value for name, value in row.items()}
    if rows and list(rows[0]) == names:
        with path.open("a", newline="") as file:
            csv.DictWriter(file, names).writerow(row)
        return
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names, restval="")
        writer.writeheader()
        writer.writerows([*rows, row])
