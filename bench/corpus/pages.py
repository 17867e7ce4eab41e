"""Documents of the kinds of `examples/`, rendered on the fly: letters, tables, small print, blank and broken ones.

Pages are small, so that a machine with two cores reads hundreds of them in minutes. The same number and seed give the
same bytes.
"""

import io
import random
import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "src" / "gpu-worker"))  # for the benchmarks, which import this module first
FONTS = ROOT / "src" / "gpu-worker" / "fovea" / "pages" / "fonts"
WORDS = [
    *["the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "while", "twelve", "wizards"],
    *["quietly", "judge", "my", "boxed", "invoice", "report", "total", "price", "order", "number", "date"],
    *["please", "available", "service", "market", "letter", "answer", "country", "morning", "question"],
]


def words(rng: random.Random, count: int) -> str:
    return " ".join(rng.choice(WORDS) for _ in range(count))


def letter(rng: random.Random) -> Image.Image:
    image = Image.new("RGB", (640, 300), "white")
    pen = ImageDraw.Draw(image)
    pen.text((30, 24), words(rng, 3).title(), "black", ImageFont.truetype(FONTS / "DejaVuSans-Bold.ttf", 26))
    font = ImageFont.truetype(FONTS / "DejaVuSans.ttf", 20)
    for row in range(5):
        pen.text((30, 80 + 38 * row), words(rng, 7), "black", font)
    return image


def table(rng: random.Random) -> Image.Image:
    image = Image.new("RGB", (600, 300), "white")
    pen = ImageDraw.Draw(image)
    font = ImageFont.truetype(FONTS / "DejaVuSans.ttf", 20)
    for row in range(5):
        for column in range(3):
            box = (20 + 185 * column, 20 + 50 * row, 205 + 185 * column, 70 + 50 * row)
            pen.rectangle(box, outline="black")
            text = words(rng, 1) if column == 0 else f"{rng.randrange(10_000) / 100:.2f}"
            pen.text((box[0] + 10, box[1] + 12), text, "black", font)
    return image


def small_print(rng: random.Random) -> Image.Image:
    image = Image.new("L", (560, 240), 235)
    pen = ImageDraw.Draw(image)
    font = ImageFont.truetype(FONTS / "DejaVuSansMono.ttf", 15)
    for row in range(8):
        pen.text((20, 16 + 26 * row), words(rng, 8), 40, font)
    return image.convert("RGB")


def blank(rng: random.Random) -> Image.Image:
    return Image.new("RGB", (600, 300), "white")


KINDS = (letter, letter, table, small_print, letter, small_print, table, blank)


def document(number: int, seed: int = 1) -> tuple[str, bytes, int]:
    """Its name, its bytes and its pages: 1 to 6 in a TIFF or PDF; a few are broken and have none."""
    rng = random.Random(f"{seed} {number}")
    if number % 29 == 7:
        return f"{number:05d}.pdf", b"%PDF-1.4\n" + rng.randbytes(400), 0
    count = 1 + rng.randrange(6)
    # Some documents say the same as an earlier one.
    source = random.Random(f"{seed} {number - 5}") if number % 17 == 16 else rng
    images = [KINDS[source.randrange(len(KINDS))](source) for _ in range(count)]
    out = io.BytesIO()
    if number % 3 == 0:
        # The page's size in inches makes its raster as large as the picture.
        images[0].save(out, "PDF", save_all=True, append_images=images[1:], resolution=72)
        return f"{number:05d}.pdf", _dateless(out.getvalue()), count
    if count == 1:
        images[0].save(out, "PNG")
        return f"{number:05d}.png", out.getvalue(), 1
    images[0].save(out, "TIFF", save_all=True, append_images=images[1:], compression="tiff_deflate")
    return f"{number:05d}.tif", out.getvalue(), count


def _dateless(data: bytes) -> bytes:
    """Without the time at which Pillow wrote the PDF."""
    head, mark, rest = data.partition(b"/CreationDate (D:")
    if not mark:
        return data
    second = rest.find(b"/ModDate (D:")
    fixed = b"20260101000000" + rest[14:]
    if second >= 0:
        at = second + len(b"/ModDate (D:")
        fixed = fixed[:at] + b"20260101000000" + fixed[at + 14 :]
    return head + mark + fixed


def write(folder: Path, pages: int, seed: int = 1) -> Path:
    """Writes documents until they have so many pages. Returns the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    names, total, number = [], 0, 0
    while total < pages:
        name, data, count = document(number, seed)
        (folder / name).write_bytes(data)
        names.append(name)
        total, number = total + count, number + 1
    manifest = folder / "manifest.txt"
    manifest.write_text("\n".join(names) + "\n")
    return manifest
