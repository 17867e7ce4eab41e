"""Compares the engine with `transformers.generate` and with a loop that decodes one page at a time.

    .venv/bin/python bench/engine.py            # everything, as Markdown, in a few minutes
    .venv/bin/python bench/engine.py decode --models nano --batches 1,16

All contestants have the same weights, prompts and number of tokens and run in turns in one process. The script stops if
their outputs differ. Times are CPU seconds of one thread, so that other load on the machine hardly matters; ratios are
medians over rounds. The time per token is the difference between a long and a short answer divided by the difference of
their lengths, which excludes prefill and set-up.
"""

import argparse
import csv
import math
import os
import platform
import resource
import statistics
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import torch
import transformers
from PIL import Image, ImageDraw
from transformers.models.deepseek_v2.modeling_deepseek_v2 import DeepseekV2Moe

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src" / "gpu-worker"))
from fovea.engine import EngineConfig, NativeEngine
from fovea.engine.generate import Rules, generate
from fovea.engine.sampling import TokenClasses
from fovea.language.tasks import TASKS, Prompt
from fovea.language.tokenizer import Tokenizer
from fovea.model import ClipConfig, DecoderConfig, ModelConfig, OcrModel, SamConfig

SMALL = ModelConfig.tiny()
DECODERS = {
    "nano": DecoderConfig(271, 320, 4, 5, 64, 1, 1024, 8, 2, 256, 512, context=2048),
    "mid": DecoderConfig(8192, 512, 8, 8, 64, 1, 1536, 64, 6, 192, 384, context=2048),
}
PROMPT, SHORT = 64, 2
EXPERTS = ("eager", "grouped_mm")  # two implementations in transformers; the faster one counts


def ours(name: str) -> OcrModel:
    return OcrModel(ModelConfig(SMALL.sam, SMALL.clip, DECODERS[name])).init_weights(std=0.05).eval()


def theirs(model: OcrModel) -> transformers.LlamaForCausalLM:
    """Llama with DeepSeek-V2's mixture of experts: the same decoder, with the same weights."""
    d = model.config.decoder
    config = transformers.LlamaConfig(
        vocab_size=d.vocab,
        hidden_size=d.width,
        intermediate_size=d.dense_mlp,
        num_hidden_layers=d.depth,
        num_attention_heads=d.heads,
        num_key_value_heads=d.heads,
        head_dim=d.head_dim,
        rms_norm_eps=d.norm_eps,
        max_position_embeddings=d.context,
        tie_word_embeddings=False,
    )
    twin = transformers.LlamaForCausalLM(config).eval()
    mixture = transformers.DeepseekV2Config(
        hidden_size=d.width,
        num_attention_heads=4,
        num_key_value_heads=4,
        moe_intermediate_size=d.expert_mlp,
        n_shared_experts=d.shared_mlp // d.expert_mlp,
        n_routed_experts=d.experts,
        num_experts_per_tok=d.experts_per_token,
        topk_method="greedy",
        n_group=1,
        topk_group=1,
        norm_topk_prob=False,
        routed_scaling_factor=1.0,
        hidden_act="silu",
    )
    mixture._experts_implementation = "eager"
    weights = {}
    for name, tensor in model.state_dict().items():
        if name.startswith(("model.layers.", "model.embed_tokens.", "model.norm.", "lm_head.")):
            weights[name] = tensor
    for number in range(d.dense_layers, d.depth):
        twin.model.layers[number].mlp = DeepseekV2Moe(mixture).eval()
        prefix = f"model.layers.{number}.mlp.experts."
        experts = [
            {part: weights.pop(f"{prefix}{e}.{part}_proj.weight") for part in ("gate", "up", "down")}
            for e in range(d.experts)
        ]
        weights[f"{prefix}gate_up_proj"] = torch.stack([torch.cat([e["gate"], e["up"]]) for e in experts])
        weights[f"{prefix}down_proj"] = torch.stack([e["down"] for e in experts])
    twin.load_state_dict(weights)
    twin.generation_config.eos_token_id = None
    twin.mixture = mixture
    return twin


def no_end(vocab: int) -> Rules:
    """Rules without an end token: only the length ends an answer."""
    allowed = torch.ones(vocab, dtype=torch.bool)
    allowed[1] = False
    return Rules(allowed, 1, TokenClasses())


Answers = list[list[int]]


def contestants(name: str) -> dict[str, Callable[[torch.Tensor, int], Answers]]:
    """Functions that continue prompts (B, T, C) by a number of tokens. Each has its own model."""
    model = ours(name)
    twin, rules = theirs(model), no_end(model.config.decoder.vocab)
    plain = ours(name)
    config = EngineConfig(max_batch=64, kv_bytes=2 << 30, prefill_tokens=1 << 14, max_new=512, threads=1)
    engines = {
        "engine": NativeEngine(model, rules, config),
        "engine, int8": NativeEngine(ours(name), rules, config, int8=True),
    }

    def transformers_with(experts: str) -> Callable[[torch.Tensor, int], Answers]:
        def run(prompts: torch.Tensor, tokens: int) -> Answers:
            twin.mixture._experts_implementation = experts
            with torch.inference_mode():
                out = twin.generate(
                    inputs_embeds=prompts,
                    attention_mask=torch.ones(prompts.shape[:2], dtype=torch.int64),
                    max_new_tokens=tokens,
                    do_sample=False,
                    suppress_tokens=[1],
                    pad_token_id=0,
                )
            return out.tolist()

        return run

    def engine_with(engine: NativeEngine) -> Callable[[torch.Tensor, int], Answers]:
        def run(prompts: torch.Tensor, tokens: int) -> Answers:
            handles = [engine.submit(p, max_new=tokens, owner=str(n % 4)) for n, p in enumerate(prompts)]
            return [handle.result().ids for handle in handles]

        return run

    def run_loop(prompts: torch.Tensor, tokens: int) -> Answers:
        return [generate(plain, p[None], rules, tokens).ids for p in prompts]

    return {
        **{who: engine_with(engine) for who, engine in engines.items()},
        **{f"transformers, {experts}": transformers_with(experts) for experts in EXPERTS},
        "one page at a time": run_loop,
    }


def seconds_a_token(run: Callable[[torch.Tensor, int], Answers], prompts: torch.Tensor, tokens: int) -> float:
    def clock(count: int) -> float:
        started = time.process_time()
        run(prompts, count)
        return time.process_time() - started

    return (clock(SHORT + tokens) - clock(SHORT)) / (tokens * len(prompts))


def decode(models: list[str], batches: list[int], tokens: int, rounds: int, out: Path | None) -> None:
    print("\n## Decode throughput\n")
    print(f"{PROMPT} prompt positions, {tokens} tokens, {rounds} rounds; tokens per second of CPU time.\n")
    print(
        "| model | batch | engine | engine, int8 weights | transformers (the faster of its two) "
        "| one page at a time | engine over transformers | int8 over transformers | engine over one at a time |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    rows = []
    for name in models:
        runs = contestants(name)
        generator = torch.Generator().manual_seed(0)
        for batch in batches:
            prompts = torch.randn(batch, PROMPT, DECODERS[name].width, generator=generator) * 0.05
            answers = {who: run(prompts, 12) for who, run in runs.items()}
            alike = sum(
                a == b for a, b in zip(answers["engine"], answers["transformers, eager"], strict=True)
            )
            if alike < 0.9 * batch:  # ties between two tokens may be broken differently
                sys.exit(f"{name}: only {alike} of {batch} answers equal those of transformers")
            times: dict[str, list[float]] = {who: [] for who in runs}
            for _ in range(rounds):
                for who, run in runs.items():
                    # The loop's time per token does not depend on the number of pages.
                    some = prompts[:1] if who == "one page at a time" else prompts
                    times[who].append(seconds_a_token(run, some, tokens))
            best = min(
                (who for who in runs if who.startswith("tr")), key=lambda who: statistics.median(times[who])
            )

            def ratio(who: str, other: str, times: dict[str, list[float]] = times) -> float:
                return statistics.median(b / a for a, b in zip(times[who], times[other], strict=True))

            speed = {who: 1 / statistics.median(values) for who, values in times.items()}
            print(
                f"| {name} | {batch} | {speed['engine']:.0f} | {speed['engine, int8']:.0f} "
                f"| {speed[best]:.0f} ({best.split(', ')[1]}) | {speed['one page at a time']:.0f} "
                f"| **{ratio('engine', best):.2f}×** | {ratio('engine, int8', best):.2f}× "
                f"| {ratio('engine', 'one page at a time'):.2f}× |",
                flush=True,
            )
            rows.append({"model": name, "batch": batch} | {who: round(s, 1) for who, s in speed.items()})
    if out:
        out.mkdir(parents=True, exist_ok=True)
        with (out / "decode.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        (out / "decode.svg").write_text(bars(rows))


BARS = {
    "engine": "#0a6",
    "engine, int8": "#36c",
    "transformers, eager": "#bbb",
    "transformers, grouped_mm": "#888",
    "one page at a time": "#c60",
}


def bars(rows: list[dict]) -> str:
    """Tokens per second of all contestants by model and batch, on a log scale, as SVG."""
    left, top, height, group = 60, 20, 240, 18 * len(BARS)
    width, bottom = group * len(rows), top + height
    most = max(row[who] for row in rows for who in BARS)
    decades = math.ceil(math.log10(most))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 20} {bottom + 40 + 15 * len(BARS)}" '
        'font-family="sans-serif" font-size="12" role="img"><title>Tokens a second by model and batch</title>',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for power in range(decades + 1):
        y = bottom - height * power / decades
        parts.append(f'<path d="M{left} {y:.1f}h{width}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{10**power:,}</text>')
    for number, row in enumerate(rows):
        for place, (who, colour) in enumerate(BARS.items()):
            tall = height * math.log10(max(row[who], 1)) / decades
            x = left + number * group + 8 + 15 * place
            parts.append(
                f'<rect x="{x}" y="{bottom - tall:.1f}" width="13" height="{tall:.1f}" fill="{colour}"/>'
            )
        middle = left + (number + 0.5) * group
        parts.append(
            f'<text x="{middle}" y="{bottom + 16}" text-anchor="middle">{row["model"]}, batch {row["batch"]}</text>'
        )
    for place, (who, colour) in enumerate(BARS.items()):
        parts.append(
            f'<text x="{left}" y="{bottom + 40 + 15 * place}" fill="{colour}">{who}, tokens per second</text>'
        )
    return "\n".join([*parts, "</svg>"]) + "\n"


def mixed(name: str, batch: int, requests: int) -> None:
    """Answers of different lengths: `generate` waits for the longest of a batch, the engine refills its rows."""
    runs = contestants(name)
    generator = torch.Generator().manual_seed(1)
    lengths = (torch.rand(requests, generator=generator) ** 2 * 112 + 8).int().tolist()
    prompts = torch.randn(requests, PROMPT, DECODERS[name].width, generator=generator) * 0.05
    model = ours(name)
    engine = NativeEngine(
        model,
        no_end(DECODERS[name].vocab),
        EngineConfig(max_batch=batch, kv_bytes=1 << 30, max_new=512, threads=1),
    )
    started = time.process_time()
    handles = [
        engine.submit(p, max_new=n, owner=str(i))
        for i, (p, n) in enumerate(zip(prompts, lengths, strict=True))
    ]
    for handle in handles:
        handle.result()
    mine = time.process_time() - started
    other = {}
    for who, run in runs.items():
        if who.startswith("tr"):
            started = time.process_time()
            for at in range(0, requests, batch):
                run(prompts[at : at + batch], max(lengths[at : at + batch]))
            other[who] = time.process_time() - started
    best = min(other, key=other.get)
    print("\n## Answers of mixed length, including prefill\n")
    print(
        f"{name}, {requests} requests of 8 to 120 tokens (mean {statistics.mean(lengths):.0f}), batches of {batch}.\n"
    )
    print("| | tokens per second of CPU time | |\n|---|---|---|")
    print(f"| engine | {sum(lengths) / mine:.0f} | **{other[best] / mine:.2f}×** |")
    print(f"| {best} | {sum(lengths) / other[best]:.0f} | 1× |", flush=True)


def page() -> Image.Image:
    image = Image.new("RGB", (800, 1000), "white")
    ImageDraw.Draw(image).text((60, 60), "Invoice 17\nTotal 12.50", "black", font_size=40)
    return image


def requery() -> None:
    """Compares a second question to a page with kept vision tokens with reading the page from its pixels."""
    sam = SamConfig(192, 6, 6, 768, global_blocks=(2, 5), neck=128, compressor=(192, 256))
    config = ModelConfig(sam, ClipConfig(256, 6, 8, 1024, patch=None), DECODERS["nano"])
    model = OcrModel(config).init_weights(std=0.05).eval()
    tokenizer = Tokenizer.characters()
    engine = NativeEngine(model, no_end(271), EngineConfig(kv_bytes=1 << 30, max_new=256, threads=1))
    image = page()
    print(
        "\n## A known page\n\nModel: an encoder of 12 layers in front of nano's decoder; 64 tokens of answer.\n"
    )
    print("| mode | full read | from its vision tokens | ratio |\n|---|---|---|---|")
    for mode in ("small", "base"):
        full, again = [], []
        for _ in range(3):
            started = time.process_time()
            seen = engine.encode(image, mode)
            ids = Prompt(TASKS["free"]).ids(tokenizer, seen.positions)
            engine.decode(seen, ids, tokenizer.image, max_new=64).result()
            full.append(time.process_time() - started)
            ids = Prompt(TASKS["markdown"]).ids(tokenizer, seen.positions)
            started = time.process_time()
            engine.decode(seen, ids, tokenizer.image, max_new=64).result()
            again.append(time.process_time() - started)
        a, b = statistics.median(full), statistics.median(again)
        print(f"| {mode} | {a:.2f} s | {b:.2f} s | **{a / b:.1f}×** |", flush=True)


def crowd(predictions: int, pages: int) -> None:
    """Many predictions at once, each with several pages in sequence; one prediction submits all its pages at once."""
    model = ours("nano")
    engine = NativeEngine(
        model,
        no_end(271),
        EngineConfig(max_batch=16, kv_bytes=1 << 30, prefill_tokens=256, max_new=512, threads=1),
    )
    generator = torch.Generator().manual_seed(2)
    first, last, lost = [0.0] * predictions, [0.0] * predictions, []
    sizes = (torch.rand(predictions, pages, 2, generator=generator) * 100 + 20).int().tolist()
    started = time.perf_counter()

    def predict(number: int) -> None:
        # The first prediction submits all its pages at once.
        ahead = pages if number == 0 else 1
        queue = [(torch.randn(size, 320) * 0.05, new) for size, new in sizes[number]]
        running = []
        for at in range(pages):
            while len(running) < ahead and queue:
                prompt, new = queue.pop(0)
                running.append((engine.submit(prompt, max_new=new, owner=str(number)), new))
            handle, new = running.pop(0)
            if len(handle.result().ids) != new:
                lost.append((number, at))
            first[number] = first[number] or time.perf_counter() - started
        last[number] = time.perf_counter() - started

    threads = [threading.Thread(target=predict, args=(n,)) for n in range(predictions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    order = sorted(first)
    tokens = engine.metrics.values["tokens"]
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"\n## {predictions} predictions at once\n")
    print(
        f"nano, {pages} pages each of 20 to 120 positions and tokens, 16 rows; "
        "the first prediction submits all its pages at once.\n"
    )
    print("| | |\n|---|---|")
    print(f"| pages lost | {len(lost)} of {predictions * pages} |")
    print(f"| time to first page, p50 / p99 (wall) | {order[len(order) // 2]:.2f} s / {order[-1]:.2f} s |")
    print(
        f"| last page of the first / of the last prediction to end | {min(last):.2f} s / {max(last):.2f} s |"
    )
    print(f"| first page of the first prediction | {first[0]:.2f} s |")
    print(f"| mean batch | {(tokens - predictions * pages) / engine.metrics.values['steps']:.1f} |")
    print(f"| peak memory of the benchmark | {rss:.2f} GB |", flush=True)


def facts() -> None:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if sys.platform == "linux" else []
    name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "processor")
    print(f"{name} ({platform.machine()}), {os.cpu_count()} cores, torch {torch.__version__},")
    print(
        f"transformers {transformers.__version__}, fp32, one thread; load {os.getloadavg()[0]:.1f} at the start."
    )
    # Memory bandwidth bounds decoding, since a step reads each of its weights once.
    much = torch.ones(50_000_000)
    much.sum()
    began = time.process_time()
    for _ in range(3):
        much.sum()
    speed = 3 * 0.2 / (time.process_time() - began)
    print(f"Reading 200 MB: {speed:.1f} GB per second of CPU time.")
    for model, d in DECODERS.items():
        attention = 4 * d.width * d.heads * d.head_dim * d.depth
        experts = d.experts_per_token * d.expert_mlp + d.shared_mlp
        mlp = 3 * d.width * (d.dense_layers * d.dense_mlp + (d.depth - d.dense_layers) * experts)
        read = 4e-9 * (attention + mlp + d.vocab * d.width)
        print(
            f"{model}: {1000 * read:.0f} MB per token at batch 1, so at most {speed / read:.0f} tokens per second."
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", default=["decode", "mixed", "requery", "crowd"])
    parser.add_argument("--models", default="nano,mid")
    parser.add_argument("--batches", default="1,4,16,64")
    parser.add_argument("--tokens", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="folder for decode.csv and decode.svg")
    options = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    facts()
    if "decode" in options.what:
        batches = [int(size) for size in options.batches.split(",")]
        decode(options.models.split(","), batches, options.tokens, options.rounds, options.out)
    if "mixed" in options.what:
        mixed("nano", 16, 64)
    if "requery" in options.what:
        requery()
    if "crowd" in options.what:
        crowd(32, 4)


if __name__ == "__main__":
    main()
