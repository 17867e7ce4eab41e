"""A page as vision tokens: what the encoder makes, and all that any later question needs of the page.

They can be kept (`save`) and taken up again (`load`) by the same model: the file is safetensors with the
tensor `vision_tokens` (positions, C) and, as metadata, what belongs to it. Tokens of another model mean nothing
to this one, so a file with another digest is refused.
"""

import itertools
import json
from collections.abc import Hashable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from fovea.contract import CONTRACT

FORMAT: str = CONTRACT["tokens_format"]
_numbers = itertools.count()


class SeenError(ValueError):
    """The bytes are not vision tokens that this model can read. The message is for the person who sent them."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Embeddings (positions, C), newlines and separator included."""

    embeddings: torch.Tensor
    patches: int
    valid: int
    tiles: tuple[int, int] | None = None  # (columns, rows) where the page was cut into tiles
    max_tiles: int | None = None  # the most that could have been
    key: Hashable = field(default_factory=lambda: next(_numbers), compare=False)
    """Equal only for equal tokens: questions to the same page share its place in the cache."""

    @property
    def positions(self) -> int:
        return len(self.embeddings)

    def counts(self) -> dict[str, Any]:
        counts: dict[str, Any] = {"positions": self.positions, "patches": self.patches, "valid": self.valid}
        if self.tiles:
            counts["tiles"] = list(self.tiles)
        if self.max_tiles:
            counts["max_tiles"] = self.max_tiles
        return counts


def save_seen(seen: Seen, *, digest: str, mode: str, page: int) -> bytes:
    """The file, in the precision in which the tokens were made, so that a later answer is the same as a fresh
    one. `digest` names the model that made them.
    """
    metadata = {
        "format": FORMAT,
        "model_digest": digest,
        "mode": mode,
        "page": str(page),
        "counts": json.dumps(seen.counts()),
    }
    tokens = seen.embeddings.detach().cpu().contiguous()
    return save({"vision_tokens": tokens}, metadata)


def load_seen(data: bytes, *, digest: str, width: int) -> tuple[Seen, str, int]:
    """The tokens, their mode and page. Raises `SeenError` for anything but tokens (positions, `width`) that
    the model `digest` has made."""
    try:
        head = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        metadata = head.get("__metadata__", {})
        if metadata.get("format") != FORMAT:
            raise SeenError("this is no file of vision tokens")
        if metadata["model_digest"] != digest:
            raise SeenError("these vision tokens were made by another model")
        tokens = load(data)["vision_tokens"]
        counts = json.loads(metadata["counts"])
        tiles = counts.get("tiles")
        mode, page = metadata["mode"], int(metadata["page"])
        numbers = [counts["patches"], counts["valid"], counts.get("max_tiles") or 1, page, *(tiles or [1, 1])]
    except SeenError:
        raise
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise SeenError("the file of vision tokens is broken") from None
    good = tokens.dim() == 2 and tokens.shape[1] == width and tokens.is_floating_point() and len(tokens) > 0
    if (
        not good
        or not all(isinstance(n, int) and n > 0 for n in numbers)
        or counts["positions"] != len(tokens)
    ):
        raise SeenError("the file of vision tokens does not hold what it says")
    if not torch.isfinite(tokens).all():
        raise SeenError("the vision tokens are not finite")
    # Named by content: who sends tokens cannot choose a name that somebody else's page has.
    key = sha256(tokens.contiguous().flatten().view(torch.uint8).numpy()).hexdigest()
    size = tuple(tiles) if tiles else None
    seen = Seen(tokens, counts["patches"], counts["valid"], size, counts.get("max_tiles"), key)
    return seen, mode, page
