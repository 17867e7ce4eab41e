"""The cost of a thousand pages when documents arrive at random and GPUs are started on demand.

    .venv/bin/python bench/cost.py                     # one GPU type, several loads
    .venv/bin/python bench/cost.py --rate 12 --price 3.5 --boot 40

Simulates some days. Each GPU reads `rate` pages per second. A document goes to the busiest GPU that can start it
within `patience` seconds, so that other GPUs become idle and are stopped after `idle` seconds. If no GPU can, another
one is started, one at a time; its `boot` seconds are paid for. Times cover waiting and throughput; the latency of a
single page from its first to its last token comes on top. All inputs are assumptions or forecasts of
bench/forecast.py, none is measured.
"""

import argparse
import random
import statistics
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Inputs:
    rate: float = 20.0  # pages/s of one GPU: forecast, rounded down, H200 in gundam mode
    price: float = 5.5  # $ an hour of one GPU while it runs or starts: assumed
    boot: float = 90.0  # seconds until a cold GPU reads: container 60 s, 6.7 GB of weights 30 s: assumed
    idle: float = 120.0  # seconds without work until a GPU is stopped: assumed
    patience: float = 30.0  # seconds of queued work before another GPU is started: assumed
    pages: float = 8.0  # mean of a document, geometrically distributed: assumed
    most: int = 16  # the maximum number of GPUs
    keep: int = 0  # GPUs that are never stopped


@dataclass(frozen=True, slots=True)
class Costs:
    """Of one load. `p50`, `p95`: seconds from a document's arrival to its last page; `busy`, `cold`: shares, 0..1."""

    per_1000: float  # $
    busy: float
    cold: float
    p50: float
    p95: float
    gpus: float


@dataclass(slots=True)
class _Gpu:
    since: float  # start of payment
    ready: float
    free: float  # end of its queued work


def simulate(load: float, inputs: Inputs, hours: float = 48.0, seed: int = 1) -> Costs:
    """`load`: pages per second, on average."""
    rng = random.Random(seed)
    end = hours * 3600
    running: list[_Gpu] = [_Gpu(0.0, 0.0, 0.0) for _ in range(inputs.keep)]
    waits: list[float] = []
    paid = worked = pages_read = 0.0
    cold = 0
    now = 0.0
    while True:
        now += rng.expovariate(load / inputs.pages)
        if now > end:
            break
        # Stop GPUs that were idle for too long, except for `keep` of them.
        for gpu in sorted(running, key=lambda gpu: gpu.free):
            if len(running) > inputs.keep and gpu.free + inputs.idle < now:
                paid += gpu.free + inputs.idle - gpu.since
                running.remove(gpu)
        pages = 1
        while rng.random() > 1 / inputs.pages:
            pages += 1
        soon = [gpu for gpu in running if gpu.free - now <= inputs.patience]
        starting = any(gpu.ready > now for gpu in running)
        if not soon and not starting and len(running) < inputs.most:
            running.append(_Gpu(now, now + inputs.boot, now + inputs.boot))
        best = max(soon, key=lambda gpu: gpu.free) if soon else min(running, key=lambda gpu: gpu.free)
        start = max(now, best.free)
        cold += start < best.ready + 1e-9 and best.ready > now
        best.free = start + pages / inputs.rate
        worked += pages / inputs.rate
        pages_read += pages
        waits.append(best.free - now)
    for gpu in running:
        paid += max(end, gpu.free) - gpu.since
    cuts = statistics.quantiles(waits, n=100)
    return Costs(
        per_1000=1000 * paid / 3600 * inputs.price / pages_read,
        busy=worked / paid,
        cold=cold / len(waits),
        p50=cuts[49],
        p95=cuts[94],
        gpus=paid / end,
    )


LOADS = (0.01, 0.1, 1.0, 10.0, 50.0, 100.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    fallback = Inputs()
    for name in Inputs.__slots__:
        value = getattr(fallback, name)
        parser.add_argument(f"--{name}", type=type(value), default=value)
    inputs = Inputs(**vars(parser.parse_args()))
    print(f"{inputs}\n")
    floor = 1000 / inputs.rate / 3600 * inputs.price
    print(f"On a GPU that is always busy: ${floor:.3f} per 1,000 pages.\n")
    head = ("pages/s", "pages/day", "$ per 1,000", "GPUs paid for", "busy", "documents with a cold start")
    print(f"| {' | '.join((*head, 'p50 s', 'p95 s'))} |\n|{'---|' * 8}")
    for load in LOADS:
        one = simulate(load, inputs)
        cells = (
            f"{load:g}",
            f"{load * 86_400:,.0f}",
            f"{one.per_1000:.3f}",
            f"{one.gpus:.2f}",
            f"{100 * one.busy:.0f} %",
            f"{100 * one.cold:.1f} %",
            f"{one.p50:.1f}",
            f"{one.p95:.1f}",
        )
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
