"""Compares the encoder at its official size with the same architecture built from transformers, by mode.

    .venv/bin/python bench/encoder.py                      # tiny, small, base: some minutes, 5 GB
    .venv/bin/python bench/encoder.py --modes tiny,large --threads 1

Random weights in fp32. The reference consists of `SamVisionEncoder` (with the faster of its two attention kernels), the
two convolutions of the compressor, the layers of `CLIPVisionModel` and a linear projector. Both run in turns in one
process. Then compares one global attention layer of SAM, whose bias is made for some heads at a time, with the
written-out reference, each in its own process to measure its peak memory.
"""

import argparse
import csv
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
import transformers
from torch import Tensor, nn
from transformers.models.sam.modeling_sam import SamVisionEncoder

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src" / "gpu-worker"))
from fovea.model import ModelConfig, OcrModel  # noqa: E402
from fovea.model.sam import Attention  # noqa: E402

SIZES = {"tiny": 512, "small": 640, "base": 1024, "large": 1280}


def ours(config: ModelConfig) -> Callable[[Tensor], Tensor]:
    with torch.device("meta"):
        model = OcrModel(config)
    # Only the vision part is needed, so only it gets memory.
    for part in (model.model.sam_model, model.model.vision_model, model.model.projector):
        part.to_empty(device="cpu")
        for tensor in part.parameters():
            nn.init.normal_(tensor, std=0.02)
    return model.eval().encode_view


def theirs(config: ModelConfig, size: int, attention: str) -> Callable[[Tensor], Tensor]:
    sam, clip = config.sam, config.clip
    see = SamVisionEncoder(
        transformers.SamVisionConfig(
            hidden_size=sam.width,
            num_hidden_layers=sam.depth,
            num_attention_heads=sam.heads,
            mlp_dim=sam.mlp,
            mlp_ratio=sam.mlp / sam.width,
            image_size=size,
            patch_size=sam.patch,
            window_size=sam.window,
            global_attn_indexes=list(sam.global_blocks),
            output_channels=sam.neck,
            attn_implementation=attention,
        )
    ).eval()
    middle, out = sam.compressor
    compress = nn.Sequential(
        nn.Conv2d(sam.neck, middle, 3, 2, 1, bias=False), nn.Conv2d(middle, out, 3, 2, 1, bias=False)
    )
    vision = transformers.CLIPVisionModel(
        transformers.CLIPVisionConfig(
            hidden_size=clip.width,
            intermediate_size=clip.mlp,
            num_hidden_layers=clip.depth,
            num_attention_heads=clip.heads,
            image_size=224,
            patch_size=14,
            attn_implementation="sdpa",
        )
    ).eval()
    layers = getattr(vision, "vision_model", vision).encoder
    project = nn.Linear(clip.width + out, config.decoder.width)

    def encode(pixels: Tensor) -> Tensor:
        local = compress(see(pixels).last_hidden_state).flatten(2).transpose(1, 2)
        whole = torch.cat([local[:, :1], local], 1)  # the class token
        whole = layers(inputs_embeds=whole).last_hidden_state[:, 1:]
        return project(torch.cat([whole, local], -1))

    return encode


def seconds(run: Callable[[], object]) -> tuple[float, float]:
    """Wall-clock and CPU seconds."""
    clock, processor = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - clock, time.process_time() - processor


@torch.inference_mode()
def stacks(modes: list[str], rounds: int, threads: int) -> list[dict]:
    config = ModelConfig.deepseek_ocr()
    encode = ours(config)
    rows = []
    print(f"| mode | view | engine | transformers ({threads} threads) | engine over transformers |")
    print("|---|---|---|---|---|", flush=True)
    for mode in modes:
        size = SIZES[mode]
        pixels = torch.randn(1, 3, size, size)
        runs = {"engine": encode}
        runs |= {kind: theirs(config, size, kind) for kind in ("eager", "sdpa")}
        times: dict[str, list[float]] = {who: [] for who in runs}
        for run in runs.values():
            run(pixels)  # warm-up: resizes position tables, allocates memory
        for _ in range(rounds):
            for who, run in runs.items():
                times[who].append(seconds(lambda run=run, pixels=pixels: run(pixels))[0])
        best = min(("eager", "sdpa"), key=lambda who: statistics.median(times[who]))
        speed = {who: 1 / statistics.median(times[who]) for who in runs}
        ratio = statistics.median(b / a for a, b in zip(times["engine"], times[best], strict=True))
        rows.append(
            {
                "mode": mode,
                "pixels": size,
                "threads": threads,
                "engine pages/s": f"{speed['engine']:.3f}",
                "transformers pages/s": f"{speed[best]:.3f}",
                "transformers attention": best,
                "ratio": f"{ratio:.2f}",
            }
        )
        print(
            f"| {mode} | {size} px | {speed['engine']:.3f} pages/s | {speed[best]:.3f} pages/s ({best}) "
            f"| **{ratio:.2f}×** |",
            flush=True,
        )
    return rows


def folding(sizes: tuple[int, ...], threads: int) -> None:
    print("\n| one global layer, one view of | as it runs | written out | time | memory |")
    print("|---|---|---|---|---|")
    for size in sizes:
        found = {}
        for how in ("forward", "plain"):
            command = [sys.executable, __file__, "--layer", how, str(size), "--threads", str(threads)]
            found[how] = json.loads(
                subprocess.run(command, check=True, capture_output=True, text=True).stdout
            )
        fused, plain = found["forward"], found["plain"]
        print(
            f"| {size} px | {fused['s']:.2f} s, {fused['mb']:.0f} MB | {plain['s']:.2f} s, {plain['mb']:.0f} MB "
            f"| {plain['s'] / fused['s']:.2f}× | {plain['mb'] / fused['mb']:.1f}× |",
            flush=True,
        )


@torch.inference_mode()
def layer(how: str, size: int) -> None:
    """Prints the seconds of a call and how much it raises the process's peak memory."""
    sam = ModelConfig.deepseek_ocr().sam
    attention = Attention(sam.width, sam.heads, sam.grid).eval()
    for tensor in attention.parameters():
        nn.init.normal_(tensor, std=0.02)
    x = torch.randn(1, size // sam.patch, size // sam.patch, sam.width)
    getattr(attention, how)(torch.randn(1, 8, 8, sam.width))  # warm-up: loads kernels
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    first = seconds(lambda: getattr(attention, how)(x))[0]
    raised = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1000
    again = [seconds(lambda: getattr(attention, how)(x))[0] for _ in range(2)]
    print(json.dumps({"s": min(first, *again), "mb": raised}))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--modes", default="tiny,small,base")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, help="folder for encoder.csv")
    parser.add_argument("--layer", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.layer:
        layer(given.layer[0], int(given.layer[1]))
        return
    print("\n## The encoder\n")
    rows = stacks(given.modes.split(","), given.rounds, given.threads)
    folding((640, 1024), given.threads)
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        with (given.out / "encoder.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
