"""The worst pages as pictures, with the blocks that were found and what went wrong."""

import statistics
from pathlib import Path

import pypdfium2 as pdfium
from PIL import Image, ImageDraw
from reading_pages.corpus import LOOKS
from reading_pages.measures import f1, tidy
from reading_pages.tables import Row

SIDE = (420, 560)
"""Pixels: the largest width and height of a picture."""
MAX_BYTES = 45_000
COUNT = 10
NOTES = 6
"""Faults that are listed of a page."""
COLOURS = {
    "title": "#c02020",
    "sub_title": "#e07020",
    "text": "#2060c0",
    "list": "#6040c0",
    "table": "#108040",
    "image": "#a06010",
    "code": "#008090",
}
OTHERS = "#808080"
INTRO = """\
# The ten worst pages of `bench/reading.py`

Development pages of `pp-ocr` with the lowest mean of all measures. The frames are the blocks, numbered in reading
order: titles red, headings orange, text blue, lists violet, tables green, pictures brown, code teal, other kinds grey.
`npm run bench -- reading --worst docs/bench/worst` writes this page.
"""


def draw_worst(rows: list[Row], folder: Path) -> None:
    """Writes the ten dev pages of pp-ocr with the lowest mean of measures, and a README.md that lists them."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.jpg"):
        old.unlink()
    mine = [
        row
        for row in rows
        if row.reader == "pp-ocr" and row.sample.group == "dev" and row.sample.look in LOOKS
    ]
    parts = [
        INTRO,
        "| page | verdict | measures | what went wrong |\n|---|---|---|---|",
    ]
    for number, row in enumerate(sorted(mine, key=points)[:COUNT], 1):
        name = f"{number:02d}-{row.sample.name}-{row.sample.look}.jpg"
        _save(_picture(row), folder / name)
        result, listed = row.score, [_escaped(note) for note in row.score.notes]
        more = [f"and {len(listed) - NOTES} more"] if len(listed) > NOTES else []
        order = "–" if result.order is None else f"{result.order:.2f}"
        tables = ", ".join(f"{value:.2f}" for value in result.tables) or "–"
        parts.append(
            f"| ![{row.sample.name}, {row.sample.look}]({name})<br>{row.sample.name}, {row.sample.look} | "
            f"{row.answer.verdict} | mean {points(row):.2f}<br>words {result.words:.2f}<br>in order "
            f"{result.in_order:.2f}<br>order {order}<br>tables {tables} | "
            f"{'<br>'.join([*listed[:NOTES], *more])} |"
        )
    (folder / "README.md").write_text("\n".join(parts) + "\n")


def points(row: Row) -> float:
    """The mean of a page's measures."""
    result = row.score
    values = [result.text, result.in_order, *result.tables, *([] if result.order is None else [result.order])]
    values += [value for counts in result.counts.values() if (value := f1(*counts)) is not None]
    return statistics.fmean(values)


def _picture(row: Row) -> Image.Image:
    path = row.sample.path
    if path.suffix == ".pdf":
        document = pdfium.PdfDocument(path)
        page = document[0].render(scale=1.2).to_pil().convert("RGB")
        document.close()
    else:
        page = Image.open(path).convert("RGB")
    page.thumbnail(SIDE, Image.Resampling.LANCZOS)
    pen = ImageDraw.Draw(page)
    for number, block in enumerate(row.answer.blocks, 1):
        x0, y0, x1, y1 = (
            value * side for value, side in zip(block["bbox"], (*page.size, *page.size), strict=True)
        )
        colour = COLOURS.get(block["type"], OTHERS)
        pen.rectangle((x0, y0, x1, y1), outline=colour)
        pen.text((x1 - 12, y0 - 2), str(number), fill=colour, font_size=10)
    return page


def _save(picture: Image.Image, path: Path) -> None:
    for quality in (70, 55, 40, 25):
        picture.save(path, "JPEG", quality=quality, optimize=True)
        if path.stat().st_size <= MAX_BYTES:
            return


def _escaped(text: str) -> str:
    return tidy(text)[:70].replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_")
