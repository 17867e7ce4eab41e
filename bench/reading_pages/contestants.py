"""Runs one reader over pages, in a process of its own: `python contestants.py NAME < pages.json > answers.json`.

Input: a JSON list of `{"path", "lang"}`. Output: a JSON line per page, in the order of the pages. `pp-ocr` is the
reader of the checkout in `FOVEA_SOURCE`, with what the worker gives it: the page at 144 dpi and, if the reader takes
it, the text layer.
"""

import hashlib
import importlib.metadata
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

LANGUAGES = {"en": "eng", "de": "deu", "fr": "fra", "es": "spa", "pl": "pol", "zh": "chi_sim"}
DPI = 144

Read = Callable[[Path, str], dict]


@dataclass(frozen=True, slots=True)
class Contestant:
    """`program` or `package`: what must be installed."""

    start: Callable[[], Read]
    kinds: str
    """See `reading_pages.measures.Answer`."""
    program: str = ""
    package: str = ""
    pictures: bool = False
    """Whether it reads pictures, too."""

    @property
    def is_installed(self) -> bool:
        if self.program:
            return shutil.which(self.program) is not None
        return bool(self.package) and _version(self.package) is not None

    @property
    def version(self) -> str:
        """Identifies what made an answer."""
        if self.program:
            said = subprocess.run([self.program, "-v"], capture_output=True, text=True)
            return (said.stdout + said.stderr).splitlines()[0]
        return f"{self.package} {_version(self.package)}"


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def code_version(source: Path) -> str:
    """Identifies a checkout's reader: its code and the packages that run it."""
    hashed = hashlib.sha256()
    for path in sorted(source.rglob("*.py")):
        hashed.update(path.read_bytes())
    packages = ("rapidocr", "rapid-layout", "openvino", "onnxruntime")
    return f"{hashed.hexdigest()[:16]} {' '.join(f'{name} {_version(name)}' for name in packages)}"


def pp_ocr() -> Read:
    from dataclasses import replace

    sys.path.insert(0, os.environ["FOVEA_SOURCE"])
    from fovea.pages.documents import open_document
    from fovea.readers.base import ReadRequest
    from fovea.readers.pp_ocr import PpOcr

    reader = PpOcr()

    def read(path: Path, lang: str) -> dict:
        document = open_document(path.read_bytes(), 50_000_000)
        try:
            least = getattr(reader, "least_side", 0)
            raster = document.raster(1, DPI, least) if least else document.raster(1, DPI)
            if getattr(reader, "takes_text_layer", False):
                raster = replace(raster, layer=document.text_layer(1))
            result = reader.read(raster, ReadRequest())
        finally:
            document.close()
        return {
            "blocks": [block.to_json() for block in result.blocks],
            "verdict": result.verdict,
            "warnings": result.warnings,
        }

    return read


def tesseract() -> Read:
    def read(path: Path, lang: str) -> dict:
        with tempfile.TemporaryDirectory() as folder:
            if path.suffix == ".pdf":
                import pypdfium2 as pdfium

                document = pdfium.PdfDocument(path)
                image = Path(folder) / "page.png"
                document[0].render(scale=200 / 72).to_pil().save(image, dpi=(200, 200))
                document.close()
                path = image
            text = _output(["tesseract", str(path), "-", "-l", LANGUAGES[lang], "--psm", "3"])
        return _plain(text.split("\n\n"))

    return read


def poppler(option: str) -> Callable[[], Read]:
    def start() -> Read:
        return lambda path, lang: _plain([_output(["pdftotext", option, "-enc", "UTF-8", str(path), "-"])])

    return start


def pdfium_text() -> Read:
    import pypdfium2 as pdfium

    def read(path: Path, lang: str) -> dict:
        document = pdfium.PdfDocument(path)
        text = document[0].get_textpage().get_text_bounded()
        document.close()
        return _plain([text.replace("\r\n", "\n")])

    return read


def plumber() -> Read:
    import logging

    import pdfplumber

    logging.getLogger("pdfminer").setLevel(logging.ERROR)

    def read(path: Path, lang: str) -> dict:
        with pdfplumber.open(path) as document:
            page = document.pages[0]
            tables = page.find_tables()
            blocks = [{"type": "text", "text": page.extract_text() or ""}]
            for table in tables:
                rows = [[cell or "" for cell in row] for row in table.extract()]
                cells = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
                blocks.append({"type": "table", "text": "", "html": f"<table>{cells}</table>"})
        return {"blocks": blocks}

    return read


def mupdf() -> Read:
    import pymupdf4llm

    return lambda path, lang: {"blocks": blocks_of_markdown(pymupdf4llm.to_markdown(str(path)))}


def markitdown() -> Read:
    from markitdown import MarkItDown

    convert = MarkItDown(enable_plugins=False).convert
    return lambda path, lang: {"blocks": blocks_of_markdown(convert(str(path)).text_content)}


def blocks_of_markdown(text: str) -> list[dict]:
    """Headings, paragraphs, lists with an item a line, code, and tables as HTML."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark").enable("table")
    blocks: list[dict] = []
    kind, rows, items = "text", None, 0
    for token in parser.parse(text):
        if token.type == "heading_open":
            kind = "title" if token.tag == "h1" else "sub_title"
        elif token.type == "heading_close":
            kind = "text"
        elif token.type in ("bullet_list_open", "ordered_list_open"):
            if not items:
                blocks.append({"type": "list", "text": ""})
            items += 1
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            items -= 1
        elif token.type == "table_open":
            rows = []
        elif token.type == "tr_open" and rows is not None:
            rows.append("")
        elif token.type == "table_close" and rows is not None:
            markup = "".join(f"<tr>{row}</tr>" for row in rows)
            blocks.append({"type": "table", "text": "", "html": f"<table>{markup}</table>"})
            rows = None
        elif token.type in ("fence", "code_block"):
            blocks.append({"type": "code", "text": token.content.rstrip("\n")})
        elif token.type == "inline":
            said = _plain_inline(token.children or [])
            if rows is not None and rows:
                rows[-1] += f"<td>{said}</td>"
            elif items:
                blocks[-1]["text"] += ("\n" if blocks[-1]["text"] else "") + said.replace("\n", " ")
            elif said.strip():
                blocks.append({"type": kind, "text": said})
    return blocks


def _plain_inline(tokens: list) -> str:
    """Without emphasis and links; line ends stay."""
    parts = []
    for token in tokens:
        if token.type in ("softbreak", "hardbreak"):
            parts.append("\n")
        elif token.type == "html_inline":
            parts.append(" " if token.content.startswith("<br") else "")
        elif token.type in ("text", "code_inline"):
            parts.append(token.content)
    return "".join(parts)


def _plain(parts: list[str]) -> dict:
    return {"blocks": [{"type": "text", "text": part} for part in parts if part.strip()]}


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, check=True).stdout.decode(errors="replace")


CONTESTANTS = {
    "pp-ocr": Contestant(pp_ocr, "all", package="rapidocr", pictures=True),
    "before": Contestant(pp_ocr, "all", package="rapidocr", pictures=True),
    "tesseract": Contestant(tesseract, "none", program="tesseract", pictures=True),
    "pdftotext -layout": Contestant(poppler("-layout"), "none", program="pdftotext"),
    "pdftotext -raw": Contestant(poppler("-raw"), "none", program="pdftotext"),
    "pypdfium2": Contestant(pdfium_text, "none", package="pypdfium2"),
    "pdfplumber": Contestant(plumber, "tables", package="pdfplumber"),
    "pymupdf4llm": Contestant(mupdf, "markdown", package="pymupdf"),
    "markitdown": Contestant(markitdown, "markdown", package="markitdown"),
}


def _cpu() -> float:
    used = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def _peak_mib() -> float:
    """The largest memory so far. Not `ru_maxrss` of this process: it begins with that of the one that started it."""
    status = Path("/proc/self/status").read_text().splitlines()
    own = next(int(line.split()[1]) for line in status if "VmHWM" in line)
    return max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1024


def main() -> None:
    # What packages print must not stand among the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    read = CONTESTANTS[sys.argv[1]].start()
    for page in json.load(sys.stdin):
        cpu, wall = _cpu(), time.perf_counter()
        try:
            answer = read(Path(page["path"]), page["lang"])
        except Exception as error:
            answer = {"blocks": [], "error": f"{type(error).__name__}: {error}"}
        answer |= {"cpu_s": _cpu() - cpu, "wall_s": time.perf_counter() - wall, "peak_mib": _peak_mib()}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
