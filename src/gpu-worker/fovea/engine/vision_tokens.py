"""The vision tokens of a page, and their file format.

Vision tokens are all that later prompts need of a page. The file is safetensors with the tensor `vision_tokens`
(positions, C) and metadata. Only the model that made the tokens can use them, so a file with another digest is refused.
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


class VisionTokensError(ValueError):
    """The bytes are not vision tokens of this model. Clients see the message."""


@dataclass(frozen=True, slots=True)
class VisionTokens:
    """`embeddings` (positions, C) include newlines and the separator."""

    embeddings: torch.Tensor
    patches: int
    valid: int
    tiles: tuple[int, int] | None = None  # (columns, rows) if the page was cut into tiles
    max_tiles: int | None = None  # the limit of tiles at encoding
    key: Hashable = field(default_factory=lambda: next(_numbers), compare=False)
    """Equal only for equal tokens. Prompts with the same key share a prefix in the KV cache."""

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


def save_tokens(seen: VisionTokens, *, digest: str, mode: str, page: int) -> bytes:
    """The file. It keeps the precision of the tokens, so that answers are the same. `digest` is that of the model."""
    metadata = {
        "format": FORMAT,
        "model_digest": digest,
        "mode": mode,
        "page": str(page),
        "counts": json.dumps(seen.counts()),
    }
    tokens = seen.embeddings.detach().cpu().contiguous()
    return save({"vision_tokens": tokens}, metadata)


def load_tokens(data: bytes, *, digest: str, width: int) -> tuple[VisionTokens, str, int]:
    """The tokens (positions, `width`), their mode and page.

    Raises `VisionTokensError` if the file is not valid or was not made by the model `digest`.
    """
    try:
        head = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        metadata = head.get("__metadata__", {})
        if metadata.get("format") != FORMAT:
            raise VisionTokensError("this is not a file of vision tokens")
        if metadata["model_digest"] != digest:
            raise VisionTokensError("these vision tokens were made by another model")
        tokens = load(data)["vision_tokens"]
        counts = json.loads(metadata["counts"])
        tiles = counts.get("tiles")
        mode, page = metadata["mode"], int(metadata["page"])
        numbers = [counts["patches"], counts["valid"], counts.get("max_tiles") or 1, page, *(tiles or [1, 1])]
    except VisionTokensError:
        raise
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise VisionTokensError("the file of vision tokens is broken") from None
    good = tokens.dim() == 2 and tokens.shape[1] == width and tokens.is_floating_point() and len(tokens) > 0
    if (
        not good
        or not all(isinstance(n, int) and n > 0 for n in numbers)
        or counts["positions"] != len(tokens)
    ):
        raise VisionTokensError("the file of vision tokens does not match its metadata")
    if not torch.isfinite(tokens).all():
        raise VisionTokensError("the vision tokens are not finite")
    # The key is a hash of the contents, so a client cannot choose the key of another client's page.
    key = sha256(tokens.contiguous().flatten().view(torch.uint8).numpy()).hexdigest()
    size = tuple(tiles) if tiles else None
    seen = VisionTokens(tokens, counts["patches"], counts["valid"], size, counts.get("max_tiles"), key)
    return seen, mode, page
