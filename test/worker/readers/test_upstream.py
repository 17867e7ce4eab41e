"""The reader of somebody's OpenAI-compatible server, against a stub of vLLM.

The stub is built from vLLM's documentation of DeepSeek-OCR (its recipe, its chat template) and of its OpenAI
server: it composes the prompt as that template does, answers with log-probabilities token by token, and cuts
special tokens out of the text unless it is told not to. A real server was not at hand.
"""

import base64
import dataclasses
import io
import json
import logging
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from PIL import Image
from support import encoded, picture

from fovea.cancellation import Cancellation
from fovea.errors import PageError
from fovea.language.tokenizer import EOS, LAYOUT_MARKERS
from fovea.pages.documents import Raster
from fovea.readers import READERS
from fovea.readers.base import InvalidOptions, ReadRequest
from fovea.readers.upstream import Upstream
from fovea.result.page_result import page_faults

pytestmark = pytest.mark.slow

KEY = "sk-of-the-tests"
PAGE = Raster(3, picture("Invoice 17", (600, 400)), 100.0)
GROUNDED = (
    *(
        "<|ref|>",
        "title",
        "<|/ref|>",
        "<|det|>",
        "[[0, 0, 999, 100]]",
        "<|/det|>",
        "\n",
        "# Invoice",
        " 17",
        "\n",
    ),
    *("<|ref|>", "text", "<|/ref|>", "<|det|>", "[[0, 200, 999, 300]]", "<|/det|>", "\n", "Total", " 12.50"),
)


class VllmStub:
    """`plan` holds what happens to the next requests: a status, or `silence` until the reader hangs up."""

    def __init__(self):
        self.tokens, self.finish, self.log_prob = GROUNDED, "stop", -0.05
        self.models = ["deepseek-ai/DeepSeek-OCR"]
        self.log_probs = True
        self.plan: list[int | str] = []
        self.asked: list[dict] = []
        self.calls: list[tuple[str, str | None]] = []
        self.received, self.hung_up = threading.Event(), threading.Event()
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                stub.calls.append((self.path, self.headers["authorization"]))
                self.answer(200, {"object": "list", "data": [stub.card(name) for name in stub.models]})

            def do_POST(self):
                stub.calls.append((self.path, self.headers["authorization"]))
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                step = stub.plan.pop(0) if stub.plan else None
                stub.received.set()
                if step == "silence":
                    self.connection.settimeout(60)
                    try:
                        if self.connection.recv(1) == b"":
                            stub.hung_up.set()
                            return
                    except TimeoutError:
                        self.connection.settimeout(None)
                if step == 0:  # breaks off
                    self.close_connection = True
                    self.connection.close()
                    return
                if isinstance(step, int):
                    return self.answer(step, {"error": {"message": json.dumps(body)}})
                stub.asked.append(body)
                self.answer(200, stub.completion(body))

            def answer(self, status, body):
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("location", "http://127.0.0.1:1/")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def stop(self):
        self._server.shutdown()
        self._server.server_close()

    def card(self, name):
        """The times and ids are new at each call, as vLLM's are."""
        now = time.time_ns()
        return {
            **{
                "id": name,
                "object": "model",
                "created": now,
                "owned_by": "vllm",
                "root": name,
                "parent": None,
            },
            **{"max_model_len": 8192, "permission": [{"id": f"modelperm-{now}", "created": now}]},
        }

    def prompt(self, body):
        """What the model is given: the template's text, an image's placeholder before the words."""
        content = body["messages"][0]["content"]
        images = sum(part["type"] == "image_url" for part in content)
        words = "\n".join(part["text"] for part in content if part["type"] == "text")
        return "\n".join(["<image>"] * (images - words.count("<image>")) + [words])

    def image(self, body):
        url = body["messages"][0]["content"][0]["image_url"]["url"]
        return Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))

    def completion(self, body):
        special = (*LAYOUT_MARKERS, EOS)
        shown = [
            token for token in self.tokens if body.get("skip_special_tokens") is False or token not in special
        ]
        logged = [
            {"token": token, "logprob": self.log_prob, "bytes": list(token.encode())} for token in self.tokens
        ]
        logged.append({"token": EOS, "logprob": -0.01, "bytes": list(EOS.encode())})
        choice = {
            **{"index": 0, "finish_reason": self.finish, "stop_reason": None},
            "message": {"role": "assistant", "content": "".join(shown)},
            "logprobs": {"content": logged} if body.get("logprobs") and self.log_probs else None,
        }
        usage = {"prompt_tokens": 913, "completion_tokens": len(self.tokens) + 1, "total_tokens": 1}
        return {"object": "chat.completion", "model": body["model"], "choices": [choice], "usage": usage}


@pytest.fixture
def stub():
    stub = VllmStub()
    yield stub
    stub.stop()


@pytest.fixture
def reader(stub, monkeypatch):
    return make(stub, monkeypatch)


def make(stub, monkeypatch, **settings):
    monkeypatch.setattr("fovea.readers.upstream.FIRST_PAUSE_S", 0.01)
    monkeypatch.setenv("FOVEA_UPSTREAM_URL", stub.url)
    monkeypatch.setenv("FOVEA_UPSTREAM_KEY", KEY)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return Upstream()


def test_it_has_its_name_in_the_table():
    assert READERS[Upstream.name] == "fovea.readers.upstream:Upstream"


def test_a_page_is_asked_about_with_the_official_words_and_its_own_pixels(reader, stub):
    result = reader.read(PAGE, ReadRequest())
    (body,) = stub.asked
    assert stub.prompt(body) == "<image>\n<|grounding|>Convert the document to markdown."
    assert stub.image(body).tobytes() == PAGE.image.tobytes()
    assert (body["model"], body["temperature"]) == ("deepseek-ai/DeepSeek-OCR", 0.0)
    assert "max_tokens" not in body
    assert [(block.type, block.text) for block in result.blocks] == [
        ("title", "Invoice 17"),
        ("text", "Total 12.50"),
    ]
    assert result.blocks[1].bbox[1] == pytest.approx(0.2, abs=0.01)
    assert result.blocks[0].confidence == pytest.approx(0.951, abs=0.001)
    assert (result.page, result.verdict, result.finish_reason, result.text_tokens) == (3, "ok", "stop", 20)
    assert result.vision_tokens is None
    assert result.markdown == "# Invoice 17\n\nTotal 12.50"
    assert page_faults(result.to_json()) == []


def test_markup_that_is_printed_on_a_page_is_text(reader, stub):
    stub.tokens = ("Write ", "<", "|ref|", ">", "x", "<", "|/ref|", ">", " there.")
    assert reader.read(PAGE, ReadRequest()).markdown == "Write <|ref|>x<|/ref|> there."


def test_bytes_that_are_no_characters_cost_no_log_probabilities(reader, stub):
    """As vLLM 0.32 answered: it logs a token that ends within a character as an empty text."""
    text = "steht\u10dd\ufffd 12.50\ufffd\ufffd" + "🜁" * 12 + "\ufffdור ok"
    tokens = ("steht", "", " 12.50", "\ufffd", "\ufffd", *[""] * 36, "\ufffdור", " ok")
    original = stub.completion

    def completion(body):
        answer = original(body)
        answer["choices"][0]["message"]["content"] = text
        return answer

    stub.tokens, stub.completion = tokens, completion
    result = reader.read(PAGE, ReadRequest())
    assert (result.markdown, result.verdict) == (text, "ok")
    assert result.blocks[0].confidence == pytest.approx(0.951, abs=0.001)


@pytest.mark.parametrize(
    "tokens", [("Zür", "ich ", "�", "�", "�", " ok"), ("�", "� ok"), ("a", "", "", "😀", " ok")]
)
def test_characters_may_be_spread_over_tokens(reader, stub, tokens, monkeypatch):
    text = "".join(tokens).replace("�" * 3, "😀").replace("�" * 2, "é")
    original = stub.completion

    def completion(body):
        answer = original(body)
        answer["choices"][0]["message"]["content"] = text
        return answer

    stub.tokens, stub.completion = tokens, completion
    result = reader.read(PAGE, ReadRequest())
    assert result.markdown == text
    assert result.blocks[0].confidence is not None


def test_a_server_without_log_probabilities_is_believed_as_it_spells(reader, stub):
    stub.log_probs = False
    result = reader.read(PAGE, ReadRequest())
    assert [block.type for block in result.blocks] == ["title", "text"]
    assert (result.blocks[0].confidence, result.verdict) == (None, "ok")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"finish": "length"}, "length limit"),
        ({"log_prob": -2.0}, "mean probability of the text's tokens is only 0.14"),
        ({"tokens": ()}, "no text was read"),
        ({"tokens": ("<|/ref|>", "<|/det|>") * 3 + ("text",)}, "markup"),
    ],
)
def test_an_answer_that_is_not_to_be_trusted_is_suspect(reader, stub, change, words):
    for name, value in change.items():
        setattr(stub, name, value)
    result = reader.read(PAGE, ReadRequest())
    assert result.verdict == "suspect"
    assert words in result.warnings[0]


def test_other_tasks_and_what_may_be_looked_for(reader, stub, monkeypatch):
    reader.read(PAGE, ReadRequest(task="locate", prompt="the total"))
    assert stub.prompt(stub.asked[0]) == "<image>\nLocate <|ref|>the total<|/ref|> in the image."
    for request in (
        ReadRequest(task="locate", prompt="x<|/ref|>"),
        ReadRequest(task="locate", prompt="<image>"),
        ReadRequest(task="locate"),
        ReadRequest(task="deep"),
        ReadRequest(prompt="Summarise."),
    ):
        with pytest.raises(InvalidOptions):
            reader.check(request)
    free = make(stub, monkeypatch, FOVEA_FREE_PROMPTS="on")
    free.check(ReadRequest(prompt="Summarise."))
    free.read(PAGE, ReadRequest(prompt="Summarise."))
    assert stub.prompt(stub.asked[1]) == "<image>\nSummarise."


@pytest.mark.parametrize(
    ("setting", "of_image", "of_pdf"),
    [("", (30, 90), (20, 50)), ("40,90", (40, 90), (40, 90)), ("off", None, None)],
)
def test_the_guard_and_the_length_are_sent(stub, monkeypatch, setting, of_image, of_pdf):
    one = make(stub, monkeypatch, FOVEA_NGRAM_GUARD=setting, FOVEA_MAX_NEW_TOKENS="2048")
    for dpi in (None, 144.0):
        one.read(dataclasses.replace(PAGE, dpi=dpi), ReadRequest())
    for body, guard in zip(stub.asked, (of_image, of_pdf), strict=True):
        assert body["max_tokens"] == 2048
        sent = body.get("vllm_xargs")
        exempt = {"whitelist_token_ids": [128821, 128822]}
        assert sent == (guard and {"ngram_size": guard[0], "window_size": guard[1]} | exempt)


def test_the_digest_is_the_same_after_a_restart_and_another_for_another_model(stub, monkeypatch):
    first = make(stub, monkeypatch).digest
    assert make(stub, monkeypatch).digest == first
    assert make(stub, monkeypatch, FOVEA_NGRAM_GUARD="30,90").digest != first
    monkeypatch.delenv("FOVEA_NGRAM_GUARD")
    stub.models = ["other"]
    assert make(stub, monkeypatch).digest != first


def test_of_several_models_one_must_be_named(stub, monkeypatch):
    stub.models = ["a", "b"]
    with pytest.raises(ValueError, match="FOVEA_UPSTREAM_MODEL must be one of a, b"):
        make(stub, monkeypatch)
    make(stub, monkeypatch, FOVEA_UPSTREAM_MODEL="b").read(PAGE, ReadRequest())
    assert stub.asked[0]["model"] == "b"
    for name in ("", "gpu:8000/v1", "file:///etc/passwd"):
        monkeypatch.setenv("FOVEA_UPSTREAM_URL", name)
        with pytest.raises(ValueError, match="FOVEA_UPSTREAM_URL"):
            Upstream()


def test_a_full_server_is_asked_again_and_one_that_breaks_off_once(reader, stub):
    stub.plan = [503, 429, 503]
    assert reader.read(PAGE, ReadRequest()).verdict == "ok"
    stub.plan = [0]
    assert reader.read(PAGE, ReadRequest()).verdict == "ok"
    stub.plan = [502, 0]
    with pytest.raises(PageError) as broken:
        reader.read(PAGE, ReadRequest())
    assert broken.value.code == "internal"


@pytest.mark.parametrize("status", [400, 401, 500, 302])
def test_a_refusal_is_final_and_says_nothing_of_what_was_sent(reader, stub, status, caplog):
    stub.plan = [status]
    with caplog.at_level(logging.DEBUG), pytest.raises(PageError) as refused:
        reader.read(PAGE, ReadRequest())
    assert (refused.value.code, str(status) in refused.value.message) == ("internal", True)
    assert sum(path == "/v1/chat/completions" for path, _ in stub.calls) == 1
    assert KEY not in caplog.text and "base64" not in caplog.text
    assert stub.calls[0] == ("/v1/models", f"Bearer {KEY}")


def test_a_silent_server_costs_the_page_its_time_and_no_more(stub, monkeypatch):
    reader = make(stub, monkeypatch, FOVEA_PAGE_TIMEOUT_S="3")
    stub.plan = ["silence"]
    with pytest.raises(PageError) as late:
        reader.read(PAGE, ReadRequest())
    assert late.value.code == "page_timeout"
    assert stub.hung_up.wait(60)
    assert sum(path == "/v1/chat/completions" for path, _ in stub.calls) == 1


def test_a_canceled_page_closes_its_connection(reader, stub):
    cancellation = Cancellation()
    stub.plan = ["silence"]
    threading.Thread(target=lambda: stub.received.wait(60) and cancellation.cancel()).start()
    with pytest.raises(PageError):
        reader.read(PAGE, ReadRequest(cancellation=cancellation))
    assert stub.hung_up.wait(60)


@pytest.mark.parametrize(
    "answer",
    [b"not json", {}, {"choices": []}, {"choices": [{"message": {"content": 7}}]}, b"x" * (17 << 20)],
)
def test_an_answer_of_another_shape_fails_the_page(reader, stub, answer):
    stub.completion = lambda body: answer
    with pytest.raises(PageError) as broken:
        reader.read(PAGE, ReadRequest())
    assert broken.value.code == "internal"


def test_a_page_whose_png_is_too_large_is_sent_as_jpeg(reader, stub, monkeypatch):
    noise = Image.effect_noise((600, 600), 9).convert("RGB")
    monkeypatch.setattr("fovea.readers.upstream.MAX_IMAGE_BYTES", len(encoded(noise)) - 1)
    result = reader.read(Raster(1, noise, None), ReadRequest())
    assert stub.image(stub.asked[0]).format == "JPEG"
    assert "JPEG" in result.warnings[0]
    monkeypatch.setattr("fovea.readers.upstream.MAX_IMAGE_BYTES", 1000)
    with pytest.raises(PageError, match="too large"):
        reader.read(Raster(1, noise, None), ReadRequest())
