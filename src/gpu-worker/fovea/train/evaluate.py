"""How well held-out strips are read: free-running greedy decoding, no language model, no clean-up."""

from collections import defaultdict
from dataclasses import dataclass, field

import torch

from fovea.model import OcrModel
from fovea.tokenizer import Tokenizer
from fovea.train import fonts
from fovea.train.batches import CELL, Stream, collate, strip_prompt
from fovea.train.strips import Strip, Style

SIZES = (14, 20, 28)
"""Sizes of type in pixels of the em square at which the report is divided."""


@dataclass(slots=True)
class Report:
    """Errors and characters by range of sizes."""

    errors: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    characters: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    samples: list[tuple[str, str]] = field(default_factory=list)

    def add(self, strip: Strip, said: str) -> None:
        for key in ("all", size_range(strip.size)):
            self.errors[key] += distance(said, strip.text)
            self.characters[key] += len(strip.text)
        self.samples.append((strip.text, said))

    def accuracy(self, key: str = "all") -> float:
        """1 − errors ÷ characters, not below 0."""
        return max(0.0, 1 - self.errors[key] / max(1, self.characters[key]))

    def row(self) -> dict[str, float]:
        return {key: self.accuracy(key) for key in sorted(self.characters)}

    def text(self, samples: int = 3) -> str:
        shown = ", ".join(f"{key}: {self.accuracy(key):.2%}" for key in sorted(self.characters))
        lines = [f"held-out accuracy: {shown}"]
        for true, said in self.samples[:samples]:
            lines += [f"  is   {true[:110]!r}", f"  read {said[:110]!r}"]
        return "\n".join(lines)


def size_range(size: int) -> str:
    low = max((s for s in SIZES if s <= size), default=0)
    return f"{low:02} px" if low else f"under {SIZES[0]} px"


def can_evaluate() -> bool:
    """Whether this machine has fonts that are never trained on."""
    try:
        return bool(fonts.faces(True))
    except RuntimeError:
        return False


def evaluate(model: OcrModel, tokenizer: Tokenizer, style: Style, count: int = 48, seed: int = 9) -> Report:
    """Reads `count` strips of held-out fonts and texts."""
    report = Report()
    stream = Stream(style, count=16, seed=seed, evaluation=True)
    for index in range(-(-count // stream.count)):
        strips = stream.strips(index)
        for strip, said in zip(strips, read_strips(model, tokenizer, strips), strict=True):
            report.add(strip, said)
    return report


@torch.inference_mode()
def read_strips(model: OcrModel, tokenizer: Tokenizer, strips: list[Strip], limit: int = 600) -> list[str]:
    """Greedy, all strips of one size at once."""
    batch = collate(strips, tokenizer).to(model.device)
    height, width = batch.pixels.shape[2:]
    prompt = torch.tensor(strip_prompt(tokenizer, width, height), device=model.device)
    tokens = model.encode_view(batch.pixels)
    rows = tokens.view(len(strips), height // CELL, width // CELL, -1)
    embeddings = model.embed(prompt[None].expand(len(strips), -1)).clone()
    for embedding, grid in zip(embeddings, rows, strict=True):
        view = torch.cat([model.with_newlines(grid), model.model.view_seperator[None].to(grid.dtype)])
        embedding[prompt == tokenizer.image] = view.to(embedding.dtype)
    cache = model.new_cache(len(strips), min(embeddings.shape[1] + limit, model.config.decoder.context))
    logits = model.step(embeddings, cache)
    said: list[torch.Tensor] = []
    ended = torch.zeros(len(strips), dtype=torch.bool, device=model.device)
    for _ in range(cache.capacity - embeddings.shape[1]):
        token = logits.argmax(-1)
        token[ended] = tokenizer.eos
        ended |= token == tokenizer.eos
        said.append(token)
        if bool(ended.all()) or cache.length == cache.capacity:
            break
        logits = model.step(model.embed(token[:, None]), cache)
    texts = torch.stack(said, 1).tolist()
    return [
        tokenizer.decode(row[: row.index(tokenizer.eos)] if tokenizer.eos in row else row) for row in texts
    ]


def distance(a: str, b: str) -> int:
    """Levenshtein's: insertions, deletions and replacements of characters."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (x != y))
    return row[-1]
