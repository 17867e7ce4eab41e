"""Lines in scripts that pp-ocr lacks, with a stub of Tesseract; the real one is in test_tesseract.py."""

import numpy as np
import pytest
from support import picture

from fovea.errors import PageError
from fovea.layout.line import Line
from fovea.recognition.languages import PP_OCR, SCRIPT, TESSERACT, matching
from fovea.recognition.page import ReadLine, Unread
from fovea.recognition.scripts import GAP, ROW, SHEET, ScriptReader, first_of_scripts

ALPHABET = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:!đươ")
LINES = ["The harbour opens", "at seven each day"]


class Stub:
    """Reads the rows of the sheet with given texts and confidences, by language."""

    def __init__(self, **read):
        self.read, self.asked = read, []
        self.languages = tuple(read)

    def lines(self, image, languages, layout, limit_s):
        self.asked.append(tuple(languages))
        rows = self.read[languages[0]]
        if rows is None:
            raise PageError("page_timeout", "late")
        count = (image.shape[0] - GAP) // (ROW + GAP)
        tops = [GAP + i * (ROW + GAP) for i in range(count)]
        return [
            Line(GAP, top, 500, top + ROW, *row)
            for top, row in zip(tops, rows, strict=False)
            if row is not None
        ]


def page():
    image = np.asarray(picture("\n".join(LINES), (700, 240), 36))[:, :, ::-1].copy()
    rows = np.flatnonzero((image[:, :, 0] < 128).any(axis=1))
    middle = int(rows[np.argmax(np.diff(rows))]) + 2
    quads = [
        np.array([(50, top), (600, top), (600, bottom), (50, bottom)], np.float32)
        for top, bottom in ((rows[0] - 4, middle), (middle + 4, rows[-1] + 4))
    ]
    return image, quads


def second(stub, found, unread, wanted=()):
    image, _ = page()
    return ScriptReader(stub, ALPHABET, 5).read(image, found, [Unread(quad, 15) for quad in unread], wanted)


def texts(lines):
    return [line.text for line in lines]


def test_unread_lines_are_read_in_the_language_that_a_sample_fits_best():
    _, quads = page()
    stub = Stub(
        ru=[("Причал открыт рано", 0.96)] * 2, el=[("Πριχαλ οτκριτ", 0.2)] * 2, fr=[("Quai", 0.9)] * 2
    )
    lines, unread = second(stub, [], quads)
    assert texts(lines) == ["Причал открыт рано"] * 2 and unread == []
    assert stub.asked == [("ru",), ("el",), ("ru",)]


def test_a_page_that_was_read_is_not_read_again():
    _, quads = page()
    stub = Stub(ru=[("Причал", 0.96)] * 2)
    found = [ReadLine(quad, text, 0.98, ()) for quad, text in zip(quads, LINES, strict=True)]
    assert second(stub, found, []) == (found, [])
    assert stub.asked == []


def test_only_lines_with_letters_that_the_recognizer_lacks_are_replaced():
    _, quads = page()
    stub = Stub(ru=[("Тока! 1,860.00", 0.85), ("Причал открыт", 0.96)])
    found = [ReadLine(quads[0], "Total 1,860.00", 0.99, ())]
    lines, unread = second(stub, found, quads[1:], ["ru"])
    assert texts(lines) == ["Total 1,860.00", "Причал открыт"] and unread == []


def test_the_hint_is_taken_without_a_sample():
    _, quads = page()
    stub = Stub(ru=[("Причал открыт рано", 0.9)] * 2, uk=[("Причал відкрито рано", 0.8)] * 2)
    lines, _ = second(stub, [], quads, ["uk-UA"])
    assert texts(lines)[0] == "Причал відкрито рано" and stub.asked == [("uk",)]


def test_many_lines_are_read_in_several_sheets_and_none_is_no_call():
    _, quads = page()
    stub = Stub(ru=[("Причал открыт рано", 0.96)] * SHEET)
    lines, unread = second(stub, [], quads * SHEET, ["ru"])
    assert len(lines) == 2 * SHEET and unread == [] and len(stub.asked) == 2
    assert second(stub, [], [], ["ru"]) == ([], []) and len(stub.asked) == 2


@pytest.mark.parametrize(
    "rows",
    [None, [None, None], [("ОИ РП 122", 0.4)] * 2, [("Latin text of no use", 0.95)] * 2],
    ids=["late", "nothing", "unsure", "Latin"],
)
def test_lines_that_nobody_can_read_stay_unread(rows):
    _, quads = page()
    lines, unread = second(Stub(ru=rows), [], quads)
    assert lines == [] and len(unread) == 2


def test_one_language_of_a_script_is_tried_the_usual_one_first():
    assert first_of_scripts(["be", "ru", "uk", "el", "ka"]) == ["ru", "el", "ka"]


def test_a_tag_finds_a_shorter_one_and_a_language_its_scripts():
    assert matching(["pt-BR", "zh", "th"], ["en", "pt", "zh-Hans"]) == (["pt", "zh-Hans"], ["th"])


def test_the_table_knows_each_language_once_and_what_pp_ocr_has():
    assert len(set(TESSERACT.values())) == len(TESSERACT) == len(SCRIPT)
    assert set(PP_OCR) <= set(SCRIPT)
    assert {SCRIPT[tag] for tag in PP_OCR} == {"Latin", "Han"}
