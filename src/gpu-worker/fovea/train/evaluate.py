"""Evaluates a model on held-out strips: greedy decoding without a language model and without cleaning up."""

from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from fovea.engine import EngineConfig
from fovea.language.tokenizer import Tokenizer
from fovea.model import OcrModel
from fovea.nano.strip_model import StripModel
from fovea.train import fonts
from fovea.train.batches import Stream, collate
from fovea.train.strips import Strip, Style

SIZES = (14, 20, 28)
"""Limits of the report's ranges of type sizes (em sizes in pixels)."""


@dataclass(slots=True)
class Report:
    """Errors and characters for each range of sizes."""

    errors: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    characters: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    samples: list[tuple[str, str]] = field(default_factory=list)

    def add(self, strip: Strip, read: str) -> None:
        for key in ("all", size_range(strip.size)):
            self.errors[key] += distance(read, strip.text)
            self.characters[key] += len(strip.text)
        self.samples.append((strip.text, read))

    def accuracy(self, key: str = "all") -> float:
        """1 − errors ÷ characters, at least 0."""
        return max(0.0, 1 - self.errors[key] / max(1, self.characters[key]))

    def row(self) -> dict[str, float]:
        return {key: self.accuracy(key) for key in sorted(self.characters)}

    def text(self, samples: int = 3) -> str:
        shown = ", ".join(f"{key}: {self.accuracy(key):.2%}" for key in sorted(self.characters))
        lines = [f"held-out accuracy: {shown}"]
        for text, read in self.samples[:samples]:
            lines += [f"  text {text[:110]!r}", f"  read {read[:110]!r}"]
        return "\n".join(lines)


def size_range(size: int) -> str:
    low = max((s for s in SIZES if s <= size), default=0)
    return f"{low:02} px" if low else f"under {SIZES[0]} px"


def can_evaluate(data: Path | None = None) -> bool:
    """Whether this machine, or the folder `data`, has held-out fonts."""
    try:
        return bool(fonts.faces(True, data))
    except RuntimeError:
        return False


def evaluate(model: OcrModel, tokenizer: Tokenizer, style: Style, count: int = 48, seed: int = 9) -> Report:
    """Reads `count` strips of held-out fonts and texts."""
    report = Report()
    stream = Stream(style, count=16, seed=seed, evaluation=True)
    for index in range(-(-count // stream.count)):
        strips = stream.strips(index)
        for strip, read in zip(strips, read_strips(model, tokenizer, strips), strict=True):
            report.add(strip, read)
    return report


def read_strips(model: OcrModel, tokenizer: Tokenizer, strips: list[Strip], limit: int = 600) -> list[str]:
    """Reads strips of the same size with the inference engine, which owns `model` meanwhile. Weights do not change."""
    pixels = collate(strips, tokenizer).views()
    config = EngineConfig(max_new=limit, max_batch=len(strips), threads=torch.get_num_threads())
    with closing(StripModel(model, tokenizer, config)) as reader:
        return [tokenizer.decode(answer.ids) for answer in reader.read(pixels, limit).answers]


def distance(a: str, b: str) -> int:
    """Levenshtein distance in characters, in O(len(a) · len(b)), vectorized by row."""
    target = np.frombuffer(b.encode("utf-32-le"), np.uint32)
    steps = np.arange(len(b) + 1)
    row = steps.copy()
    for number, character in enumerate(a, 1):
        new = np.concatenate([[number], np.minimum(row[1:] + 1, row[:-1] + (target != ord(character)))])
        row = np.minimum.accumulate(new - steps) + steps
    return int(row[-1])
