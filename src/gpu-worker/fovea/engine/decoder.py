"""The decoder over a paged cache: computes many sequences of different lengths in one call.

Tests compare its results to the reference in `fovea.model`.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from fovea.engine.config import EngineConfig
from fovea.engine.kv_cache import PagedKv
from fovea.engine.weights import Weights, fuse, suitable
from fovea.model import OcrModel
from fovea.model.decoder import rotary


@dataclass(frozen=True, slots=True)
class Chunk:
    """Positions `start` to `start + len(inputs)` of a sequence, and its blocks up to the end of the chunk. `prompt`:
    length of the sequence's prompt; the other positions were generated before a preemption.
    """

    inputs: Tensor  # (T, C)
    start: int
    blocks: list[int]
    prompt: int


class PagedDecoder:
    """`in_place=False` selects the reference attention over the cache; tests compare the two."""

    def __init__(self, model: OcrModel, config: EngineConfig, int8: bool = False, in_place: bool = True):
        decoder = model.config.decoder
        self.config, self.device, self.in_place = decoder, model.device, in_place
        self.dtype = torch.float32 if int8 else model.dtype
        per_block = PagedKv.bytes_per_block(decoder, config.block, self.dtype)
        self.blocks = config.kv_bytes // per_block + 1  # block 0 is reserved
        self.cache = PagedKv(decoder, self.blocks, config.block, config.max_batch, self.dtype, self.device)
        self.weights: Weights = fuse(model, "int8" if int8 else suitable(model))
        cos, sin = rotary(
            torch.arange(decoder.context + 1, device=self.device), decoder.head_dim, decoder.rope_theta
        )
        half = decoder.head_dim // 2
        self._cos = cos[:, None, None]  # (positions, 1, 1, D)
        self._sin = torch.cat([-sin[:, :half], sin[:, half:]], -1)[:, None, None]

    def embed(self, ids: Tensor) -> Tensor:
        """ids (…) -> (…, C)."""
        return F.embedding(ids, self.weights.embedding).to(self.dtype)

    # -- prefill ---------------------------------------------------------------------------------------

    def prefill(self, chunks: list[Chunk]) -> Tensor:
        """Computes chunks of several sequences. Returns the logits (len(chunks), V) of each chunk's last position."""
        lengths = [len(chunk.inputs) for chunk in chunks]
        longest, width = max(lengths), max(len(chunk.blocks) for chunk in chunks)
        device, size = self.device, self.cache.block
        table = torch.tensor([c.blocks + [0] * (width - len(c.blocks)) for c in chunks], device=device)
        starts = torch.tensor([chunk.start for chunk in chunks], device=device)
        counts = torch.tensor(lengths, device=device)
        prompts = torch.tensor([chunk.prompt for chunk in chunks], device=device)
        steps = torch.arange(longest, device=device)
        places = starts[:, None] + steps  # (B, T)
        real = steps < counts[:, None]  # (B, T)
        positions = places[real]  # (N,)
        block = table.gather(1, (places // size).clamp(max=width - 1))[real]
        x = torch.cat([chunk.inputs for chunk in chunks]).to(self.dtype)

        def attend(layer: int, q: Tensor) -> Tensor:
            padded = q.new_zeros(len(chunks), longest, *q.shape[1:])  # (B, T, heads, D)
            padded[real] = q
            out = self.cache.attend_gathered(layer, padded.transpose(1, 2), table, places, prompts)
            return out.transpose(1, 2)[real]

        x = self._layers(x, positions, block, positions % size, attend)
        return self._head(x[counts.cumsum(0) - 1])

    # -- decode ----------------------------------------------------------------------------------------

    def decode(self, tokens: Tensor, high: int) -> Tensor:
        """The next token of the first n rows: tokens (n,) -> logits (n, V). `high`: see `PagedKv.step`."""
        step = self.cache.step(len(tokens), high)
        positions = self.cache.lengths[: len(tokens)] - 1

        def attend(layer: int, q: Tensor) -> Tensor:
            if self.in_place:
                return self.cache.attend_in_place(layer, q, step)
            table = self.cache.table[: len(tokens)]
            prompts = self.cache.prompts[: len(tokens)]
            return self.cache.attend_gathered(
                layer, q[:, :, None], table, positions[:, None], prompts
            ).squeeze(2)

        x = self.embed(tokens)
        return self._head(self._layers(x, positions, step.block, step.offset, attend))

    # -- prefill and decode ----------------------------------------------------------------------------

    def _layers(self, x: Tensor, positions: Tensor, block: Tensor, offset: Tensor, attend) -> Tensor:
        """x (N, C), positions of any sequences -> (N, C)."""
        heads, width = self.config.heads, self.config.head_dim
        cos, sin = self._cos[positions], self._sin[positions]
        for number, layer in enumerate(self.weights.layers):
            qkv = layer.qkv(self._norm(x, layer.norm1)).view(len(x), 3, heads, width)
            qk = qkv[:, :2]
            qk = (qk * cos + qk.roll(width // 2, -1) * sin).to(x.dtype)
            self.cache.write(number, block, offset, qk[:, 1], qkv[:, 2])
            x = x + layer.out(attend(number, qk[:, 0]).reshape(len(x), heads * width))
            x = x + layer.mlp(self._norm(x, layer.norm2))
        return x

    def _norm(self, x: Tensor, weight: Tensor) -> Tensor:
        if x.dtype == torch.float32:
            return F.rms_norm(x, weight.shape, weight, self.config.norm_eps)
        wide = x.float()
        return weight * F.rms_norm(wide, weight.shape, None, self.config.norm_eps).to(x.dtype)

    def _head(self, x: Tensor) -> Tensor:
        return self.weights.head(self._norm(x, self.weights.norm)).float()
