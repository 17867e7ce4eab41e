"""The official architecture at full size, from a random checkpoint, on this machine.

    .venv/bin/python bench/full_size.py FOLDER      # writes and deletes 6.7 GB below FOLDER

Measures load time, peak memory, encoding and decoding. Random weights take the same time per token as trained ones, but
their output is meaningless.
"""

import argparse
import os
import platform
import resource
import shutil
import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src" / "gpu-worker"))
from fovea.model import ModelConfig, OcrModel, load_checkpoint, save_checkpoint

TOKENS = 8


def peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def clock(what: str, work):
    started = time.perf_counter()
    value = work()
    print(f"| {what} | {time.perf_counter() - started:.2f} s | {peak_gb():.2f} GB |", flush=True)
    return value


def write_random(folder: Path) -> None:
    """Runs in a child process, so that its memory does not count."""
    with torch.device("meta"):
        model = OcrModel(ModelConfig.deepseek_ocr())
    model.to(torch.bfloat16)
    model.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(0)
    for name, parameter in model.named_parameters():
        if "norm" in name and name.endswith("weight"):
            parameter.data.fill_(1.0)
        else:
            parameter.data.normal_(std=0.02, generator=generator)
    save_checkpoint(model, folder)


@torch.inference_mode()
def measure(folder: Path) -> None:
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__},")
    print(f"{torch.get_num_threads()} threads; decoder in bf16, encoder in bf16 and fp32\n")
    print("| step | time | peak memory so far |\n|---|---|---|")

    def load():
        with torch.device("meta"):
            model = OcrModel(ModelConfig.deepseek_ocr())
        load_checkpoint(model, folder)
        return model.eval()

    model = clock("load 6.67 GB, with digest", load)
    cache = model.new_cache(1, 1024)
    ids = torch.arange(100, 200)[None]
    clock("prefill 100 tokens", lambda: model.step(model.embed(ids), cache))

    def decode():
        for token in range(TOKENS):
            model.step(model.embed(torch.tensor([[token]])), cache)

    clock(f"decode {TOKENS} tokens, one by one", decode)
    clock("encode 512 × 512, bf16", lambda: model.encode_view(torch.zeros(1, 3, 512, 512)))
    model.encoder_to(torch.float32)
    for side in (512, 1024):
        clock(
            f"encode {side} × {side}, fp32",
            lambda side=side: model.encode_view(torch.zeros(1, 3, side, side)),
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="a folder with 6.7 GB of free space")
    folder = parser.parse_args().folder / "fovea-full-size"
    child = os.fork()
    if child == 0:
        write_random(folder)
        os._exit(0)
    try:
        if os.waitpid(child, 0)[1] != 0:
            sys.exit("the random checkpoint could not be written")
        measure(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
