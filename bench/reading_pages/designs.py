"""The designs of the pages: each makes the HTML of one page from a random generator.

An element with `data-k` is a block of the truth, in reading order: `h1`, `h2`, `h3`, `p`, `li`, `table`, `caption`,
`header`, `footer`, `page_number`, `footnote`, `code`, `figure`; `field` is a label with its value, which may be read
as text or table; `aside` is a side note, whose place in the reading order is free; `mark` is a watermark, which may be
left out. `data-skip` is not text (a drawn box).
"""

import random
from collections.abc import Callable

from reading_pages.texts import HEADINGS, SENTENCES

Draw = random.Random
DESIGNS: dict[str, tuple[str, Callable[[Draw], str]]] = {}
"""From the name to the set, `dev` or `held`, and the function."""

SERIF = "'Liberation Serif','DejaVu Serif',serif"
SANS = "'Liberation Sans','DejaVu Sans',sans-serif"
WIDE = "'DejaVu Sans',sans-serif"
NARROW = "'Liberation Sans Narrow','DejaVu Sans Condensed',sans-serif"
MONO = "'Liberation Mono','DejaVu Sans Mono',monospace"
CHINESE = "'WenQuanYi Micro Hei',sans-serif"

STYLE = """
*{box-sizing:border-box} body{margin:0;position:relative;line-height:1.32;color:#111;hyphens:auto}
p{margin:0 0 .55em;text-align:justify} h1,h2,h3{margin:.5em 0 .3em;line-height:1.2} ul,ol{margin:.2em 0 .6em;
padding-left:1.6em} table{border-collapse:collapse;margin:.4em 0} td,th{padding:.18em .5em;vertical-align:top;
text-align:left} .ruled td,.ruled th{border:1px solid #333} .r{text-align:right} .c{text-align:center}
.book{border-top:2px solid #000;border-bottom:2px solid #000} .book tr.head th{border-bottom:1px solid #000}
figure{margin:.5em 0;break-inside:avoid} table{break-inside:avoid} figcaption,.cap{font-size:.86em;
margin:.3em 0 .7em;text-align:left}
.abs{position:absolute} .box{display:inline-block;width:.85em;height:.85em;border:1.5px solid #111;margin-right:.5em;
vertical-align:-.08em;position:relative} .on:after{content:"";position:absolute;left:.14em;top:.14em;width:.42em;
height:.42em;background:#111} pre{margin:.4em 0;line-height:1.25} .lead{display:flex} .lead span:nth-child(2){flex:1;
overflow:hidden;white-space:nowrap} svg{display:block}
"""


def design(held: bool = False) -> Callable:
    def add(make: Callable[[Draw], str]) -> Callable[[Draw], str]:
        DESIGNS[make.__name__.replace("_", "-")] = ("held" if held else "dev", make)
        return make

    return add


def sheet(
    body: str,
    lang: str = "en",
    font: str = SERIF,
    size: float = 10.5,
    page: str = "210mm 297mm",
    margin: str = "16mm 20mm",
    style: str = "",
) -> str:
    height = page.split()[1]
    return (
        f'<!doctype html><html lang="{lang}"><meta charset="utf-8"><style>{STYLE}@page{{size:{page};margin:0}}'
        f"body{{font-family:{font};font-size:{size}pt;padding:{margin};height:calc({height} - 1px);overflow:hidden}}"
        f"{style}</style><body>{body}</body></html>"
    )


# -- parts ---------------------------------------------------------------------------------------------


def prose(draw: Draw, lang: str, count: int = 4) -> str:
    """A text of `count` sentences. A sentence returns only after all others of the language."""
    bag: list[str] = vars(draw).setdefault(f"bag_{lang}", [])
    chosen = []
    for _ in range(min(count, len(SENTENCES[lang]))):
        fresh = [text for text in bag if text not in chosen]
        if not fresh:
            bag += SENTENCES[lang]
            fresh = [text for text in bag if text not in chosen]
        chosen.append(draw.choice(fresh))
        bag.remove(chosen[-1])
    return ("" if lang == "zh" else " ").join(chosen)


def p(text: str, style: str = "") -> str:
    return f'<p data-k="p" style="{style}">{text}</p>'


def paras(draw: Draw, lang: str, count: int, sentences: int = 4) -> str:
    return "".join(p(prose(draw, lang, sentences)) for _ in range(count))


def h(level: int, text: str, style: str = "") -> str:
    return f'<h{level} data-k="h{level}" style="{style}">{text}</h{level}>'


def heads(draw: Draw, lang: str, count: int) -> list[str]:
    return draw.sample(HEADINGS[lang], min(count, len(HEADINGS[lang])))


def at(kind: str, text: str, where: str, style: str = "") -> str:
    return f'<div class="abs" data-k="{kind}" style="{where};{style}">{text}</div>'


def items(entries: list[str], tag: str = "ul") -> str:
    """A list. Marks are part of the page, not of the truth's text."""
    return f"<{tag}>" + "".join(f'<li data-k="li">{entry}</li>' for entry in entries) + f"</{tag.split()[0]}>"


def table(
    rows: list[list], style: str = "", cls: str = "", head: int = 1, right: tuple[int, ...] = ()
) -> str:
    """A cell is a text, or `(text, rowspan, colspan)`."""
    out = []
    for number, row in enumerate(rows):
        cells = []
        for column, cell in enumerate(row):
            text, down, across = cell if isinstance(cell, tuple) else (cell, 1, 1)
            tag = "th" if number < head else "td"
            side = "c" if across > 1 else "r" if column in right else ""
            spans = (f' rowspan="{down}"' if down > 1 else "") + (
                f' colspan="{across}"' if across > 1 else ""
            )
            cells.append(f'<{tag}{spans} class="{side}">{text}</{tag}>')
        out.append(f'<tr class="{"head" if number == head - 1 else ""}">{"".join(cells)}</tr>')
    return f'<table data-k="table" class="{cls}" style="{style}">{"".join(out)}</table>'


def chart(draw: Draw, width: int = 300, height: int = 170, bars: bool = False) -> str:
    """A chart with tick labels. Its labels are not text of the page."""
    values = [draw.uniform(0.15, 0.95) for _ in range(7)]
    left, low = 34, height - 24
    parts = [f'<path d="M{left} 8V{low}H{width - 6}" fill="none" stroke="#222" stroke-width="1.2"/>']
    for tick in range(5):
        y = low - tick * (low - 12) / 4
        parts.append(
            f'<text x="{left - 5}" y="{y + 3:.0f}" text-anchor="end" font-size="9">{tick * 25}</text>'
        )
        parts.append(f'<path d="M{left} {y:.0f}h{width - left - 6}" stroke="#bbb" stroke-width=".5"/>')
    step = (width - left - 20) / 7
    points = []
    for number, value in enumerate(values):
        x, y = left + 10 + number * step, low - value * (low - 14)
        points.append(f"{x + step / 2:.0f},{y:.0f}")
        if bars:
            parts.append(
                f'<rect x="{x:.0f}" y="{y:.0f}" width="{step * 0.7:.0f}" height="{low - y:.0f}" fill="#5b7ca8"/>'
            )
        parts.append(
            f'<text x="{x + step / 2:.0f}" y="{low + 13}" text-anchor="middle" font-size="9">{2015 + number}</text>'
        )
    if not bars:
        parts.append(f'<polyline points="{" ".join(points)}" fill="none" stroke="#a33" stroke-width="1.8"/>')
    return (
        f'<svg data-k="figure" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="{SANS}">{"".join(parts)}</svg>'
    )


def figure(draw: Draw, caption: str, **size) -> str:
    return f'<figure>{chart(draw, **size)}<figcaption data-k="caption">{caption}</figcaption></figure>'


def caption(text: str) -> str:
    return f'<div class="cap" data-k="caption">{text}</div>'


def field(label: str, value: str, style: str = "") -> str:
    spans = f'<span style="width:40%">{label}</span> <span>{value}</span>'
    return f'<div data-k="field" style="display:flex;{style}">{spans}</div>'


def callout(word: str, text: str, style: str) -> str:
    return f'<div data-k="p" style="padding:2.5mm 3mm;margin:3mm 0;{style}"><b>{word}:</b> {text}</div>'


def watermark(text: str, top: int) -> str:
    style = f"top:{top}mm;left:18mm;font-size:85pt;color:#e7e7e7;transform:rotate(-37deg);z-index:-1"
    return f'<div class="abs" data-k="mark" style="{style}">{text}</div>'


def listing(code: str, style: str) -> str:
    return f'<pre data-k="code" style="font-family:{MONO};{style}">{code}</pre>'


def money(draw: Draw, comma: bool = False, top: int = 2000) -> str:
    text = f"{draw.uniform(3, top):,.2f}"
    return text.replace(",", " ").replace(".", ",").replace(" ", ".") if comma else text


# -- development ---------------------------------------------------------------------------------------


@design()
def paper_one(draw: Draw) -> str:
    names = heads(draw, "en", 3)
    return sheet(
        at("header", "Annals of Harbour Studies, Vol. 12 (2021)", "top:9mm;left:24mm", "font-size:8.5pt")
        + h(1, "Timber, Tides and Tolls: A Second Look at the Old Port", "font-size:17pt;text-align:center")
        + p("Maria Lindqvist and Thomas Okafor", "text-align:center")
        + p("<b>Abstract.</b> " + prose(draw, "en", 4), "margin:0 10mm 4mm;font-size:9.5pt")
        + "".join(
            h(2, f"{number}. {name}", "font-size:10.5pt") + paras(draw, "en", 2, 5)
            for number, name in enumerate(names, 1)
        )
        + at(
            "footnote",
            "1 " + prose(draw, "en", 2),
            "bottom:17mm;left:24mm;right:24mm;border-top:.5px solid #000;padding-top:1mm",
            "font-size:8pt",
        )
        + at("page_number", "117", "bottom:9mm;left:0;right:0;text-align:center", "font-size:9pt"),
        margin="20mm 24mm",
    )


@design()
def paper_two(draw: Draw) -> str:
    names = heads(draw, "en", 4)
    booktabs = table(
        [["Site", "Depth", "Mean", "SD"]]
        + [
            [name, f"{draw.uniform(2, 30):.1f}", f"{draw.uniform(0, 1):.3f}", f"{draw.uniform(0, 0.2):.3f}"]
            for name in ("Quay", "Lock", "Upper basin", "Weir")
        ],
        cls="book",
        style="width:100%;font-size:8.5pt",
        right=(1, 2, 3),
    )
    column = (
        h(2, f"1 {names[0]}")
        + paras(draw, "en", 2, 4)
        + figure(
            draw,
            "Figure 1: Depth of the basin in the years 2015 to 2021, in centimetres above the sill.",
            width=290,
            height=150,
        )
        + h(2, f"2 {names[1]}")
        + paras(draw, "en", 2, 4)
        + caption("Table 1: Depth and mean error by site.")
        + booktabs
        + h(2, f"3 {names[2]}")
        + paras(draw, "en", 3, 4)
        + h(3, f"3.1 {names[3]}")
        + paras(draw, "en", 2, 4)
    )
    return sheet(
        h(1, "Measuring Slow Currents with Cheap Floats", "text-align:center;font-size:18pt")
        + p("A. Rivera, J. Holm, P. Nakamura", "text-align:center")
        + p("<b>Abstract</b> — " + prose(draw, "en", 4), "font-style:italic;margin:0 8mm 4mm")
        + f'<div style="columns:2;column-gap:7mm;column-fill:auto;height:205mm">{column}</div>'
        + at("page_number", "3", "bottom:8mm;left:0;right:0;text-align:center"),
        size=9.5,
        margin="16mm 18mm",
        style="h2{font-size:10.5pt}h3{font-size:9.5pt;font-style:italic}",
    )


@design()
def paper_three(draw: Draw) -> str:
    names = heads(draw, "de", 5)
    column = "".join(h(2, name) + paras(draw, "de", 2, 4) for name in names)
    return sheet(
        at("header", "Mitteilungen des Heimatvereins", "top:8mm;left:15mm", "font-size:8pt")
        + at("header", "Heft 4/2020", "top:8mm;right:15mm", "font-size:8pt")
        + h(1, "Brücken, Mühlen und ein verschwundener Hafen", "font-size:20pt")
        + f'<div style="columns:3;column-gap:6mm;column-fill:auto;height:235mm">{column}</div>'
        + at("page_number", "– 28 –", "bottom:8mm;left:0;right:0;text-align:center", "font-size:8pt"),
        "de",
        size=9,
        margin="15mm",
        style="h2{font-size:9pt}",
    )


@design()
def invoice_german(draw: Draw) -> str:
    goods = [
        "Beratung vor Ort, einschließlich Anfahrt und Protokoll der Ergebnisse",
        "Schrauben M6 × 40, verzinkt",
        "Miete eines Hochdruckreinigers für drei Tage mit Zubehör",
        "Reinigungsmittel, 5 l",
        "Montage",
    ]
    rows = [["Pos.", "Bezeichnung", "Menge", "Einzelpreis", "Gesamt"]] + [
        [str(n), text, str(draw.randint(1, 40)), f"{money(draw, True, 90)} €", f"{money(draw, True)} €"]
        for n, text in enumerate(goods, 1)
    ]
    rows += [
        [("Zwischensumme", 1, 4), "1.842,17 €"],
        [("MwSt. 19 %", 1, 4), "350,01 €"],
        [("Rechnungsbetrag", 1, 4), "2.192,18 €"],
    ]
    return sheet(
        h(1, "Rechnung", "font-size:20pt;margin-top:22mm")
        + p("Bergmann &amp; Söhne GmbH<br>Lindenweg 14<br>04229 Leipzig", "text-align:left")
        + at("aside", "Rechnungsnummer: 2021-0417", "top:38mm;right:20mm")
        + at("aside", "Datum: 14.09.2021", "top:44mm;right:20mm")
        + p(prose(draw, "de", 1))
        + table(rows, "width:100%", "book", right=(2, 3, 4))
        + p(prose(draw, "de", 2))
        + p("Mit freundlichen Grüßen")
        + at(
            "footer",
            "Bergmann &amp; Söhne GmbH · Amtsgericht Leipzig HRB 20417 · USt-IdNr. DE 214 555 102",
            "bottom:10mm;left:20mm;right:20mm;text-align:center",
            "font-size:7.5pt",
        ),
        "de",
        SANS,
        10,
    )


@design()
def form_french(draw: Draw) -> str:
    pairs = [
        ("Nom", "Delacroix"),
        ("Prénom", "Amélie"),
        ("Date de naissance", "03/11/1984"),
        ("Adresse", "12, rue des Tilleuls"),
        ("Code postal", "69003"),
        ("Ville", "Lyon"),
        ("Téléphone", "04 72 55 18 90"),
        ("Profession", "Ingénieure"),
    ]
    more = [("Numéro de dossier", "FR-88213"), ("Montant demandé", "1 450,00 €"), ("Durée", "18 mois")]
    box = '<span class="box{}" data-skip></span>'
    return sheet(
        h(1, "Demande d'inscription", "font-size:17pt;text-align:center")
        + p(prose(draw, "fr", 2))
        + h(2, "1. Identité", "background:#dde;padding:1mm 2mm;font-size:11pt")
        + "".join(field(f"{a} :", b, "border-bottom:.5px solid #999;padding:1.6mm 0") for a, b in pairs)
        + h(2, "2. Demande", "background:#dde;padding:1mm 2mm;font-size:11pt")
        + "".join(field(f"{a} :", b, "border-bottom:.5px solid #999;padding:1.6mm 0") for a, b in more)
        + h(2, "3. Pièces jointes", "background:#dde;padding:1mm 2mm;font-size:11pt")
        + "".join(
            f'<div data-k="li" style="margin:1.5mm 0">{box.format(" on" if draw.random() < 0.5 else "")}{text}</div>'
            for text in ("Copie de la pièce d'identité", "Justificatif de domicile", "Relevé bancaire récent")
        )
        + p("Fait à Lyon, le 6 mai 2021", "margin-top:8mm")
        + p("Signature :"),
        "fr",
        SANS,
        10.5,
    )


@design()
def report_lists(draw: Draw) -> str:
    names = heads(draw, "en", 3)
    inner = items(["Pumps and valves", "Cables longer than two metres"])
    entries = draw.sample(SENTENCES["en"], 3)
    box = '<span class="box{}" data-skip></span>'
    return sheet(
        at(
            "header",
            "Inspection report 2021-14",
            "top:9mm;left:22mm;right:22mm;border-bottom:.5px solid #666;padding-bottom:1mm",
            "font-size:8.5pt",
        )
        + h(1, "Inspection of the pumping station")
        + paras(draw, "en", 1, 3)
        + h(2, names[0])
        + f'<ul><li data-k="li">{entries[0]}</li><li data-k="li">Parts to be replaced before the winter:{inner}</li>'
        f'<li data-k="li">{entries[1]}</li></ul>'
        + h(2, names[1])
        + p(prose(draw, "en", 2))
        + items([entries[2], *draw.sample(SENTENCES["en"], 3)], "ol")
        + h(2, names[2])
        + "".join(
            f'<div data-k="li" style="margin:1mm 0">{box.format(" on" if n % 2 else "")}{text}</div>'
            for n, text in enumerate(
                ("Oil level checked", "Filters cleaned", "Emergency stop tested", "Log book signed")
            )
        )
        + paras(draw, "en", 2, 4)
        + at("page_number", "Page 4 of 11", "bottom:9mm;right:22mm", "font-size:8.5pt"),
        font=SANS,
        size=10,
        margin="20mm 22mm",
    )


@design()
def gazette_spanish(draw: Draw) -> str:
    names = heads(draw, "es", 6)
    one = paras(draw, "es", 1, 4)
    two = "".join(h(2, name) + paras(draw, "es", 2, 3) for name in names[:2])
    three = "".join(h(3, name) + paras(draw, "es", 1, 4) for name in names[2:5])
    rule = '<div style="border-top:1px solid #000;margin:2mm 0"></div>'
    return sheet(
        h(1, "BOLETÍN DE LA COMARCA", "text-align:center;font-size:24pt")
        + at("header", "Núm. 214 · Martes, 8 de junio de 2021", "top:7mm;left:18mm", "font-size:8pt")
        + rule
        + one
        + rule
        + f'<div style="columns:2;column-gap:7mm">{two}</div>'
        + rule
        + f'<div style="columns:3;column-gap:6mm">{three}</div>'
        + rule
        + paras(draw, "es", 1, 3)
        + at("page_number", "5", "bottom:7mm;left:0;right:0;text-align:center", "font-size:8pt"),
        "es",
        size=9.5,
        margin="14mm 18mm",
        style="h2{font-size:11pt}h3{font-size:9.5pt}",
    )


@design()
def letter_polish(draw: Draw) -> str:
    return sheet(
        p("Jan Kowalczyk<br>ul. Ogrodowa 7/12<br>31-155 Kraków", "text-align:left")
        + p("Kraków, 18 maja 2021 r.", "text-align:right;margin:6mm 0")
        + p("Biblioteka Miejska<br>Rynek 3<br>32-020 Wieliczka", "text-align:left;margin-bottom:12mm")
        + '<p data-k="field"><b>Dotyczy: przedłużenia umowy</b></p>'
        + p("Szanowni Państwo,")
        + paras(draw, "pl", 3, 4)
        + p("Z poważaniem", "margin-top:10mm")
        + p("Jan Kowalczyk", "margin-top:12mm"),
        "pl",
        SERIF,
        11.5,
        margin="28mm 26mm",
    )


@design()
def manual_code(draw: Draw) -> str:
    code = (
        "def total(items, rate=0.19):\n    net = 0\n    for item in items:\n        if item.price &lt; 0:\n"
        '            raise ValueError("negative price")\n        net += item.price * item.count\n'
        "    return round(net * (1 + rate), 2)"
    )
    shell = "$ tally --in orders.csv --out sums.json\n$ cat sums.json | head -n 3"
    pre = "font-size:8.5pt;background:#f0f0f0;padding:2.5mm"
    note = callout("Note", prose(draw, "en", 2), "border:1px solid #888;border-left:4px solid #c60")
    return sheet(
        h(1, "Using the command line")
        + paras(draw, "en", 1, 3)
        + h(2, "Computing totals")
        + p("The function below adds up the items of an order:")
        + listing(code, pre)
        + note
        + h(2, "Running the tool")
        + p(prose(draw, "en", 2))
        + listing(shell, pre)
        + paras(draw, "en", 1, 3)
        + h(2, "Options")
        + table(
            [
                ["Option", "Default", "Meaning"],
                ["--in", "stdin", "The file that is read"],
                ["--out", "stdout", "The file that is written; it is replaced if it exists"],
                ["--rate", "0.19", "The tax rate"],
            ],
            "width:100%",
            "ruled",
        )
        + at("footer", "Tally 2.4 – User manual", "bottom:9mm;left:20mm", "font-size:8pt")
        + at("page_number", "23", "bottom:9mm;right:20mm", "font-size:8pt"),
        font=WIDE,
        size=9.5,
    )


@design()
def slide(draw: Draw) -> str:
    return sheet(
        h(1, "What we learned this year", "font-size:34pt;color:#1b3a6b;margin-bottom:8mm")
        + '<div style="display:flex;gap:10mm"><div style="flex:1">'
        + items(
            [
                "Fewer repairs, but longer ones",
                "Two new sites in the north",
                "Costs fell by 4.2 percent",
                "Training now takes three days",
            ]
        )
        + "</div>"
        + f"<div>{figure(draw, 'Figure 3. Repairs per year', width=400, height=260, bars=True)}</div></div>"
        + at("page_number", "7", "bottom:6mm;right:10mm", "font-size:12pt")
        + at("footer", "Annual meeting, 12 March 2021", "bottom:6mm;left:16mm", "font-size:12pt"),
        font=SANS,
        size=20,
        page="338mm 190mm",
        margin="14mm 16mm",
        style="li{margin-bottom:5mm}",
    )


@design()
def receipt_german(draw: Draw) -> str:
    goods = ["Vollmilch 3,5 %", "Roggenbrot", "Äpfel 1,2 kg", "Butter", "Kaffee gem.", "Pfand"]
    rows = [[name, f"{draw.uniform(0.25, 9):.2f} A".replace(".", ",")] for name in goods] + [
        ["SUMME EUR", "31,27"]
    ]
    return sheet(
        h(1, "NATURKOST AM MARKT", "text-align:center;font-size:13pt")
        + p("Marktplatz 2, 79098 Freiburg<br>Tel. 0761 / 44 18 20", "text-align:center")
        + table(
            rows, "width:100%;border-top:1px dashed #000;border-bottom:1px dashed #000", head=0, right=(1,)
        )
        + p("Bar 50,00<br>Rückgeld 18,73", "text-align:left")
        + p("17.08.2021 14:32 Kasse 3 Bon 8841", "text-align:left")
        + p("Vielen Dank für Ihren Einkauf!", "text-align:center"),
        "de",
        MONO,
        9.5,
        page="80mm 130mm",
        margin="7mm 5mm",
    )


@design()
def tables_ruled(draw: Draw) -> str:
    def n() -> str:
        return f"{draw.randint(10, 999)}"

    two = [[("Region", 2, 1), ("2019", 1, 2), ("2020", 1, 2)], ["Plan", "Actual", "Plan", "Actual"]] + [
        [name, n(), n(), n(), n()] for name in ("North", "East", "South", "West")
    ]
    sections = [
        ["Item", "Unit", "Count", "Remarks"],
        [("Materials", 1, 4)],
        ["Sand", "t", n(), "washed, grain size up to two millimetres, delivered in bags"],
        ["Gravel", "t", n(), ""],
        [("Labour", 1, 4)],
        ["Foreman", "h", n(), ""],
        ["Helpers", "h", n(), "two persons"],
    ]
    spans = [
        ["Day", "Time", "Room"],
        [("Monday", 2, 1), "9:00", "A 12"],
        ["14:30", "B 3"],
        [("Friday", 3, 1), "8:15", "Hall"],
        ["11:00", "A 12"],
        ["16:45", "B 4"],
    ]
    return sheet(
        h(1, "Tables for the annual report")
        + p(prose(draw, "en", 2))
        + caption("Table 1. Planned and actual visitors, in thousands.")
        + table(two, "", "ruled", 2, (1, 2, 3, 4))
        + paras(draw, "en", 1, 3)
        + caption("Table 2. Materials and labour.")
        + table(sections, "width:110mm", "ruled")
        + paras(draw, "en", 1, 3)
        + caption("Table 3. Timetable.")
        + table(spans, "", "ruled"),
        font=SANS,
        size=10,
    )


@design()
def tables_open(draw: Draw) -> str:
    def v() -> str:
        return f"{draw.uniform(1, 99):.1f}".replace(".", ",")

    sparse = [["Commune", "2018", "2019", "2020", "2021"]] + [
        [name, *(v() if draw.random() < 0.6 else "" for _ in range(4))]
        for name in ("Saint-Aubin", "Valréas", "Mirecourt", "Les Andelys", "Pont-Croix")
    ]
    sparse[1][1], sparse[2][2], sparse[3][3], sparse[4][4] = v(), v(), v(), v()
    price = [["Article", "Prix", "Remise"]] + [
        [name, f"{draw.randint(20, 900)} $", f"{draw.randint(2, 30)} %"]
        for name in ("Chaise pliante", "Table ronde", "Lampe de bureau", "Étagère en chêne")
    ]
    wrapped = [["Poste", "Description", "Montant"]] + [
        [name, text, f"{draw.randint(1, 9)} {draw.randint(100, 999)},{draw.randint(10, 99)}"]
        for name, text in (
            ("Eau", "Consommation relevée au compteur, y compris la part fixe de l'abonnement"),
            ("Gaz", "Chauffage des parties communes"),
            ("Entretien", "Nettoyage hebdomadaire des escaliers et de la cour intérieure"),
        )
    ]
    return sheet(
        h(1, "Annexe statistique")
        + p(prose(draw, "fr", 3))
        + caption("Tableau 1 – Taux par commune, en pour cent.")
        + table(sparse, "width:130mm", "", right=(1, 2, 3, 4))
        + paras(draw, "fr", 1, 3)
        + caption("Tableau 2 – Tarifs.")
        + table(price, "width:90mm", "", right=(1, 2))
        + paras(draw, "fr", 1, 3)
        + caption("Tableau 3 – Charges.")
        + table(wrapped, "width:120mm", "book", right=(2,))
        + at("page_number", "41", "bottom:9mm;left:0;right:0;text-align:center"),
        "fr",
        SERIF,
        10.5,
    )


@design()
def contents(draw: Draw) -> str:
    rows, number = [], 3
    for chapter, name in enumerate(heads(draw, "en", 6), 1):
        for text, indent in (
            (f"{chapter} {name}", 0),
            (f"{chapter}.1 {draw.choice(['Background', 'Terms', 'Sources'])}", 8),
            (f"{chapter}.2 {draw.choice(['Sampling', 'Limits', 'Cases', 'Costs'])}", 8),
        ):
            rows.append(
                f'<div data-k="field" class="lead" style="margin:1.6mm 0 0 {indent}mm"><span>{text}</span> '
                f'<span data-skip style="padding:0 1mm">{"." * 150}</span> <span>{number}</span></div>'
            )
            number += draw.randint(1, 9)
    return sheet(
        h(1, "Contents")
        + "".join(rows)
        + at("page_number", "v", "bottom:10mm;left:0;right:0;text-align:center"),
        size=11,
        margin="24mm 26mm",
    )


@design()
def charts_spanish(draw: Draw) -> str:
    names = heads(draw, "es", 2)
    return sheet(
        h(1, "Informe anual del agua")
        + h(2, names[0])
        + paras(draw, "es", 1, 4)
        + figure(
            draw,
            "Figura 1. Consumo medio por hogar entre 2015 y 2021, en litros por día.",
            width=430,
            height=180,
        )
        + paras(draw, "es", 1, 3)
        + h(2, names[1])
        + '<div style="display:flex;gap:8mm">'
        + figure(draw, "Figura 2. Pérdidas en la red.", width=300, height=160, bars=True)
        + figure(draw, "Figura 3. Lluvia por año.", width=300, height=160)
        + "</div>"
        + paras(draw, "es", 2, 4)
        + at("page_number", "12", "bottom:9mm;right:22mm"),
        "es",
        SANS,
        10.5,
        margin="18mm 22mm",
    )


@design()
def article_chinese(draw: Draw) -> str:
    names = heads(draw, "zh", 3)
    return sheet(
        h(1, "城市用水情况调查报告", "text-align:center")
        + "".join(
            h(2, f"{number}、{name}") + paras(draw, "zh", 2, 5)
            for number, name in zip("一二三", names, strict=True)
        )
        + caption("表1 各区用水量（万吨）")
        + table(
            [
                ["地区", "上半年", "下半年"],
                ["东区", "128", "141"],
                ["西区", "96", "102"],
                ["新城", "57", "73"],
            ],
            "",
            "ruled",
        )
        + at("page_number", "6", "bottom:10mm;left:0;right:0;text-align:center"),
        "zh",
        CHINESE,
        11,
        margin="20mm 24mm",
        style="p{text-indent:2em}",
    )


@design()
def book_aside(draw: Draw) -> str:
    notes = draw.sample(
        [
            "See also the map on the inner cover.",
            "The original is lost.",
            "Compare chapter nine.",
            "First printed in 1902.",
        ],
        2,
    )
    mark = watermark("DRAFT", 120)
    return sheet(
        mark
        + at("header", "CHAPTER THREE", "top:12mm;left:25mm", "font-size:8.5pt;letter-spacing:1px")
        + h(2, "The winter at the lock", "font-size:14pt")
        + paras(draw, "en", 5, 6)
        + at("aside", notes[0], "top:60mm;right:14mm;width:30mm", "font-size:8pt;font-style:italic")
        + at("aside", notes[1], "top:125mm;right:14mm;width:30mm", "font-size:8pt;font-style:italic")
        + at("page_number", "61", "bottom:12mm;left:25mm"),
        size=11,
        margin="24mm 52mm 20mm 25mm",
    )


# -- held out ------------------------------------------------------------------------------------------


@design(held=True)
def journal_french(draw: Draw) -> str:
    names = heads(draw, "fr", 4)
    column = "".join(
        h(2, f"{n}. {name}") + paras(draw, "fr", 2, 4)
        for n, name in zip(("I", "II", "III", "IV"), names, strict=True)
    )
    return sheet(
        at("header", "Revue du fleuve, n° 31", "top:8mm;right:17mm", "font-size:8pt;font-style:italic")
        + h(1, "Crues et mémoire des riverains", "font-size:19pt")
        + p("par Hélène Marchand")
        + p("<b>Résumé.</b> " + prose(draw, "fr", 3), "margin:0 12mm 4mm;font-size:9pt")
        + f'<div style="columns:2;column-gap:8mm;column-fill:auto;height:195mm">{column}</div>'
        + at(
            "footnote",
            "* " + prose(draw, "fr", 1),
            "bottom:15mm;left:17mm;width:80mm;border-top:.5px solid #000",
            "font-size:7.5pt",
        )
        + at("page_number", "204", "bottom:7mm;left:17mm", "font-size:8pt"),
        "fr",
        SERIF,
        10,
        margin="16mm 17mm",
        style="h2{font-size:10pt}",
    )


@design(held=True)
def statement_polish(draw: Draw) -> str:
    texts = [
        "Przelew przychodzący, wynagrodzenie za maj 2021",
        "Zakup kartą, sklep spożywczy",
        "Opłata za prowadzenie rachunku",
        "Zlecenie stałe: czynsz za mieszkanie, ul. Ogrodowa 7",
        "Wypłata z bankomatu",
        "Zwrot za bilet",
    ]
    rows = [["Data", "Opis operacji", "Kwota", "Saldo"]] + [
        [
            f"{draw.randint(1, 28):02d}.05.2021",
            text,
            f"{draw.choice(['-', ''])}{money(draw, True, 900)}",
            money(draw, True, 9000),
        ]
        for text in texts
    ]
    return sheet(
        h(1, "Wyciąg z rachunku", "font-size:16pt")
        + field("Właściciel:", "Anna Wiśniewska")
        + field("Numer rachunku:", "61 1090 1014 0000 0712 1981 2874")
        + field("Okres:", "1–31 maja 2021")
        + table(rows, "width:150mm;margin-top:6mm", "", right=(2, 3))
        + p(prose(draw, "pl", 3), "margin-top:5mm")
        + at(
            "footer",
            "Bank Ludowy S.A., ul. Prosta 1, 00-838 Warszawa",
            "bottom:10mm;left:20mm",
            "font-size:7.5pt",
        )
        + at("page_number", "1/3", "bottom:10mm;right:20mm", "font-size:7.5pt"),
        "pl",
        NARROW,
        11,
    )


@design(held=True)
def minutes_german(draw: Draw) -> str:
    names = heads(draw, "de", 4)
    entries = draw.sample(SENTENCES["de"], 6)
    mark = watermark("ENTWURF", 110)
    return sheet(
        mark
        + h(1, "Niederschrift der Mitgliederversammlung", "font-size:15pt")
        + field("Ort:", "Gemeindesaal")
        + field("Beginn:", "19:30 Uhr")
        + h(2, f"TOP 1: {names[0]}")
        + paras(draw, "de", 1, 3)
        + items(entries[:3], "ol")
        + h(2, f"TOP 2: {names[1]}")
        + paras(draw, "de", 1, 3)
        + items([entries[3] + items(entries[4:], 'ol type="a"')], "ol")
        + h(2, f"TOP 3: {names[2]}")
        + paras(draw, "de", 1, 4)
        + at(
            "page_number", "Seite 2 von 5", "bottom:10mm;left:0;right:0;text-align:center", "font-size:8.5pt"
        ),
        "de",
        SANS,
        10.5,
        margin="20mm 25mm",
        style="h2{font-size:10.5pt}",
    )


@design(held=True)
def datasheet(draw: Draw) -> str:
    rows = [
        [("Parameter", 2, 1), ("Symbol", 2, 1), ("Limits", 1, 3), ("Unit", 2, 1)],
        ["min", "typ", "max"],
        ["Supply voltage", "Vs", "4.5", "5.0", "5.5", "V"],
        ["Supply current, all outputs open", "Is", "", "12", "20", "mA"],
        [("Outputs", 1, 6)],
        ["Output current", "Io", "", "", "35", "mA"],
        ["Rise time", "tr", "", "8", "15", "ns"],
    ]
    features = items(
        [
            "Wide supply range",
            "Short-circuit proof",
            "Low standby current",
            "Two package sizes",
            "No external parts needed",
            "Operates from -40 to 85 °C",
        ]
    )
    return sheet(
        at(
            "header",
            "LX214 Dual line driver",
            "top:8mm;left:18mm;right:18mm;border-bottom:2px solid #036",
            "font-size:9pt",
        )
        + h(1, "LX214", "font-size:26pt;margin:6mm 0 0")
        + p("Dual line driver with open collector", "font-size:13pt")
        + h(2, "Features")
        + f'<div style="columns:2">{features}</div>'
        + h(2, "Description")
        + paras(draw, "en", 2, 4)
        + h(2, "Electrical characteristics")
        + caption("Table 2. Limits at 25 °C unless stated otherwise")
        + table(rows, "width:100%", "ruled", 2, (2, 3, 4))
        + figure(draw, "Figure 4. Supply current over the years of test", width=330, height=160)
        + at("footer", "Rev. C, May 2021", "bottom:8mm;left:18mm", "font-size:8pt")
        + at("page_number", "2", "bottom:8mm;right:18mm", "font-size:8pt"),
        font=NARROW,
        size=10.5,
        margin="16mm 18mm",
    )


@design(held=True)
def newspaper_french(draw: Draw) -> str:
    names = heads(draw, "fr", 4)
    column = paras(draw, "fr", 2, 4) + "".join(h(3, name) + paras(draw, "fr", 2, 5) for name in names)
    return sheet(
        at("header", "Le Courrier du Canal — Jeudi 9 septembre 2021", "top:6mm;left:12mm", "font-size:8pt")
        + h(1, "Le pont rouvre enfin, la ville respire", "font-size:28pt")
        + figure(draw, "Le trafic sur le pont depuis 2015.", width=480, height=150, bars=True)
        + f'<div style="columns:4;column-gap:5mm;column-fill:auto;height:205mm">{column}</div>'
        + at("page_number", "3", "top:6mm;right:12mm", "font-size:8pt"),
        "fr",
        SERIF,
        9,
        margin="13mm 12mm",
        style="h3{font-size:10.5pt}",
    )


@design(held=True)
def exam_spanish(draw: Draw) -> str:
    box = '<span class="box" data-skip></span>'
    questions = ""
    for number, (text, answers) in enumerate(
        [
            ("¿Cuál es la capital de Asturias?", ["Gijón", "Oviedo", "Avilés"]),
            ("Indique el año de la primera edición.", ["1605", "1615", "1705", "1805"]),
            ("¿Qué río pasa por Zaragoza?", ["El Duero", "El Tajo", "El Ebro"]),
            ("Señale el número primo.", ["21", "29", "33"]),
        ],
        1,
    ):
        questions += p(f"<b>{number}.</b> {text}", "margin-top:3mm") + "".join(
            f'<div data-k="li" style="margin:1.2mm 0 1.2mm 8mm">{box}{answer}</div>' for answer in answers
        )
    return sheet(
        h(1, "Examen de ingreso", "text-align:center")
        + field("Apellidos:", "Romero Vidal")
        + field("Nombre:", "Lucía")
        + h(2, "Instrucciones")
        + p(prose(draw, "es", 3))
        + h(2, "Primera parte")
        + questions
        + at("page_number", "1", "bottom:10mm;left:0;right:0;text-align:center"),
        "es",
        WIDE,
        10,
    )


@design(held=True)
def invoice_chinese(draw: Draw) -> str:
    rows = (
        [["序号", "品名", "数量", "单价", "金额"]]
        + [
            [str(n), name, str(draw.randint(1, 20)), money(draw, top=90), money(draw)]
            for n, name in enumerate(("办公用纸", "墨水", "文件夹（蓝色）", "台灯"), 1)
        ]
        + [[("合计", 1, 4), "3,482.60"]]
    )
    return sheet(
        h(1, "销售发票", "text-align:center")
        + field("客户名称：", "新华书店")
        + field("开票日期：", "2021年6月18日")
        + table(rows, "width:100%;margin:5mm 0", "ruled", right=(2, 3, 4))
        + h(2, "说明")
        + paras(draw, "zh", 2, 4)
        + at("page_number", "1", "bottom:10mm;left:0;right:0;text-align:center"),
        "zh",
        CHINESE,
        11,
    )


@design(held=True)
def handbook(draw: Draw) -> str:
    names = heads(draw, "en", 3)
    code = '[server]\nport = 8080\nhosts = ["a.test", "b.test"]\n\n[cache]\nsize_mb = 256'
    return sheet(
        at("header", "Operations handbook", "top:9mm;left:18mm", "font-size:8.5pt")
        + h(1, "4 Setting up a new station", "font-size:17pt")
        + paras(draw, "en", 1, 4)
        + h(2, f"4.1 {names[0]}", "font-size:11pt")
        + paras(draw, "en", 1, 4)
        + listing(code, "font-size:9pt;border:1px solid #aaa;padding:2mm")
        + at(
            "aside",
            "Ask the duty officer before you change the port.",
            "top:78mm;left:18mm;width:34mm",
            "font-size:8pt",
        )
        + h(2, f"4.2 {names[1]}", "font-size:11pt")
        + items(draw.sample(SENTENCES["en"], 4), "ol")
        + callout("Warning", prose(draw, "en", 2), "background:#fbe9d0")
        + h(2, f"4.3 {names[2]}", "font-size:11pt")
        + paras(draw, "en", 2, 4)
        + at("page_number", "4-7", "bottom:9mm;right:18mm", "font-size:8.5pt"),
        font=SANS,
        size=10,
        margin="18mm 18mm 16mm 58mm",
    )
