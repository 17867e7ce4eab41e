"""`fovea-render`: reads nothing, and draws. Its answer is a page as the encoder sees it, as an image, with its tokens.

For texts it says which part of the text stands on the page, and how well that can be expected to be read back.

| variable | default | |
|---|---|---|
| `FOVEA_MAX_TILES` | 6 tiles | most tiles of the gundam mode |
"""

import io
import time
from hashlib import sha256

import numpy as np
from PIL import Image

from fovea.language.token_count import count_tokens
from fovea.pages import render
from fovea.pages.blank import is_blank
from fovea.pages.documents import Raster
from fovea.readers.base import TASKS, InvalidOptions, ReadRequest
from fovea.result.page_result import MAX_IMAGE_BYTES, Attempt, PageResult
from fovea.settings import Settings
from fovea.vision.compression import expected_precision
from fovea.vision.modes import MAX_TILES, MODES
from fovea.vision.views import make_views, picture

RULES = b"fovea-render rules 1"
"""Part of the digest: raise the number when the images or the figures beside them change."""


class FoveaRender:
    name = "fovea-render"
    modes = ()
    takes_blank = True

    def __init__(self, settings: Settings | None = None) -> None:
        """Without `settings` they are those of the environment."""
        settings = settings or Settings.from_environment()
        self._max_tiles = settings.max_tiles or MAX_TILES
        self._tokenizer_dir = settings.deepseek_dir
        counted = count_tokens("", self._tokenizer_dir)[1]
        rules = [RULES.decode(), self._max_tiles, counted, render.digest()]
        self.digest = "sha256:" + sha256(repr(rules).encode()).hexdigest()

    def check(self, request: ReadRequest) -> None:
        if request.mode not in ("auto", *MODES):
            raise InvalidOptions(f"fovea-render has the modes auto, {', '.join(MODES)}.")
        if request.task not in TASKS[self.name]:
            raise InvalidOptions(f"fovea-render has the task {', '.join(TASKS[self.name])}.")
        if request.prompt or request.witness:
            raise InvalidOptions("fovea-render takes no prompt and no witness.")

    def read(self, raster: Raster, request: ReadRequest) -> PageResult:
        started = time.perf_counter()
        text = raster.source
        mode, image, seen = request.mode, raster.image, None
        if mode == "auto" and text is not None:
            mode = render.AUTO  # which it was laid out for
        if mode == "auto":
            mode = "native"
        else:
            views = make_views(image, mode, self._max_tiles)
            image = picture(image, mode, self._max_tiles)
            seen = {"positions": views.positions, "patches": views.patches, "valid": views.valid}
            if views.tiles:
                seen |= {"tiles": [views.columns, views.rows], "max_tiles": self._max_tiles}
        warnings = []
        png, shrunk = encode_png(image)
        if shrunk:
            warnings.append(
                f"The image was made smaller to be kept: {shrunk[0]} × {shrunk[1]} pixels instead of "
                f"{image.width} × {image.height}."
            )
        width, height = shrunk or image.size
        tokens = compression = None
        if text is not None:
            tokens, counted = count_tokens(text, self._tokenizer_dir)
            compression = tokens / seen["valid"]
            if not counted:
                warnings.append("text_tokens is an estimate: this worker has no DeepSeek tokenizer.")
        blank = is_blank(raster.image) if text is None else not text.strip()
        return PageResult(
            page=raster.page,
            width=width,
            height=height,
            dpi=raster.dpi,
            model=self.name,
            model_digest=self.digest,
            mode=mode,
            vision_tokens=seen,
            text_tokens=tokens,
            compression=compression,
            expected_precision=None if compression is None else expected_precision(compression),
            markdown=text or "",
            finish_reason="blank" if blank else "stop",
            verdict="blank" if blank else "ok",
            warnings=warnings,
            attempts=[Attempt(mode, None, "blank" if blank else "stop")],
            timings_ms={"encode": (time.perf_counter() - started) * 1000},
            attachments={"image": png},
        )


def encode_png(image: Image.Image) -> tuple[bytes, tuple[int, int] | None]:
    """PNG, grey where the image is; and its size where it had to be made smaller to fit into `MAX_IMAGE_BYTES`."""
    pixels = np.asarray(image)
    if (pixels[..., :1] == pixels).all():
        image = image.getchannel(0)
    size, first = image.size, image
    while True:
        buffer = io.BytesIO()
        image.save(buffer, "PNG", optimize=False)
        if buffer.tell() <= MAX_IMAGE_BYTES:
            return buffer.getvalue(), None if image.size == size else image.size
        factor = 0.95 * (MAX_IMAGE_BYTES / buffer.tell()) ** 0.5
        small = tuple(max(1, int(side * factor)) for side in image.size)
        image = first.resize(small, Image.Resampling.BICUBIC)
