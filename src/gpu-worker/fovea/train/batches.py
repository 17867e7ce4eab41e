"""Strips as tensors: pixels, tokens, and for each token and patch what the training heads must know."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from fovea.grounding import CELLS, REGIONS, answer_of, layout_prompt, page_view
from fovea.places import with_places
from fovea.strip_model import CELL, strip_prompt
from fovea.tokenizer import Tokenizer
from fovea.train.layouts import Layout, make_layout
from fovea.train.real import real_strips
from fovea.train.strips import Strip, Style, make_strip
from fovea.views import to_pixels

CLASSES = 96  # nothing, and the 95 printable ASCII characters
IGNORED = -100
PATCH, PATCH_SLOTS = 16, 4
"""Pixels of a patch's side; how many of its characters are named, in reading order."""
SPOT, SPOT_SLOTS = 8, 2
"""The same for the stem's squares of half that size."""
POOL = 4
"""Batches whose strips are made together and sorted by the length of their texts."""


@dataclass(slots=True)
class Batch:
    """Text is one token a character, with places between them (`fovea.places`)."""

    pixels: Tensor  # (B, 3, H, W) in −1..1
    ids: Tensor  # (B, T): prompt with vision tokens, then the text
    targets: Tensor  # (B, T): the next token; `IGNORED` in the prompt
    cells: Tensor  # (B, T): position in the sequence of the vision token that shows the next character
    rows: Tensor | None  # (B, T): row of patches of the next character; of strips
    columns: Tensor | None  # (B, T)
    patches: Tensor | None  # (B, H/16, W/16, PATCH_SLOTS): classes of the characters in each patch; of strips
    spots: Tensor | None  # (B, H/8, W/8, SPOT_SLOTS)
    characters: int
    regions: Tensor | None = None  # (B, H/16, W/16): what kind of block covers each patch; of whole pages

    def to(self, device: torch.device) -> "Batch":
        tensors = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(
            self,
            **{
                name: value.to(device, non_blocking=True)
                for name, value in tensors.items()
                if isinstance(value, Tensor)
            },
        )


def collate(strips: list[Strip], tokenizer: Tokenizer) -> Batch:
    """All of one size."""
    width, height = strips[0].image.size
    across = width // CELL
    prompt = strip_prompt(tokenizer, width, height)
    newline = tokenizer.encode("\n")[0]
    told = [with_places(tokenizer.encode(strip.text), strip.places.tolist(), newline) for strip in strips]
    ids, targets = _sequences(prompt, [[token for token, _, _ in text] for text in told], tokenizer)
    cells, rows, columns = (torch.full(ids.shape, IGNORED) for _ in range(3))
    patches = np.zeros((len(strips), height // PATCH, width // PATCH, PATCH_SLOTS), np.int64)
    spots = np.zeros((len(strips), height // SPOT, width // SPOT, SPOT_SLOTS), np.int64)
    first, start = prompt.index(tokenizer.image), len(prompt)
    for number, (strip, text) in enumerate(zip(strips, told, strict=True)):
        if not text:
            continue
        x = strip.places[:, 0].clip(0, width - 1).astype(np.int64)
        y = strip.places[:, 1].clip(0, height - 1).astype(np.int64)
        here = slice(start - 1, start - 1 + len(text))
        cells[number, here] = first + torch.tensor([_position(place.cell, across) for _, place, _ in text])
        rows[number, here] = torch.tensor([place.row for _, place, _ in text])
        columns[number, here] = torch.tensor(
            [x[at] // PATCH if at >= 0 else place.column * CELL // PATCH for _, place, at in text]
        )
        _fill(patches[number], strip.text, x // PATCH, y // PATCH)
        _fill(spots[number], strip.text, x // SPOT, y // SPOT)
    pixels = np.stack([np.asarray(strip.image, dtype=np.uint8) for strip in strips])
    return Batch(
        pixels=(torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1).contiguous(),
        ids=ids,
        targets=targets,
        cells=cells,
        rows=rows,
        columns=columns,
        patches=torch.from_numpy(patches),
        spots=torch.from_numpy(spots),
        characters=sum(len(strip.text) for strip in strips),
    )


def collate_layouts(layouts: list[Layout], tokenizer: Tokenizer) -> Batch:
    """Whole pages as the layout question sees them; answers are `fovea.grounding`'s."""
    prompt = layout_prompt(tokenizer)
    first, start = prompt.index(tokenizer.image), len(prompt)
    answers = [answer_of(layout.units(), tokenizer) for layout in layouts]
    ids, targets = _sequences(prompt, [[token for token, _ in answer] for answer in answers], tokenizer)
    cells = torch.full(ids.shape, IGNORED)
    for number, answer in enumerate(answers):
        for at, (_, cell) in enumerate(answer, start - 1):
            if cell is not None:
                cells[number, at] = first + _position(cell, CELLS)
    views = [page_view(layout.image) for layout in layouts]
    return Batch(
        pixels=to_pixels(views).contiguous(),
        ids=ids,
        targets=targets,
        cells=cells,
        rows=None,
        columns=None,
        patches=None,
        spots=None,
        characters=0,
        regions=torch.stack([_regions(layout) for layout in layouts]),
    )


def _sequences(prompt: list[int], answers: list[list[int]], tokenizer: Tokenizer) -> tuple[Tensor, Tensor]:
    """The prompt before each answer, and the next token of each position: ids and targets (B, T) of `Batch`."""
    start = len(prompt)
    ids = torch.full((len(answers), start + max(map(len, answers))), tokenizer.pad)
    targets = torch.full(ids.shape, IGNORED)
    ids[:, :start] = torch.tensor(prompt)
    for number, tokens in enumerate(answers):
        ids[number, start : start + len(tokens)] = torch.tensor(tokens, dtype=torch.int64)
        targets[number, start - 1 : start + len(tokens)] = torch.tensor([*tokens, tokenizer.eos])
    return ids, targets


def _position(cell: int, across: int) -> int:
    """Where a vision token stands among those of its view: a newline ends each row of `across`."""
    return cell // across * (across + 1) + cell % across


def _regions(layout: Layout, side: int = 32) -> Tensor:
    """(side, side): the kind of block at the middle of each patch, from 1; 0 where there is none."""
    regions = torch.zeros(side, side, dtype=torch.int64)
    for kind, (x0, y0, x1, y1) in layout.units():
        across = slice(max(0, math.ceil(x0 * side - 0.5)), max(0, math.ceil(x1 * side - 0.5)))
        down = slice(max(0, math.ceil(y0 * side - 0.5)), max(0, math.ceil(y1 * side - 0.5)))
        regions[down, across] = REGIONS.index(kind) + 1
    return regions


def _fill(squares: np.ndarray, text: str, columns: np.ndarray, rows: np.ndarray) -> None:
    """Writes the class of each character into the square in which its middle lies, while there is a slot."""
    taken: dict[tuple[int, int], int] = {}
    for character, column, row in zip(text, columns.tolist(), rows.tolist(), strict=True):
        if character == "\n":
            continue
        slot = taken.get((row, column), 0)
        if slot < squares.shape[-1]:
            squares[row, column, slot] = ord(character) - 31
            taken[(row, column)] = slot + 1


@dataclass(frozen=True, slots=True)
class Stream:
    """An endless row of pools of batches: pool `i` is the same whoever makes it, so a run can go on anywhere."""

    style: Style
    width: int = 512
    height: int = 128
    count: int = 8
    seed: int = 0
    evaluation: bool = False

    def strips(self, index: int, count: int | None = None) -> list[Strip]:
        start = (self.seed << 40) + (index << 12)
        return [
            make_strip(start + i, self.width, self.style, self.evaluation, self.height)
            for i in range(count or self.count)
        ]

    def pool(self, index: int, tokenizer: Tokenizer) -> list[Batch]:
        """`POOL` batches in which texts of like length are together: little of them is padding."""
        count = POOL * self.count
        real = 0 if self.evaluation else round(self.style.real * count)
        strips = self.strips(index, count - real)
        strips += real_strips((self.seed << 40) + index, real, self.style)
        strips.sort(key=lambda strip: len(strip.text))
        parts = [strips[start : start + self.count] for start in range(0, len(strips), self.count)]
        return [collate(part, tokenizer) for part in parts]


@dataclass(frozen=True, slots=True)
class Pages:
    """An endless row of batches of whole pages, like `Stream`."""

    count: int = 4
    seed: int = 0
    evaluation: bool = False

    def layouts(self, index: int) -> list[Layout]:
        start = (self.seed << 40) + (index << 12)
        return [make_layout(start + i, self.evaluation) for i in range(self.count * POOL)]

    def pool(self, index: int, tokenizer: Tokenizer) -> list[Batch]:
        layouts = sorted(self.layouts(index), key=lambda layout: len(layout.parts))
        parts = [layouts[start : start + self.count] for start in range(0, len(layouts), self.count)]
        return [collate_layouts(part, tokenizer) for part in parts]


class _Batches(IterableDataset):
    def __init__(self, stream: Stream | Pages, start: int, step: int):
        self._stream, self._start, self._step = stream, start, step

    def __iter__(self) -> Iterator[Batch]:
        info = torch.utils.data.get_worker_info()
        torch.set_num_threads(1)
        number, workers = (info.id, info.num_workers) if info else (0, 1)
        index = self._start + self._step * number
        tokenizer = Tokenizer.characters()
        while True:
            yield from self._stream.pool(index, tokenizer)
            index += self._step * workers


def batches(stream: Stream | Pages, start: int, workers: int, step: int = 1) -> Iterator[Batch]:
    """Pools `start`, `start + step`, … batch by batch, made by `workers` processes (0: by the caller's)."""
    ahead = 2 * POOL if workers else None
    loader = DataLoader(
        _Batches(stream, start, step), batch_size=None, num_workers=workers, prefetch_factor=ahead
    )
    return iter(loader)
