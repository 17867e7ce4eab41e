"""The choice of the device. There is no GPU here: what PyTorch says of one is put in its place."""

import pytest
import torch

from fovea.readers import device
from fovea.settings import Settings

VERSION = """NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.82.07  Wed Aug 27 18:00:12 UTC 2025
GCC version:  gcc version 13.3.0
"""


@pytest.fixture
def card(monkeypatch, tmp_path):
    """A build for CUDA and a card, of which a test may take something away."""
    (tmp_path / "version").write_text(VERSION)
    monkeypatch.setattr(device, "DRIVER", tmp_path / "version")
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    answers = {
        "is_available": True,
        "get_device_capability": (8, 9),
        "get_device_name": "NVIDIA L4",
        "mem_get_info": (21_500_000_000, 23_600_000_000),
    }

    def answer(name, value):
        monkeypatch.setattr(torch.cuda, name, lambda *_: value)

    for name, value in answers.items():
        answer(name, value)
    return answer


def test_a_gpu_is_used_and_described(card):
    for name in (None, "cuda"):
        assert device.device_of(Settings(device=name)).type == "cuda"
    line = device.describe(torch.device("cuda"))
    assert line.startswith(
        "NVIDIA L4, compute capability 8.9, driver 580.82.07, CUDA 13.0, 21.5 of 23.6 GB free, PyTorch "
    )


def test_cpu_means_cpu(card):
    assert device.device_of(Settings(device="cpu")).type == "cpu"
    assert "CPU (by the settings)" in device.describe(torch.device("cpu"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("build", "is a build for CPUs"),
        ("driver", "there is no NVIDIA driver"),
        ("old driver", "finds no GPU with driver 580.82.07"),
        ("old card", "has compute capability 7.0; at least 7.5"),
    ],
)
def test_cuda_is_refused_with_the_reason_and_otherwise_a_cpu_is_taken(card, monkeypatch, change, words):
    if change == "build":
        monkeypatch.setattr(torch.version, "cuda", None)
    elif change == "old card":
        card("get_device_capability", (7, 0))
    else:
        card("is_available", False)
    if change == "driver":
        device.DRIVER.unlink()
    with pytest.raises(ValueError, match=f"FOVEA_DEVICE is cuda, but .*{words}"):
        device.device_of(Settings(device="cuda"))
    assert device.device_of(Settings()).type == "cpu"
    assert words in device.describe(torch.device("cpu"))
