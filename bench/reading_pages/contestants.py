"""Runs one reader over pages, in a process of its own: `python contestants.py NAME < pages.json > answers.json`.

Input: a JSON list of `{"path", "lang"}`. Output: one JSON line per page, then one with the process's peak memory.
`pp-ocr` is the reader of the checkout in `FOVEA_SOURCE`, with what the worker gives it: the page at 144 dpi and, if the
reader takes it, the text layer.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

LANGUAGES = {"en": "eng", "de": "deu", "fr": "fra", "es": "spa", "pl": "pol", "zh": "chi_sim"}
DPI = 144


def pp_ocr() -> Callable[[Path, str], dict]:
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
        return {"blocks": [block.to_json() for block in result.blocks], "verdict": result.verdict}

    return read


def tesseract() -> Callable[[Path, str], dict]:
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


def poppler(option: str) -> Callable[[], Callable[[Path, str], dict]]:
    def start() -> Callable[[Path, str], dict]:
        return lambda path, lang: _plain([_output(["pdftotext", option, "-enc", "UTF-8", str(path), "-"])])

    return start


def pdfium_text() -> Callable[[Path, str], dict]:
    import pypdfium2 as pdfium

    def read(path: Path, lang: str) -> dict:
        document = pdfium.PdfDocument(path)
        text = document[0].get_textpage().get_text_bounded()
        document.close()
        return _plain([text.replace("\r\n", "\n")])

    return read


def plumber() -> Callable[[Path, str], dict]:
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


def _plain(parts: list[str]) -> dict:
    return {"blocks": [{"type": "text", "text": part} for part in parts if part.strip()]}


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, check=True).stdout.decode(errors="replace")


CONTESTANTS = {
    "pp-ocr": pp_ocr,
    "before": pp_ocr,
    "tesseract": tesseract,
    "pdftotext -layout": poppler("-layout"),
    "pdftotext -raw": poppler("-raw"),
    "pypdfium2": pdfium_text,
    "pdfplumber": plumber,
}
FOR_PDF = {"pdftotext -layout", "pdftotext -raw", "pypdfium2", "pdfplumber"}
"""Those that use only the text layer."""


def _cpu() -> float:
    used = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def main() -> None:
    read = CONTESTANTS[sys.argv[1]]()
    for page in json.load(sys.stdin):
        cpu, wall = _cpu(), time.perf_counter()
        try:
            answer = read(Path(page["path"]), page["lang"])
        except Exception as error:
            answer = {"blocks": [], "error": f"{type(error).__name__}: {error}"}
        answer |= {"cpu_s": _cpu() - cpu, "wall_s": time.perf_counter() - wall}
        print(json.dumps(answer), flush=True)
    # Not `ru_maxrss` of this process: it begins with the size of the process that started it.
    own = next(
        int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line
    )
    peak = max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
    print(json.dumps({"peak_mib": peak / 1024}))


if __name__ == "__main__":
    main()
