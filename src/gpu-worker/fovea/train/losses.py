"""The losses: next-token prediction, and dense heads that exist only in training.

With next-token prediction alone, the model learns a language model long before it learns to read the image. The heads
supervise reading directly: the characters in a patch (`spots`, `patches`), the characters in a vision token (`cells`),
and the position that the decoder must attend to next (`guide`, `place`). docs/research/NANO.md has measurements.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fovea.model import ModelConfig, OcrModel
from fovea.model.decoder import MixtureOfExperts, rotary, rotate
from fovea.train.batches import CELL, CLASSES, IGNORED, PATCH, PATCH_SLOTS, SPOT_SLOTS, Batch
from fovea.train.grounding import REGIONS

GUIDED_LAYERS = (1, 2, 3)
GUIDED_HEADS = 3
"""Heads of each guided layer whose attention is trained to be on the vision token of the next character."""
CELL_SLOTS = 3
"""Characters per patch that are predicted from a vision token."""
PLACE_LAYER = 2
"""Row and column of the next character are predicted from the input of this decoder layer."""
SPOT_LAYER = 14
"""Index of the stem's activation with 8 px per square."""
EMPTY = 0.25
"""Weight of squares without a character."""
MAX_ROWS, MAX_COLUMNS = 16, 64
MARKERS = 3 + 256
"""The first id after the bytes."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights of the losses. Losses of the heads and the guide with weight 0 are not computed."""

    text: float = 1.0
    spots: float = 0.3
    patches: float = 0.5
    cells: float = 1.0
    guide: float = 0.5
    place: float = 0.1
    regions: float = 0.5
    zones: float = 0.5
    balance: float = 0.01


class Heads(nn.Module):
    def __init__(self, config: ModelConfig):
        super().__init__()
        width = config.sam.width
        inner = (CELL // PATCH) ** 2 * CELL_SLOTS
        self.spots = nn.Linear(width // 2, SPOT_SLOTS * CLASSES)
        self.patches = nn.Linear(width, PATCH_SLOTS * CLASSES)
        self.cells = nn.Linear(config.decoder.width, inner * CLASSES)
        self.place = nn.Linear(config.decoder.width, MAX_ROWS + MAX_COLUMNS)
        self.regions = nn.Linear(width, 1 + len(REGIONS))
        self.zones = nn.Linear(config.decoder.width, (CELL // PATCH) ** 2 * (1 + len(REGIONS)))
        for module in self.children():
            nn.init.normal_(module.weight, std=0.02)
            nn.init.zeros_(module.bias)


@contextmanager
def _activations(model: OcrModel) -> Iterator[dict[str, Tensor]]:
    """Captures the model's inner activations with hooks, so that the model needs no code for the heads."""
    seen: dict[str, Tensor] = {}
    inner = model.model
    handles = [
        inner.sam_model.neck.register_forward_pre_hook(
            lambda _module, inputs: seen.__setitem__("patches", inputs[0].permute(0, 2, 3, 1))
        )
    ]
    if hasattr(inner.sam_model.patch_embed, "stem"):
        stem = inner.sam_model.patch_embed.stem
        handles.append(
            stem[SPOT_LAYER].register_forward_hook(
                lambda _module, _inputs, out: seen.__setitem__("spots", out.permute(0, 2, 3, 1))
            )
        )
    for number, layer in enumerate(inner.layers):
        handles.append(
            layer.self_attn.register_forward_pre_hook(
                lambda _module, inputs, number=number: seen.__setitem__(f"attention {number}", inputs[0])
            )
        )
        handles.append(
            layer.mlp.register_forward_pre_hook(
                lambda _module, inputs, number=number: seen.__setitem__(f"mlp {number}", inputs[0])
            )
        )
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


@dataclass(slots=True)
class Losses:
    total: Tensor
    parts: dict[str, Tensor]
    """Each loss, and accuracies as `… right`."""


def compute(
    model: OcrModel,
    heads: Heads,
    batch: Batch,
    weights: Weights,
    corruption: float,
    encode: bool = True,
    decode: bool = True,
    through: float = 1.0,
) -> Losses:
    """Computes the losses of a batch.

    `corruption`: share of the text's input tokens that are replaced at random, so that the model must read the image to
    predict the next token. `encode`, `decode`: which halves are trained. `through`: share of the decoder's gradient
    that reaches the encoder.
    """
    with _activations(model) as seen:
        with torch.set_grad_enabled(encode):
            tokens = model.encode_view(batch.views())  # (B, n, C)
        sums: dict[str, Tensor] = {}
        parts: dict[str, Tensor] = {}
        if encode and batch.regions is not None:
            if weights.regions:
                _kinds("regions", heads.regions(seen["patches"]), batch.regions, sums, parts)
            if weights.zones:
                _kinds("zones", heads.zones(tokens), _in_cells(batch.regions[..., None]), sums, parts)
        elif encode:
            if weights.spots and "spots" in seen:
                _squares("spots", heads.spots(seen["spots"]), batch.spots, sums, parts)
            if weights.patches:
                _squares("patches", heads.patches(seen["patches"]), batch.patches, sums, parts)
            if weights.cells:
                known = _in_cells(batch.patches[..., :CELL_SLOTS])
                _squares("cells", heads.cells(tokens), known, sums, parts)
        if decode:
            tokens = through * tokens + (1 - through) * tokens.detach()
            logits = model(_embeddings(model, tokens, batch, corruption))
            targets = batch.targets
            sums["text"] = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED)
            parts["text right"] = _mean((logits.argmax(-1) == targets).float(), targets != IGNORED)
            if weights.guide:
                sums["guide"] = _guide(model, seen, batch)
            if weights.place and batch.rows is not None:
                sums["place"] = _place(heads, seen, batch)
            sums["balance"] = _balance(model, seen)
    total = sum(getattr(weights, name) * value for name, value in sums.items())
    reported = {name: value.detach() for name, value in sums.items()} | parts
    if batch.regions is not None:
        reported = {f"page {name}": value for name, value in reported.items()}
    return Losses(total, reported)


def _kinds(
    name: str, logits: Tensor, target: Tensor, sums: dict[str, Tensor], parts: dict[str, Tensor]
) -> None:
    """Adds the loss for predicting the block type of patches: logits (…, kinds), target (…)."""
    logits, target = logits.float().reshape(-1, 1 + len(REGIONS)), target.flatten()
    sums[name] = F.cross_entropy(logits, target)
    parts[f"{name} right"] = (logits.argmax(-1) == target).float().mean()


def _mean(values: Tensor, chosen: Tensor) -> Tensor:
    """The mean of the chosen values; 0 if there are none. Does not synchronize with the device."""
    return (values * chosen).sum() / chosen.sum().clamp(min=1)


def _squares(
    name: str, logits: Tensor, target: Tensor, sums: dict[str, Tensor], parts: dict[str, Tensor]
) -> None:
    """Adds the loss for predicting the characters of squares: logits (…, slots · CLASSES), target (…, slots)."""
    logits = logits.float().view(-1, CLASSES)
    target = target.reshape(-1)
    loss = F.cross_entropy(logits, target, reduction="none")
    full = target > 0
    sums[name] = _mean(loss, full) + EMPTY * _mean(loss, ~full)
    parts[f"{name} right"] = _mean((logits.argmax(-1) == target).float(), full)


def _in_cells(patches: Tensor) -> Tensor:
    """(B, H/16, W/16, n) -> (B, cells, 16 · n): groups the patches by vision token, in row order."""
    side = CELL // PATCH
    batch, h, w, slots = patches.shape
    grid = patches.reshape(batch, h // side, side, w // side, side, slots)
    return grid.transpose(2, 3).reshape(batch, -1, side * side * slots)


def _embeddings(model: OcrModel, tokens: Tensor, batch: Batch, corruption: float) -> Tensor:
    ids = batch.ids
    if corruption:
        wrong = torch.rand(ids.shape, device=ids.device) < corruption
        wrong &= (batch.targets != IGNORED).roll(1, 1)  # not in the prompt
        wrong[:, 0] = False
        wrong &= ids < MARKERS  # not in places and markers, because the model must be able to follow them
        printable = torch.randint(32, 127, ids.shape, device=ids.device) + 3  # bytes follow three other ids
        ids = torch.where(wrong, printable, ids)
    height, width = batch.pixels.shape[2] // CELL, batch.pixels.shape[3] // CELL
    seen = model.arrange(tokens.view(len(tokens), height, width, -1))
    before = model.embed(ids[:, : batch.first])
    after = model.embed(ids[:, batch.first + seen.shape[1] :])
    return torch.cat([before, seen.to(before.dtype), after], 1)


def _guide(model: OcrModel, seen: dict[str, Tensor], batch: Batch) -> Tensor:
    """Mean −log of the guided heads' attention to the vision token of the next character."""
    config = model.config.decoder
    length = batch.ids.shape[1]
    place = rotary(torch.arange(length, device=batch.ids.device), config.head_dim, config.rope_theta)
    future = torch.ones(length, length, dtype=torch.bool, device=batch.ids.device).triu(1)
    known = batch.cells != IGNORED
    target = batch.cells.clamp(min=0)[:, None, :, None].expand(-1, GUIDED_HEADS, -1, 1)
    losses = []
    for number in GUIDED_LAYERS:
        attention, x = model.model.layers[number].self_attn, seen[f"attention {number}"]
        inner = GUIDED_HEADS * config.head_dim
        q, k = (
            F.linear(x, proj.weight[:inner]).view(*x.shape[:2], GUIDED_HEADS, -1).transpose(1, 2)
            for proj in (attention.q_proj, attention.k_proj)
        )
        q, k = rotate(q, *place), rotate(k, *place)
        scores = (q @ k.transpose(-1, -2)).float() * config.head_dim**-0.5  # (B, heads, T, T)
        log_probs = scores.masked_fill(future, float("-inf")).log_softmax(-1)
        losses.append(-_mean(log_probs.gather(-1, target)[..., 0].mean(1), known))
    return torch.stack(losses).mean()


def _place(heads: Heads, seen: dict[str, Tensor], batch: Batch) -> Tensor:
    logits = heads.place(seen[f"attention {PLACE_LAYER}"]).float()
    rows, columns = logits.split([MAX_ROWS, MAX_COLUMNS], -1)
    return F.cross_entropy(rows.flatten(0, 1), batch.rows.flatten(), ignore_index=IGNORED) + F.cross_entropy(
        columns.flatten(0, 1), batch.columns.flatten(), ignore_index=IGNORED
    )


def _balance(model: OcrModel, seen: dict[str, Tensor]) -> Tensor:
    """The load-balancing loss of Switch Transformer (arXiv 2101.03961, eq. 4); 1 if all experts are used equally."""
    losses = []
    for number, layer in enumerate(model.model.layers):
        if isinstance(layer.mlp, MixtureOfExperts):
            x = seen[f"mlp {number}"].flatten(0, 1).float()
            probabilities = F.linear(x, layer.mlp.gate.weight.float()).softmax(-1)
            chosen = probabilities.topk(layer.mlp.k, -1).indices
            share = torch.zeros_like(probabilities).scatter_(1, chosen, 1 / layer.mlp.k).mean(0)
            losses.append((share * probabilities.mean(0)).sum() * probabilities.shape[-1])
    return torch.stack(losses).mean()
