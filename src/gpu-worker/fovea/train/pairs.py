"""Fine-tuning on your own pages: a folder of images, each with a text file.

`scan-1.png` belongs to `scan-1.md` or `scan-1.txt`. A text with `<|ref|>` is an answer to the task `markdown`, any
other text to `free`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn import functional as F

from fovea.language.tasks import prompt_for
from fovea.language.tokenizer import Tokenizer
from fovea.model import OcrModel
from fovea.model.pixels import to_pixels
from fovea.train.batches import IGNORED
from fovea.vision.views import make_views

IMAGES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")


@dataclass(slots=True)
class Pair:
    """The views and the sequence of a page. `targets` (T,): the next token, `IGNORED` in the prompt."""

    whole: Tensor
    tiles: Tensor | None
    columns: int
    ids: Tensor
    targets: Tensor
    characters: int


def find_pairs(folder: Path) -> list[tuple[Path, Path]]:
    """Images with their texts. Raises `ValueError` for an image without a text."""
    pairs = []
    for image in sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGES):
        text = next((p for s in (".md", ".txt") if (p := image.with_suffix(s)).exists()), None)
        if text is None:
            raise ValueError(f"{image.name} has no text file ({image.stem}.md or {image.stem}.txt)")
        pairs.append((image, text))
    if not pairs:
        raise ValueError(f"there are no images ({', '.join(IMAGES)}) in {folder}")
    return pairs


def load_pair(image: Path, text: Path, mode: str, tokenizer: Tokenizer, context: int) -> Pair:
    """Loads a page. A text that does not fit into `context` positions is cut and gets no end token."""
    with Image.open(image) as opened:
        views = make_views(ImageOps.exif_transpose(opened).convert("RGB"), mode)
    truth = text.read_text(encoding="utf-8").strip()
    task = "markdown" if "<|ref|>" in truth else "free"
    prompt = prompt_for(task, None, False).ids(tokenizer, views.positions)
    # The file is trusted, so its markers count as markers.
    answer = [*tokenizer.encode_template(truth), tokenizer.eos]
    ids = torch.tensor([*prompt, *answer][: context + 1])
    targets = ids[1:].clone()
    targets[: len(prompt) - 1] = IGNORED
    tiles = to_pixels(views.tiles) if views.tiles else None
    return Pair(to_pixels([views.whole])[0], tiles, views.columns, ids[:-1], targets, len(truth))


def pairs(
    folder: Path, mode: str, tokenizer: Tokenizer, context: int, seed: int, start: int
) -> Iterator[Pair]:
    """Endless: all pairs, shuffled anew in each round, from number `start` on."""
    found = find_pairs(folder)
    number = start
    while True:
        order = Random(f"{seed}/{number // len(found)}").sample(found, len(found))
        yield load_pair(*order[number % len(found)], mode, tokenizer, context)
        number += 1


def pair_loss(model: OcrModel, pair: Pair, image: int) -> Tensor:
    """The next-token loss of one page."""
    device = model.device
    tiles = pair.tiles.to(device) if pair.tiles is not None else None
    tokens = model.encode_page(pair.whole.to(device), tiles, pair.columns)
    ids = pair.ids.to(device)
    first = int((ids == image).nonzero()[0])
    embedded = model.embed(ids[None])
    before, after = embedded[:, :first], embedded[:, first + len(tokens) :]
    logits = model(torch.cat([before, tokens[None].to(before.dtype), after], 1))
    return F.cross_entropy(logits[0], pair.targets.to(device), ignore_index=IGNORED)
