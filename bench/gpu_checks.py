"""What only a GPU can decide, in under ten minutes: run it with bench/gpu.sh.

Checks run in groups, each group in a process of its own with a time limit, so that a check that fails, hangs or takes
its process down costs no other group. A check is a generator that yields (statement, whether it holds, what was seen);
`None` instead of a truth value means that it could not be checked. At the end there is one file to send.
"""

import argparse
import json
import os
import queue
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from roofline import MODES, ROOT, sheet_of

OUT = ROOT / "bench" / "out"
TOTAL_S = 585.0
SETUP_LIMIT_S = 600
"""Replicate ends a container whose setup takes longer."""
CHUNK = "@@"
"""Begins a line with a result of a group's process."""

Result = tuple[str, bool | None, str]
Checks = Iterator[Result]


class Options(argparse.Namespace):
    device: str
    weights: Path
    real: bool
    """Whether the weights are trained, so that what is read can be judged."""
    tiny: bool


# -- the machine -----------------------------------------------------------------------------------------


def machine(options: Options) -> Checks:
    """Driver, card and PyTorch, and arithmetic in bf16."""
    import torch

    from fovea.readers.device import describe, device_of
    from fovea.settings import Settings

    device = device_of(Settings(device=options.device))
    yield "the device is usable", True, describe(device)
    generator = torch.Generator().manual_seed(1)
    a, b = (torch.randn(512, 512, generator=generator) for _ in range(2))
    product = (a.to(device, torch.bfloat16) @ b.to(device, torch.bfloat16)).float().cpu()
    yield near("a product in bf16 is that of a CPU", product, a @ b, 2e-2)
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info()
        yield "12 GB of memory are free", free > 12e9, f"{free / 1e9:.1f} of {total / 1e9:.1f} GB"


def near(what: str, ours: Any, theirs: Any, most: float) -> Result:
    difference = float((ours.float().cpu() - theirs.float()).norm() / theirs.float().norm())
    return what, difference < most, f"{difference:.1e} of the norm, at most {most:.0e}"


# -- the encoder -----------------------------------------------------------------------------------------


def encoder(options: Options) -> Checks:
    """Official widths with few layers and random weights: the device in its own precision, a CPU in fp32."""
    import copy

    import torch

    from fovea.model import ClipConfig, DecoderConfig, ModelConfig, OcrModel, SamConfig

    config = ModelConfig.tiny(vocab=400)
    if not options.tiny:
        small = DecoderConfig(vocab=4096, depth=3)
        config = ModelConfig(SamConfig(depth=3, global_blocks=(2,)), ClipConfig(depth=2), small)
    reference = OcrModel(config).init_weights(1).eval()
    kind = torch.bfloat16 if options.device == "cuda" else torch.float32
    model = copy.deepcopy(reference).to(options.device, kind)
    generator = torch.Generator().manual_seed(1)
    with torch.inference_mode():
        for side in (128, 192) if options.tiny else (512, 640, 1024, 1280):
            views = torch.rand(1, 3, side, side, generator=generator) * 2 - 1
            ours = model.encode_view(views.to(options.device, kind))
            yield near(f"a view of {side} px has the CPU's tokens", ours, reference.encode_view(views), 2e-2)
            three = model.encode_view(views.to(options.device, kind).expand(3, -1, -1, -1))
            yield near(f"a view of {side} px has the same tokens in a batch", three[2:], ours.cpu(), 2e-2)
        ids = torch.randint(10, config.decoder.vocab, (1, 90), generator=generator)
        whole = model.forward(model.embed(ids.to(options.device)))
        wanted = reference.forward(reference.embed(ids))
        yield near("the decoder's modules give the CPU's logits", whole, wanted, 3e-2)


# -- the engine ------------------------------------------------------------------------------------------


def reader_of(options: Options, **settings: Any) -> Any:
    from fovea.readers.deepseek_ocr import DeepseekOcr
    from fovea.settings import Settings

    given = Settings.from_environment()
    limit = {} if options.real else {"max_new_tokens": 32 if options.tiny else 256}
    return DeepseekOcr(
        replace(given, device=options.device, deepseek_dir=options.weights, **limit | settings)
    )


def engine(options: Options) -> Checks:
    """The engine that the worker would use, against the plain loop on a CPU in fp32, with the same weights."""
    import torch

    from fovea.engine.generate import Rules, generate
    from fovea.language.tasks import TASKS, Prompt
    from fovea.model import ModelConfig, OcrModel, load_checkpoint
    from fovea.readers import golden

    # The engine first: it may use all memory that is free.
    reader = reader_of(options, max_new_tokens=32)
    with closing(reader.engine):
        yield "the engine starts", True, f"{getattr(reader.engine, 'name', type(reader.engine).__name__)}"
        image = golden.page().image
        tokens = reader.engine.encode(image, "small")
        ids = Prompt(TASKS["free"]).ids(reader.tokenizer, tokens.positions)
        ask = lambda: reader.engine.decode(tokens, ids, reader.tokenizer.image, max_new=32)  # noqa: E731
        first = ask().result(120)
        again = ask().result(120)
        yield same_start("a page that is asked about again has the same answer", [again.ids], first.ids)
        many = [handle.result(120) for handle in [ask() for _ in range(32)]]
        yield same_start("32 at once answer as one alone", [one.ids for one in many], first.ids)
        embeddings = tokens.embeddings.float().cpu()

    sizes = options.weights / "sizes.json"
    config = (
        ModelConfig.from_json(json.loads(sizes.read_text()))
        if sizes.is_file()
        else ModelConfig.deepseek_ocr()
    )
    with torch.device("meta"):
        model = OcrModel(config)
    same = "the CPU in fp32 gives the same tokens for these vision tokens"
    needed = 4 * sum(parameter.numel() for parameter in model.parameters())
    known = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    free = 1024 * int(known["MemAvailable"].split()[0])
    if free < 1.1 * needed:
        yield same, None, f"needs {1.1 * needed / 1e9:.0f} GB of memory; {free / 1e9:.0f} GB are free"
        return
    load_checkpoint(model, options.weights, torch.float32)
    rules = Rules.of(reader.tokenizer, config.decoder.vocab)
    with torch.inference_mode():
        prompt = model.embed(torch.tensor([ids])).clone()
        prompt[0, [place for place, one in enumerate(ids) if one == reader.tokenizer.image]] = embeddings
        plain = generate(model.eval(), prompt, rules, 16)
    yield same_start(same, [first.ids], plain.ids)
    pairs = zip(first.ids, plain.ids, first.log_probs, plain.log_probs, strict=False)
    worst = 0.0
    for ours, theirs, log_prob, wanted in pairs:
        if ours != theirs:
            break
        worst = max(worst, abs(log_prob - wanted))
    yield "log-probabilities are those of the CPU", worst < 0.2, f"largest difference {worst:.2g}"


def same_start(what: str, answers: list[list[int]], wanted: list[int], least: int = 8) -> Result:
    """Later tokens may differ, because sums depend on the batch and a tie can be decided differently."""

    def equal(ids: list[int]) -> int:
        pairs = zip(ids, wanted, strict=False)
        return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(ids), len(wanted)))

    shortest = min(equal(ids) for ids in answers)
    needed = min(least, len(wanted))
    return what, shortest >= needed, f"the first {shortest} of {len(wanted)} tokens are equal"


# -- reading ---------------------------------------------------------------------------------------------


def reading(options: Options) -> Checks:
    """Pages from pixels to results, from a cold start, and pages/s in each mode."""
    from fovea.pages.documents import open_document
    from fovea.readers import golden
    from fovea.readers.base import ReadRequest
    from fovea.result.witness import agreement

    reader = reader_of(options)
    with closing(reader.engine):
        raster = open_document((ROOT / "examples" / "paper.pdf").read_bytes(), 50_000_000).raster(1, 144)
        # First of all: pages of all modes from many threads, before anything is warm.
        started = time.perf_counter()
        count = 8 if options.tiny else 48
        faults: list[str] = []

        def cold(number: int) -> None:
            try:
                mode = tuple(MODES)[number % len(MODES)]
                reader.read(raster, ReadRequest(mode=mode, task="free", owner=str(number % 5)))
            except Exception as error:
                faults.append(f"{type(error).__name__}: {error}"[:200])

        with ThreadPoolExecutor(count) as threads:
            list(threads.map(cold, range(count)))
        seconds = time.perf_counter() - started
        yield (
            f"{count} threads read from a cold start",
            not faults,
            "; ".join(faults[:2]) or f"{seconds:.1f} s",
        )

        if options.real:
            try:
                golden.check({"deepseek-ocr": reader})
                yield "the golden page is read", True, ""
            except golden.GoldenPageError as error:
                yield "the golden page is read", False, str(error)[:300]
            truth = (ROOT / "examples" / "truth" / "paper.txt").read_text()
            result = reader.read(raster, ReadRequest(mode="base", task="free"))
            share = agreement(result.markdown, truth) or 0.0
            yield "an example page is read in base mode", share > 0.9, f"{100 * share:.1f} % of its words"
        else:
            yield "the golden page is read", None, "needs the official weights"

        for mode in MODES:
            yield speed(reader, raster, mode, options)


def speed(reader: Any, raster: Any, mode: str, options: Options) -> Result:
    """Pages/s of a backlog of copies of one page, and the forecast of the roofline for its number of tokens."""
    from fovea.readers.base import ReadRequest

    pages = 4 if options.tiny else 128
    started = time.perf_counter()
    with ThreadPoolExecutor(pages) as threads:
        request = ReadRequest(mode=mode, task="free")
        results = list(threads.map(lambda _: reader.read(raster, request), range(pages)))
    seconds = time.perf_counter() - started
    tokens = sum(sum(one.tokens or 0 for one in result.attempts) for result in results)
    mean = max(1, tokens // pages)
    forecast = roofline_pages_s(mode, mean, pages) if options.device == "cuda" and options.real else None
    note = f", roofline {forecast:.1f}" if forecast else ""
    seen = f"{pages / seconds:.2f} pages/s{note}; {tokens / seconds:,.0f} tokens/s, {mean} tokens a page"
    return f"{pages} pages at once in {mode} mode are all read", len(results) == pages, seen


def roofline_pages_s(mode: str, mean: int, batch: int) -> float | None:
    """Forecast for this card; `None` without its data sheet, or if its memory has no room."""
    import torch
    from roofline import Design, ModelConfig, Page, gpu
    from schedule import Policy, simulate

    name = sheet_of(torch.cuda.get_device_name())
    if name is None:
        return None
    design, policy = Design(folded=False), Policy(max_batch=batch)
    try:
        return simulate(
            gpu(name), ModelConfig.deepseek_ocr(), design, Page.of(mode), [mean] * 4 * batch, policy
        ).pages_s
    except ValueError:
        return None


# -- the worker ------------------------------------------------------------------------------------------


def worker(options: Options) -> Checks:
    """The real Cog server, as the container starts it: time to ready, what its health says, one prediction."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "src" / "gpu-worker"),
        "FOVEA_MODELS": "deepseek-ocr",
        "FOVEA_DEEPSEEK_DIR": str(options.weights.resolve()),
        "FOVEA_DEVICE": options.device,
        "FOVEA_GOLDEN_PAGE": "on" if options.real else "off",
        "FOVEA_MAX_NEW_TOKENS": "" if options.real else "64",
    }
    subprocess.run([sys.executable, ROOT / "src/gpu-worker/schema.py"], check=True, capture_output=True)
    command = [sys.executable, "-m", "fovea.service.supervisor", "--port", str(port)]
    started = time.monotonic()
    server = subprocess.Popen(command, env=environment, stdout=sys.stderr)
    try:
        health: dict[str, Any] = {}
        while server.poll() is None and health.get("status") not in ("READY", "SETUP_FAILED"):
            time.sleep(0.5)
            health = call(port, "/health-check") or {}
        seconds = time.monotonic() - started
        logs = health.get("setup", {}).get("logs", "")
        ready = health.get("status") == "READY"
        yield (
            f"the worker is ready within {SETUP_LIMIT_S} s, the limit of Replicate",
            ready and seconds < SETUP_LIMIT_S,
            f"{seconds:.0f} s" if ready else f"{health.get('status')}: {logs[-300:]}",
        )
        if not ready:
            return
        yield (
            "its health says what it runs on",
            "device: " in logs,
            logs.partition("device: ")[2].partition("\n")[0],
        )
        from base64 import b64encode

        page = (ROOT / "src/gpu-worker/fovea/readers/golden/page.png").read_bytes()
        answer = call(
            port,
            "/predictions",
            {"input": {"document": f"data:image/png;base64,{b64encode(page).decode()}", "mode": "base"}},
        )
        status = (answer or {}).get("status")
        yield "a prediction without a model's name succeeds", status == "succeeded", str(status)
    finally:
        server.terminate()
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()


def call(port: int, path: str, body: Any = None) -> dict[str, Any] | None:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", data, {"content-type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)
    except (OSError, ValueError):
        return None


# -- all together ----------------------------------------------------------------------------------------

GROUPS: dict[str, tuple[Callable[[Options], Checks], float]] = {
    "machine": (machine, 60),
    "encoder": (encoder, 150),
    "engine": (engine, 210),
    "reading": (reading, 240),
    "worker": (worker, 240),
}
"""Each group with its limit in seconds. Together they have `TOTAL_S`."""


def run_group(name: str, options: Options) -> None:
    """In the group's own process: prints each result as a line."""
    checks = GROUPS[name][0](options)
    while True:
        started = time.perf_counter()
        try:
            what, holds, seen = next(checks)
        except StopIteration:
            return
        except Exception as error:
            what, holds, seen = f"{name} goes on", False, f"{type(error).__name__}: {error}"[:500]
        seconds = round(time.perf_counter() - started, 2)
        line = {"group": name, "what": what, "holds": holds, "seen": seen, "seconds": seconds}
        print(CHUNK + json.dumps(line), flush=True)


def watch(name: str, limit: float, arguments: list[str]) -> Iterator[dict[str, Any]]:
    """Runs a group and yields its results. If it does not end well, the last result says how."""
    command = [sys.executable, __file__, "--group", name, *arguments]
    log = (OUT / f"gpu-{name}.log").open("w")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True)
    lines: queue.Queue[str | None] = queue.Queue()

    def pump() -> None:
        for line in process.stdout or ():
            lines.put(line)
        lines.put(None)

    threading.Thread(target=pump, daemon=True).start()
    end, fault = time.monotonic() + limit, ""
    try:
        while True:
            try:
                line = lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                fault = f"its limit of {limit:.0f} s passed"
                break
            if line is None:
                break
            if line.startswith(CHUNK):
                yield json.loads(line.removeprefix(CHUNK))
    finally:
        if fault:
            os.killpg(process.pid, 9)
        status = process.wait()
        log.close()
    if fault or status:
        tail = (OUT / f"gpu-{name}.log").read_text(errors="replace").strip().splitlines()[-1:] or [""]
        seen = f"{fault or f'its process ended with status {status}'}. {tail[0]}"[:500]
        yield {"group": name, "what": f"{name} comes to its end", "holds": False, "seen": seen, "seconds": 0}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--weights", type=Path, help="folder of the checkpoint")
    parser.add_argument(
        "--random", action="store_true", help="few layers with random weights: nothing is read"
    )
    parser.add_argument("--tiny", action="store_true", help="a tiny random model: only tests the script")
    parser.add_argument("--only", default=",".join(GROUPS), help="groups, separated by commas")
    parser.add_argument("--group", help=argparse.SUPPRESS)
    options = parser.parse_args(namespace=Options())
    options.real = not (options.random or options.tiny)
    if options.group:
        run_group(options.group, options)
        return 0
    OUT.mkdir(parents=True, exist_ok=True)
    if not options.real:
        options.weights = random_weights(options.tiny)
    elif not options.weights:
        parser.error("one of --weights, --random and --tiny is required")
    arguments = ["--device", options.device, "--weights", str(options.weights)]
    arguments += ["--random"] * options.random + ["--tiny"] * options.tiny
    results: list[dict[str, Any]] = []
    end = time.monotonic() + TOTAL_S
    for name in options.only.split(","):
        limit = min(GROUPS[name][1], end - time.monotonic())
        if limit < 5:
            late = {
                "group": name,
                "what": f"{name} begins",
                "holds": False,
                "seen": "no time was left",
                "seconds": 0,
            }
            results.append(late)
            print(show(late), flush=True)
            continue
        for result in watch(name, limit, arguments):
            results.append(result)
            print(show(result), flush=True)
    kind = "tiny random model" if options.tiny else "random weights" if options.random else "official weights"
    return finish(results, kind)


def random_weights(tiny: bool) -> Path:
    """A checkpoint with random weights; made once."""
    folder = OUT / ("tiny" if tiny else "random")
    sys.path.insert(0, str(ROOT / "test" / ("worker" if tiny else "vllm")))
    if tiny:
        from tiny_checkpoint import make
    else:
        from checkpoint import make
    folder.mkdir(exist_ok=True)
    make(folder)
    return folder


def show(result: dict[str, Any]) -> str:
    word = {True: "ok     ", False: "FAILED ", None: "skipped"}[result["holds"]]
    return f"{word} {result['group']}: {result['what']} ({result['seen']}, {result['seconds']} s)"


def finish(results: list[dict[str, Any]], kind: str) -> int:
    """Writes the file to send, prints the counts, and returns the exit status."""
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True
    ).stdout.strip()
    logs = {path.name: path.read_text(errors="replace")[-20_000:] for path in sorted(OUT.glob("gpu-*.log"))}
    body = {"commit": commit, "python": sys.version, "weights": kind, "results": results, "logs": logs}
    target = OUT / "gpu.json"
    target.write_text(json.dumps(body, indent=1) + "\n")
    count = {value: sum(result["holds"] is value for result in results) for value in (True, False, None)}
    print(f"\nPlease send {target.relative_to(ROOT)} ({kind}).\n")
    skipped = f", {count[None]} skipped" if count[None] else ""
    print(f"{count[True]} passed, {count[False]} failed{skipped}")
    return 1 if count[False] else 0


if __name__ == "__main__":
    sys.exit(main())
