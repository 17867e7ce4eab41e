"""A forecast of pages per second on three GPUs by mode, from the simulation in bench/schedule.py.

The operation counts are exact; the reached shares of the data sheets' speeds are assumptions (`Reached`).
Prints Markdown and writes docs/images/gpu-forecast.svg.
"""

import time

from roofline import A4, MODES, ROOT, SHEETS, Design, ModelConfig, Page, Reached, gpu
from schedule import Outcome, Policy, lengths, simulate

PLAN = Design(folded=False)
"""The attention kernel adds relative positions, experts are grouped matrix products, steps are CUDA graphs; bf16."""

CAREFUL = Reached(gemm=0.40, attention=0.25, bandwidth=0.60, call_s=6e-6)
"""A pessimistic variant: lower shares of all speeds, and calls that take twice as long."""

BATCH = 512  # the maximum number of sequences; memory may allow fewer

# pages/s: this model as published by its authors, this model as measured by LightOn, and MinerU2.5, another model
PUBLISHED = {"A100-40G": 2.3, "H100": 3.3, "H200": 4.47}

VARIANTS = (
    ("one page at a time", PLAN, Policy(max_batch=1, encode_pages=1)),
    ("32 at a time", PLAN, Policy(max_batch=32)),
    ("128 at a time", PLAN, Policy(max_batch=128)),
    ("256 at a time", PLAN, Policy(max_batch=256)),
    ("the plan: 512 at a time", PLAN, Policy(max_batch=BATCH)),
    ("… with folded positions, as they were", Design(), Policy(max_batch=BATCH)),
    ("… with cached values in 8 bits", Design(folded=False, kv_element=1), Policy(max_batch=BATCH)),
    (
        "… and routed experts in 8 bits",
        Design(folded=False, kv_element=1, expert_element=1),
        Policy(max_batch=BATCH),
    ),
)


def run(name: str, mode: str, design: Design, policy: Policy, reached: Reached, mean: int = 1000) -> Outcome:
    pages = max(64, 5 * policy.max_batch)
    config = ModelConfig.deepseek_ocr()
    return simulate(gpu(name, reached), config, design, Page.of(mode), lengths(pages, mean), policy)


def host_seconds() -> dict[str, float]:
    """Measures the CPU seconds of one thread to render a page and make its views, by mode."""
    from fovea.model.pixels import to_pixels
    from fovea.pages.documents import open_document
    from fovea.vision.views import make_views

    document = open_document((ROOT / "examples" / "paper.pdf").read_bytes(), 50_000_000)
    best: dict[str, float] = {}
    for _ in range(5):
        started = time.thread_time()
        image = document.raster(1, 144).image
        drawn = time.thread_time() - started
        for mode in MODES:
            started = time.thread_time()
            views = make_views(image, mode)
            to_pixels([views.whole])
            if views.tiles:
                to_pixels(views.tiles)
            best[mode] = min(best.get(mode, 1e9), drawn + time.thread_time() - started)
    return best


def show() -> None:
    plan, careful = {}, {}
    for name in SHEETS:
        for mode in MODES:
            plan[name, mode] = run(name, mode, PLAN, Policy(max_batch=BATCH), Reached())
            careful[name, mode] = run(name, mode, PLAN, Policy(max_batch=BATCH), CAREFUL)
    host = host_seconds()
    print(f"A4 page of {A4[0]} × {A4[1]} px, 1,000 text tokens on average. Forecasts.\n")
    head = (
        "GPU",
        "mode",
        "pages/s",
        "careful",
        "tokens/s",
        "batch",
        "cache GB",
        "encode / prefill / decode",
        "cores",
    )
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for (name, mode), one in plan.items():
        shares = " / ".join(f"{100 * share:.0f} %" for share in (one.encode, one.prefill, one.decode))
        print(
            f"| {name} | {mode} | **{one.pages_s:.1f}** | {careful[name, mode].pages_s:.1f} | {one.tokens_s:,.0f} "
            f"| {one.batch:.0f} | {one.kv_peak / 1e9:.0f} | {shares} | {one.pages_s * host[mode]:.1f} |"
        )
    print("\n| H200, gundam | pages/s | batch |\n|---|---|---|")
    for what, design, policy in VARIANTS:
        one = run("H200", "gundam", design, policy, Reached())
        print(f"| {what} | {one.pages_s:.1f} | {one.batch:.0f} |")
    print("\n| H200, the plan, text tokens a page | base | gundam |\n|---|---|---|")
    for mean in (500, 1000, 2000):
        rates = [
            run("H200", m, PLAN, Policy(max_batch=BATCH), Reached(), mean).pages_s for m in ("base", "gundam")
        ]
        print(f"| {mean:,} | {rates[0]:.1f} | {rates[1]:.1f} |")
    target = ROOT / "docs" / "images" / "gpu-forecast.svg"
    target.write_text(svg({key: (careful[key].pages_s, one.pages_s) for key, one in plan.items()}))
    print(f"\nwritten: {target.relative_to(ROOT)}")


def svg(ranges: dict[tuple[str, str], tuple[float, float]]) -> str:
    """Bars from the careful to the planned forecast, by GPU and mode; lines for published figures."""
    width, height, left, bottom, top = 760, 340, 46, 292, 40
    most = 10 * (1 + int(max(high for _, high in ranges.values()) // 10))
    shades = dict(zip(MODES, ("#9ecae1", "#6baed6", "#4292c6", "#2171b5", "#084594"), strict=True))

    def y(value: float) -> float:
        return bottom - (bottom - top) * value / most

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        'font-size="12"><title>Forecast of pages a second by GPU and mode</title>',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{left}" y="20" font-size="13">Forecast, pages/s: from careful assumptions to the plan\'s; '
        "red: published systems</text>",
    ]
    for value in range(0, most + 1, 10):
        parts.append(f'<path d="M{left} {y(value):.1f}H{width - 10}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value}</text>')
    for column, name in enumerate(SHEETS):
        x0 = left + 10 + column * 232
        for place, mode in enumerate(MODES):
            low, high = ranges[name, mode]
            x = x0 + place * 42
            parts.append(
                f'<rect x="{x}" y="{y(high):.1f}" width="30" height="{y(low) - y(high):.1f}" fill="{shades[mode]}"/>'
            )
            parts.append(f'<text x="{x + 15}" y="{y(high) - 4:.1f}" text-anchor="middle">{high:.0f}</text>')
            parts.append(
                f'<text x="{x + 15}" y="{bottom + 16}" text-anchor="middle" font-size="10">{mode}</text>'
            )
        line = y(PUBLISHED[name])
        parts.append(f'<path d="M{x0} {line:.1f}h198" stroke="#d62728" stroke-width="2"/>')
        parts.append(f'<text x="{x0 + 99}" y="{bottom + 36}" text-anchor="middle">{name}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    show()
