"""Tesseract itself, in the languages that are installed; CI installs them (.ci/run)."""

import subprocess
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

import fovea.recognition.tesseract as module
from fovea.errors import PageError
from fovea.pages.documents import Raster
from fovea.readers import load_readers
from fovea.readers.base import InvalidOptions, ReadRequest
from fovea.readers.pp_ocr import PpOcr
from fovea.readers.tesseract import TesseractReader
from fovea.recognition.tesseract import Tesseract, find_tesseract, lines_of

FONT = Path(module.__file__).parents[1] / "pages" / "fonts" / "DejaVuSans.ttf"
INSTALLED = find_tesseract()
TEXTS = {
    "ar": "يولد جميع الناس أحرارا متساوين",
    "el": "Όλοι οι άνθρωποι γεννιούνται\nελεύθεροι και ίσοι στα δικαιώματα",
    "he": "כל בני האדם נולדו בני חורין ושווים\nבערכם ובזכויותיהם. כולם חוננו בתבונה",
    "ru": "Все люди рождаются свободными\nи равными в своем достоинстве",
    "vi": "Tất cả mọi người sinh ra đều được\ntự do và bình đẳng về nhân phẩm",
}
"""Article 1 of the Universal Declaration of Human Rights, in scripts that DejaVu Sans has."""
languages = [
    pytest.param(
        tag,
        marks=pytest.mark.skipif(
            INSTALLED is None or tag not in INSTALLED.languages, reason=f"Tesseract has no data for {tag}"
        ),
    )
    for tag in TEXTS
]
installed = pytest.mark.skipif(INSTALLED is None, reason="Tesseract is not installed")

HEAD = "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext\n"
TABLE = HEAD + "\n".join(
    [
        "4\t1\t1\t1\t1\t0\t10\t20\t100\t20\t-1\t",
        "5\t1\t1\t1\t1\t1\t10\t20\t40\t20\t90\tHarbour\u200e",
        "5\t1\t1\t1\t1\t2\t60\t22\t50\t18\t60\t<b>",
        "5\t1\t1\t1\t2\t1\t10\t50\t50\t18\t95\t ",
        "5\t1\t2\t1\t1\t1\t10\t90\t50\t18\t80\tend",
        "broken",
    ]
)


def test_the_table_becomes_lines_with_words_and_confidences():
    first, last = lines_of(TABLE)
    assert (first.text, first.x0, first.y0, first.x1, first.y1) == ("Harbour <b>", 10, 20, 110, 40)
    assert first.confidence == pytest.approx((7 * 0.9 + 3 * 0.6) / 10)
    assert [word.text for word in first.words] == ["Harbour", "<b>"]
    assert last.text == "end"
    assert lines_of(TABLE, right_to_left=True)[0].words == ()


def test_a_program_that_hangs_or_fails_is_an_error_of_the_page(tmp_path):
    for script, code in (("sleep 20", "page_timeout"), ("exit 1", "internal")):
        program = tmp_path / code
        program.write_text(
            f"#!/bin/sh\nexec {script}\n" if code == "page_timeout" else f"#!/bin/sh\n{script}\n"
        )
        program.chmod(0o755)
        with pytest.raises(PageError) as error:
            Tesseract(str(program), ("en",), b"").lines(np.zeros((9, 9, 3), np.uint8), ["en"], 6, 0.5)
        assert error.value.code == code


def test_each_run_has_one_thread_and_its_languages(monkeypatch):
    seen = []

    def run(command, **options):
        seen.append((command, options["timeout"]))
        return subprocess.CompletedProcess(command, 0, HEAD.encode())

    monkeypatch.setattr(subprocess, "run", run)
    Tesseract("/bin/tesseract", ("ru", "en"), b"").lines(np.zeros((9, 9, 3), np.uint8), ["ru", "en"], 3, 7)
    [(command, limit)] = seen
    assert command[:3] == ["env", "OMP_THREAD_LIMIT=1", "/bin/tesseract"] and limit == 7
    assert command[command.index("-l") + 1] == "rus+eng"


def test_without_the_program_there_is_no_reader_of_that_name(monkeypatch):
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    find_tesseract.cache_clear()
    try:
        with pytest.raises(ValueError, match="tesseract is not installed"):
            load_readers(("tesseract",))
    finally:
        find_tesseract.cache_clear()


def page(tag):
    image = Image.new("RGB", (1000, 300), "white")
    font = ImageFont.truetype(FONT, 34)
    ImageDraw.Draw(image).text((60, 60), TEXTS[tag], "black", font=font, spacing=20)
    return Raster(1, image, None)


def likeness(result, tag):
    return SequenceMatcher(
        None, " ".join(result.markdown.split()), " ".join(TEXTS[tag].split()), autojunk=False
    ).ratio()


@pytest.mark.slow
@pytest.mark.parametrize("tag", languages)
def test_the_reader_reads_the_language_that_it_is_told(tag):
    reader = TesseractReader()
    result = reader.read(page(tag), ReadRequest(languages=(tag,)))
    assert likeness(result, tag) > 0.95
    assert result.to_json()["verdict"] == "ok"
    assert all(0 <= value <= 1 for block in result.blocks for value in block.bbox)


@pytest.mark.slow
@installed
def test_the_wrong_language_is_suspect_and_an_unknown_one_is_refused():
    reader = TesseractReader()
    if {"en", "ru"} <= set(reader.languages):
        assert reader.read(page("ru"), ReadRequest(languages=("en",))).verdict in ("suspect", "unreadable")
    with pytest.raises(InvalidOptions, match=r"tesseract does not have tlh; it has .*"):
        reader.check(ReadRequest(languages=("tlh",)))


@pytest.fixture(scope="module")
def pp_ocr():
    return PpOcr()


@pytest.mark.slow
@pytest.mark.parametrize("tag", languages)
def test_pp_ocr_reads_scripts_that_it_lacks_by_tesseract(pp_ocr, tag):
    assert tag in pp_ocr.languages
    result = pp_ocr.read(page(tag), ReadRequest())
    assert likeness(result, tag) > 0.95
    assert result.verdict == "ok"


@pytest.mark.slow
@pytest.mark.parametrize("tag", TEXTS)
def test_pp_ocr_alone_never_says_ok_to_scripts_that_it_lacks(monkeypatch, pp_ocr, tag):
    monkeypatch.setattr(pp_ocr, "_scripts", None)
    result = pp_ocr.read(page(tag), ReadRequest())
    assert result.verdict in ("suspect", "unreadable") and result.warnings


@pytest.mark.slow
def test_pp_ocr_refuses_languages_that_nobody_reads(pp_ocr):
    pp_ocr.check(ReadRequest(languages=("pt-BR", "zh")))
    with pytest.raises(InvalidOptions, match="pp-ocr does not have tlh; it has "):
        pp_ocr.check(ReadRequest(languages=("tlh",)))
