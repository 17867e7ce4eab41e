"""Vision tokens that outlive a page, with a small random model in every mode that can be kept."""

import pytest
from PIL import Image, ImageDraw
from tiny_checkpoint import make

from fovea.cancellation import Cancellation
from fovea.engine import Canceled, load_tokens
from fovea.errors import PageError
from fovea.pages.documents import Raster
from fovea.readers.base import InvalidOptions, ReadRequest
from fovea.readers.deepseek_ocr import DeepseekOcr

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture
def make_reader(folder, monkeypatch):
    monkeypatch.setenv("FOVEA_DEEPSEEK_DIR", str(folder))
    monkeypatch.setenv("FOVEA_MAX_NEW_TOKENS", "40")
    monkeypatch.setenv("FOVEA_THREADS", "1")
    readers = []

    def make_one():
        readers.append(DeepseekOcr())
        return readers[-1]

    yield make_one
    for reader in readers:
        reader.engine.close()


@pytest.fixture
def reader(make_reader):
    return make_reader()


def page(number=2, size=(827, 1169), text="Invoice 17"):
    image = Image.new("RGB", size, "white")
    ImageDraw.Draw(image).text((50, 50), text, fill="black", font_size=40)
    return Raster(number, image, 100.0)


def encoded(reader):
    """How many pages its encoder has seen."""
    seen = []
    real = reader.engine.encode
    reader.engine.encode = lambda image, mode, **options: seen.append(mode) or real(image, mode, **options)
    return seen


def ask(reader, data=None, raster=None, **options):
    """One reading; `data`: what the edge has of the page."""
    request = ReadRequest(**{"mode": "base", "task": "free", "recall": lambda mode: data, **options})
    reader.check(request)
    result = reader.read(raster or page(), request)
    return result, result.to_json()


def answer(body):
    return {
        name: body[name] for name in ("markdown", "blocks", "text_tokens", "mode", "vision_tokens", "verdict")
    }


def tokens_of(reader, **options):
    return ask(reader, keep_tokens=True, **options)[0].attachments["tokens"]


@pytest.mark.parametrize("mode", ["tiny", "base", "gundam"])
def test_another_question_to_kept_tokens_is_answered_as_by_a_fresh_reading(reader, mode):
    tokens = tokens_of(reader, mode=mode)
    asked = [{"task": "describe"}, {"task": "locate", "prompt": "the total"}]
    fresh = [ask(reader, mode=mode, **question)[1] for question in asked]
    seen = encoded(reader)
    for question, expected in zip(asked, fresh, strict=True):
        result, body = ask(reader, tokens, mode=mode, keep_tokens=True, **question)
        assert answer(body) == answer(expected)
        assert [attempt["encoded"] for attempt in body["attempts"]] == ["stored"]
        assert "encoded" not in expected["attempts"][0]
        assert result.attachments == {}, "what is there already is not sent again"
    assert seen == []


def test_nothing_is_attached_unless_it_is_wanted(reader):
    assert ask(reader)[0].attachments == {}


def test_encode_gives_tokens_and_no_text(reader):
    result, body = ask(reader, task="encode", mode="gundam")
    assert (body["verdict"], body["finish_reason"], body["markdown"], body["blocks"]) == (
        "ok",
        "stop",
        "",
        [],
    )
    assert (body["text_tokens"], body["compression"]) == (None, None)
    assert body["attempts"] == [{"mode": "gundam", "tokens": None, "finish_reason": "stop"}]
    seen, mode, number = load_tokens(
        result.attachments["tokens"], digest=reader.digest, width=reader.engine.width
    )
    assert (mode, number, seen.counts()) == ("gundam", 2, body["vision_tokens"])
    assert seen.tiles is not None
    fresh = ask(reader, mode="gundam")[1]
    assert answer(ask(reader, result.attachments["tokens"], mode="gundam")[1]) == answer(fresh)
    again, body = ask(reader, result.attachments["tokens"], task="encode", mode="gundam")
    assert (again.attachments, body["attempts"][0]["encoded"]) == ({}, "stored")


def test_auto_encodes_in_the_mode_in_which_it_begins_to_read(reader):
    encode = ask(reader, task="encode", mode="auto")[1]
    assert encode["mode"] == ask(reader, task="markdown", mode="auto")[1]["attempts"][0]["mode"]


def test_encode_takes_no_prompt(reader):
    with pytest.raises(InvalidOptions, match="does not support a prompt"):
        reader.check(ReadRequest(task="encode", prompt="Read it"))


def test_of_several_attempts_the_mode_finally_read_is_kept(reader):
    result, body = ask(reader, task="markdown", mode="auto", keep_tokens=True)
    assert len(body["attempts"]) > 1
    _, mode, _ = load_tokens(result.attachments["tokens"], digest=reader.digest, width=reader.engine.width)
    assert mode == body["mode"]


def test_each_attempt_asks_for_its_own_mode(reader):
    asked = []
    ask(reader, task="markdown", mode="auto", recall=lambda mode: asked.append(mode))
    assert asked == ["base", "large", "gundam"]


def test_tokens_of_another_model_are_never_used(make_reader, reader, monkeypatch):
    tokens = tokens_of(reader)
    monkeypatch.setenv("FOVEA_NGRAM_GUARD", "30,90")
    other = make_reader()
    assert other.digest != reader.digest
    seen = encoded(other)
    assert "encoded" not in ask(other, tokens)[1]["attempts"][0]
    assert seen == ["base"]


def test_tokens_are_named_by_what_the_request_says_beside_the_reader(reader):
    text = "sha256:" + "7" * 64
    tokens = tokens_of(reader, digest=text)
    assert ask(reader, tokens, digest=text)[1]["attempts"][0]["encoded"] == "stored"
    assert "encoded" not in ask(reader, tokens)[1]["attempts"][0]


def test_what_cannot_be_used_costs_an_encoding_and_nothing_else(reader):
    tokens = tokens_of(reader)
    fresh = ask(reader)[1]
    cases = {
        "nothing": b"",
        "cut off": tokens[:-8],
        "another page": tokens_of(reader, raster=page(3)),
        "another mode": tokens_of(reader, mode="large"),
        "another size": tokens_of(reader, raster=page(size=(1169, 600))),
        "noise": bytes(range(256)) * 40,
    }
    seen = encoded(reader)
    for case, data in cases.items():
        body = ask(reader, data)[1]
        assert answer(body) == answer(fresh), case
        assert "encoded" not in body["attempts"][0], case
    assert len(seen) == len(cases)


def test_figures_of_a_page_are_not_taken_for_the_page(reader):
    """Deep parsing looks at parts of the page: those are neither asked for nor kept."""
    tokens, asked = tokens_of(reader), []
    reader._encode(
        page().image, "base", ReadRequest(recall=lambda mode: asked.append(mode) or tokens), 1e12, None
    )
    assert asked == []


def test_a_page_that_is_canceled_ends_with_kept_tokens_as_without(reader):
    tokens, cancellation = tokens_of(reader), Cancellation()
    cancellation.cancel()
    with pytest.raises((PageError, Canceled)):
        ask(reader, tokens, cancellation=cancellation, task="describe")
