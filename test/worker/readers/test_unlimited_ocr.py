"""Several pages in one sequence, around a scripted model."""

import pytest
from PIL import Image
from test_vision import TOKENIZER, ScriptedModel

from fovea.engine import Busy
from fovea.errors import PageError
from fovea.language.tasks import PARSING_TASKS
from fovea.pages.documents import Raster
from fovea.readers import READERS
from fovea.readers.base import InvalidOptions, ReadRequest
from fovea.readers.unlimited_ocr import UnlimitedOcr
from fovea.readers.vision import VisionReader
from fovea.vision.modes import UNLIMITED_OCR

PAGES = [Raster(number, Image.new("RGB", (800, 1000), "white"), 144.0) for number in (4, 5, 7)]
ALONE = "<|det|>text [1, 1, 999, 999]<|/det|>Read alone, the whole page again."


MORE = "<PAGE>\nOther words, on a third sheet.\n<PAGE>\nAnd a fourth one, which nobody sent."


def page(number):
    return (
        f"<PAGE>\n<|det|>title [100, 50, 899, 99]<|/det|># Part {number}\n"
        f"<|det|>text [100, 700, 899, 900]<|/det|>All is well on sheet {number}.\n"
    )


def make(document, alone=ALONE, **options):
    def answer(mode, question):
        return document if "Multi page" in question else alone

    model = ScriptedModel(answer)
    reader = UnlimitedOcr.__new__(UnlimitedOcr)
    VisionReader.__init__(
        reader,
        "unlimited-ocr",
        "sha256:" + "0" * 64,
        model,
        TOKENIZER,
        layout=UNLIMITED_OCR,
        tasks=PARSING_TASKS,
        max_document=900,
        **options,
    )
    return reader, model


def read_together(reader, rasters, request):
    """The results, and each page's own raster with it."""
    by_page = {raster.page: raster for raster in rasters}
    numbers = [raster.page for raster in rasters]
    pairs = list(reader.read_document(numbers, by_page.get, request))
    assert all(raster is by_page[result.page] for raster, result in pairs)
    return [result for _, result in pairs]


def test_it_is_in_the_registry():
    assert READERS["unlimited-ocr"] == "fovea.readers.unlimited_ocr:UnlimitedOcr"


def test_one_page_has_its_own_prompt_and_begins_with_tiles():
    reader, model = make("", ALONE)
    result = reader.read(PAGES[0], ReadRequest())
    assert (result.verdict, result.mode) == ("ok", "gundam")
    assert [block.text for block in result.blocks] == ["Read alone, the whole page again."]
    assert result.blocks[0].type == "text" and result.blocks[0].bbox[0] > 0
    words = TOKENIZER.decode([int(i) for i in model.prompts[0] if i >= 0])
    assert words.endswith("document parsing.") and "\n" not in words


def test_a_separator_in_the_answer_about_one_page_is_no_text():
    reader, _ = make("", "<PAGE>\n" + ALONE)
    result = reader.read(PAGES[0], ReadRequest())
    assert result.markdown == "Read alone, the whole page again."


@pytest.mark.parametrize("mode", ["tiny", "small", "large", "document"])
def test_other_modes_and_tasks_are_refused(mode):
    reader, _ = make("")
    with pytest.raises(InvalidOptions, match="auto, base, gundam"):
        reader.check(ReadRequest(mode=mode))
    with pytest.raises(InvalidOptions, match="markdown, encode"):
        reader.check(ReadRequest(task="free"))


def test_a_document_is_one_sequence_and_a_result_for_each_page():
    reader, model = make(page(1) + page(2) + page(3))
    results = read_together(reader, PAGES, ReadRequest())
    assert model.seen == [("base", (800, 1000))] * 3
    (prompt,) = model.prompts
    assert sum(token == -1 for token in prompt) == 3 * 273
    assert TOKENIZER.decode([int(i) for i in prompt if i >= 0]).endswith("Multi page parsing.")
    for number, (raster, result) in enumerate(zip(PAGES, results, strict=True), 1):
        body = result.to_json()
        assert (body["page"], body["mode"], body["verdict"]) == (raster.page, "document", "ok")
        assert (body["finish_reason"], body["warnings"]) == ("stop", [])
        assert [block["type"] for block in body["blocks"]] == ["title", "text"]
        assert body["blocks"][1]["text"] == f"All is well on sheet {number}."
        assert body["vision_tokens"]["positions"] == 273
        assert body["attempts"] == [
            {"mode": "document", "tokens": body["text_tokens"], "finish_reason": "stop"}
        ]
        assert body["blocks"][0]["confidence"] == pytest.approx(0.95, abs=0.01)
    assert sum(result.text_tokens for result in results) <= len(page(1) + page(2) + page(3))


def test_several_pages_have_their_own_guard():
    guards = {"ngram": (90, 128), "pdf_ngram": (90, 128), "document_ngram": (90, 1024)}
    reader, model = make(page(1) + page(2) + page(3), **guards)
    read_together(reader, PAGES, ReadRequest())
    assert model.ngram == (90, 1024)
    reader.read(PAGES[0], ReadRequest())
    assert model.ngram == (90, 128)


def test_pages_behind_a_loop_are_read_alone():
    reader, model = make(page(1) + "<PAGE>\n<|det|>text [1, 2, 3, 4]<|/det|>Total sum sum sum…")
    first, second, third = read_together(reader, PAGES, ReadRequest())
    assert (first.mode, first.verdict, first.finish_reason) == ("document", "ok", "stop")
    assert (second.mode, second.verdict) == ("gundam", "ok")
    assert [(attempt.mode, attempt.finish_reason) for attempt in second.attempts] == [
        ("document", "loop"),
        ("gundam", "stop"),
    ]
    assert (third.mode, third.verdict) == ("gundam", "ok")
    assert "read alone" in third.warnings[-1]
    assert len(model.prompts) == 3


def test_a_page_that_is_no_better_alone_keeps_both_attempts():
    reader, _ = make(page(1) + page(2) + "<PAGE>\nTotal sum sum sum…", "One one one…")
    *_, third = read_together(reader, PAGES, ReadRequest())
    assert third.verdict == "suspect" and third.mode == "document"
    assert [attempt.mode for attempt in third.attempts] == ["document", "gundam", "base"]


@pytest.mark.parametrize("document", [page(1) + page(2), page(1) + page(2) + MORE, "No separator at all."])
def test_an_answer_that_fits_no_pages_is_not_guessed_at(document):
    reader, _ = make(document)
    for raster, result in zip(PAGES, read_together(reader, PAGES, ReadRequest()), strict=True):
        assert (result.page, result.mode, result.verdict) == (raster.page, "gundam", "ok")
        assert "could not be assigned" in result.warnings[-1]


def test_the_number_of_pages_and_the_options_are_limited():
    reader, _ = make("")
    for number in (0, 33):
        with pytest.raises(InvalidOptions, match="1 to 32"):
            read_together(reader, PAGES[:1] * number, ReadRequest())
    for request in (ReadRequest(mode="base"), ReadRequest(task="encode"), ReadRequest(prompt="x")):
        with pytest.raises(InvalidOptions, match="mode auto"):
            read_together(reader, PAGES, request)


def test_a_page_that_fails_alone_does_not_take_the_others_with_it():
    reader, model = make(page(1) + "<PAGE>\nTotal sum sum sum…")
    encode = model.encode

    def busy(image, mode, **options):
        if mode != "base":
            raise Busy
        return encode(image, mode, **options)

    model.encode = busy
    first, second, third = read_together(reader, PAGES, ReadRequest())
    assert (first.verdict, second.verdict, third.verdict) == ("ok", "suspect", "failed")
    assert (second.mode, second.finish_reason) == ("document", "loop")
    assert third.to_json()["error"]["code"] == "page_timeout"


def test_a_document_without_an_answer_in_time_is_an_error():
    reader, model = make("")

    def busy(image, mode, **options):
        raise Busy

    model.encode = busy
    with pytest.raises(PageError, match="too long"):
        read_together(reader, PAGES, ReadRequest())


def test_pages_that_are_left_out_are_not_in_the_sequence():
    reader, model = make(page(1) + page(2))
    draw = {4: PAGES[0], 7: PAGES[2]}.get
    pairs = list(reader.read_document([4, 5, 7], draw, ReadRequest()))
    assert [result.page for _, result in pairs] == [4, 7]
    assert sum(token == -1 for token in model.prompts[0]) == 2 * 273


def test_a_single_page_has_no_sequence():
    reader, model = make(page(1))
    assert list(reader.read_document([4, 5], {5: PAGES[1]}.get, ReadRequest())) == []
    assert model.prompts == []


def test_results_come_before_the_pages_behind_them_are_read_alone():
    reader, model = make(page(1) + "<PAGE>\nTotal sum sum sum…")
    results = reader.read_document([4, 5, 7], {raster.page: raster for raster in PAGES}.get, ReadRequest())
    next(results)
    assert len(model.prompts) == 1
    next(results)
    assert len(model.prompts) == 2


def test_a_canceled_sequence_encodes_no_more_pages():
    reader, model = make(page(1) + page(2) + page(3))
    request = ReadRequest()

    def draw(number):
        request.cancellation.cancel()
        return PAGES[0]

    with pytest.raises(PageError, match="canceled"):
        next(reader.read_document([4, 5, 7], draw, request))
    assert len(model.seen) == 1


def test_pages_that_leave_no_room_for_an_answer_are_an_error():
    reader, model = make(page(1))
    model.context = 3 * 273  # as of a small cache
    with pytest.raises(PageError, match="no room"):
        read_together(reader, PAGES, ReadRequest())
