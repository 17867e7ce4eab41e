"""The complete model: from pixels to vision tokens, and from vision tokens and text to logits."""

import torch
from torch import Tensor, nn

from fovea.model.clip import Clip
from fovea.model.config import ModelConfig
from fovea.model.decoder import KvCache, Layer, RmsNorm, rotary
from fovea.model.sam import Sam


class OcrModel(nn.Module):
    """Tensor names are those of the official checkpoint. To load weights, build it under `torch.device("meta")`."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        decoder = config.decoder
        self.model = nn.Module()
        self.model.sam_model = Sam(config.sam)
        self.model.vision_model = Clip(config.clip)
        self.model.projector = nn.Module()
        self.model.projector.layers = nn.Linear(2 * config.clip.width, decoder.width)
        self.model.image_newline = nn.Parameter(torch.zeros(decoder.width))
        self.model.view_seperator = nn.Parameter(torch.zeros(decoder.width))  # the spelling of the checkpoint
        self.model.embed_tokens = nn.Embedding(decoder.vocab, decoder.width)
        self.model.layers = nn.ModuleList(
            Layer(decoder, dense=i < decoder.dense_layers) for i in range(decoder.depth)
        )
        self.model.norm = RmsNorm(decoder.width, decoder.norm_eps)
        self.lm_head = nn.Linear(decoder.width, decoder.vocab, bias=False)

    DECODER = ("model.layers.", "model.norm.", "lm_head.")
    """What another engine than Fovea's can have instead (`fovea.engine.vllm_engine`)."""

    @property
    def device(self) -> torch.device:
        return self.model.view_seperator.device

    @property
    def dtype(self) -> torch.dtype:
        return self.model.view_seperator.dtype

    # -- vision ----------------------------------------------------------------------------------------

    def encode_view(self, pixels: Tensor) -> Tensor:
        """pixels (B, 3, H, W) in −1..1, H and W multiples of 64 -> (B, H/64 · W/64, C), in row order."""
        # The encoder may have another type than the decoder (`encoder_to`).
        pixels = pixels.to(self.model.projector.layers.weight.dtype)
        local = self.model.sam_model(pixels)  # (B, C', h, w)
        whole = self.model.vision_model(local)  # (B, h·w, C')
        return self.model.projector.layers(torch.cat([whole, local.flatten(2).transpose(1, 2)], -1))

    def encoder_to(self, dtype: torch.dtype) -> "OcrModel":
        """Casts only the encoder. On a CPU without bf16 instructions it is much faster in fp32."""
        for part in (self.model.sam_model, self.model.vision_model, self.model.projector):
            part.to(dtype)
        return self

    def with_newlines(self, grid: Tensor) -> Tensor:
        """A view's tokens (…, h, w, C) -> (…, h·(w + 1), C), with an `image_newline` after each row."""
        newline = self.model.image_newline.expand(*grid.shape[:-2], 1, -1).to(grid.dtype)
        return torch.cat([grid, newline], -2).flatten(-3, -2)

    def encode_page(self, whole: Tensor, tiles: Tensor | None = None, columns: int = 0) -> Tensor:
        """The vision tokens of a page, in the order of training.

        `whole` (3, S, S) is the page as one view. `tiles` (n, 3, T, T) are its tiles in row order, `columns` per row.
        Returns (positions, C): [tiles as one grid][whole][separator].
        """
        views = None if tiles is None or not len(tiles) else self.encode_grids(tiles)
        return self.arrange(self.encode_grids(whole[None])[0], views, columns)

    def encode_grids(self, pixels: Tensor) -> Tensor:
        """Like `encode_view`, with the result as a grid (B, H/64, W/64, C)."""
        return self.encode_view(pixels).view(len(pixels), pixels.shape[2] // 64, pixels.shape[3] // 64, -1)

    def arrange(self, whole: Tensor, tiles: Tensor | None = None, columns: int = 0) -> Tensor:
        """The second half of `encode_page`: arranges the tokens of the whole view (h, w, C) and the tiles (n, t, t, C).

        Pages without tiles can be a batch (B, h, w, C).
        """
        parts = [self.with_newlines(whole)]
        if tiles is not None:
            s, rows = tiles.shape[1], len(tiles) // columns
            grid = tiles.view(rows, columns, s, s, -1)
            grid = grid.transpose(1, 2).reshape(rows * s, columns * s, -1)  # the grid of the page
            parts.insert(0, self.with_newlines(grid))
        separator = self.model.view_seperator.expand(*whole.shape[:-3], 1, -1)
        return torch.cat([*parts, separator.to(parts[0].dtype)], -2)

    # -- text ------------------------------------------------------------------------------------------

    def embed(self, ids: Tensor) -> Tensor:
        """ids (B, T) -> (B, T, C)."""
        return self.model.embed_tokens(ids)

    def forward(self, embeddings: Tensor) -> Tensor:
        """embeddings (B, T, C) of complete sequences -> logits (B, T, V) in fp32."""
        return self._head(self._layers(embeddings, None))

    def new_cache(self, batch: int, capacity: int) -> KvCache:
        """A cache for `capacity` positions. Raises `ValueError` if that exceeds the context."""
        decoder = self.config.decoder
        if capacity > decoder.context:
            raise ValueError(f"{capacity} positions do not fit into a context of {decoder.context}")
        shape = (decoder.depth, batch, decoder.heads, capacity, decoder.head_dim)
        kind = {"dtype": self.dtype, "device": self.device}
        return KvCache(torch.empty(shape, **kind), torch.empty(shape, **kind))

    def step(self, embeddings: Tensor, cache: KvCache) -> Tensor:
        """Appends embeddings (B, T, C) to the cache. Returns the logits (B, V) of the last position in fp32."""
        if cache.length + embeddings.shape[1] > cache.capacity:
            raise ValueError("the cache is full")
        x = self._layers(embeddings, cache)
        cache.length += embeddings.shape[1]
        return self._head(x[:, -1])

    def _layers(self, x: Tensor, cache: KvCache | None) -> Tensor:
        decoder = self.config.decoder
        start = cache.length if cache else 0
        positions = torch.arange(start, start + x.shape[1], device=x.device)
        place = rotary(positions, decoder.head_dim, decoder.rope_theta)
        x = x.to(self.dtype)
        for number, layer in enumerate(self.model.layers):
            x = layer(x, place, number, cache)
        return x

    def _head(self, x: Tensor) -> Tensor:
        return self.lm_head(self.model.norm(x)).float()

    def init_weights(self, seed: int = 0, std: float = 0.02) -> "OcrModel":
        """Random weights and no biases, the same for the same seed; for tests and for training from scratch."""
        generator = torch.Generator().manual_seed(seed)
        for name, parameter in self.named_parameters():
            if parameter.dim() > 1 or name.endswith(("class_embedding", "image_newline", "view_seperator")):
                nn.init.normal_(parameter, std=std, generator=generator)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)
        return self
