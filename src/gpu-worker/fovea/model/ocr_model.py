"""The complete model: from pixels to vision tokens, and from vision tokens and text to logits."""

import torch
from torch import Tensor, nn

from fovea.model.clip import Clip
from fovea.model.config import ModelConfig
from fovea.model.decoder import KvCache, Layer, RmsNorm, rotary, visible
from fovea.model.qwen import Qwen
from fovea.model.sam import Sam


class OcrModel(nn.Module):
    """Tensor names are those of the official checkpoint. To load weights, build it under `torch.device("meta")`."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        decoder = config.decoder
        self.model = nn.Module()
        self.model.sam_model = Sam(config.sam)
        if config.qwen:
            self.model.qwen2_model = Qwen(config.qwen)
            features = config.qwen.width
        else:
            self.model.vision_model = Clip(config.clip)
            self.model.image_newline = nn.Parameter(torch.zeros(decoder.width))
            features = 2 * config.clip.width
        self.model.projector = nn.Module()
        self.model.projector.layers = nn.Linear(features, decoder.width)
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
        """pixels (B, 3, H, W) in −1..1, H and W multiples of 64 -> (B, H/64 · W/64, C).

        The tokens are in row order or, with `qwen`, in the order of the queries.
        """
        # The encoder may have another type than the decoder (`encoder_to`).
        pixels = pixels.to(self.model.projector.layers.weight.dtype)
        local = self.model.sam_model(pixels)  # (B, C', h, w)
        if self.config.qwen:
            return self.model.projector.layers(self.model.qwen2_model(local))
        whole = self.model.vision_model(local)  # (B, h·w, C')
        return self.model.projector.layers(torch.cat([whole, local.flatten(2).transpose(1, 2)], -1))

    def encoder_to(self, dtype: torch.dtype) -> "OcrModel":
        """Casts only the encoder. On a CPU without bf16 instructions it is much faster in fp32."""
        second = self.model.qwen2_model if self.config.qwen else self.model.vision_model
        for part in (self.model.sam_model, second, self.model.projector):
            part.to(dtype)
        return self

    def with_newlines(self, grid: Tensor) -> Tensor:
        """A view's tokens (…, h, w, C) -> (…, h·(w + 1), C), with an `image_newline` after each row."""
        newline = self.model.image_newline.expand(*grid.shape[:-2], 1, -1).to(grid.dtype)
        return torch.cat([grid, newline], -2).flatten(-3, -2)

    def encode_page(self, whole: Tensor, tiles: Tensor | None = None, columns: int = 0) -> Tensor:
        """The vision tokens of a page, in the order of training.

        `whole` (3, S, S) is the page as one view. `tiles` (n, 3, T, T) are its tiles in row order, `columns` per row.
        Returns (positions, C): [tiles as one grid, or one after the other][whole][separator].
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
        parts = [whole.flatten(-3, -2) if self.config.qwen else self.with_newlines(whole)]
        if tiles is not None:
            parts.insert(0, tiles.flatten(0, 2) if self.config.qwen else self._stitched(tiles, columns))
        separator = self.model.view_seperator.expand(*whole.shape[:-3], 1, -1)
        return torch.cat([*parts, separator.to(parts[0].dtype)], -2)

    def _stitched(self, tiles: Tensor, columns: int) -> Tensor:
        """The tokens of tiles (n, t, t, C) as one grid with newlines (positions, C)."""
        s, rows = tiles.shape[1], len(tiles) // columns
        grid = tiles.view(rows, columns, s, s, -1)
        return self.with_newlines(grid.transpose(1, 2).reshape(rows * s, columns * s, -1))

    # -- text ------------------------------------------------------------------------------------------

    def embed(self, ids: Tensor) -> Tensor:
        """ids (B, T) -> (B, T, C)."""
        return self.model.embed_tokens(ids)

    def forward(self, embeddings: Tensor, prompt: int | None = None) -> Tensor:
        """embeddings (B, T, C) of complete sequences -> logits (B, T, V) in fp32.

        `prompt`: its length, for a model with a window; `None`: all positions are the prompt.
        """
        return self._head(self._layers(embeddings, None, prompt))

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
        if cache.prompt is None:
            cache.prompt = embeddings.shape[1]
        x = self._layers(embeddings, cache, cache.prompt)
        cache.length += embeddings.shape[1]
        return self._head(x[:, -1])

    def _layers(self, x: Tensor, cache: KvCache | None, prompt: int | None) -> Tensor:
        decoder = self.config.decoder
        start = cache.length if cache else 0
        end = start + x.shape[1]
        positions = torch.arange(end, device=x.device)
        window = decoder.window if prompt is not None and end > prompt else None
        mask = None
        if window or (start > 0 and x.shape[1] > 1):
            mask = visible(positions[start:], positions, prompt, window)
        place = rotary(positions[start:], decoder.head_dim, decoder.rope_theta)
        x = x.to(self.dtype)
        for number, layer in enumerate(self.model.layers):
            x = layer(x, place, number, cache, mask)
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
