"""Measures how well `pp-ocr` reads pages whose structure is known, beside other tools.

    npm run bench -- reading                                   # everything, in about half an hour
    .venv/bin/python bench/reading.py --readers pp-ocr --designs paper-two,slide --looks digital
    .venv/bin/python bench/reading.py --score                  # scores the answers of the last run again

Pages are made by `bench/reading_pages`: designs for development (`dev`), and others that no rule was made for (`held`).
Each page comes in three looks: digital (a PDF with its text layer), scanned, photographed. Needs Chromium, the fonts
Liberation, DejaVu and WenQuanYi Micro Hei, and `pip install -r bench/reading_pages/requirements.txt`; `tesseract` (with
its languages eng, deu, fra, spa, pol, chi_sim) and `pdftotext` take part if they are installed. `--before` names the
folder `src/gpu-worker` of another checkout, whose reader becomes the column `before`.

Writes reading.csv (one line per page, look and reader), reading.svg, and with `--worst` pictures of the worst pages.
"""

import argparse
import csv
import json
import os
import shutil
import statistics
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from PIL import Image, ImageDraw
from reading_pages.contestants import CONTESTANTS, FOR_PDF
from reading_pages.corpus import LOOKS, Sample, make
from reading_pages.measures import GROUPS, Answer, Score, f1, score, tidy

ROOT = Path(__file__).resolve().parents[1]
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
RIGHT = 0.95
"""Share of the characters from which a page is right."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--readers", default="", help="default: all that are installed")
    parser.add_argument("--designs", default="", help="default: all")
    parser.add_argument("--group", choices=("dev", "held"), help="default: both")
    parser.add_argument("--looks", default=",".join(LOOKS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--variants", type=int, default=1, help="pages per design")
    parser.add_argument("--before", type=Path, help="`src/gpu-worker` of another checkout")
    parser.add_argument("--score", action="store_true", help="only score the answers in --out")
    parser.add_argument("--worst", type=Path, help="folder for pictures of the ten worst pages (dev only)")
    parser.add_argument("--notes", action="store_true", help="print what is wrong on each dev page of pp-ocr")
    parser.add_argument("--node", default="node", help="Node ≥ 20, to print the pages")
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "out")
    given = parser.parse_args()

    folder = given.out / "reading"
    samples = make(folder / f"pages-{given.seed}", given.node, given.seed, given.variants)
    designs = given.designs.split(",") if given.designs else None
    samples = [
        sample
        for sample in samples
        if sample.look in given.looks.split(",")
        and given.group in (None, sample.group)
        and (designs is None or sample.name.rsplit("-", 1)[0] in designs)
    ]
    readers = given.readers.split(",") if given.readers else installed(given.before)
    rows = []
    for reader in readers:
        theirs = [sample for sample in samples if reader not in FOR_PDF or sample.look == "digital"]
        if not given.score:
            ask(reader, theirs, folder / "answers", given.before)
        rows += [row for sample in theirs if (row := judged(reader, sample, folder / "answers"))]
    write_csv(rows, given.out / "reading.csv")
    print(report(rows))
    (given.out / "reading.svg").write_text(plot(rows))
    if given.notes:
        print(notes(rows))
    if given.worst:
        draw_worst(rows, given.worst)


def installed(before: Path | None) -> list[str]:
    missing = {"before"} if before is None else set()
    if not shutil.which("tesseract"):
        missing.add("tesseract")
    if not shutil.which("pdftotext"):
        missing |= {"pdftotext -layout", "pdftotext -raw"}
    try:
        import pdfplumber  # noqa: F401
    except ImportError:
        missing.add("pdfplumber")
    return [name for name in CONTESTANTS if name not in missing]


# -- answers -------------------------------------------------------------------------------------------


def ask(reader: str, samples: list[Sample], folder: Path, before: Path | None) -> None:
    """Runs a reader in a process of its own over all pages and keeps its answers."""
    source = before if reader == "before" and before else ROOT / "src" / "gpu-worker"
    pages = [{"path": str(sample.path), "lang": language(sample)} for sample in samples]
    command = [sys.executable, str(ROOT / "bench" / "reading_pages" / "contestants.py"), reader]
    env = os.environ | {"FOVEA_SOURCE": str(source.resolve()), "OMP_THREAD_LIMIT": "2"}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
    assert process.stdin and process.stdout
    process.stdin.write(json.dumps(pages))
    process.stdin.close()
    for sample, line in zip(samples, process.stdout, strict=False):
        target = folder / reader / f"{sample.name}.{sample.look}.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(line)
    last = process.stdout.readline()
    if process.wait() or not last:
        raise SystemExit(f"{reader} stopped with {process.returncode}.")
    (folder / reader / "peak.json").write_text(last)


def language(sample: Sample) -> str:
    html = (sample.path.parent / f"{sample.name}.html").read_text()
    return html.split('lang="', 1)[1][:2]


def judged(reader: str, sample: Sample, folder: Path) -> dict | None:
    path = folder / reader / f"{sample.name}.{sample.look}.json"
    if not path.exists():
        return None
    raw = json.loads(path.read_text())
    kinds = "all" if reader in ("pp-ocr", "before") else "tables" if reader == "pdfplumber" else "none"
    answer = Answer(raw["blocks"], raw.get("verdict"), kinds, raw["cpu_s"], raw["wall_s"])
    peak = folder / reader / "peak.json"
    result = score(sample.truth, answer)
    if "error" in raw:
        result.notes.append(raw["error"])
    return {
        "reader": reader,
        "sample": sample,
        "score": result,
        "answer": answer,
        "peak": json.loads(peak.read_text())["peak_mib"] if peak.exists() else None,  # none if it was stopped
        "confidence": confidence(answer),
    }


def confidence(answer: Answer) -> float | None:
    """Mean over the characters of the blocks."""
    sure = [(block["confidence"], len(block["text"])) for block in answer.blocks if block.get("confidence")]
    letters = sum(length for _, length in sure)
    return sum(value * length for value, length in sure) / letters if letters else None


# -- tables --------------------------------------------------------------------------------------------


def totals(rows: list[dict]) -> dict[str, float | None]:
    """Each measure over some pages: means, and F1 over the counts of all pages."""
    scores: list[Score] = [row["score"] for row in rows]
    result: dict[str, float | None] = {
        "pages": len(rows),
        "text": mean([s.text for s in scores]),
        "in order": mean([s.in_order for s in scores]),
        "order": mean([s.order for s in scores if s.order is not None]),
    }
    for group in GROUPS:
        counts = [s.counts[group] for s in scores if group in s.counts]
        result[group] = f1(*map(sum, zip(*counts, strict=True))) if counts else None
    with_tables = any(s.tables for s in scores)
    result["table"] = mean([value for s in scores for value in s.tables])
    result["table shape"] = mean([value for s in scores for value in s.shapes])
    result["false tables"] = sum(s.false_tables for s in scores) if with_tables else None
    result["CPU s"] = statistics.median(row["answer"].cpu_s for row in rows)
    result["wall s"] = statistics.median(row["answer"].wall_s for row in rows)
    result["peak MiB"] = rows[0]["peak"]
    return result


def mean(values: list[float]) -> float | None:
    return statistics.fmean(values) if values else None


def report(rows: list[dict]) -> str:
    groups: dict[tuple, list[dict]] = defaultdict(list)
    for row in rows:
        groups[row["sample"].look, row["reader"], row["sample"].group].append(row)
    parts = [
        f"Load: {os.getloadavg()[0]:.1f}; cores: {os.cpu_count()}. F1 is over all pages, other measures are means; "
        "seconds are medians per page. dev / held."
    ]
    for look in LOOKS:
        readers = list(dict.fromkeys(reader for at, reader, _ in groups if at == look))
        if not readers:
            continue
        tables = {
            reader: {
                g: totals(groups[look, reader, g]) for g in ("dev", "held") if (look, reader, g) in groups
            }
            for reader in readers
        }
        names = list(next(iter(next(iter(tables.values())).values())))
        parts.append(f"\n**{look}**\n\n| measure | {' | '.join(readers)} |\n|---|{'---|' * len(readers)}")
        for name in names:
            cells = [
                " / ".join(shown(name, table.get(name)) for table in tables[reader].values())
                for reader in readers
            ]
            parts.append(f"| {name} | {' | '.join(cells)} |")
    parts.append(calibration([row for row in rows if row["answer"].verdict is not None]))
    return "\n".join(parts)


def shown(name: str, value: float | None) -> str:
    if value is None:
        return "–"
    if name in ("pages", "false tables", "peak MiB"):
        return f"{value:.0f}"
    return f"{value:.2f}" if name.endswith(" s") else f"{value:.3f}"


def calibration(rows: list[dict]) -> str:
    """Verdict and confidence against what was read."""
    parts = []
    for reader in dict.fromkeys(row["reader"] for row in rows):
        mine = [row for row in rows if row["reader"] == reader]
        right = [row for row in mine if row["score"].text >= RIGHT]
        wrong = [row for row in mine if row["score"].text < RIGHT]
        fine = [row for row in mine if row["answer"].verdict == "ok"]
        parts.append(
            f"\n**Verdicts of {reader}**: {sum(row in fine for row in right)} of {len(right)} right pages "
            f"(text ≥ {RIGHT}) are `ok`, and {sum(row in fine for row in wrong)} of {len(wrong)} others; "
            f"{len(fine)} pages are `ok`.\n"
            "\n| mean confidence | pages | mean text | right pages |\n|---|---|---|---|"
        )
        for low, high in ((0, 0.8), (0.8, 0.9), (0.9, 0.95), (0.95, 0.98), (0.98, 0.995), (0.995, 1.01)):
            some = [row for row in mine if row["confidence"] is not None and low <= row["confidence"] < high]
            if some:
                text = mean([row["score"].text for row in some])
                parts.append(
                    f"| {low}–{min(high, 1)} | {len(some)} | {text:.3f} | {sum(row in right for row in some)} |"
                )
    return "\n".join(parts)


def notes(rows: list[dict]) -> str:
    parts = []
    for row in rows:
        sample, result = row["sample"], row["score"]
        if row["reader"] == "pp-ocr" and sample.group == "dev":
            parts.append(
                f"\n{sample.name} {sample.look}: text {result.text:.3f}, in order {result.in_order:.3f}, "
                f"order {shown('', result.order)}, tables {[round(value, 2) for value in result.tables]}"
            )
            parts += [f"    {note}" for note in result.notes]
    return "\n".join(parts)


def write_csv(rows: list[dict], path: Path) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            [
                "reader",
                "page",
                "set",
                "look",
                "text",
                "in_order",
                "order",
                *(f"{group}_{name}" for group in GROUPS for name in ("found", "said", "true")),
                "tables",
                "table_shapes",
                "false_tables",
                "verdict",
                "confidence",
                "cpu_s",
                "wall_s",
            ]
        )
        for row in rows:
            sample, result, answer = row["sample"], row["score"], row["answer"]
            counts = [number for group in GROUPS for number in result.counts.get(group, ("", "", ""))]
            writer.writerow(
                [
                    row["reader"],
                    sample.name,
                    sample.group,
                    sample.look,
                    f"{result.text:.4f}",
                    f"{result.in_order:.4f}",
                    "" if result.order is None else f"{result.order:.4f}",
                    *counts,
                    " ".join(f"{value:.3f}" for value in result.tables),
                    " ".join(f"{value:.3f}" for value in result.shapes),
                    result.false_tables,
                    answer.verdict or "",
                    "" if row["confidence"] is None else f"{row['confidence']:.4f}",
                    f"{answer.cpu_s:.2f}",
                    f"{answer.wall_s:.2f}",
                ]
            )


# -- pictures ------------------------------------------------------------------------------------------


def plot(rows: list[dict]) -> str:
    """Bars by measure and reader for each look; the bar is `dev`, the black line `held`, the red line the aim."""
    colours = ("#1b6ca8", "#9bb8cf", "#d08a2e", "#7a9a5a", "#a7c08b", "#b58ab5", "#8a8a8a")
    looks = [look for look in LOOKS if any(row["sample"].look == look for row in rows)]
    readers = list(dict.fromkeys(row["reader"] for row in rows))
    wide, tall, gap = 92, 130, 46
    names = list(AIMS)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {70 + wide * len(names)} '
        f'{len(looks) * (tall + gap) + 30 + 18 * len(readers)}" font-family="sans-serif" font-size="11">',
        '<rect width="100%" height="100%" fill="#fff"/>',
    ]
    for k, look in enumerate(looks):
        base = (k + 1) * (tall + gap) - 16
        parts.append(f'<text x="8" y="{base - tall - 8}" font-weight="bold">{look}</text>')
        parts += [
            f'<path d="M50 {base - tall * v:.0f}h{wide * len(names)}" stroke="#ddd"/>'
            f'<text x="44" y="{base - tall * v + 4:.0f}" text-anchor="end">{v}</text>'
            for v in (0, 0.5, 1)
        ]
        for m, name in enumerate(names):
            x0 = 56 + m * wide
            parts.append(f'<text x="{x0 + wide / 2 - 6}" y="{base + 14}" text-anchor="middle">{name}</text>')
            step = (wide - 14) / len(readers)
            for r, reader in enumerate(readers):
                values = {}
                for group in ("dev", "held"):
                    some = [
                        row
                        for row in rows
                        if (row["reader"], row["sample"].look, row["sample"].group) == (reader, look, group)
                    ]
                    if some and (value := totals(some)[name]) is not None:
                        values[group] = value
                x = x0 + r * step
                if "dev" in values:
                    high = tall * values["dev"]
                    parts.append(
                        f'<rect x="{x:.1f}" y="{base - high:.1f}" width="{step - 1:.1f}" height="{high:.1f}" '
                        f'fill="{colours[r % 7]}"/>'
                    )
                if "held" in values:
                    y = base - tall * values["held"]
                    parts.append(
                        f'<path d="M{x:.1f} {y:.1f}h{step - 1:.1f}" stroke="#000" stroke-width="1.6"/>'
                    )
            aim = AIMS[name] if name != "table" or look == "digital" else 0.8
            parts.append(
                f'<path d="M{x0} {base - tall * aim:.1f}h{wide - 14}" stroke="#c33" stroke-dasharray="3 2"/>'
            )
    low = len(looks) * (tall + gap) + 16
    for r, reader in enumerate(readers):
        parts.append(
            f'<rect x="56" y="{low + 18 * r}" width="11" height="11" fill="{colours[r % 7]}"/>'
            f'<text x="73" y="{low + 10 + 18 * r}">{reader}</text>'
        )
    parts.append(f'<text x="220" y="{low + 10}">bar: dev · black line: held · red: aim</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def draw_worst(rows: list[dict], folder: Path) -> None:
    """The ten dev pages of pp-ocr with the lowest sum of measures, with what went wrong."""
    folder.mkdir(parents=True, exist_ok=True)
    mine = [row for row in rows if row["reader"] == "pp-ocr" and row["sample"].group == "dev"]
    for number, row in enumerate(sorted(mine, key=points)[:10], 1):
        sample = row["sample"]
        if sample.path.suffix == ".pdf":
            import pypdfium2 as pdfium

            document = pdfium.PdfDocument(sample.path)
            page = document[0].render(scale=1).to_pil().convert("RGB")
            document.close()
        else:
            page = Image.open(sample.path).convert("RGB")
        page.thumbnail((480, 640))
        picture = Image.new("RGB", (page.width + 430, max(page.height, 480)), "white")
        picture.paste(page, (0, 0))
        pen = ImageDraw.Draw(picture)
        title = f"{sample.name}, {sample.look}: {points(row):.2f}"
        for line, text in enumerate([title, "", *row["score"].notes[:30]]):
            pen.text((page.width + 10, 8 + 15 * line), tidy(text)[:70], fill="black", font_size=11)
        picture.quantize(32).save(folder / f"{number:02d}-{sample.name}-{sample.look}.png", optimize=True)


def points(row: dict) -> float:
    """The mean of a page's measures."""
    result: Score = row["score"]
    values = [result.text, result.in_order, *result.tables, *([] if result.order is None else [result.order])]
    values += [value for counts in result.counts.values() if (value := f1(*counts)) is not None]
    return statistics.fmean(values)


if __name__ == "__main__":
    main()
