"""Checks the forecast of docs/research/GPU-PLAN.md on this machine. Run it with bench/gpu.sh.

After a self-test, times each stage by mode: encoding, prefill, and decode steps of several batch sizes. Pages/s are
computed from these times. The forecast of bench/roofline.py for the same modules on the same GPU is printed beside each
time and shows which assumption is off.
"""

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from roofline import (
    MODES,
    ROOT,
    SHEETS,
    Design,
    ModelConfig,
    Page,
    decoder_ops,
    encode_page_s,
    gpu,
    parameters,
)

from fovea.engine import Engine, NativeEngine
from fovea.engine.generate import Rules
from fovea.engine.sampling import TokenClasses
from fovea.engine.vllm_engine import VllmConfig, VllmEngine
from fovea.language.tokenizer import Tokenizer
from fovea.model import OcrModel, load_checkpoint
from fovea.readers.loading import engine_config
from fovea.readers.vision import VisionReader
from fovea.settings import Settings

MEAN = 1000  # text tokens a page
PROMPT = 12
EAGER = Design(folded=False, fused=False)  # what runs here: the modules in bf16, call by call


@dataclass(slots=True)
class Row:
    """Milliseconds; `decode` is one step of `batch` sequences. Forecasts are `None` without a data sheet."""

    mode: str
    batch: int
    encode: float
    prefill: float
    decode: float
    pages_s: float
    forecast_encode: float | None = None
    forecast_prefill: float | None = None
    forecast_decode: float | None = None
    forecast_pages_s: float | None = None


def clock(work: Callable[[], object], repeats: int) -> float:
    """Median seconds after one warm-up call, with device synchronization."""
    times = []
    for _ in range(repeats + 1):
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        started = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    return sorted(times[1:])[(len(times) - 1) // 2]


# -- self-test -------------------------------------------------------------------------------------------


def self_test(model: OcrModel, weights: Path | None) -> list[tuple[str, bool, str]]:
    """Triples of the statement, whether it holds, and the observed value."""
    found = []
    count = sum(parameter.numel() for parameter in model.parameters())
    expected = sum(parameters(model.config).values())
    found.append(("the parameter count is as computed", count == expected, f"{count:,}"))

    generator = torch.Generator().manual_seed(1)
    pixels = torch.rand(2, 3, 512, 512, generator=generator) * 2 - 1
    seen = model.encode_view(pixels.to(model.device))
    alone = model.encode_view(pixels[1:].to(model.device))
    found.append(near("a view has the same encoding alone and in a batch", seen[1:], alone))

    ids = torch.randint(10, model.config.decoder.vocab, (3, 20), generator=generator).to(model.device)
    cache = model.new_cache(3, 21)
    model.step(model.embed(ids), cache)
    batched = model.step(model.embed(ids[:, :1]), cache)
    whole = model.forward(model.embed(torch.cat([ids, ids[:, :1]], 1)))[:, -1]
    found.append(near("a cached step of a batch equals a full forward pass", batched, whole))
    if weights is not None:
        found.append(reads(model, weights))
    return found


def near(what: str, ours: torch.Tensor, theirs: torch.Tensor) -> tuple[str, bool, str]:
    difference = float((ours.float() - theirs.float()).abs().max() / theirs.float().abs().max())
    # On a GPU the weights are bf16, and kernels depend on the shape.
    most = 5e-2 if ours.device.type == "cuda" else 1e-4
    return what, difference < most, f"largest difference {difference:.1e} of the scale"


def reads(model: OcrModel, weights: Path) -> tuple[str, bool, str]:
    """Reads an example page with the official weights."""
    from fovea.pages.documents import open_document
    from fovea.readers.base import ReadRequest
    from fovea.readers.loading import LoadedModel
    from fovea.result.witness import agreement

    tokenizer = Tokenizer.from_file(weights / "tokenizer.json")
    reader = VisionReader(
        "deepseek-ocr", "sha256:" + "0" * 64, LoadedModel(model, Settings.from_environment()), tokenizer
    )
    raster = open_document((ROOT / "examples" / "paper.pdf").read_bytes(), 50_000_000).raster(1, 144)
    result = reader.read(raster, ReadRequest(mode="base", task="free"))
    truth = (ROOT / "examples" / "truth" / "paper.txt").read_text()
    share = agreement(result.markdown, truth) or 0.0
    return "a page is read in base mode", share > 0.9, f"{100 * share:.1f} % of its words, {result.verdict}"


# -- times -----------------------------------------------------------------------------------------------


def measure(model: OcrModel, mode: str, batches: list[int], repeats: int, name: str) -> list[Row]:
    config, page = model.config, Page.of(mode)
    group = 4 if model.device.type == "cuda" else 1
    kind = {"device": model.device, "dtype": model.model.projector.layers.weight.dtype}
    views = [torch.zeros(count * group, 3, side, side, **kind) for side, count in page.views]
    encode = clock(lambda: [model.encode_view(view) for view in views], repeats) / group
    length = page.positions + PROMPT
    prompt = torch.randn(1, length, config.decoder.width, **kind)
    prefill = clock(lambda: model.step(prompt, model.new_cache(1, length)), repeats)
    machine = gpu(name) if name in SHEETS else None
    rows = []
    for batch in batches:
        seen = min(length + MEAN // 2, config.decoder.context - 1)
        if not fits(model, batch, seen + 1):
            break
        cache = model.new_cache(batch, seen + 1)
        token = torch.randn(batch, 1, config.decoder.width, **kind)

        def step(cache=cache, token=token, seen=seen):
            cache.length = seen
            return model.step(token, cache)

        decode = clock(step, repeats)
        row = Row(
            mode, batch, 1e3 * encode, 1e3 * prefill, 1e3 * decode, rate(encode, prefill, decode, batch)
        )
        if machine:
            parts = (
                encode_page_s(machine, config, page, group, EAGER),
                machine.time(decoder_ops(config, length, 0, 1, EAGER)),
                machine.time(decoder_ops(config, 1, seen, batch, EAGER)),
            )
            row.forecast_encode, row.forecast_prefill, row.forecast_decode = (1e3 * part for part in parts)
            row.forecast_pages_s = rate(*parts, batch)
        rows.append(row)
        del cache
    return rows


def serve(
    model: OcrModel, weights: Path | None, mode: str, pages: int, tokens: int
) -> dict[str, float | str | int]:
    """Times the engine with `pages` prompts of a mode's length at once, each answered with `tokens` tokens unless it
    loops. Takes ownership of `model`. On a GPU, vLLM loads the decoder from `weights`. The first round is not counted.
    """
    decoder = model.config.decoder
    allowed = torch.ones(decoder.vocab, dtype=torch.bool)
    allowed[-1] = False  # the end token, so that answers reach their full length
    rules = Rules(allowed, decoder.vocab - 1, TokenClasses.of(Tokenizer.characters()))
    length = Page.of(mode).positions + PROMPT
    prompts = torch.randn(pages, length, decoder.width, device=model.device, dtype=model.dtype)
    seconds, sampled = 0.0, 0
    if model.device.type == "cuda":
        engine: Engine = VllmEngine(model, weights, rules, VllmConfig(max_new=tokens))
    else:
        engine = NativeEngine(model, rules, engine_config(tokens, Settings.from_environment()))
    with closing(engine):
        for _ in range(2):
            started = time.perf_counter()
            answers = [h.result() for h in [engine.submit(p, max_new=tokens) for p in prompts]]
            seconds = time.perf_counter() - started
            sampled = sum(answer.sampled for answer in answers)
    return {
        "mode": mode,
        "pages": pages,
        "positions": length,
        "tokens": sampled,
        "seconds": seconds,
        "tokens_s": sampled / seconds,
    }


def rate(encode: float, prefill: float, decode: float, batch: int) -> float:
    return 1 / (encode + prefill + MEAN * decode / batch)


def fits(model: OcrModel, batch: int, capacity: int) -> bool:
    decoder = model.config.decoder
    need = (
        2
        * decoder.depth
        * batch
        * decoder.heads
        * capacity
        * decoder.head_dim
        * model.lm_head.weight.element_size()
    )
    if model.device.type != "cuda":
        return need < 4 << 30
    free, _ = torch.cuda.mem_get_info()
    return need < 0.8 * free


def sheet_of(device: str) -> str:
    """The name of the GPU's data sheet in bench/roofline.py, or else the GPU's own name."""
    if device != "cuda":
        return platform.processor() or platform.machine()
    said = torch.cuda.get_device_name()
    known = {"H200": "H200", "H100 80GB HBM3": "H100", "A100-SXM4-40GB": "A100-40G"}
    return next((sheet for word, sheet in known.items() if word in said), said)


def table(rows: list[Row]) -> str:
    def pair(measured: float, forecast: float | None) -> str:
        return f"{measured:.2f}" if forecast is None else f"{measured:.2f} ({forecast:.2f})"

    lines = [
        "| mode | batch | encode ms/page | prefill ms/page | decode ms/step | pages/s |",
        f"|{'---|' * 6}",
    ]
    for row in rows:
        cells = (
            pair(row.encode, row.forecast_encode),
            pair(row.prefill, row.forecast_prefill),
            pair(row.decode, row.forecast_decode),
            pair(row.pages_s, row.forecast_pages_s),
        )
        lines.append(f"| {row.mode} | {row.batch} | {' | '.join(cells)} |")
    return "\n".join(lines)


@torch.inference_mode()
def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--tiny", action="store_true", help="a tiny random model: only tests the script")
    parser.add_argument(
        "--random", action="store_true", help="the official size with random weights: times only"
    )
    parser.add_argument("--weights", type=Path, help="folder of the official checkpoint")
    parser.add_argument("--batches", default="1,16,64,256,512")
    parser.add_argument("--modes", default=",".join(MODES))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "out")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        print(
            "PyTorch finds no CUDA device. --device cpu --tiny tests the script without one.", file=sys.stderr
        )
        return 1
    dtype = torch.bfloat16 if options.device == "cuda" else torch.float32
    if options.tiny:
        model = OcrModel(ModelConfig.tiny(context=2048)).init_weights().to(options.device, dtype)
    elif options.random:
        torch.set_default_dtype(dtype)
        with torch.device(options.device):
            model = OcrModel(ModelConfig.deepseek_ocr())
            for parameter in model.parameters():
                if parameter.dim() > 1:
                    torch.nn.init.normal_(parameter, std=0.02)
        torch.set_default_dtype(torch.float32)
    elif options.weights:
        with torch.device("meta"):
            model = OcrModel(ModelConfig.deepseek_ocr())
        load_checkpoint(model, options.weights, dtype, options.device)
    else:
        parser.error("one of --weights, --random and --tiny is required")
    model.eval()
    tests = self_test(model, None if options.tiny or options.random else options.weights)
    for what, holds, saw in tests:
        print(f"{'ok    ' if holds else 'FAILED'} {what}: {saw}", flush=True)
    if not all(holds for _, holds, _ in tests):
        print("The self-test failed, so nothing is measured.", file=sys.stderr)
        return 1
    name = sheet_of(options.device)
    batches = [int(number) for number in options.batches.split(",")]
    rows = []
    for mode in options.modes.split(","):
        rows += measure(model, mode, batches, options.repeats, "none" if options.tiny else name)
    if options.device == "cuda" and not options.weights:
        print(
            "Without --weights there is no checkpoint for vLLM: its speed is not measured.", file=sys.stderr
        )
        served = None
    else:
        pages, tokens = (8, 16) if options.tiny else (256, 128)
        served = serve(model, options.weights, "base", pages, tokens)
    text = table(rows)
    if served:
        text += (
            f"\n\nEngine, base mode: {served['pages']} pages of {served['positions']} positions at once, "
            f"{served['tokens']:,} tokens in {served['seconds']:.2f} s, {served['tokens_s']:,.0f} tokens/s, "
            "prefill included."
        )
    note = (
        "tiny random model: the figures are meaningless" if options.tiny else "in brackets: bench/roofline.py"
    )
    if options.random:
        note = f"random weights; {note}"
    head = f"{name}, torch {torch.__version__}, {MEAN} text tokens a page ({note})"
    options.out.mkdir(parents=True, exist_ok=True)
    facts = {"device": name, "torch": torch.__version__, "text_tokens": MEAN}
    facts |= {"tiny": options.tiny, "random": options.random}
    body = {**facts, "self_test": tests, "rows": [asdict(row) for row in rows], "engine": served}
    (options.out / "gpu.json").write_text(json.dumps(body, indent=1) + "\n")
    (options.out / "gpu.md").write_text(f"{head}\n\n{text}\n")
    print(f"\n{head}\n\n{text}\n\nwritten: {options.out}/gpu.json, gpu.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
