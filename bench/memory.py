"""How much of a text is readable after it becomes page images, and after these fade (docs/research/MEMORY.md).

    .venv/bin/python bench/memory.py                                     # everything, with pp-ocr
    .venv/bin/python bench/memory.py ladder --reader fovea-nano          # one part, another reader
    .venv/bin/python bench/memory.py --conversations 20 --pages 1        # fewer pages

`modes` lays out running text for each mode and reads it in that mode. `ladder` renders conversations once and takes
them down the ladder, making each image from the one before as `fovea-render` does; it also computes how many rounds a
token budget holds. Writes docs/memory/*.csv and *.svg, with the reader's name in the file names. The texts are held
out from training (`fovea/train/texts.py`). bench/nano.py runs the readers in their own process with one thread.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from random import Random
from statistics import mean, median

import nano
from nano import PAPER, ROOT, plot, shown, text_tokens, write
from PIL import Image

nano.OUT = ROOT / "docs" / "memory"
RUNGS = ("gundam", "large", "base", "small", "tiny")
# arXiv 2510.18234, figure 13: what the paper says of each.
CLARITY = (
    "very clear (1 hour)",
    "clear (1 day)",
    "blurry (1 week)",
    "very blurry (1 month)",
    "almost gone (1 year)",
)
RECENT = 0.25
"""Share of a budget for the newest rounds, which stay text."""


@dataclass(slots=True)
class Page:
    """A page on its way down the ladder: its current image, and the text it was rendered from."""

    of: int
    image: Image.Image
    text: str
    said: dict[str, str] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
    """Vision tokens by rung."""


def running_text(random: Random, count: int) -> str:
    """Paragraphs of held-out prose, `count` words in all."""
    from fovea.train.texts import Writer

    writer, paragraphs = Writer(random, True, prose=1.0), []
    while count > 0:
        size = min(count, random.randint(30, 120))
        paragraphs.append(" ".join(writer.word() for _ in range(size)))
        count -= size
    return "\n\n".join(paragraphs)


def conversation(number: int) -> str:
    """2 to 20 rounds of a short question and a longer answer, seeded with `number`."""
    random = Random(f"conversation {number}")
    messages = []
    for _ in range(random.randint(2, 20)):
        messages.append(f"user: {running_text(random, random.randint(8, 40))}")
        messages.append(f"assistant: {running_text(random, random.randint(30, 160))}")
    return "\n\n".join(messages)


def render(text: str, mode: str, of: int = 0) -> list[Page]:
    from fovea.pages.render import paginate

    pages = paginate(text, "text/plain", mode)
    return [Page(of, page.draw()[0].convert("RGB"), page.source) for page in pages]


def read(images: list[Image.Image], given: argparse.Namespace) -> list[str]:
    """The reader's text of each image, from a separate process."""
    with tempfile.TemporaryDirectory() as folder:
        for number, image in enumerate(images):
            image.save(Path(folder) / f"{number:04}.png")
        program = Path(nano.__file__)
        command = [
            sys.executable,
            str(program),
            "--read",
            given.reader,
            folder,
            "--weights",
            str(given.weights),
        ]
        said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return [page["text"] for page in said["pages"]]


def precision(said: str, text: str) -> float:
    """1 − CER, at least 0; all white space counts as a space."""
    from fovea.train.evaluate import distance

    a, b = (" ".join(words.split()) for words in (said, text))
    return max(0.0, 1 - distance(a, b) / max(1, len(b)))


def overall(pairs: list[tuple[str, str]]) -> float:
    """Mean precision of pages, weighted by their length."""
    lengths = [len(text) for _, text in pairs]
    return sum(precision(*pair) * length for pair, length in zip(pairs, lengths, strict=True)) / sum(lengths)


def published(compression: float) -> str:
    from fovea.vision.compression import expected_precision

    band = expected_precision(compression)
    return "–" if band is None else f"{100 * band[0]:.0f}–{100 * band[1]:.0f}"


def modes(given: argparse.Namespace) -> None:
    """Full pages in the layout for each mode, read in that mode."""
    from fovea.pages.render import SHEETS
    from fovea.vision.modes import valid_tokens

    rows = []
    for mode, sheet in SHEETS.items():
        pages = [
            render(running_text(Random(f"page {number}"), 4000), mode)[0] for number in range(given.pages)
        ]
        said = read([page.image for page in pages], given)
        vision = valid_tokens((sheet.width, sheet.height), mode)
        tokens = mean(text_tokens(page.text) for page in pages)
        rows.append(
            {
                "mode": mode,
                "reader": given.reader,
                "page px": f"{sheet.width} x {sheet.height}",
                "type px": sheet.size,
                "columns": sheet.columns,
                "pages": len(pages),
                "letters a page": round(mean(len(page.text) for page in pages)),
                "text tokens a page": round(tokens),
                "vision tokens": vision,
                "compression": tokens / vision,
                "precision": overall([(a, page.text) for a, page in zip(said, pages, strict=True)]),
                "published at that compression, %": published(tokens / vision),
            }
        )
        print(shown(rows[-1]), flush=True)
    write(f"modes-{given.reader}.csv", rows)


def ladder(given: argparse.Namespace) -> None:
    """Cumulative loss: each rung re-encodes the image of the previous rung."""
    from fovea.vision.modes import valid_tokens
    from fovea.vision.views import picture

    texts = [conversation(number) for number in range(given.conversations)]
    rounds = sum(len(re.findall("^user: ", text, re.MULTILINE)) for text in texts)
    pages = [page for number, text in enumerate(texts) for page in render(text, RUNGS[0], number)]
    tokens = [text_tokens(page.text) for page in pages]
    rows, details = [], []
    for rung, clarity in zip(RUNGS, CLARITY, strict=True):
        for page in pages:
            page.seen[rung] = valid_tokens(page.image.size, rung)
            page.image = picture(page.image, rung)
        for page, said in zip(pages, read([page.image for page in pages], given), strict=True):
            page.said[rung] = said
        vision = [page.seen[rung] for page in pages]
        right = [precision(page.said[rung], page.text) for page in pages]
        compression = sum(tokens) / sum(vision)
        rows.append(
            {
                "rung": rung,
                "the paper's word": clarity,
                "reader": given.reader,
                "conversations": len(texts),
                "pages": len(pages),
                "vision tokens a page": mean(vision),
                "text tokens a page": mean(tokens),
                "compression": compression,
                "precision": overall([(page.said[rung], page.text) for page in pages]),
                "median page": median(right),
                "published at that compression, %": published(compression),
            }
        )
        print(shown(rows[-1]), flush=True)
        details += [
            {
                "conversation": page.of,
                "rung": rung,
                "text tokens": text,
                "vision tokens": seen,
                "compression": text / seen,
                "precision": share,
            }
            for page, text, seen, share in zip(pages, tokens, vision, right, strict=True)
        ]
    write(f"ladder-{given.reader}.csv", rows)
    write(f"ladder-pages-{given.reader}.csv", details)
    series = {f"{given.reader}, pages from gundam down to tiny": binned(details)}
    series |= {
        f"DeepSeek-OCR, {count} vision tokens (Fox benchmark, published)": points
        for count, points in zip((64, 100), PAPER, strict=True)
    }
    (nano.OUT / f"ladder-{given.reader}.svg").write_text(
        plot(series, "text tokens for each vision token", 30)
    )
    write(f"rounds-{given.reader}.csv", list(held(rows, sum(tokens) / rounds, given.budget)))


def binned(details: list[dict]) -> list[tuple[float, float]]:
    """Mean compression and precision of pages in bins of compression, each a third wider than the last."""
    edges = [0.0, 1.0]
    while edges[-1] < 60:
        edges.append(edges[-1] * 4 / 3)
    points = []
    for low, high in pairwise(edges):
        here = [row for row in details if low <= row["compression"] < high]
        if here:
            points.append((mean(r["compression"] for r in here), 100 * mean(r["precision"] for r in here)))
    return points


def held(rungs: list[dict], a_round: float, budget: int):
    """How many rounds of `a_round` text tokens a budget holds: all as text; the newest as text and the older ones on a
    single rung; and the older ones spread evenly over all rungs."""
    recent = RECENT * budget / a_round
    yield {
        "older rounds as": "text",
        "budget": budget,
        "rounds": budget / a_round,
        "precision of the older": 1.0,
    }
    spare = (1 - RECENT) * budget
    for row in rungs:
        older = spare * row["compression"] / a_round
        form = {"older rounds as": row["rung"], "budget": budget, "rounds": recent + older}
        yield {**form, "precision of the older": row["precision"]}
    shares = [spare / len(rungs) * row["compression"] / a_round for row in rungs]
    kept = sum(share * row["precision"] for share, row in zip(shares, rungs, strict=True)) / sum(shares)
    form = {"older rounds as": "the whole ladder", "budget": budget, "rounds": recent + sum(shares)}
    yield {**form, "precision of the older": kept}


PARTS = {"modes": modes, "ladder": ladder}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "parts", nargs="*", choices=[*PARTS, []], help="what to measure (default: everything)"
    )
    parser.add_argument("--reader", default="pp-ocr", help="fovea-nano, pp-ocr, tesseract or deepseek-ocr")
    parser.add_argument("--conversations", type=int, default=200)
    parser.add_argument("--pages", type=int, default=4, help="full pages per mode")
    parser.add_argument("--budget", type=int, default=8000, help="token budget for counting rounds")
    parser.add_argument("--weights", type=Path, default=ROOT / "src/gpu-worker/fovea/nano/weights")
    given = parser.parse_args()
    for part in given.parts or PARTS:
        print(f"-- {part}", flush=True)
        PARTS[part](given)


if __name__ == "__main__":
    main()
