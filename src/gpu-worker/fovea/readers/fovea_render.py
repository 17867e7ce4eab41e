"""`fovea-render`: renders pages instead of reading them. Its result is the image that the encoder would see.

For a text document the result also has the part of the text on the page, its compression and the precision expected
when it is read back. The pages of a conversation have the size that the document asks for, in every mode, and their
blocks say where each message stands.

| variable | default | |
|---|---|---|
| `FOVEA_MAX_TILES` | 6 tiles | most tiles of the gundam mode |
"""

import io
import time
from dataclasses import replace
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
from fovea.vision.modes import DEEPSEEK_OCR, MAX_TILES, MODES
from fovea.vision.views import make_views, picture

RULES = b"fovea-render rules 2"
"""Part of the digest. Raise the number when the images or the numbers in the result change."""


class FoveaRender:
    name = "fovea-render"
    modes = ()
    takes_blank = True

    def __init__(self, settings: Settings | None = None) -> None:
        """`settings` default to those of the environment."""
        settings = settings or Settings.from_environment()
        self._layout = replace(DEEPSEEK_OCR, max_tiles=settings.max_tiles or MAX_TILES)
        self._tokenizer_dir = settings.deepseek_dir
        counted = count_tokens("", self._tokenizer_dir)[1]
        rules = [RULES.decode(), self._layout.max_tiles, counted, render.digest()]
        self.digest = "sha256:" + sha256(repr(rules).encode()).hexdigest()

    def check(self, request: ReadRequest) -> None:
        if request.mode not in ("auto", *MODES):
            raise InvalidOptions(f"fovea-render has the modes auto, {', '.join(MODES)}.")
        if request.task not in TASKS[self.name]:
            raise InvalidOptions(f"fovea-render has the task {', '.join(TASKS[self.name])}.")
        if request.prompt or request.witness:
            raise InvalidOptions("fovea-render does not support a prompt or a witness.")

    def read(self, raster: Raster, request: ReadRequest) -> PageResult:
        started = time.perf_counter()
        text = raster.source
        mode, image, counts = request.mode, raster.image, None
        if raster.stretches is not None:
            mode = "auto"  # the document says how large its pages are
        elif mode == "auto" and text is not None:
            mode = render.AUTO  # the mode for which the text was laid out
        if mode == "auto":
            mode = "native"
        else:
            views = make_views(image, mode, self._layout)
            image = picture(image, mode, self._layout)
            counts = {"positions": views.positions, "patches": views.patches, "valid": views.valid}
            if views.tiles:
                counts |= {"tiles": [views.columns, views.rows], "max_tiles": self._layout.max_tiles}
        warnings = []
        png, shrunk = encode_png(image)
        if shrunk:
            warnings.append(
                f"The image was too large to store and was reduced to {shrunk[0]} × {shrunk[1]} pixels "
                f"from {image.width} × {image.height}."
            )
        width, height = shrunk or image.size
        tokens = compression = None
        if text is not None:
            said = text if raster.stretches is None else "".join(block.text for block in raster.stretches)
            tokens, counted = count_tokens(said, self._tokenizer_dir)
            compression = tokens / counts["valid"] if counts else None
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
            vision_tokens=counts,
            text_tokens=tokens,
            compression=compression,
            expected_precision=None if compression is None else expected_precision(compression),
            blocks=list(raster.stretches or ()),
            markdown=text or "",
            finish_reason="blank" if blank else "stop",
            verdict="blank" if blank else "ok",
            warnings=warnings,
            attempts=[Attempt(mode, None, "blank" if blank else "stop")],
            timings_ms={"encode": (time.perf_counter() - started) * 1000},
            attachments={"image": png},
        )


def encode_png(image: Image.Image) -> tuple[bytes, tuple[int, int] | None]:
    """The image as PNG of at most `MAX_IMAGE_BYTES`, and its new size if it had to be reduced.

    An image without colors becomes a grey PNG.
    """
    pixels = np.asarray(image)
    if (pixels[..., :1] == pixels).all():
        image = image.getchannel(0)
    size, original = image.size, image
    while True:
        buffer = io.BytesIO()
        image.save(buffer, "PNG", optimize=False)
        if buffer.tell() <= MAX_IMAGE_BYTES:
            return buffer.getvalue(), None if image.size == size else image.size
        factor = 0.95 * (MAX_IMAGE_BYTES / buffer.tell()) ** 0.5
        small = tuple(max(1, int(side * factor)) for side in image.size)
        image = original.resize(small, Image.Resampling.BICUBIC)
