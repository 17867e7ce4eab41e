r"""Generates the documents in examples/ and their ground truth in examples/truth/ from the same strings.

    python -m venv /tmp/examples && /tmp/examples/bin/pip install fpdf2==2.8.9 pillow==13.0.0 \
        numpy==2.4.6
    /tmp/examples/bin/python scripts/make_examples.py

Needs the fonts DejaVu and Noto Sans CJK (Debian: fonts-dejavu-core, fonts-noto-cjk). The same versions generate
the same bytes: dates are fixed and the photo's noise is seeded. The ground truth is the text in reading order;
form feeds separate pages, tabs separate the cells of a table row.
"""

import random
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from example_texts import CHINESE, LETTER, MONTHS, PAPER
from fpdf import FPDF
from fpdf.enums import XPos, YPos
from PIL import Image, ImageDraw, ImageFilter, ImageFont

OUT = Path(__file__).resolve().parent.parent / "examples"
FIXTURES = OUT.parent / "test" / "e2e" / "fixtures"
DEJAVU = Path("/usr/share/fonts/truetype/dejavu")
NOTO_CJK = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc")
NOTO_CJK_SC = 2  # index of the simplified Chinese face in the collection
MADE_AT = datetime(2026, 1, 1, tzinfo=UTC)


class Document(FPDF):
    """An A4 PDF with embedded DejaVu fonts, which records the text it writes as ground truth."""

    def __init__(self, family: str = "DejaVuSans") -> None:
        super().__init__(format="A4", unit="mm")
        self.set_creation_date(MADE_AT)
        self.set_auto_page_break(False)
        self.set_margin(20)
        self.add_font("body", "", DEJAVU / f"{family}.ttf")
        self.add_font("body", "B", DEJAVU / f"{family}-Bold.ttf")
        self.truth: list[list[str]] = []

    def new_page(self) -> None:
        self.add_page()
        self.truth.append([])

    def record(self, text: str) -> None:
        self.truth[-1].append(text)

    def line(self, text: str, size: float = 10, style: str = "", align: str = "L") -> None:
        """One line over the whole width."""
        self.set_font("body", style, size)
        height = size * 0.55
        self.cell(0, height, text, align=align, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.record(text)

    def paragraph(self, text: str, size: float = 10, width: float = 0, align: str = "L") -> None:
        self.set_font("body", "", size)
        x = self.get_x()
        self.multi_cell(width, size * 0.5, text, align=align, new_x=XPos.LEFT, new_y=YPos.NEXT)
        self.set_x(x)
        self.record(text)

    def grid(self, rows: list[list[str]], widths: list[float], aligns: str) -> None:
        """A ruled table; the first row is its header."""
        for i, row in enumerate(rows):
            self.set_font("body", "B" if i == 0 else "", 9)
            for text, width, align in zip(row, widths, aligns, strict=True):
                self.cell(width, 8, text, border=1, align=align)
            self.ln()
            self.record("\t".join(row))

    def save(self, name: str) -> None:
        self.output(OUT / f"{name}.pdf")
        write_truth(name, ["\n".join(page) for page in self.truth])


def write_truth(name: str, pages: list[str]) -> None:
    (OUT / "truth" / f"{name}.txt").write_text("\n\f".join(pages) + "\n", encoding="utf-8")


def money(cents: int) -> str:
    return f"{cents // 100:,}.{cents % 100:02d}"


def invoice() -> None:
    """One page with a ruled table whose amounts add up."""
    items = [
        ("Microfilm scanner, refurbished", 1, 184_000),
        ("Archival storage box, acid free", 24, 1_295),
        ("Negative sleeves, pack of 100", 12, 1_850),
        ("LED copy light, 5000 K", 2, 13_900),
        ("Calibration target, A4", 1, 7_425),
        ("On-site installation, hours", 6, 9_200),
        ("Operator training, half day", 1, 42_000),
    ]
    net = sum(quantity * price for _, quantity, price in items)
    vat = round(net * 0.19)

    pdf = Document()
    pdf.new_page()
    pdf.line("Invoice", 24, "B")
    pdf.ln(4)
    for text in ("Harbour Imaging Supplies Ltd", "14 Quayside Road, Bristol BS1 4QA"):
        pdf.line(text)
    pdf.ln(5)
    for text in (
        "Invoice number: HIS-2026-0417",
        "Invoice date: 12 March 2026",
        "Due date: 11 April 2026",
    ):
        pdf.line(text)
    pdf.ln(5)
    pdf.line("Bill to", 11, "B")
    for text in (
        "County Record Office",
        "Attn: Margaret Ellison",
        "3 Castle Street, Exeter EX4 3PU",
    ):
        pdf.line(text)
    pdf.ln(6)
    rows = [["No.", "Description", "Quantity", "Unit price", "Amount"]]
    for number, (name, quantity, price) in enumerate(items, 1):
        rows.append([str(number), name, str(quantity), money(price), money(quantity * price)])
    pdf.grid(rows, [14, 76, 24, 28, 28], "CLRRR")
    pdf.ln(4)
    for text in (f"Net total: GBP {money(net)}", f"VAT 19 %: GBP {money(vat)}"):
        pdf.line(text, align="R")
    pdf.line(f"Amount due: GBP {money(net + vat)}", 12, "B", align="R")
    pdf.ln(8)
    pdf.paragraph(
        "Please pay within 30 days and quote the invoice number with your transfer. "
        "Goods remain our property until they are paid for in full."
    )
    pdf.ln(2)
    pdf.line("Account: GB29 NWBK 6016 1331 9268 19, Harbour Imaging Supplies Ltd", 9)
    pdf.save("invoice")


def paper() -> None:
    """One page in two columns under a title that spans both."""
    pdf = Document("DejaVuSerif")
    pdf.new_page()
    pdf.line(PAPER["title"], 16, "B", "C")
    pdf.ln(2)
    pdf.line(PAPER["authors"], 10, "", "C")
    pdf.ln(5)
    top, width = pdf.get_y(), 81.0
    for x, column in ((20.0, PAPER["left"]), (109.0, PAPER["right"])):
        pdf.set_xy(x, top)
        for heading, paragraphs in column:
            pdf.set_font("body", "B", 11)
            pdf.cell(width, 7, heading, new_x=XPos.LEFT, new_y=YPos.NEXT)
            pdf.record(heading)
            for text in paragraphs:
                pdf.paragraph(text, 9.5, width)
                pdf.ln(2)
                pdf.set_x(x)
    pdf.save("paper")


def report() -> None:
    """Twelve different pages, one per month, each with its number."""
    dice = random.Random(12)
    pdf = Document()
    for number, (month, days, remark) in enumerate(MONTHS, 1):
        pdf.new_page()
        pdf.line(f"{number}. {month} at Weir Bridge", 18, "B")
        pdf.ln(4)
        pdf.paragraph(remark, 11)
        pdf.ln(4)
        for week in range(1, 5):
            level, rain = dice.randint(60, 340), dice.randint(0, 90)
            pdf.line(f"Week {week}: level {level} cm, rain {rain} mm, {dice.randint(2, 7)} readings", 11)
            pdf.ln(1)
        pdf.ln(3)
        pdf.line(f"The gauge was read on {days - dice.randint(0, 3)} of {days} days in {month}.", 11)
        pdf.set_y(-22)
        pdf.line(f"Page {number} of 12", 9, align="C")
    pdf.save("report-12")


def blank() -> None:
    """One page with nothing on it."""
    pdf = Document()
    pdf.new_page()
    pdf.save("blank")


def encrypted() -> None:
    """A test fixture that needs a password."""
    pdf = Document()
    pdf.set_encryption(owner_password="owner", user_password="user")
    pdf.new_page()
    pdf.line("Nobody can read this.")
    FIXTURES.mkdir(parents=True, exist_ok=True)
    pdf.output(FIXTURES / "encrypted.pdf")


def photo() -> None:
    """A letter as photographed by a phone: skewed, lit from one side, blurred and noisy."""
    width, height, margin = 1000, 1300, 90
    paper_sheet = Image.new("L", (width, height), 250)
    draw = ImageDraw.Draw(paper_sheet)
    y = margin
    for text in LETTER:
        size, bold = (40, "-Bold") if text == LETTER[0] else (26, "")
        draw.text(
            (margin, y),
            text,
            fill=25,
            font=ImageFont.truetype(DEJAVU / f"DejaVuSerif{bold}.ttf", size),
        )
        y += 80 if text == LETTER[0] else 46

    desk = Image.new("L", (1200, 1500), 96)
    corners = [(96, 118), (1128, 74), (1148, 1402), (60, 1436)]  # of the sheet on the desk
    lying = paper_sheet.transform(
        desk.size,
        Image.Transform.PERSPECTIVE,
        perspective(corners, (width, height)),
        Image.Resampling.BICUBIC,
    )
    mask = Image.new("L", (width, height), 255).transform(
        desk.size,
        Image.Transform.PERSPECTIVE,
        perspective(corners, (width, height)),
        Image.Resampling.BICUBIC,
    )
    desk.paste(lying, mask=mask)
    pixels = np.asarray(desk.filter(ImageFilter.GaussianBlur(0.7)), dtype=np.float64)
    rows, columns = np.mgrid[0 : pixels.shape[0], 0 : pixels.shape[1]]
    light = 1.02 - 0.38 * columns / pixels.shape[1] - 0.14 * rows / pixels.shape[0]
    noise = np.random.default_rng(7).normal(0, 7, pixels.shape)
    seen = np.clip(pixels * light + noise, 0, 255).astype(np.uint8)
    Image.fromarray(seen).save(OUT / "photo.jpg", quality=72)
    write_truth("photo", ["\n".join(LETTER)])


def perspective(corners: list[tuple[float, float]], size: tuple[int, int]) -> list[float]:
    """The eight coefficients that map a point of the picture to the sheet."""
    width, height = size
    sheet = [(0, 0), (width, 0), (width, height), (0, height)]
    rows, wanted = [], []
    for (x, y), (u, v) in zip(corners, sheet, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        wanted += [u, v]
    return np.linalg.solve(np.array(rows, float), np.array(wanted, float)).tolist()


def chinese() -> None:
    """A notice in simplified Chinese."""
    page = Image.new("L", (1000, 1100), 255)
    draw = ImageDraw.Draw(page)
    y = 80
    for text in CHINESE:
        size = 48 if text == CHINESE[0] else 30
        font = ImageFont.truetype(NOTO_CJK, size, index=NOTO_CJK_SC)
        draw.text((90, y), text, fill=0, font=font)
        y += size * 2 if text == CHINESE[0] else 56
    page.quantize(16).save(OUT / "chinese.png", optimize=True)
    write_truth("chinese", ["\n".join(CHINESE)])


def main() -> int:
    missing = [str(path) for path in (DEJAVU / "DejaVuSans.ttf", NOTO_CJK) if not path.exists()]
    if missing:
        print(f"Missing fonts: {', '.join(missing)}", file=sys.stderr)
        return 2
    (OUT / "truth").mkdir(parents=True, exist_ok=True)
    for make in (invoice, paper, report, blank, encrypted, photo, chinese):
        make()
    return 0


if __name__ == "__main__":
    sys.exit(main())
