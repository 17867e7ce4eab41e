"""Batches of training data: pixels, tokens, and the targets of the training heads for each token and patch."""

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

CLASSES = 1 + len(ALPHABET)  # no character, and each character
CLASS = {character: number for number, character in enumerate(ALPHABET, 1)}
IGNORED = -100
PATCH, PATCH_SLOTS = 16, 4
"""Side of a patch in pixels, and the number of its characters that are targets, in reading order."""
SPOT, SPOT_SLOTS = 8, 2
"""The same for the squares of the stem."""
POOL = 4
"""Batches in a pool. The strips of a pool are generated together and sorted by length."""
ALIGNED = 16
"""Lengths are padded to a multiple of this, so that a GPU can reuse kernels and memory."""
TOKENS = 220
"""Longest texts of a full batch. With longer texts a batch has fewer strips, so that all batches take equally long."""


@dataclass(slots=True)
class Batch:
    """The text has one token per byte, with place tokens inserted (`fovea.nano.places`)."""

    pixels: Tensor  # (B, 3, H, W) uint8, 0..255
    ids: Tensor  # (B, T): prompt with vision tokens, then the text
    targets: Tensor  # (B, T): the next token; `IGNORED` in the prompt
    cells: Tensor  # (B, T): position in the sequence of the vision token that shows the next character
    rows: Tensor | None  # (B, T): row of patches of the next character; only for strips
    columns: Tensor | None  # (B, T): and its column
    patches: (
        Tensor | None
    )  # (B, H/16, W/16, PATCH_SLOTS): classes of each patch's characters; only for strips
    spots: Tensor | None  # (B, H/8, W/8, SPOT_SLOTS): the same for spots
    characters: int
    first: int
    """Position of the first vision token, the same in all rows."""
    regions: Tensor | None = None  # (B, H/16, W/16): type of the block at each patch; only for whole pages

    def views(self) -> Tensor:
        """The encoder's input (B, 3, H, W) in −1..1."""
        return self.pixels.float() / 127.5 - 1

    def to(self, device: torch.device) -> "Batch":
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> "Batch":
        """Called by PyTorch's data loader."""
        return self._each(Tensor.pin_memory)

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        tensors = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(
            self, **{name: change(value) for name, value in tensors.items() if isinstance(value, Tensor)}
        )


def collate(strips: list[Strip], tokenizer: Tokenizer) -> Batch:
    """A batch of strips of the same size."""
    width, height = strips[0].image.size
    across = width // CELL
    prompt = strip_prompt(tokenizer, width, height)
    newline = tokenizer.encode("\n")[0]
    points = [_byte_places(strip) for strip in strips]
    texts = [
        with_places(tokenizer.encode(strip.text), places.tolist(), newline)
        for strip, places in zip(strips, points, strict=True)
    ]
    ids, targets = _sequences(prompt, [[token for token, _, _ in text] for text in texts], tokenizer)
    cells, rows, columns = (torch.full(ids.shape, IGNORED) for _ in range(3))
    patches = np.zeros((len(strips), height // PATCH, width // PATCH, PATCH_SLOTS), np.int64)
    spots = np.zeros((len(strips), height // SPOT, width // SPOT, SPOT_SLOTS), np.int64)
    first, start = prompt.index(tokenizer.image), len(prompt)
    for number, (strip, text) in enumerate(zip(strips, texts, strict=True)):
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
    """A batch of whole pages with the layout prompt and its answers (`fovea.train.grounding`)."""
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


def _byte_places(strip: Strip) -> np.ndarray:
    """(bytes, 2): for each byte of the text, the place of its character."""
    return np.repeat(strip.places, [len(character.encode()) for character in strip.text], axis=0)


def _sequences(prompt: list[int], answers: list[list[int]], tokenizer: Tokenizer) -> tuple[Tensor, Tensor]:
    """`ids` and `targets` (B, T) of a batch, from the prompt and the answers."""
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
    """Position of a vision token in its view, in which a newline ends each row of `across` tokens."""
    return cell // across * (across + 1) + cell % across


def _regions(layout: Layout, side: int = 32) -> Tensor:
    """(side, side): the type of the block at the center of each patch, from 1; 0 if there is none."""
    regions = torch.zeros(side, side, dtype=torch.int64)
    for kind, (x0, y0, x1, y1) in layout.units():
        across = slice(max(0, math.ceil(x0 * side - 0.5)), max(0, math.ceil(x1 * side - 0.5)))
        down = slice(max(0, math.ceil(y0 * side - 0.5)), max(0, math.ceil(y1 * side - 0.5)))
        regions[down, across] = REGIONS.index(kind) + 1
    return regions


def _fill(squares: np.ndarray, text: str, columns: np.ndarray, rows: np.ndarray) -> None:
    """Writes the class of each character into the square of its center, until the square's slots are full."""
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
    """An endless stream of pools of batches. Pool `i` is deterministic, so that a run can resume anywhere."""

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
        """The batches of a pool. Texts of similar length are together, so that there is little padding."""
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
    """An upper limit of the strip's tokens."""
    return len(strip.text.encode()) + (COLUMNS + 1) * len(strip.lines)


@dataclass(frozen=True, slots=True)
class Pages:
    """An endless stream of batches of whole pages, like `Stream`."""

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
            os.nice(5)  # training has priority
        number, workers = (info.id, info.num_workers) if info else (0, 1)
        index = self._start + self._step * number
        tokenizer = Tokenizer.characters()
        while True:
            yield from self._stream.pool(index, tokenizer)
            index += self._step * workers


def batches(
    stream: Stream | Pages, start: int, workers: int, step: int = 1, pin: bool = False
) -> Iterator[Batch]:
    """The batches of the pools `start`, `start + step`, …, made by `workers` processes (0: the calling process).

    `pin`: in pinned memory, for a GPU.
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
    """The batches of `source`; while no new batch is ready, a random one of the last `kept`.

    The order depends on the speed of the machine. Raises the errors of `source`.
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
