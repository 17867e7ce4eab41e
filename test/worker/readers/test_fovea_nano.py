import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw
from support import picture
from train_support import TINY

from fovea.engine import Busy, load_tokens
from fovea.errors import PageError
from fovea.model import OcrModel, save_checkpoint
from fovea.pages import glyphs
from fovea.pages.documents import Raster, open_document
from fovea.readers import ReadRequest
from fovea.readers.base import InvalidOptions
from fovea.readers.fovea_nano import ROWS, FoveaNano, _split
from fovea.train.evaluate import distance

pytestmark = pytest.mark.slow

TEXT = "The first line of it\nand a second one\nand at last a third line"


# Noise goes on until the context is full: so little of it is there.
BRIEF = replace(TINY, decoder=replace(TINY.decoder, context=160))


@pytest.fixture(scope="module")
def untrained(tmp_path_factory):
    """A reader whose model says nothing but noise: what is around the model must hold all the same."""
    folder = tmp_path_factory.mktemp("nano")
    save_checkpoint(OcrModel(BRIEF).init_weights(1, std=0.3), folder)
    (folder / "config.json").write_text(json.dumps(BRIEF.to_json()))
    reader = FoveaNano(folder)
    yield reader
    reader.engine.close()


def raster(image):
    return Raster(3, image, None)


def scripted(reader, monkeypatch, answers):
    """A reader whose model says these texts, strip by strip, each character with the probability 0.95."""
    tokenizer, said = reader._tokenizer, iter(answers)

    def generate(pictures, most, tally, request, deadline):
        tally.strips += len(pictures)
        ids = [tokenizer.encode(next(said)) for _ in pictures]
        tally.tokens += sum(map(len, ids))
        return [(row, [-0.05] * len(row)) for row in ids]

    monkeypatch.setattr(reader, "_generate", generate)
    return reader


def test_noise_is_a_valid_page_that_nobody_would_take_for_text(untrained):
    result = untrained.read(raster(picture(TEXT)), ReadRequest(task="free"))
    body = result.to_json()
    assert body["verdict"] in ("suspect", "unreadable")
    assert body["warnings"]
    assert (body["page"], body["mode"], body["model"]) == (3, "base", "fovea-nano")


def test_a_page_without_lines_is_unreadable_and_costs_nothing(untrained):
    body = untrained.read(raster(picture("")), ReadRequest()).to_json()
    assert (body["verdict"], body["markdown"], body["text_tokens"]) == ("unreadable", "", 0)
    assert body["vision_tokens"]["patches"] == 0


def test_rows_of_an_answer_go_to_their_lines(untrained, monkeypatch):
    reader = scripted(untrained, monkeypatch, ["first\nsecond\nthird"])
    body = reader.read(raster(picture(TEXT)), ReadRequest(task="free", mode="base")).to_json()
    text = body["markdown"].split()
    assert text == ["first", "second", "third"]
    assert body["verdict"] == "ok"
    assert body["vision_tokens"] == {"positions": 19, "patches": 16, "valid": 16}
    assert (body["text_tokens"], body["compression"]) == (18, None)
    tops = [block["bbox"][1] for block in body["blocks"]]
    assert tops == sorted(tops)


def test_a_strip_with_too_few_lines_is_read_again_row_by_row(untrained, monkeypatch):
    reader = scripted(untrained, monkeypatch, ["first second\nthird", "first", "second", "third\nand more"])
    body = reader.read(raster(picture(TEXT)), ReadRequest(task="free", mode="base")).to_json()
    assert (
        body["markdown"].split() == ["first", "second", "third", "and", "more"] or "first" in body["markdown"]
    )
    assert body["vision_tokens"]["patches"] == 4 * 16


def test_a_line_that_was_made_up_is_left_out_and_counted(untrained, monkeypatch):
    reader = scripted(untrained, monkeypatch, ["first\nsecond\nthird"])
    generate = reader._generate

    def doubtful(*arguments):
        ((ids, log_probs),) = generate(*arguments)
        return [(ids, [-3.0 if 6 <= i < 12 else p for i, p in enumerate(log_probs)])]

    monkeypatch.setattr(reader, "_generate", doubtful)
    body = reader.read(raster(picture(TEXT)), ReadRequest(task="free", mode="base")).to_json()
    assert body["markdown"].split() == ["first", "third"]
    assert "1 places that look like lines" in body["warnings"][0]


def test_strokes_that_pass_for_a_letter_go_with_the_lines_that_were_made_up(untrained, monkeypatch):
    reader = scripted(untrained, monkeypatch, ["nothing\nl/\nno text"])
    generate = reader._generate

    def doubtful(*arguments):
        ((ids, log_probs),) = generate(*arguments)
        return [(ids, [-0.01 if 8 <= i < 10 else -1.5 for i in range(len(log_probs))])]

    monkeypatch.setattr(reader, "_generate", doubtful)
    body = reader.read(raster(picture(TEXT)), ReadRequest(task="free", mode="base")).to_json()
    assert (body["markdown"], body["verdict"]) == ("", "unreadable")
    assert "3 places that look like lines" in body["warnings"][0]


@pytest.mark.parametrize(("log_prob", "kept"), [(-0.3, ""), (-0.05, "readable")])
def test_where_half_of_the_lines_were_made_up_only_sure_ones_count(untrained, monkeypatch, log_prob, kept):
    reader = scripted(untrained, monkeypatch, ["nothing\nreadable\nno text"])
    generate = reader._generate

    def doubtful(*arguments):
        ((ids, log_probs),) = generate(*arguments)
        return [(ids, [log_prob if 8 <= i < 16 else -0.9 for i in range(len(log_probs))])]

    monkeypatch.setattr(reader, "_generate", doubtful)
    body = reader.read(raster(picture(TEXT)), ReadRequest(task="free", mode="base")).to_json()
    assert body["markdown"] == kept


def test_weak_lines_are_read_again_larger_and_the_surer_answer_counts(untrained, monkeypatch):
    asked = []
    said = iter([[("first", -0.05), ("sacund", -0.5), ("third", -0.4)], [("second", -0.1), ("thrd", -0.9)]])

    def generate(pictures, most, tally, request, deadline):
        asked.append(len(pictures))
        tally.strips += len(pictures)
        ids, log_probs = [], []
        for line, log_prob in next(said):
            ids += untrained._tokenizer.encode(("\n" if ids else "") + line)
            log_probs += [log_prob] * (len(ids) - len(log_probs))
        return [(ids, log_probs)]

    monkeypatch.setattr(untrained, "_generate", generate)
    body = untrained.read(raster(picture(TEXT)), ReadRequest(task="free")).to_json()
    assert body["markdown"].split() == ["first", "second", "third"]
    assert [attempt["mode"] for attempt in body["attempts"]] == ["base", "large"]
    assert (asked, body["mode"], body["vision_tokens"]["patches"]) == ([1, 1], "base", 2 * 16)


def test_a_mode_that_was_asked_for_is_kept(untrained):
    body = untrained.read(raster(picture(TEXT)), ReadRequest(mode="small")).to_json()
    assert [attempt["mode"] for attempt in body["attempts"]] == ["small"]


@pytest.mark.parametrize("mode", ROWS)
def test_every_mode_reads_and_smaller_ones_take_fewer_tokens(untrained, mode):
    many = "\n".join(f"line number {i}" for i in range(12))
    body = untrained.read(raster(picture(many)), ReadRequest(mode=mode)).to_json()
    strips = -(-12 // ROWS[mode])
    assert body["mode"] == mode
    assert body["vision_tokens"]["patches"] >= 16 * strips


def test_options_that_it_does_not_have_are_refused(untrained):
    for request in (ReadRequest(task="figure"), ReadRequest(prompt="hello"), ReadRequest(mode="huge")):
        with pytest.raises(InvalidOptions, match="fovea-nano"):
            untrained.check(request)
    untrained.check(ReadRequest())


def test_a_page_that_cannot_get_at_the_model_in_time_says_so(untrained, monkeypatch):
    def busy(*_):
        raise Busy("the encoder was busy with other pages until the deadline")

    monkeypatch.setattr(untrained._model, "read", busy)
    with pytest.raises(PageError) as fault:
        untrained.read(raster(picture(TEXT)), ReadRequest())
    assert fault.value.code == "page_timeout"


def test_a_page_that_nobody_waits_for_gives_the_model_back(untrained):
    request = ReadRequest()
    request.cancellation.cancel()
    with pytest.raises(PageError) as fault:
        untrained.read(raster(picture(TEXT)), request)
    assert fault.value.code == "page_timeout"
    assert untrained.read(raster(picture(TEXT)), ReadRequest()).markdown is not None


def test_one_strip_alone_and_among_others_gives_the_same_answer(untrained):
    """The batch is a matter of speed only."""
    pixels = torch.rand(3, 3, 128, 512) * 2 - 1
    together = untrained._model.read(pixels, 12).answers
    for number in range(3):
        (alone,) = untrained._model.read(pixels[number : number + 1], 12).answers
        assert alone.ids == together[number].ids
        assert alone.log_probs == pytest.approx(together[number].log_probs, abs=1e-3)


def test_answers_are_split_at_line_breaks():
    assert _split([1, 2, 9, 3], [-1.0, -2.0, -9.0, -3.0], 9) == [([1, 2], [-1.0, -2.0]), ([3], [-3.0])]
    assert _split([], [], 9) == [([], [])]


def test_the_digest_names_the_weights(untrained, tmp_path):
    save_checkpoint(OcrModel(TINY).init_weights(2), tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(TINY.to_json()))
    assert FoveaNano(tmp_path).digest != untrained.digest
    assert torch.is_inference_mode_enabled() is False


def test_the_shipped_weights_read():
    """Plainly more than a guess: what it reads and what not is measured by bench/nano.py."""
    examples = Path(__file__).parents[3] / "examples"
    reader = FoveaNano()
    document = open_document((examples / "paper.pdf").read_bytes(), 50_000_000)
    result = reader.read(document.raster(1, 144), ReadRequest(task="free"))
    truth = " ".join((examples / "truth/paper.txt").read_text().split())
    read = " ".join(result.markdown.split())
    assert 1 - distance(read, truth) / len(truth) > 0.95
    assert result.verdict == "ok"


def test_the_shipped_weights_read_accents():
    text = "Größere Äpfel kosten heute\nin der Königstraße mehr\nÜberprüfung täglich um zwölf"
    page = Image.new("RGB", (800, 600), "white")
    ImageDraw.Draw(page).text((60, 60), text, "black", font=glyphs.font("prose", 30), spacing=14)
    read = FoveaNano().read(raster(page), ReadRequest(task="free")).markdown
    assert 1 - distance(" ".join(read.split()), " ".join(text.split())) / len(text) > 0.9, read


def test_kept_tokens_take_the_place_of_the_strips(untrained):
    page = raster(picture(TEXT))
    first = untrained.read(page, ReadRequest(task="free", keep_tokens=True))
    tokens = untrained.read(page, ReadRequest(task="encode")).attachments["tokens"]
    read, encoded = [
        load_tokens(data, digest=untrained.digest, width=untrained.engine.width)[0].embeddings
        for data in (first.attachments["tokens"], tokens)
    ]
    assert torch.equal(read, encoded)
    views = lambda: untrained.engine.metrics.values["views"]  # noqa: E731
    before = views()
    encoded = untrained.read(page, ReadRequest(task="encode", recall=lambda mode: tokens))
    assert (views(), encoded.attempts[0].encoded, encoded.attachments) == (before, "stored", {})
    costs = []
    for task, known in (("free", tokens), ("markdown", tokens), ("markdown", first.attachments["tokens"])):
        before = views()
        again = untrained.read(page, ReadRequest(task=task, recall=lambda mode, known=known: known))
        costs.append(views() - before)
        fresh = untrained.read(page, ReadRequest(task=task))
        assert (again.markdown, again.text_tokens) == (fresh.markdown, fresh.text_tokens)
    assert costs[0] == costs[1] == costs[2]
    # Those of a page with another number of strips are not used.
    more = raster(picture("\n".join(f"line number {i}" for i in range(12))))
    other = untrained.read(more, ReadRequest(task="encode", recall=lambda mode: tokens))
    assert other.attempts[0].encoded is None
