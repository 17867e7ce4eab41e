"""`deepseek-ocr-upstream`: DeepSeek-OCR on another server with an OpenAI-compatible API, such as vLLM.

This worker renders the pages, sends each to the server with the official prompt, and parses the answers like those of
`deepseek-ocr`. It needs no GPU and no weights.

| variable | default | |
|---|---|---|
| `FOVEA_UPSTREAM_URL` | – | the server's base URL, such as `http://gpu-1:8000/v1`; may be on a private network |
| `FOVEA_UPSTREAM_MODEL` | the only one it serves | the model's name there |
| `FOVEA_UPSTREAM_KEY` | – | bearer token for the server |
| `FOVEA_UPSTREAM_PARALLEL` | 8 pages | pages of a shard that are sent to the server at once |
| `FOVEA_NGRAM_GUARD` | off | `n,window` for vLLM's `NGramPerReqLogitsProcessor`, if the server has loaded it |
| `FOVEA_MAX_NEW_TOKENS` | what the server has room for | longest answer |
| `FOVEA_FREE_PROMPTS` | off | `1` lets a request replace the official wording of a task with its `prompt` |

A request that the server has not started (no connection, 429, 503) is retried until the page's time limit. If the
connection breaks after that, the request is retried only once, because the page may have crashed the server.
"""

import base64
import hashlib
import io
import json
import logging
import math
import re
import time
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

import urllib3
from PIL import Image

from fovea.cancellation import Cancellation
from fovea.errors import PageError
from fovea.language.tasks import InvalidTask, Prompt, prompt_for
from fovea.language.tokenizer import EOS, LAYOUT_MARKERS, OFFICIAL_IDS, TABLE_MARKERS, Piece
from fovea.outbound import Outbound, Refused, Unreachable, origin_of
from fovea.output.blocks import number, read_blocks
from fovea.output.deep import Answer, figure_blocks
from fovea.output.grammar import markup_pieces
from fovea.output.markdown import write_markdown
from fovea.output.quality import quality_warnings
from fovea.pages.documents import Raster
from fovea.readers.base import TASKS, InvalidOptions, ReadRequest
from fovea.result.geometry import FULL
from fovea.result.page_result import Attempt, Block, PageResult
from fovea.settings import Settings

log = logging.getLogger(__name__)

RULES = "deepseek-ocr-upstream rules 3"
"""Part of the digest. Raise the number when a change of parsing or Markdown changes results."""

TIME_SHARE = 0.9  # of the page's time limit; the rest is for delivering an error
START_LIMIT_S = 240.0  # how long the server may take to start
MAX_IMAGE_BYTES = 14 << 20  # less than 20 MiB as base64 in JSON
MAX_ANSWER_BYTES = 16 << 20
FIRST_PAUSE_S, MAX_PAUSE_S = 0.5, 10.0
NOT_STARTED = (429, 503)
LOST = (502, 504)

MAX_PARTIAL = 16  # characters of the text that a run of partial-character tokens may cover

NEVER_SENT = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)

_MARKUP = re.compile(r"<[|｜]|[|｜]>|<image>|</?t[dr]>")


@dataclass(frozen=True, slots=True)
class _Completion:
    """The server's answer. If the server sends no log-probabilities, `log_probs` is empty and all text that looks like
    markup is taken as markup.
    """

    text: str
    pieces: list[Piece]
    log_probs: list[float]
    finish: str
    tokens: int | None

    @property
    def confidence(self) -> float:
        return math.exp(sum(self.log_probs) / len(self.log_probs)) if self.log_probs else 1.0


class Upstream:
    """See `fovea.readers.base.Reader`."""

    name = "deepseek-ocr-upstream"
    modes = ()

    def __init__(self, settings: Settings | None = None) -> None:
        """Blocks until the server lists its models. `settings` default to those of the environment.

        Raises `ValueError` for a setting that is not valid.
        """
        settings = settings or Settings.from_environment()
        self._base = settings.upstream_url
        if not self._base:
            raise ValueError(
                f"{self.name} requires FOVEA_UPSTREAM_URL, an OpenAI-compatible server's base URL"
            )
        self._outbound = Outbound(frozenset([origin_of(self._base)]))
        try:
            self._outbound.check(self._base)
        except Refused as refused:
            raise ValueError(f"FOVEA_UPSTREAM_URL: {refused}") from None
        key = settings.upstream_key
        self._headers = {"content-type": "application/json"} | (
            {"authorization": f"Bearer {key}"} if key else {}
        )
        self._free_prompts = settings.free_prompts
        self._ngram = settings.ngram_guard
        self._max_new = settings.max_new_tokens or 0
        self.parallel = settings.upstream_parallel
        self._time_limit_s = TIME_SHARE * settings.page_timeout_s
        served = self._served_model(settings.upstream_model)
        self._model = served["id"]
        # The other fields change each time the server starts.
        stable = {name: served.get(name) for name in ("id", "root", "owned_by", "max_model_len")}
        parts = json.dumps([RULES, stable, self._ngram, self._max_new], sort_keys=True)
        self.digest = f"sha256:{hashlib.sha256(parts.encode()).hexdigest()}"

    def check(self, request: ReadRequest) -> None:
        if request.task not in TASKS[self.name]:
            raise InvalidOptions(f"{self.name} has the tasks {', '.join(TASKS[self.name])}.")
        # The server would interpret markers in the text as special tokens.
        if request.prompt and _MARKUP.search(request.prompt):
            raise InvalidOptions("The prompt must not contain the model's own markup.")
        try:
            prompt_for(request.task, request.prompt, self._free_prompts)
        except InvalidTask as error:
            raise InvalidOptions(f"{str(error)[0].upper()}{str(error)[1:]}.") from None

    def read(self, raster: Raster, request: ReadRequest) -> PageResult:
        """Raises `PageError` if the server does not answer or refuses the page."""
        deadline = time.monotonic() + self._time_limit_s
        prompt = prompt_for(request.task, request.prompt, self._free_prompts)
        url, warnings = _data_url(raster.image)
        started = time.perf_counter()
        completion = self._complete(_question(prompt), url, deadline, request.cancellation)
        decode_ms = (time.perf_counter() - started) * 1000
        reading = read_blocks(completion.pieces, completion.log_probs, located=prompt.task.takes_query)
        faults = list(quality_warnings(reading, completion.confidence, prompt.task.takes_query))
        if completion.finish == "length":
            faults.insert(0, "The page was not read to its end: the answer reached the length limit.")
        blocks = reading.blocks
        if request.task == "figure":
            confidence = completion.confidence if completion.log_probs else None
            picture = Block(1, "image", FULL, "", confidence)
            blocks = [picture, *figure_blocks(picture, Answer(completion.text, confidence))]
            number(blocks)
        return PageResult(
            page=raster.page,
            width=raster.image.width,
            height=raster.image.height,
            dpi=raster.dpi,
            model=self.name,
            model_digest=self.digest,
            task=request.task,
            text_tokens=completion.tokens,
            blocks=blocks,
            markdown=write_markdown(blocks, raster.page),
            finish_reason=completion.finish,
            verdict="suspect" if faults else "ok",
            warnings=[*faults, *reading.warnings, *warnings],
            attempts=[Attempt("native", completion.tokens, completion.finish)],
            timings_ms={"decode": decode_ms},
        )

    def _complete(
        self, question: str, image_url: str, deadline: float, cancellation: Cancellation
    ) -> _Completion:
        body: dict[str, Any] = {
            "model": self._model,
            # vLLM inserts `<image>` and a line break before the text.
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "image_url", "image_url": {"url": image_url}},
                        {"type": "text", "text": question},
                    ],
                }
            ],
            "temperature": 0.0,
            "logprobs": True,
            # An extension of vLLM: without it the answer has no layout markup.
            "skip_special_tokens": False,
        }
        if self._max_new:
            body["max_tokens"] = self._max_new
        if self._ngram:
            size, window = self._ngram
            exempt = [OFFICIAL_IDS["<td>"], OFFICIAL_IDS["</td>"]]
            body["vllm_xargs"] = {"ngram_size": size, "window_size": window, "whitelist_token_ids": exempt}
        status, data = self._call(
            "POST", "/chat/completions", json.dumps(body).encode(), deadline, cancellation
        )
        if status != 200:
            # The response body is not logged: it may contain the request.
            log.error("the upstream server refused a page with status %d", status)
            raise PageError("internal", f"The model's server refused the page with status {status}.")
        try:
            return _parse(json.loads(data))
        except (ValueError, KeyError, IndexError, TypeError, AttributeError):
            raise PageError("internal", "The model's server sent an answer that is not valid.") from None

    def _call(
        self, method: str, path: str, body: bytes | None, deadline: float, cancellation: Cancellation
    ) -> tuple[int, bytes]:
        """Calls the server, with retries, and returns status and body. Raises `PageError`."""
        pause, lost = FIRST_PAUSE_S, 0
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or cancellation.canceled:
                raise PageError("page_timeout", "The model's server did not answer in time.")
            try:
                with self._outbound.open(
                    method,
                    self._base + path,
                    body,
                    self._headers,
                    limit_s=left,
                    silence_s=left,
                    on_cancel=cancellation.on_cancel,
                ) as response:
                    if response.status not in (*NOT_STARTED, *LOST):
                        return response.status, _read(response)
                    lost += response.status in LOST
            except (Unreachable, urllib3.exceptions.HTTPError, HTTPException, OSError) as error:
                lost += not isinstance(error.__cause__, NEVER_SENT)
            if lost > 1:
                raise PageError("internal", "The connection to the model's server broke.")
            time.sleep(min(pause, max(0.0, deadline - time.monotonic())))
            pause = min(2 * pause, MAX_PAUSE_S)

    def _served_model(self, wanted: str) -> dict[str, Any]:
        """The server's entry for the model `wanted`, or for its only model. Waits for a server that is starting."""
        deadline = time.monotonic() + START_LIMIT_S
        try:
            status, data = self._call("GET", "/models", None, deadline, Cancellation())
        except PageError as error:
            raise ValueError(f"FOVEA_UPSTREAM_URL: {error}") from None
        if status != 200:
            raise ValueError(f"FOVEA_UPSTREAM_URL: /models answered with status {status}")
        try:
            models = {str(model["id"]): model for model in json.loads(data)["data"]}
        except (ValueError, KeyError, TypeError):
            raise ValueError("FOVEA_UPSTREAM_URL: /models did not return a list of models") from None
        if not wanted and len(models) == 1:
            return next(iter(models.values()))
        if wanted not in models:
            raise ValueError(f"FOVEA_UPSTREAM_MODEL must be one of {', '.join(models)}, not {wanted!r}")
        return models[wanted]


def _question(prompt: Prompt) -> str:
    words = prompt.task.template.removeprefix("<image>\n")
    return words.replace("{query}", prompt.query) if prompt.query else words


def _data_url(image: Image.Image) -> tuple[str, list[str]]:
    """The image as PNG, or as JPEG if the PNG is too large, and warnings. Raises `PageError`."""
    for kind, options in (("png", {}), ("jpeg", {"quality": 95})):
        out = io.BytesIO()
        image.save(out, kind.upper(), **options)
        if out.tell() <= MAX_IMAGE_BYTES:
            url = f"data:image/{kind};base64,{base64.b64encode(out.getvalue()).decode()}"
            lossy = kind == "jpeg"
            return url, [
                "The page was sent to the model as JPEG, because it is too large as PNG."
            ] if lossy else []
    raise PageError("page_too_large", "The page's image is too large for the model's server.")


def _read(response: urllib3.BaseHTTPResponse) -> bytes:
    data = response.read(MAX_ANSWER_BYTES + 1)
    if len(data) > MAX_ANSWER_BYTES:
        raise PageError("internal", "The model's server sent an answer that is too long.")
    return data


def _parse(answer: dict[str, Any]) -> _Completion:
    """Parses a chat completion.

    Raises `ValueError`, `KeyError`, `IndexError`, `TypeError`, `AttributeError` if it has another structure.
    """
    choice = answer["choices"][0]
    text = choice["message"]["content"] or ""
    if not isinstance(text, str):
        raise ValueError("the content is not a text")
    text = text.removesuffix(EOS)
    tokens = (answer.get("usage") or {}).get("completion_tokens")
    logged = (choice.get("logprobs") or {}).get("content") or []
    if logged and logged[-1]["token"] == EOS:
        logged = logged[:-1]
    pieces = _pieces(text, [one["token"] for one in logged])
    log_probs = [min(0.0, float(one["logprob"])) for one in logged]
    if pieces is None or not all(map(math.isfinite, log_probs)):
        pieces, log_probs = list(markup_pieces(text)), []
    finish = "length" if choice.get("finish_reason") == "length" else "stop"
    known = isinstance(tokens, int) and not isinstance(tokens, bool) and tokens > 0
    return _Completion(text, pieces, log_probs, finish, tokens if known else None)


def _pieces(text: str, tokens: list[str]) -> list[Piece] | None:
    """The text divided by its tokens; `None` if the tokens do not match the text.

    A marker that is one token is markup of the model. A marker of several tokens is text that is printed on the page.
    The server shows tokens that are parts of a character as U+FFFD; they are skipped in the text.
    """
    pieces: list[Piece] = []
    at, partial = 0, False
    for index, token in enumerate(tokens):
        if "\N{REPLACEMENT CHARACTER}" in token:
            partial = True
        elif token:
            found = text.find(token, at, at + len(token) + (MAX_PARTIAL if partial else 0))
            if found < 0:
                return None
            if found > at:
                pieces.append(Piece(text[at:found], False, index - 1))
            pieces.append(Piece(token, token in LAYOUT_MARKERS or token in TABLE_MARKERS, index))
            at, partial = found + len(token), False
    rest = text[at:]
    if rest.strip() and not partial:
        return None
    return [*pieces, Piece(rest, False, len(tokens) - 1)] if rest and tokens else pieces
