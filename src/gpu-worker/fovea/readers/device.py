"""The device that models run on, and the facts about it that an operator needs."""

import re
from pathlib import Path

import torch

from fovea.settings import Settings

DRIVER = Path("/proc/driver/nvidia/version")
LEAST_CAPABILITY = (7, 5)
"""Turing (T4): PyTorch's builds for CUDA 13 have no kernels for older cards."""


def device_of(settings: Settings) -> torch.device:
    """CUDA if there is a usable GPU, unless `FOVEA_DEVICE` says `cpu`.

    Raises `ValueError` if `FOVEA_DEVICE` is `cuda` and there is none: a worker that was meant for a GPU must not be a
    hundred times as slow without a word.
    """
    if settings.device == "cpu":
        return torch.device("cpu")
    fault = cuda_fault()
    if not fault:
        return torch.device("cuda")
    if settings.device == "cuda":
        raise ValueError(f"FOVEA_DEVICE is cuda, but {fault}")
    return torch.device("cpu")


def cuda_fault() -> str:
    """Why models cannot run on a GPU; empty if they can."""
    if torch.version.cuda is None:
        return f"PyTorch {torch.__version__} is a build for CPUs"
    if not torch.cuda.is_available():
        driver = driver_version()
        if not driver:
            return "there is no NVIDIA driver; a container needs `--gpus all`"
        return f"PyTorch for CUDA {torch.version.cuda} finds no GPU with driver {driver}: it may be too old"
    capability = torch.cuda.get_device_capability()
    if capability < LEAST_CAPABILITY:
        needed = ".".join(map(str, LEAST_CAPABILITY))
        name = torch.cuda.get_device_name()
        return f"{name} has compute capability {capability[0]}.{capability[1]}; at least {needed} is needed"
    return ""


def driver_version() -> str:
    """Version of the NVIDIA driver; empty if there is none."""
    try:
        found = re.search(r"\d+\.\d+(\.\d+)?", DRIVER.read_text().partition("\n")[0].partition("Module")[2])
    except OSError:
        return ""
    return found[0] if found else ""


def describe(device: torch.device) -> str:
    """One line: card, compute capability, driver, CUDA, memory and PyTorch; of a CPU why it is no GPU."""
    if device.type != "cuda":
        return f"CPU ({cuda_fault() or 'by the settings'}), PyTorch {torch.__version__}"
    free, total = torch.cuda.mem_get_info(device)
    major, minor = torch.cuda.get_device_capability(device)
    return (
        f"{torch.cuda.get_device_name(device)}, compute capability {major}.{minor}, driver {driver_version()}, "
        f"CUDA {torch.version.cuda}, {free / 1e9:.1f} of {total / 1e9:.1f} GB free, PyTorch {torch.__version__}"
    )
