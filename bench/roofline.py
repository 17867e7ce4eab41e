"""A roofline model: counts the bytes and operations of encoding, prefill and decoding, and predicts how long a machine
of known speed takes for them.

All counts follow from `ModelConfig`. A machine is described by its speeds of matrix products, attention and memory,
and by its time per kernel call. The time of an operation is the slower of arithmetic and memory, plus its calls.

    .venv/bin/python bench/roofline.py counts      # prints the counts
    .venv/bin/python bench/roofline.py validate    # predicts the times of two models on this CPU and measures them
    .venv/bin/python bench/forecast.py             # pages/s of three GPUs by mode
"""

import argparse
import itertools
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src" / "gpu-worker"))

from fovea.model.config import ClipConfig, DecoderConfig, ModelConfig, SamConfig  # noqa: E402
from fovea.vision.modes import MODES, TILE, tile_grid  # noqa: E402

A4 = (1191, 1684)  # pixels at 144 dpi


@dataclass(frozen=True, slots=True)
class Op:
    """`rows`: rows of the left matrix, which determine the speed of a matrix product."""

    name: str
    kind: str  # gemm, attention, stream (element by element), gelu
    flops: float
    bytes: float
    rows: float = 1.0
    calls: int = 1


@dataclass(frozen=True, slots=True)
class Design:
    """How the operations are implemented.

    `folded`: relative positions are folded into queries and keys, which makes both wider; otherwise they are a bias,
    whose memory traffic is not counted (fovea/model/sam.py). `fused`: experts are grouped products, norms and
    activations are one kernel each, and a step is replayed as a graph; otherwise each is a separate call from Python.
    `element`: bytes of a weight or an activation; `kv_element` and `expert_element`: bytes of a cached value and of a
    routed expert's weight.
    """

    folded: bool = True
    fused: bool = True
    element: int = 2
    kv_element: int = 2
    expert_element: int = 2


EAGER = Design(folded=False, fused=False, element=4, kv_element=4, expert_element=4)
"""This repository's modules on a CPU in fp32."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Achieved speeds, not those of the data sheet. `gemm`: FLOP/s by rows; `attention`: FLOP/s by head width;
    `stream`: bytes/s of element-wise operations; `gelu`: bytes/s of those with an exponential or an error function.
    """

    name: str
    gemm: Callable[[float], float]
    attention: Callable[[float], float]
    bandwidth: float  # bytes/s of weights and caches
    stream: float
    gelu: float
    call_s: float
    memory: float = math.inf  # bytes

    def time(self, ops: Iterable[Op]) -> float:
        """Seconds for all operations in sequence."""
        return sum(self.time_of(op) for op in ops)

    def time_of(self, op: Op) -> float:
        if op.kind in ("stream", "gelu"):
            work = op.bytes / (self.stream if op.kind == "stream" else self.gelu)
        else:
            rate = self.gemm(op.rows) if op.kind == "gemm" else self.attention(op.rows)
            work = max(op.flops / rate, op.bytes / self.bandwidth)
        return work + op.calls * self.call_s


# -- parameters ------------------------------------------------------------------------------------------


def parameters(config: ModelConfig) -> dict[str, int]:
    """Parameter counts by part; their sum is the size of the checkpoint."""
    sam, clip, decoder = config.sam, config.clip, config.decoder
    head = sam.width // sam.heads
    patch = 3 * sam.patch**2 * sam.width + sam.width
    blocks = 0
    for i in range(sam.depth):
        grid = sam.grid if i in sam.global_blocks else sam.window
        attention = 4 * sam.width**2 + 4 * sam.width + 2 * (2 * grid - 1) * head
        blocks += attention + 2 * sam.width * sam.mlp + sam.mlp + sam.width + 4 * sam.width
    middle, out = sam.compressor
    neck = sam.width * sam.neck + 9 * sam.neck**2 + 4 * sam.neck
    layer = 4 * clip.width**2 + 4 * clip.width + 2 * clip.width * clip.mlp + clip.mlp + clip.width
    clip_embeddings = clip.width + (clip.grid**2 + 1) * clip.width
    clip_embeddings += 3 * clip.patch**2 * clip.width if clip.patch else 0
    inner = decoder.heads * decoder.head_dim
    attention = 4 * decoder.width * inner
    expert = 3 * decoder.width * decoder.expert_mlp
    mixture = decoder.experts * (expert + decoder.width) + 3 * decoder.width * decoder.shared_mlp
    dense = 3 * decoder.width * decoder.dense_mlp
    sparse_layers = decoder.depth - decoder.dense_layers
    return {
        "sam": patch + sam.grid**2 * sam.width + blocks + neck + 9 * (sam.neck * middle + middle * out),
        "clip": clip_embeddings + 2 * clip.width + clip.depth * (layer + 4 * clip.width),
        "projector": 2 * clip.width * decoder.width + decoder.width,
        "newline, separator": 2 * decoder.width,
        "embeddings": decoder.vocab * decoder.width,
        "head": decoder.vocab * decoder.width,
        "decoder": decoder.depth * (attention + 2 * decoder.width)
        + decoder.dense_layers * dense
        + sparse_layers * mixture
        + decoder.width,
    }


def kv_bytes(config: ModelConfig, design: Design) -> int:
    """Bytes of one cached token."""
    decoder = config.decoder
    return 2 * decoder.depth * decoder.heads * decoder.head_dim * design.kv_element


def weight_bytes(config: ModelConfig, design: Design) -> float:
    decoder = config.decoder
    routed = decoder.experts * 3 * decoder.width * decoder.expert_mlp * (decoder.depth - decoder.dense_layers)
    total = sum(parameters(config).values())
    return (total - routed) * design.element + routed * design.expert_element


# -- operations ------------------------------------------------------------------------------------------


def linear(
    name: str, rows: float, inner: int, outer: int, element: float, count: float = 1, bias: bool = False
) -> Op:
    """`count` products of (rows, inner) × (inner, outer), each with its own weights."""
    moved = count * element * (inner * outer + rows * (inner + outer))
    return Op(name, "gemm", 2 * count * rows * inner * outer, moved, rows, max(1, round(count)))


def stream(name: str, values: float, element: float, passes: int, calls: int = 1) -> Op:
    """An element-wise operation that reads or writes `values` values `passes` times."""
    return Op(name, "stream", 0.0, values * element * passes, calls=calls)


def sam_ops(config: ModelConfig, side: int, batch: int, design: Design) -> Iterator[Op]:
    """`batch` views of `side` px through SAM and the compressor."""
    sam, e = config.sam, design.element
    grid = side // sam.patch
    n, c = batch * grid**2, sam.width
    head = c // sam.heads
    yield linear("patches", n, 3 * sam.patch**2, c, e)
    for i in range(sam.depth):
        whole = i in sam.global_blocks
        window = grid if whole else sam.window
        padded = grid if whole else math.ceil(grid / window) * window
        tokens, keys = batch * padded**2, window**2
        yield stream("norm", n * c, e, 2)
        if not whole:
            yield stream("windows", tokens * c, e, 4, 4)
        yield linear("qkv", tokens, c, 3 * c, e)
        # q · table for rows and for columns: (window, head) × (head, window) for each line of the grid
        products = Op(
            "relative positions",
            "attention",
            2 * tokens * c * 2 * window,
            e * tokens * (2 * c + 2 * sam.heads * window),
            head,
            2 if design.fused else 8,
        )
        yield products
        width = head
        if design.folded:
            width = math.ceil((head + 2 * window) / 8) * 8
            # Scaling, concatenation and padding read and write queries and keys twice and values once.
            yield stream("folding", tokens * sam.heads * width, e, 8, 2 if design.fused else 9)
        yield Op(
            "attention",
            "attention",
            4 * tokens * keys * sam.heads * width,
            e * 4 * tokens * sam.heads * width,
            width,
        )
        yield stream("merge heads", tokens * c, e, 2)
        yield linear("proj", tokens, c, c, e)
        yield stream("residual, norm", n * c, e, 5, 2)
        yield linear("mlp in", n, c, sam.mlp, e)
        yield Op("gelu", "gelu", 0.0, 2 * n * sam.mlp * e)
        yield linear("mlp out", n, sam.mlp, c, e)
        yield stream("residual", n * c, e, 3)
    middle, out = sam.compressor
    yield linear("neck 1×1", n, c, sam.neck, e)
    yield linear("neck 3×3", n, 9 * sam.neck, sam.neck, e)
    yield stream("neck norms", n * sam.neck, e, 4, 6)
    yield linear("compressor 2", n // 4, 9 * sam.neck, middle, e)
    yield linear("compressor 3", n // 16, 9 * middle, out, e)


def clip_ops(config: ModelConfig, side: int, batch: int, design: Design) -> Iterator[Op]:
    """CLIP and the projector, over `batch` views of `side` px."""
    clip, e, c = config.clip, design.element, config.clip.width
    each = (side // 64) ** 2 + 1
    n = batch * each
    for _ in range(clip.depth):
        yield stream("norm", n * c, e, 2)
        yield linear("qkv", n, c, 3 * c, e)
        yield Op("attention", "attention", 4 * n * each * c, e * 4 * n * c, c // clip.heads)
        yield linear("out", n, c, c, e)
        yield stream("residual, norm", n * c, e, 5, 2)
        yield linear("mlp in", n, c, clip.mlp, e)
        yield Op("quick gelu", "gelu", 0.0, 2 * n * clip.mlp * e)
        if not design.fused:
            yield stream("its two products", n * clip.mlp, e, 5, 2)
        yield linear("mlp out", n, clip.mlp, c, e)
        yield stream("residual", n * c, e, 3)
    yield linear("projector", n - batch, 2 * c, config.decoder.width, e)


def encoder_ops(config: ModelConfig, side: int, batch: int, design: Design) -> Iterator[Op]:
    yield from sam_ops(config, side, batch, design)
    yield from clip_ops(config, side, batch, design)


def touched(experts: int, chosen: int, tokens: float) -> float:
    """The expected number of distinct experts that `tokens` tokens use, if they choose uniformly."""
    return experts * (1 - (1 - chosen / experts) ** tokens)


def decoder_ops(config: ModelConfig, new: float, seen: float, sequences: int, design: Design) -> Iterator[Op]:
    """`new` tokens for each of `sequences` sequences with `seen` cached tokens, and the logits of their last tokens."""
    decoder, e = config.decoder, design.element
    c, inner = decoder.width, decoder.heads * decoder.head_dim
    n = new * sequences
    norm_calls, rope_calls = (1, 1) if design.fused else (6, 12)
    for layer in range(decoder.depth):
        yield stream("norm", n * c, e, 2 if design.fused else 8, norm_calls)
        yield linear("q, k, v", n, c, inner, e, count=3)
        yield stream("rotary, cache", n * inner, e, 6 if design.fused else 16, rope_calls)
        pairs = sequences * new * (seen + (new + 1) / 2)
        cache = 2 * sequences * (seen + new) * inner * design.kv_element
        yield Op("attention", "attention", 4 * pairs * inner, cache + 2 * n * inner * e, decoder.head_dim)
        yield linear("o", n, inner, c, e)
        yield stream("residual, norm", n * c, e, 5 if design.fused else 11, norm_calls + 1)
        if layer < decoder.dense_layers:
            yield from _swiglu("dense", n, c, decoder.dense_mlp, 1, e, e, design)
        else:
            yield linear("router", n, c, decoder.experts, e)
            yield stream("routing", n * decoder.experts, 4, 6, 2 if design.fused else 12)
            reached = touched(decoder.experts, decoder.experts_per_token, n)
            rows = n * decoder.experts_per_token / reached
            yield from _swiglu(
                "experts", rows, c, decoder.expert_mlp, reached, design.expert_element, e, design
            )
            chosen = n * decoder.experts_per_token * c
            yield stream("gather, combine", chosen, e, 8, 2 if design.fused else 10)
            yield from _swiglu("shared", n, c, decoder.shared_mlp, 1, e, e, design)
        yield stream("residual", n * c, e, 3)
    yield stream("norm", n * c, e, 2, norm_calls)
    yield linear("head", sequences, c, decoder.vocab, e)


def _swiglu(
    name: str, rows: float, c: int, inner: int, count: float, weight: float, e: float, design: Design
) -> Iterator[Op]:
    """`count` SwiGLU blocks, each over `rows` rows."""
    values = count * rows
    for what, times, a, b in (("gate, up", 2, c, inner), ("down", 1, inner, c)):
        moved = times * count * a * b * weight + values * (a + times * b) * e
        calls = 1 if design.fused else max(1, round(times * count))
        yield Op(f"{name} {what}", "gemm", 2 * times * values * a * b, moved, rows, calls)
    yield Op(
        f"{name} silu", "gelu", 0.0, 2 * values * inner * e, calls=1 if design.fused else max(1, round(count))
    )
    if not design.fused:
        yield stream(f"{name} product", values * inner, e, 3, max(1, round(count)))


# -- pages -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Page:
    """A page in a mode: its views by side length, and its decoder positions."""

    mode: str
    views: tuple[tuple[int, int], ...]  # (side in px, how many)
    positions: int
    tokens: int  # vision tokens, as counted in the paper

    @classmethod
    def of(cls, mode: str, size: tuple[int, int] = A4) -> "Page":
        known = MODES[mode]
        side = known.side // 64
        positions, tokens = side * (side + 1) + 1, side**2
        views = [(known.side, 1)]
        if known.tiled and max(size) > TILE:
            columns, rows = tile_grid(*size)
            tile = TILE // 64
            views.append((TILE, columns * rows))
            positions += (tile * columns + 1) * tile * rows
            tokens += columns * rows * tile**2
        return cls(mode, tuple(views), positions, tokens)


def encode_page_s(machine: Machine, config: ModelConfig, page: Page, batch: int, design: Design) -> float:
    """Seconds per page if the views of `batch` pages are encoded together."""
    return sum(
        machine.time(encoder_ops(config, side, count * batch, design)) / batch for side, count in page.views
    )


# -- GPUs ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reached:
    """Assumed shares of the data sheet's speeds; none is measured."""

    gemm: float = 0.60
    attention: float = 0.40
    bandwidth: float = 0.80
    call_s: float = 3e-6  # of a kernel inside a CUDA graph


# (dense bf16 FLOP/s, bytes/s, bytes): NVIDIA's data sheets of the SXM parts
SHEETS = {
    "A100-40G": (312e12, 1.555e12, 40e9),
    "H100": (989e12, 3.35e12, 80e9),
    "H200": (989e12, 4.8e12, 141e9),
}
CARDS = SHEETS | {
    "A100-80G": (312e12, 2.039e12, 80e9),
    "A10": (125e12, 0.6e12, 24e9),
    "A10G": (70e12, 0.6e12, 24e9),
    "L4": (121e12, 0.3e12, 24e9),
    "L40S": (362e12, 0.864e12, 48e9),
}
"""All cards that `gpu` knows, with those of bench/gpu_checks.py; NVIDIA's data sheets, without sparsity."""


def sheet_of(name: str) -> str | None:
    """The name in `CARDS` of a card as the driver calls it, such as `NVIDIA A100-SXM4-40GB`; or `None`."""
    words = name.upper().replace("-", " ").split()
    if "A100" in words:
        return "A100-80G" if "80GB" in words else "A100-40G"
    return next((word for word in words if word in CARDS), None)


SATURATED_ROWS = 128  # from here on more rows do not make a matrix product faster


def gpu(name: str, reached: Reached = Reached()) -> Machine:
    flops, bandwidth, memory = CARDS[name]

    def gemm(rows: float) -> float:
        # Tensor cores work on tiles of at least 16 rows and need several of them to be busy.
        return flops * reached.gemm * min(1.0, max(rows, 1.0) / SATURATED_ROWS)

    rate = bandwidth * reached.bandwidth
    return Machine(name, gemm, lambda _: flops * reached.attention, rate, rate, rate, reached.call_s, memory)


# -- this CPU --------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Figure:
    """A predicted and a measured time."""

    model: str
    what: str
    predicted_s: float
    measured_s: float

    @property
    def ratio(self) -> float:
        return self.predicted_s / self.measured_s


def validation_models() -> dict[str, ModelConfig]:
    """Two models that differ by a factor of about five in size and four in the number of experts."""
    return {
        "small": ModelConfig(
            SamConfig(256, 6, 4, 1024, neck=128, global_blocks=(2, 5), compressor=(192, 320)),
            ClipConfig(320, 6, 5, 1280, patch=None),
            DecoderConfig(
                vocab=16_000,
                width=320,
                depth=6,
                heads=5,
                head_dim=64,
                dense_mlp=1280,
                context=4096,
                experts=16,
                experts_per_token=4,
                expert_mlp=192,
                shared_mlp=384,
            ),
        ),
        "middle": ModelConfig(
            SamConfig(384, 8, 6, 1536, neck=192, global_blocks=(3, 7), compressor=(320, 512)),
            ClipConfig(512, 8, 8, 2048, patch=None),
            DecoderConfig(
                vocab=32_000,
                width=512,
                depth=6,
                heads=8,
                head_dim=64,
                dense_mlp=2048,
                context=4096,
                experts=64,
                experts_per_token=6,
                expert_mlp=192,
                shared_mlp=640,
            ),
        ),
    }


@dataclass(slots=True)
class Calibration:
    """Speeds of this CPU, measured with kernels outside the model; medians over all rounds."""

    times: dict[tuple, list[float]] = field(default_factory=dict)
    works: dict[tuple, float] = field(default_factory=dict)

    def note(self, key: tuple, seconds: float, work: float) -> None:
        self.times.setdefault(key, []).append(seconds)
        self.works[key] = work

    def seconds(self, *key) -> float:
        return statistics.median(self.times[key])

    def rate(self, *key) -> float:
        return self.works[key] / self.seconds(*key)

    def curve(self, name: str) -> Callable[[float], float]:
        """Interpolates logarithmically between measured points and is constant beyond them."""
        points = sorted((key[1], self.rate(*key)) for key in self.times if key[0] == name)

        def at(x: float) -> float:
            if x <= points[0][0]:
                return points[0][1] * max(x, 1) / points[0][0] if name == "gemm" else points[0][1]
            for (x0, y0), (x1, y1) in itertools.pairwise(points):
                if x <= x1:
                    share = math.log(x / x0) / math.log(x1 / x0)
                    return math.exp(math.log(y0) * (1 - share) + math.log(y1) * share)
            return points[-1][1]

        return at

    def machine(self) -> Machine:
        return Machine(
            "this CPU",
            self.curve("gemm"),
            self.curve("attention"),
            self.rate("memory"),
            self.rate("stream"),
            self.rate("gelu"),
            self.seconds("call"),
        )


LINEAR_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 1024, 4096)
ATTENTION = {64: (6, 257), 96: (54, 196), 128: (6, 1024), 192: (6, 2048)}  # width: (batch · heads, tokens)
COLD_BYTES = 192 << 20  # weights that exceed all caches


def calibrate(calibration: Calibration) -> None:
    """Runs one round. Weights are read from memory rather than caches, as in a model that uses each once per step."""
    import torch
    from torch.nn import functional as F

    from fovea.model import OcrModel

    side = 640
    weights = [torch.randn(side, side) * 0.02 for _ in range(COLD_BYTES // (4 * side * side))]
    for rows in LINEAR_ROWS:
        x = torch.randn(rows, side)
        count = min(len(weights), max(2, 6000 // rows))
        seconds = clock(lambda x=x, count=count: [F.linear(x, weight) for weight in weights[:count]])
        calibration.note(("gemm", rows), seconds / count, 2 * rows * side * side)
        if rows == 1:
            calibration.note(("memory",), seconds / count, 4 * side * side)
    for width, (heads, tokens) in ATTENTION.items():
        q, k, v = (torch.randn(1, heads, tokens, width) for _ in range(3))
        seconds = clock(lambda q=q, k=k, v=v: F.scaled_dot_product_attention(q, k, v, scale=1.0))
        calibration.note(("attention", width), seconds, 4 * heads * tokens * tokens * width)
    a, b = torch.randn(2, 1024, 3072)
    calibration.note(("stream",), clock(lambda: a + b), 3 * 4 * a.numel())
    calibration.note(("gelu",), clock(lambda: F.gelu(a)), 2 * 4 * a.numel())
    # The time per call: a decoder with almost no arithmetic, interleaved with products that evict it from the caches.
    toy = ModelConfig.tiny()
    model = OcrModel(toy).init_weights().eval()
    cache, token, x = model.new_cache(1, 9), torch.randn(1, 1, toy.decoder.width), torch.randn(1, side)

    def sweep(step: bool) -> None:
        for i in range(0, len(weights) - 8, 8):
            [F.linear(x, weight) for weight in weights[i : i + 8]]
            if step:
                cache.length = 8
                model.step(token, cache)

    calls = sum(op.calls for op in decoder_ops(toy, 1, 8, 1, EAGER)) * len(range(0, len(weights) - 8, 8))
    extra = clock(lambda: sweep(True)) - clock(lambda: sweep(False))
    calibration.note(("call",), extra / calls, 1)


def clock(work: Callable[[], object], repeats: int = 3) -> float:
    """Median CPU seconds of this thread after a warm-up call; excludes other processes."""
    work()
    times = []
    for _ in range(repeats):
        started = time.thread_time()
        work()
        times.append(time.thread_time() - started)
    return statistics.median(times)


CONTEXT = 400  # cached tokens in the timed decode step


def predict_and_time(config: ModelConfig) -> tuple[dict[str, list[Op]], dict[str, Callable[[], object]]]:
    """The operations to predict and the functions to time, by name."""
    import torch

    from fovea.model import OcrModel

    model = OcrModel(config).init_weights().eval()
    ops: dict[str, list[Op]] = {}
    runs: dict[str, Callable[[], object]] = {}
    for side in (512, 768):
        pixels = torch.zeros(1, 3, side, side)
        ops[f"encode {side} px"] = list(encoder_ops(config, side, 1, EAGER))
        runs[f"encode {side} px"] = lambda pixels=pixels: model.encode_view(pixels)
    for length in (120, 400):
        x = torch.randn(1, length, config.decoder.width)
        ops[f"prefill {length} tokens"] = list(decoder_ops(config, length, 0, 1, EAGER))
        runs[f"prefill {length} tokens"] = lambda x=x: model.step(x, model.new_cache(1, x.shape[1]))
    for batch in (1, 16):
        cache = model.new_cache(batch, CONTEXT + 1)
        token = torch.randn(batch, 1, config.decoder.width)

        def step(cache=cache, token=token):
            cache.length = CONTEXT
            return model.step(token, cache)

        ops[f"decode, batch {batch}"] = list(decoder_ops(config, 1, CONTEXT, batch, EAGER))
        runs[f"decode, batch {batch}"] = step
    return ops, runs


def validate(rounds: int = 2) -> list[Figure]:
    """Alternates calibration and models, so that slow phases of the machine affect both."""
    import torch

    torch.set_num_threads(1)
    calibration = Calibration()
    models = {name: predict_and_time(config) for name, config in validation_models().items()}
    measured: dict[tuple[str, str], list[float]] = {}
    with torch.inference_mode():
        for turn in range(rounds):
            print(f"round {turn + 1} of {rounds}", file=sys.stderr, flush=True)
            calibrate(calibration)
            for name, (_, runs) in models.items():
                for what, run in runs.items():
                    measured.setdefault((name, what), []).append(clock(run))
    machine = calibration.machine()
    return [
        Figure(name, what, machine.time(ops), statistics.median(measured[name, what]))
        for name, (all_ops, _) in models.items()
        for what, ops in all_ops.items()
    ]


def show_counts() -> None:
    config, exact = ModelConfig.deepseek_ocr(), Design(folded=False)
    parts = parameters(config)
    print(f"parameters: {sum(parts.values()):,}\n")
    print("| part | parameters |\n|---|---|")
    for name, count in parts.items():
        print(f"| {name} | {count:,} |")
    print("\n| px | SAM GFLOP | with folded positions | CLIP + projector GFLOP |\n|---|---|---|---|")
    for side in (512, 640, 1024, 1280):
        sam, folded, clip = (
            sum(op.flops for op in ops) / 1e9
            for ops in (
                sam_ops(config, side, 1, exact),
                sam_ops(config, side, 1, Design()),
                clip_ops(config, side, 1, exact),
            )
        )
        print(f"| {side} | {sam:.0f} | {folded:.0f} | {clip:.0f} |")


def show_validation(rounds: int) -> int:
    """Returns exit status 1 if a prediction is off by more than 25 %."""
    figures = validate(rounds)
    for name, config in validation_models().items():
        print(f"{name}: {sum(parameters(config).values()) / 1e6:.0f} M parameters")
    print("\n| model | what | predicted ms | measured ms | ratio |\n|---|---|---|---|---|")
    for one in figures:
        times = f"{1000 * one.predicted_s:.1f} | {1000 * one.measured_s:.1f}"
        print(f"| {one.model} | {one.what} | {times} | {one.ratio:.2f} |")
    worst = max(max(one.ratio, 1 / one.ratio) for one in figures)
    print(f"\nThe worst prediction is off by a factor of {worst:.2f}.")
    return 0 if all(0.75 <= one.ratio <= 1.25 for one in figures) else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("counts", "validate"))
    parser.add_argument("--rounds", type=int, default=3, help="rounds of calibration and timing")
    arguments = parser.parse_args()
    if arguments.what == "counts":
        show_counts()
    else:
        sys.exit(show_validation(arguments.rounds))
