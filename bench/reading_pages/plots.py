"""The results as SVG: measures by reader, and how far verdicts and confidence can be trusted."""

from reading_pages.corpus import LOOKS
from reading_pages.tables import RIGHT, Row, by_confidence, mean, totals

AIMS = {
    "text": 0.95,
    "in order": 0.95,
    "order": 0.97,
    "heading": 0.9,
    "list": 0.9,
    "caption": 0.9,
    "furniture": 0.9,
    "table": 0.9,
}
COLOURS = ("#1b6ca8", "#9bb8cf", "#d08a2e", "#7a9a5a", "#a7c08b", "#b58ab5", "#8a8a8a", "#c9a0a0", "#5aa0a0")
FATES = {
    "right, ok": "#7a9a5a",
    "right, not ok": "#d8cf9a",
    "wrong, not ok": "#9bb8cf",
    "wrong, ok": "#c33",
}
"""What can become of a page, and its colour."""


def _open(width: float, height: float, title: str) -> list[str]:
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'font-family="sans-serif" font-size="11" role="img"><title>{title}</title>',
        '<rect width="100%" height="100%" fill="#fff"/>',
    ]


def plot(rows: list[Row]) -> str:
    """Bars by measure and reader for each look; the bar is `dev`, the black line `held`, the red line the aim."""
    looks = [look for look in LOOKS if any(row.sample.look == look for row in rows)]
    readers = list(dict.fromkeys(row.reader for row in rows))
    wide, tall, gap = 92, 130, 46
    parts = _open(
        70 + wide * len(AIMS),
        len(looks) * (tall + gap) + 30 + 18 * len(readers),
        "Measures by look and reader",
    )
    for k, look in enumerate(looks):
        base = (k + 1) * (tall + gap) - 16
        parts.append(f'<text x="8" y="{base - tall - 8}" font-weight="bold">{look}</text>')
        parts += [
            f'<path d="M50 {base - tall * v:.0f}h{wide * len(AIMS)}" stroke="#ddd"/>'
            f'<text x="44" y="{base - tall * v + 4:.0f}" text-anchor="end">{v}</text>'
            for v in (0, 0.5, 1)
        ]
        for m, (name, aim) in enumerate(AIMS.items()):
            x0 = 56 + m * wide
            parts.append(f'<text x="{x0 + wide / 2 - 6}" y="{base + 14}" text-anchor="middle">{name}</text>')
            step = (wide - 14) / len(readers)
            for r, reader in enumerate(readers):
                values = {}
                for group in ("dev", "held"):
                    some = [
                        row
                        for row in rows
                        if (row.reader, row.sample.look, row.sample.group) == (reader, look, group)
                    ]
                    if some and (value := totals(some, {})[name]) is not None:
                        values[group] = value
                x = x0 + r * step
                if "dev" in values:
                    high = tall * values["dev"]
                    parts.append(
                        f'<rect x="{x:.1f}" y="{base - high:.1f}" width="{step - 1:.1f}" height="{high:.1f}" '
                        f'fill="{COLOURS[r % len(COLOURS)]}"/>'
                    )
                if "held" in values:
                    y = base - tall * values["held"]
                    parts.append(
                        f'<path d="M{x:.1f} {y:.1f}h{step - 1:.1f}" stroke="#000" stroke-width="1.6"/>'
                    )
            line = base - tall * (aim if name != "table" or look == "digital" else 0.8)
            parts.append(f'<path d="M{x0} {line:.1f}h{wide - 14}" stroke="#c33" stroke-dasharray="3 2"/>')
    low = len(looks) * (tall + gap) + 16
    for r, reader in enumerate(readers):
        parts.append(
            f'<rect x="56" y="{low + 18 * r}" width="11" height="11" fill="{COLOURS[r % len(COLOURS)]}"/>'
            f'<text x="73" y="{low + 10 + 18 * r}">{reader}</text>'
        )
    parts.append(f'<text x="220" y="{low + 10}">bar: dev · black line: held · red: aim</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def plot_verdicts(rows: list[Row]) -> str:
    """Left: mean share of right words by mean confidence. Right: what became of the pages of each look and harm."""
    rows = [row for row in rows if row.reader == "pp-ocr" and row.answer.verdict]
    looks = list(dict.fromkeys(row.sample.look for row in rows))
    side, left, top = 300, 46, 34
    height = max(side + 90, top + 21 * len(looks) + 60)
    parts = _open(left + side + 470, height, "Confidence and verdicts of pp-ocr against what it read")
    parts.append(
        f'<text x="{left}" y="18" font-weight="bold">Right words by confidence</text>'
        f'<path d="M{left} {top + side}L{left + side} {top}" stroke="#bbb" stroke-dasharray="4 3"/>'
        f'<path d="M{left} {top + side * (1 - RIGHT):.1f}h{side}" stroke="#c33" stroke-dasharray="3 2"/>'
    )
    for value in (0, 0.25, 0.5, 0.75, 1):
        x, y = left + side * value, top + side * (1 - value)
        parts.append(
            f'<path d="M{left} {y:.1f}h{side}M{x:.1f} {top}v{side}" stroke="#eee"/>'
            f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{value}</text>'
            f'<text x="{x:.1f}" y="{top + side + 15}" text-anchor="middle">{value}</text>'
        )
    for group, fill in (("dev", "#1b6ca8"), ("held", "none")):
        for _low, _high, some in by_confidence([row for row in rows if row.sample.group == group]):
            sure = mean([row.confidence or 0.0 for row in some]) or 0.0
            words = mean([row.score.words for row in some]) or 0.0
            parts.append(
                f'<circle cx="{left + side * sure:.1f}" cy="{top + side * (1 - words):.1f}" '
                f'r="{2 + len(some) ** 0.5:.1f}" fill="{fill}" fill-opacity=".6" stroke="#123" />'
            )
    parts.append(
        f'<text x="{left + side / 2}" y="{top + side + 32}" text-anchor="middle">mean confidence</text>'
        f'<text x="{left}" y="{top + side + 50}">filled: dev · hollow: held · area: pages · red: a page is right</text>'
    )
    x0, wide = left + side + 130, 300
    parts.append(f'<text x="{x0}" y="18" font-weight="bold">Pages by verdict</text>')
    for k, look in enumerate(looks):
        some = [row for row in rows if row.sample.look == look]
        x, y = float(x0), top + 21 * k
        parts.append(f'<text x="{x0 - 8}" y="{y + 12}" text-anchor="end">{look} ({len(some)})</text>')
        for fate, colour in FATES.items():
            share = sum(_fate(row) == fate for row in some) / len(some)
            parts.append(
                f'<rect x="{x:.1f}" y="{y}" width="{wide * share:.1f}" height="16" fill="{colour}"/>'
            )
            x += wide * share
    y = top + 21 * len(looks) + 14
    for k, (fate, colour) in enumerate(FATES.items()):
        x = x0 - 40 + 92 * k
        parts.append(
            f'<rect x="{x}" y="{y}" width="11" height="11" fill="{colour}"/>'
            f'<text x="{x + 15}" y="{y + 10}">{fate}</text>'
        )
    return "\n".join([*parts, "</svg>"]) + "\n"


def _fate(row: Row) -> str:
    return f"{'right' if row.is_right else 'wrong'}, {'ok' if row.is_ok else 'not ok'}"
