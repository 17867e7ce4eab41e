"""Strips as tensors: pixels, tokens, and for each token and patch what the training heads must know."""

import math
import os
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from random import Random

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from fovea.language.tokenizer import Tokenizer
from fovea.nano.places import COLUMNS, with_places
from fovea.nano.strip_model import CELL, strip_prompt
from fovea.train.grounding import CELLS, REGIONS, answer_of, layout_prompt, page_view
from fovea.train.layouts import Layout, make_layout
from fovea.train.real import real_strips
from fovea.train.strips import Strip, Style, make_strip
from fovea.train.texts import ALPHABET

CLASSES = 1 + len(ALPHABET)  # nothing, and each character
CLASS = {character: number for number, character in enumerate(ALPHABET, 1)}
IGNORED = -100
PATCH, PATCH_SLOTS = 16, 4
"""Pixels of a patch's side; how many of its characters are named, in reading order."""
SPOT, SPOT_SLOTS = 8, 2
"""The same for the stem's squares of half that size."""
POOL = 4
"""Batches whose strips are made together and sorted by the length of their texts; more where texts are long."""
ALIGNED = 16
"""Lengths are multiples of it: a GPU has kernels and memory ready for shapes that it has seen."""
TOKENS = 220
"""Of a text, at which a batch is full; of longer ones fewer go into a batch, so that all take about as long."""


@dataclass(slots=True)
class Batch:
    """Text is one token a byte, with places between them (`fovea.nano.places`)."""

    pixels: Tensor  # (B, 3, H, W) of 0..255, in bytes
    ids: Tensor  # (B, T): prompt with vision tokens, then the text
    targets: Tensor  # (B, T): the next token; `IGNORED` in the prompt
    cells: Tensor  # (B, T): position in the sequence of the vision token that shows the next character
    rows: Tensor | None  # (B, T): row of patches of the next character; of strips
    columns: Tensor | None  # (B, T)
    patches: Tensor | None  # (B, H/16, W/16, PATCH_SLOTS): classes of the characters in each patch; of strips
    spots: Tensor | None  # (B, H/8, W/8, SPOT_SLOTS)
    characters: int
    first: int
    """Position of the first vision token, the same in all."""
    regions: Tensor | None = None  # (B, H/16, W/16): what kind of block covers each patch; of whole pages

    def views(self) -> Tensor:
        """What the encoder sees: (B, 3, H, W) in −1..1."""
        return self.pixels.float() / 127.5 - 1

    def to(self, device: torch.device) -> "Batch":
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> "Batch":
        """Called by PyTorch's loader."""
        return self._each(Tensor.pin_memory)

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        tensors = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(
            self, **{name: change(value) for name, value in tensors.items() if isinstance(value, Tensor)}
        )


def collate(strips: list[Strip], tokenizer: Tokenizer) -> Batch:
    """All of one size."""
    width, height = strips[0].image.size
    across = width // CELL
    prompt = strip_prompt(tokenizer, width, height)
    newline = tokenizer.encode("\n")[0]
    points = [_of_bytes(strip) for strip in strips]
    told = [
        with_places(tokenizer.encode(strip.text), places.tolist(), newline)
        for strip, places in zip(strips, points, strict=True)
    ]
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
        across_of = points[number][:, 0].clip(0, width - 1).astype(np.int64) // PATCH
        here = slice(start - 1, start - 1 + len(text))
        cells[number, here] = first + torch.tensor([_position(place.cell, across) for _, place, _ in text])
        rows[number, here] = torch.tensor([place.row for _, place, _ in text])
        columns[number, here] = torch.tensor(
            [across_of[at] if at >= 0 else place.column * CELL // PATCH for _, place, at in text]
        )
        _fill(patches[number], strip.text, x // PATCH, y // PATCH)
        _fill(spots[number], strip.text, x // SPOT, y // SPOT)
    pixels = np.stack([np.asarray(strip.image, dtype=np.uint8) for strip in strips])
    return Batch(
        pixels=torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous(),
        ids=ids,
        targets=targets,
        cells=cells,
        rows=rows,
        columns=columns,
        patches=torch.from_numpy(patches),
        spots=torch.from_numpy(spots),
        characters=sum(len(strip.text) for strip in strips),
        first=first,
    )


def collate_layouts(layouts: list[Layout], tokenizer: Tokenizer) -> Batch:
    """Whole pages as the layout question sees them; answers are `fovea.train.grounding`'s."""
    prompt = layout_prompt(tokenizer)
    first, start = prompt.index(tokenizer.image), len(prompt)
    answers = [answer_of(layout.units(), tokenizer) for layout in layouts]
    ids, targets = _sequences(prompt, [[token for token, _ in answer] for answer in answers], tokenizer)
    cells = torch.full(ids.shape, IGNORED)
    for number, answer in enumerate(answers):
        for at, (_, cell) in enumerate(answer, start - 1):
            if cell is not None:
                cells[number, at] = first + _position(cell, CELLS)
    views = np.stack([np.asarray(page_view(layout.image)) for layout in layouts])
    return Batch(
        pixels=torch.from_numpy(views).permute(0, 3, 1, 2).contiguous(),
        ids=ids,
        targets=targets,
        cells=cells,
        rows=None,
        columns=None,
        patches=None,
        spots=None,
        characters=0,
        first=first,
        regions=torch.stack([_regions(layout) for layout in layouts]),
    )


def _of_bytes(strip: Strip) -> np.ndarray:
    """(bytes, 2): the place of each byte of the text, which is that of its character."""
    return np.repeat(strip.places, [len(character.encode()) for character in strip.text], axis=0)


def _sequences(prompt: list[int], answers: list[list[int]], tokenizer: Tokenizer) -> tuple[Tensor, Tensor]:
    """The prompt before each answer, and the next token of each position: ids and targets (B, T) of `Batch`."""
    start = len(prompt)
    length = -(-(start + max(map(len, answers))) // ALIGNED) * ALIGNED
    ids = torch.full((len(answers), length), tokenizer.pad)
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
            squares[row, column, slot] = CLASS[character]
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
        """Batches in which texts of like length are together: little of them is padding."""
        count = POOL * self.count
        real = 0 if self.evaluation else round(self.style.real * count)
        strips = self.strips(index, count - real)
        strips += real_strips((self.seed << 40) + index, real, self.style)
        strips.sort(key=_length)
        parts: list[list[Strip]] = [[]]
        for strip in strips:
            share = min(ALIGNED, ALIGNED * TOKENS // max(1, _length(strip)))
            if len(parts[-1]) >= max(1, self.count * share // ALIGNED):
                parts.append([])
            parts[-1].append(strip)
        return [collate(part, tokenizer) for part in parts]


def _length(strip: Strip) -> int:
    """Its tokens, or a few more."""
    return len(strip.text.encode()) + (COLUMNS + 1) * len(strip.lines)


@dataclass(frozen=True, slots=True)
class Pages:
    """An endless row of batches of whole pages, like `Stream`."""

    count: int = 4
    seed: int = 0
    evaluation: bool = False
    data: Path | None = None

    def layouts(self, index: int) -> list[Layout]:
        start = (self.seed << 40) + (index << 12)
        return [make_layout(start + i, self.evaluation, self.data) for i in range(self.count * POOL)]

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
        cv2.setNumThreads(1)
        if info:
            os.nice(5)  # who learns goes first
        number, workers = (info.id, info.num_workers) if info else (0, 1)
        index = self._start + self._step * number
        tokenizer = Tokenizer.characters()
        while True:
            yield from self._stream.pool(index, tokenizer)
            index += self._step * workers


def batches(
    stream: Stream | Pages, start: int, workers: int, step: int = 1, pin: bool = False
) -> Iterator[Batch]:
    """Pools `start`, `start + step`, … batch by batch, made by `workers` processes (0: by the caller's). `pin`: in
    memory that a GPU fetches from by itself.
    """
    ahead = 2 * POOL if workers else None
    loader = DataLoader(
        _Batches(stream, start, step),
        batch_size=None,
        num_workers=workers,
        prefetch_factor=ahead,
        pin_memory=pin,
    )
    return iter(loader)


def again(source: Iterator[Batch], random: Random, kept: int = 64) -> Iterator[Batch]:
    """The batches of `source` as soon as they are made, and one of the last `kept` whenever no new one is ready.

    What is seen depends on the machine's speed, then. Raises what `source` raises.
    """
    ready: queue.Queue[Batch | BaseException] = queue.Queue(maxsize=1)

    def fetch() -> None:
        try:
            for batch in source:
                ready.put(batch)
        except BaseException as error:
            ready.put(error)

    threading.Thread(target=fetch, daemon=True).start()
    old: list[Batch] = []
    while True:
        try:
            batch = ready.get(block=not old)
        except queue.Empty:
            yield random.choice(old)
            continue
        if isinstance(batch, BaseException):
            raise batch
        yield batch
        if len(old) < kept:
            old.append(batch)
        else:
            old[random.randrange(kept)] = batch
