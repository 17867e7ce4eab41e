"""The reader around a scripted model: modes, retries, verdicts, counts, deep parsing."""

import math
from concurrent.futures import Future

import pytest
import torch
from PIL import Image

from fovea.engine import Busy, Canceled, Handle, VisionTokens
from fovea.engine.generate import generate
from fovea.errors import PageError
from fovea.language.tokenizer import Tokenizer
from fovea.pages.documents import Raster
from fovea.readers.base import InvalidOptions, ReadRequest
from fovea.readers.vision import VisionReader

TOKENIZER = Tokenizer.characters()
PAGE = Raster(3, Image.new("RGB", (800, 1000), "white"), 144.0)
GROUNDED = (
    "<|ref|>title<|/ref|><|det|>[[100, 50, 899, 99]]<|/det|>\n# Report\n\n"
    "<|ref|>image<|/ref|><|det|>[[100, 200, 500, 600]]<|/det|>\n"
    "<|ref|>text<|/ref|><|det|>[[100, 700, 899, 900]]<|/det|>\nAll is well."
)


class ScriptedModel:
    """Answers each (mode, question) with a text; "…" at its end repeats the last words for ever."""

    context, vocab_size, width, device = 2000, TOKENIZER.size, 1, torch.device("cpu")

    def __init__(self, answers, sure=0.95):
        self.answers, self.sure = answers, sure
        self.seen, self.prompts = [], []

    def serve(self, rules, max_new):
        self.rules = rules
        return self

    def encode(self, image, mode, deadline=None, on_submit=None):
        self.seen.append((mode, image.size))
        self.mode = mode
        count = {"tiny": 73, "small": 111, "base": 273, "large": 421, "gundam": 903}[mode]
        return VisionTokens(torch.full((count, 1), -1.0), count - 1, count // 2)

    def decode(self, seen, ids, image_token, *, max_new, owner="", deadline=None, ngram=None):
        """One page after the other, by the plain loop."""
        self.ngram = ngram
        prompt = torch.tensor([ids])[..., None].float()
        prompt[0, [i for i, token in enumerate(ids) if token == image_token]] = seen.embeddings
        future = Future()
        future.set_result(generate(self, prompt, self.rules, max_new, deadline, ngram))
        return Handle(future, lambda: None)

    def embed(self, ids):
        return ids[..., None].float()

    def new_cache(self, batch, capacity):
        return {"said": 0}

    def step(self, embeddings, cache):
        if not cache["said"]:
            self.prompts.append(embeddings[0, :, 0].tolist())
            question = TOKENIZER.decode([int(i) for i in self.prompts[-1] if i >= 0])
            answer = self.answers(self.mode, question) if callable(self.answers) else self.answers
            looping = answer.endswith("…")
            cache["ids"] = TOKENIZER.encode_template(answer.rstrip("…"))
            cache["cycle"] = (
                TOKENIZER.encode(answer.rstrip("…").split()[-1] + " ") if looping else [TOKENIZER.eos]
            )
        at, ids = cache["said"], cache["ids"]
        cache["said"] += 1
        token = ids[at] if at < len(ids) else cache["cycle"][(at - len(ids)) % len(cache["cycle"])]
        logits = torch.full((1, self.vocab_size), math.log((1 - self.sure) / (self.vocab_size - 1)))
        logits[0, token] = math.log(self.sure)
        return logits


def reader(model, **options):
    return VisionReader("test-reader", "sha256:" + "0" * 64, model, TOKENIZER, **options)


def read(answers, request=None, page=PAGE, sure=0.95, **options):
    model = ScriptedModel(answers, sure)
    result = reader(model, **options).read(page, request or ReadRequest())
    result.to_json()
    return model, result


def test_a_grounded_page():
    model, result = read(GROUNDED)
    assert [(b.id, b.type, b.text) for b in result.blocks] == [
        (1, "title", "Report"),
        (2, "image", ""),
        (3, "text", "All is well."),
    ]
    assert result.markdown == "# Report\n\n![](images/page-3-block-2.png)\n\nAll is well."
    assert (result.verdict, result.finish_reason, result.mode, result.warnings) == ("ok", "stop", "base", [])
    assert (result.page, result.width, result.height, result.dpi) == (3, 800, 1000, 144.0)
    assert result.vision_tokens == {"positions": 273, "patches": 272, "valid": 136}
    assert result.text_tokens == len(TOKENIZER.encode_template(GROUNDED))
    assert result.compression == result.text_tokens / 136
    assert all(block.confidence > 0.9 for block in result.blocks)
    assert set(result.timings_ms) == {"encode", "prefill", "decode"}
    # The vision tokens stand where the prompt holds the image.
    assert model.prompts[0][0] == TOKENIZER.bos and model.prompts[0][1:274] == [-1.0] * 273
    assert model.prompts[0][274] >= 0


def test_a_page_that_loops_is_read_again_in_the_next_mode():
    _, result = read(lambda mode, question: "Bad bad…" if mode == "base" else GROUNDED)
    assert [(a.mode, a.finish_reason) for a in result.attempts] == [("base", "loop"), ("large", "stop")]
    assert (result.mode, result.verdict, result.warnings) == ("large", "ok", [])
    assert result.attempts[0].tokens > 128


def test_a_page_that_always_loops_ends_as_suspect():
    _, result = read("Some words and more…")
    assert [a.mode for a in result.attempts] == ["base", "large", "gundam"]
    assert (result.verdict, result.finish_reason) == ("suspect", "loop")
    assert "repeat itself every 5 tokens" in result.warnings[0]
    assert result.markdown.count("more") <= 2


def test_an_explicit_mode_is_kept():
    model, result = read("Some words and more…", ReadRequest(mode="tiny"))
    assert [mode for mode, _ in model.seen] == ["tiny"]
    assert (result.mode, result.verdict) == ("tiny", "suspect")


def test_auto_is_never_below_base():
    model, _ = read("Hello", page=Raster(1, Image.new("RGB", (640, 300)), None))
    assert model.seen == [("base", (640, 300))]


def test_words_of_the_page_are_labels_in_the_official_task_for_other_images():
    """Also words that are names of block types."""
    spotted = (
        "<|ref|>Table 3<|/ref|><|det|>[[100, 50, 899, 99]]<|/det|>\n"
        "<|ref|>image<|/ref|><|det|>[[100, 200, 500, 300], [100, 400, 500, 500]]<|/det|>"
    )
    model, result = read(spotted, ReadRequest(task="ocr"))
    prompt = TOKENIZER.decode([int(i) for i in model.prompts[0][274:]])
    assert prompt == "\n<|grounding|>OCR this image."
    assert [(block.type, block.text) for block in result.blocks] == [
        ("text", "Table 3"),
        ("text", "image"),
        ("text", "image"),
    ]
    assert (result.markdown, result.verdict) == ("Table 3\n\nimage\n\nimage", "ok")
    # An answer without a word is as doubtful as in every other transcription.
    assert read("", ReadRequest(task="ocr"))[1].verdict == "suspect"


@pytest.mark.parametrize(("dpi", "guard"), [(None, (30, 90)), (144.0, (20, 50))])
def test_pages_of_a_pdf_have_their_own_guard(dpi, guard):
    model, _ = read("Hello", page=Raster(1, PAGE.image, dpi), ngram=(30, 90), pdf_ngram=(20, 50))
    kept = model.rules.answer(1, model.ngram).guard
    assert (kept.n, kept.window) == guard
    assert kept.exempt == tuple(TOKENIZER.ids_of(["</td>", "</tr>", "<td>", "<tr>"]))


def test_the_length_limit():
    _, result = read("word " * 100, ReadRequest(mode="base"), max_new=50)
    assert (result.finish_reason, result.verdict, result.text_tokens) == ("length", "suspect", 50)
    assert "length limit" in result.warnings[0]


def test_the_context_bounds_the_answer():
    generator = torch.Generator().manual_seed(1)
    letters = "".join(chr(97 + int(i)) for i in torch.randint(0, 26, (2500,), generator=generator))
    model, result = read(letters, ReadRequest(mode="gundam"))
    assert len(model.prompts[0]) + result.text_tokens == model.context
    assert result.finish_reason == "length"


def test_time_runs_out():
    _, result = read("word " * 10, time_limit_s=-1.0)
    assert (result.finish_reason, result.verdict, len(result.attempts)) == ("length", "suspect", 1)
    assert "Time ran out" in result.warnings[0]


@pytest.mark.parametrize(("why", "message"), [(Busy("x"), "busy"), (Canceled("x"), "canceled")])
def test_a_page_that_cannot_get_at_the_model_fails(why, message):
    class Refusing(ScriptedModel):
        def encode(self, *_, **__):
            raise why

    with pytest.raises(PageError, match=message):
        reader(Refusing("Hello")).read(PAGE, ReadRequest())


def test_what_was_read_before_the_model_became_busy_is_delivered():
    class Refusing(ScriptedModel):
        def encode(self, image, mode, **options):
            if mode != "base":
                raise Busy("x")
            return super().encode(image, mode, **options)

    result = reader(Refusing("Some words and more…")).read(PAGE, ReadRequest())
    assert [(a.mode, a.finish_reason) for a in result.attempts] == [("base", "loop")]
    assert result.verdict == "suspect"


def test_unsure_answers_are_suspect():
    _, result = read("Dear Sir", ReadRequest(mode="base"), sure=0.3)
    assert result.verdict == "suspect" and "0.30" in result.warnings[0]
    assert result.blocks[0].confidence == pytest.approx(0.3, abs=0.01)


def test_nothing_read_from_a_page_with_ink_is_suspect():
    _, result = read("", ReadRequest(mode="base"))
    assert (result.verdict, result.blocks, result.markdown, result.text_tokens) == ("suspect", [], "", 0)


def test_noise_is_suspect():
    _, result = read("<|/det|>" * 3 + "<|Assistant|>" * 3 + "text", ReadRequest(mode="base"))
    assert result.verdict == "suspect"
    assert any("markup" in warning for warning in result.warnings)


def test_expected_precision_only_where_it_was_measured():
    assert read("Hello")[1].expected_precision is None
    assert read("Hello", measured=True)[1].expected_precision == (0.968, 0.985)
    assert read("Hello", measured=True, sure=0.2)[1].expected_precision is None


def test_locate():
    answer = "<|ref|>stamp<|/ref|><|det|>[[1, 2, 3, 4], [5, 6, 7, 8]]<|/det|>"
    _, result = read(answer, ReadRequest(task="locate", prompt="stamp"))
    assert [(b.type, b.text) for b in result.blocks] == [("text", "stamp")] * 2
    assert read("", ReadRequest(task="locate", prompt="stamp"))[1].verdict == "ok"


def test_figure():
    _, result = read("CCO", ReadRequest(task="figure"))
    assert [(b.id, b.type, b.text) for b in result.blocks] == [(1, "image", ""), (2, "code", "CCO")]


def test_deep_reads_the_page_and_then_its_pictures():
    def answers(mode, question):
        return "<table><tr><td>7</td></tr></table>" if "Parse the figure" in question else GROUNDED

    model, result = read(answers, ReadRequest(task="deep"))
    assert model.seen == [("base", (800, 1000)), ("base", (321, 401))]
    assert [(b.id, b.type) for b in result.blocks] == [(1, "title"), (2, "image"), (3, "table"), (4, "text")]
    assert result.blocks[2].html == "<table><tr><td>7</td></tr></table>"
    assert result.verdict == "ok" and result.task == "deep"


def test_deep_with_a_figure_that_loops():
    _, result = read(
        lambda mode, question: "la la…" if "Parse" in question else GROUNDED, ReadRequest(task="deep")
    )
    assert result.verdict == "ok"
    assert result.warnings == ["Figure 1 could not be parsed: its answer did not end."]


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (ReadRequest(mode="huge"), "modes"),
        (ReadRequest(task="translate"), "tasks"),
        (ReadRequest(task="locate"), "requires a prompt"),
        (ReadRequest(prompt="Read it"), "not enabled"),
    ],
)
def test_options_are_checked(request_, message):
    with pytest.raises(InvalidOptions, match=message):
        reader(ScriptedModel("")).check(request_)


def test_options_that_are_right():
    for task in ("markdown", "free", "ocr", "figure", "describe", "deep"):
        reader(ScriptedModel("")).check(ReadRequest(task=task))
    reader(ScriptedModel("")).check(ReadRequest(mode="gundam", task="locate", prompt="the red stamp"))
    allowed = reader(ScriptedModel(""), free_prompts=True)
    allowed.check(ReadRequest(prompt="Read it"))


LINES = "\n".join(["some words of text on a line"] * 4)


def test_where_precision_was_measured_a_page_begins_in_the_mode_for_its_text():
    from support import picture

    full = "\n".join([" ".join(["some words of text on a line"] * 5)] * 80)
    few, many = picture(LINES, (1191, 1684), 30), picture(full, (1191, 1684), 14)
    for image, mode in ((few, "base"), (many, "large")):
        model, _ = read("Hello", page=Raster(1, image, 144.0), measured=True)
        assert [seen for seen, _ in model.seen] == [mode]
        assert read("Hello", page=Raster(1, image, 144.0))[1].mode == "base"
    # The text layer says that there is more than can be seen.
    model, _ = read("Hello", page=Raster(1, few, 144.0, characters=9000), measured=True)
    assert [seen for seen, _ in model.seen] == ["gundam"]
    # How long the answer to another question will be cannot be told from the page's text.
    model, _ = read("Hello", ReadRequest(task="describe"), page=Raster(1, few, 144.0), measured=True)
    assert [seen for seen, _ in model.seen] == ["base"]


def test_only_a_weak_page_is_read_again_in_the_next_mode():
    from support import picture

    page = Raster(1, picture(LINES, (1191, 1684), 30), 144.0)
    answers = lambda mode, question: "Bad bad…" if mode in ("base", "large") else GROUNDED  # noqa: E731
    _, result = read(answers, page=page, measured=True)
    assert [(one.mode, one.finish_reason) for one in result.attempts] == [
        ("base", "loop"),
        ("large", "loop"),
        ("gundam", "stop"),
    ]
    assert (result.mode, result.verdict) == ("gundam", "ok")
