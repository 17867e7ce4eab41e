"""Simulates continuous batching on a GPU step by step with the times of bench/roofline.py, to predict pages/s.

One stream does all work in sequence, like the worker's engine thread. Each step encodes at most one batch of pages if
there is room for more sequences, prefills at most `chunk` tokens, and decodes one token of every running sequence.
Sequences join and leave between steps. A sequence joins only if its tokens fit into the memory beside the weights.
"""

import math
import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from roofline import Design, Machine, ModelConfig, Page, decoder_ops, encode_page_s, kv_bytes, weight_bytes

PROMPT = 12  # tokens of the prompt text

WORKSPACE = 6e9  # assumed bytes for activations, graphs and the encoder's batches


@dataclass(frozen=True, slots=True)
class Policy:
    max_batch: int = 256
    chunk: int = 2048  # prefill tokens per step
    encode_pages: int = 4  # pages encoded together


@dataclass(frozen=True, slots=True)
class Outcome:
    """Averages over the middle half of the run, where the batch is full. Stages: their shares of the GPU's time."""

    pages_s: float
    tokens_s: float
    batch: float
    kv_peak: float  # bytes
    encode: float
    prefill: float
    decode: float
    seconds: float  # of the whole run


def lengths(pages: int, mean: int = 1000, spread: float = 0.6, most: int = 4096, seed: int = 1) -> list[int]:
    """Text tokens of each page, log-normally distributed: most pages are short, a few are long. The mean is assumed."""
    rng = random.Random(seed)
    middle = math.log(mean) - spread**2 / 2
    return [min(most, max(1, round(rng.lognormvariate(middle, spread)))) for _ in range(pages)]


def kv_budget(machine: Machine, config: ModelConfig, design: Design) -> float:
    """Bytes available for cached tokens."""
    return 0.92 * machine.memory - weight_bytes(config, design) - WORKSPACE


def simulate(
    machine: Machine,
    config: ModelConfig,
    design: Design,
    page: Page,
    outputs: Sequence[int],
    policy: Policy = Policy(),
) -> Outcome:
    """Simulates a run in which all pages wait from the start. Raises `ValueError` if no page fits into memory."""
    token = kv_bytes(config, design)
    room = kv_budget(machine, config, design) / token  # tokens
    prompt = page.positions + PROMPT
    if prompt + max(outputs) > room:
        raise ValueError(f"{machine.name} has no room for a page in mode {page.mode}")

    @cache
    def encode_s(pages: int) -> float:
        return pages * encode_page_s(machine, config, page, pages, design)

    @cache
    def prefill_s(tokens: int) -> float:
        return machine.time(decoder_ops(config, tokens, 0, 1, design))

    @cache
    def decode_s(batch: int, seen: int) -> float:
        return machine.time(decoder_ops(config, 1, seen, batch, design))

    waiting = deque(outputs)
    encoded: deque[int] = deque()  # text tokens of the encoded pages
    unfilled = 0  # prefilled tokens of the first encoded page
    running: list[list[int]] = []  # [cached tokens, remaining tokens]
    promised = 0  # tokens that running and encoded pages will hold in the end
    clock, peak = 0.0, 0
    spent = {"encode": 0.0, "prefill": 0.0, "decode": 0.0}
    marks: list[tuple[float, int, dict[str, float], int]] = []  # at the end of each page
    decoded, steps, occupied = 0, 0, 0
    while waiting or encoded or running:
        began = clock
        batch = 0
        while (
            waiting
            and batch < policy.encode_pages
            and len(running) + len(encoded) < policy.max_batch
            and promised + prompt + waiting[0] <= room
        ):
            encoded.append(waiting.popleft())
            promised += prompt + encoded[-1]
            batch += 1
        if batch:
            spent["encode"] += encode_s(batch)
            clock += encode_s(batch)
        left = policy.chunk
        while encoded and left > 0:
            part = min(left, prompt - unfilled)
            unfilled, left = unfilled + part, left - part
            if unfilled == prompt:
                running.append([prompt, encoded.popleft()])
                unfilled = 0
        if left < policy.chunk:
            seconds = prefill_s(math.ceil((policy.chunk - left) / 64) * 64)
            spent["prefill"] += seconds
            clock += seconds
        if running:
            held = sum(one[0] for one in running)
            peak = max(peak, held)
            mean = math.ceil(held / len(running) / 32) * 32
            seconds = decode_s(math.ceil(len(running) / 4) * 4, mean)
            spent["decode"] += seconds
            clock += seconds
            decoded += len(running)
            occupied += len(running)
            steps += 1
            for one in running:
                one[0] += 1
                one[1] -= 1
                if one[1] <= 0:
                    promised -= one[0]
                    marks.append((clock, decoded, dict(spent), steps))
            running = [one for one in running if one[1] > 0]
        if clock == began:
            raise AssertionError("the scheduler makes no progress")
    first, last = marks[len(marks) // 4], marks[3 * len(marks) // 4]
    seconds = last[0] - first[0]
    share = {name: (last[2][name] - first[2][name]) / seconds for name in spent}
    return Outcome(
        pages_s=(len(marks) * 3 // 4 - len(marks) // 4) / seconds,
        tokens_s=(last[1] - first[1]) / seconds,
        batch=(last[1] - first[1]) / max(1, last[3] - first[3]),
        kv_peak=peak * token,
        seconds=clock,
        **share,
    )
