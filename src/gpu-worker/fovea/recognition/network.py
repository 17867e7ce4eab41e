"""Runs ONNX models that packages ship: with OpenVINO where it can be imported, with ONNX Runtime elsewhere.

OpenVINO has no wheel for every system that the worker runs on. docs/DEPLOY.md compares time, memory and size.
"""

import importlib
from pathlib import Path
from typing import Any

import numpy as np

OPENVINO, ONNXRUNTIME = "openvino", "onnxruntime"


def installed_runtime() -> str:
    """The runtime to use. A wheel can be installed and not load, because the system's libraries are too old."""
    try:
        importlib.import_module(OPENVINO)
    except ImportError:
        return ONNXRUNTIME
    return OPENVINO


class Network:
    """A model of one input, loaded from its file. Not thread-safe.

    Threads that wait do not spin, and none is bound to a core: several networks and processes share the cores. OpenVINO
    computes with float32 on every machine; it would take bfloat16 where the processor has it, and read other lines.
    """

    def __init__(self, path: Path, threads: int, runtime: str):
        """`runtime`: see `installed_runtime`."""
        self._request: Any = None
        if runtime == OPENVINO:
            import openvino

            model = openvino.Core().read_model(path)
            information = model.get_rt_info()
            written = information["framework"]["character"].value if "framework" in information else ""
            settings = {
                "INFERENCE_NUM_THREADS": threads,
                "NUM_STREAMS": 1,
                "ENABLE_CPU_PINNING": False,
                "INFERENCE_PRECISION_HINT": "f32",
            }
            self._request = openvino.compile_model(model, "CPU", settings).create_infer_request()
        else:
            import onnxruntime

            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
            options.enable_cpu_mem_arena = (
                False  # pages differ in size, and an arena keeps the largest of each
            )
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
            self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
            written = self._session.get_modelmeta().custom_metadata_map.get("character", "")
        self.characters: list[str] = written.splitlines()
        """What the model's classes stand for, from its file; empty if it does not say."""

    def __call__(self, batch: np.ndarray) -> list[np.ndarray]:
        """Outputs for a batch: (N, C, H, W) float32. They are valid until the next call. Blocks."""
        if self._request is None:
            return self._session.run(None, {self._session.get_inputs()[0].name: batch})
        self._request.infer([batch], share_inputs=True)
        return [tensor.data for tensor in self._request.output_tensors]
