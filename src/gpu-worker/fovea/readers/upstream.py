"""`deepseek-ocr-upstream`: DeepSeek-OCR behind somebody's OpenAI-compatible server, such as vLLM.

This worker rasters the pages, asks the server about each with the official words, and parses the answers as
those of its own model are parsed. It needs no GPU and no weights.

| variable | default | |
|---|---|---|
| `FOVEA_UPSTREAM_URL` | – | the server's base URL, such as `http://gpu-1:8000/v1`; may be on a private network |
| `FOVEA_UPSTREAM_MODEL` | the only one it serves | the model's name there |
| `FOVEA_UPSTREAM_KEY` | – | bearer token for the server |
| `FOVEA_UPSTREAM_PARALLEL` | 8 pages | pages of a shard that are sent to the server at once |
| `FOVEA_NGRAM_GUARD` | off | `n,window` for vLLM's `NGramPerReqLogitsProcessor`, if the server has loaded it |
| `FOVEA_MAX_NEW_TOKENS` | what the server has room for | longest answer |
| `FOVEA_FREE_PROMPTS` | off | `1` lets a request replace the official wording of a task with its `prompt` |

A request that the server has not begun (no connection, 429, 503) is repeated until the page's time is up. One
whose answer was lost is repeated once: a page that brings the server down must not do so again and again.
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

from fovea.errors import PageError
from fovea.given_up import GivenUp
from fovea.language.tasks import InvalidTask, Prompt, prompt_for
from fovea.language.tokenizer import EOS, LAYOUT_MARKERS, OFFICIAL_IDS, TABLE_MARKERS, Piece
from fovea.outbound import Outbound, Refused, Unreachable, origin_of
from fovea.output.blocks import number, read_blocks
from fovea.output.deep import Answer, figure_blocks
from fovea.output.doubts import doubts
from fovea.output.grammar import markup_pieces
from fovea.output.markdown import write_markdown
from fovea.pages.documents import Raster
from fovea.readers.base import TASKS, InvalidOptions, ReadRequest
from fovea.result.geometry import FULL
from fovea.result.page_result import Attempt, Block, PageResult
from fovea.settings import Settings

log = logging.getLogger(__name__)

RULES = "deepseek-ocr-upstream rules 1"
"""Part of the digest: raise the number when parsing or Markdown change what is answered."""

TIME_SHARE = 0.9  # of the page's time limit, so that the reason is still delivered
START_LIMIT_S = 240.0  # how long the server may take to come up
MAX_IMAGE_BYTES = 14 << 20  # as base64 in JSON: below 20 MiB
MAX_ANSWER_BYTES = 16 << 20
FIRST_PAUSE_S, MAX_PAUSE_S = 0.5, 10.0
NOT_BEGUN = (429, 503)
LOST = (502, 504)

MOST_BLURRED = 16  # characters that stand for tokens which are parts of characters

NEVER_SENT = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)

_MARKUP = re.compile(r"<[|｜]|[|｜]>|<image>|</?t[dr]>")


@dataclass(frozen=True, slots=True)
class _Said:
    """An answer. `log_probs` is empty where the server gives none; then markup is believed as it is spelled."""

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
        """Blocks until the server lists its models. Raises `ValueError` for a setting that cannot be used.

        Without `settings` they are those of the environment.
        """
        settings = settings or Settings.from_environment()
        self._base = settings.upstream_url
        if not self._base:
            raise ValueError(f"{self.name} needs FOVEA_UPSTREAM_URL: an OpenAI-compatible server's base URL")
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
        # What else a server says of its models is new at each start.
        stable = {name: served.get(name) for name in ("id", "root", "owned_by", "max_model_len")}
        parts = json.dumps([RULES, stable, self._ngram, self._max_new], sort_keys=True)
        self.digest = f"sha256:{hashlib.sha256(parts.encode()).hexdigest()}"

    def check(self, request: ReadRequest) -> None:
        if request.task not in TASKS[self.name]:
            raise InvalidOptions(f"{self.name} has the tasks {', '.join(TASKS[self.name])}.")
        # The server takes markers out of any text that it is given.
        if request.prompt and _MARKUP.search(request.prompt):
            raise InvalidOptions("The prompt holds the model's own markup.")
        try:
            prompt_for(request.task, request.prompt, self._free_prompts)
        except InvalidTask as error:
            raise InvalidOptions(f"{str(error)[0].upper()}{str(error)[1:]}.") from None

    def read(self, raster: Raster, request: ReadRequest) -> PageResult:
        """Raises `PageError` where the server does not answer, or refuses."""
        deadline = time.monotonic() + self._time_limit_s
        prompt = prompt_for(request.task, request.prompt, self._free_prompts)
        url, warnings = _data_url(raster.image)
        started = time.perf_counter()
        said = self._ask(_question(prompt), url, deadline, request.given_up)
        decode_ms = (time.perf_counter() - started) * 1000
        reading = read_blocks(said.pieces, said.log_probs, located=prompt.task.takes_query)
        faults = list(doubts(reading, said.confidence, prompt.task.takes_query))
        if said.finish == "length":
            faults.insert(0, "The page was not read to its end: the answer reached the length limit.")
        blocks = reading.blocks
        if request.task == "figure":
            sure = said.confidence if said.log_probs else None
            picture = Block(1, "image", FULL, "", sure)
            blocks = [picture, *figure_blocks(picture, Answer(said.text, sure))]
            number(blocks)
        return PageResult(
            page=raster.page,
            width=raster.image.width,
            height=raster.image.height,
            dpi=raster.dpi,
            model=self.name,
            model_digest=self.digest,
            task=request.task,
            text_tokens=said.tokens,
            blocks=blocks,
            markdown=write_markdown(blocks, raster.page),
            finish_reason=said.finish,
            verdict="suspect" if faults else "ok",
            warnings=[*faults, *reading.warnings, *warnings],
            attempts=[Attempt("native", said.tokens, said.finish)],
            timings_ms={"decode": decode_ms},
        )

    def _ask(self, question: str, image_url: str, deadline: float, given_up: GivenUp) -> _Said:
        body: dict[str, Any] = {
            "model": self._model,
            # vLLM puts `<image>` and a line break before the text.
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
            # vLLM's own: without it the layout markup is cut out of the answer.
            "skip_special_tokens": False,
        }
        if self._max_new:
            body["max_tokens"] = self._max_new
        if self._ngram:
            size, window = self._ngram
            spared = [OFFICIAL_IDS["<td>"], OFFICIAL_IDS["</td>"]]
            body["vllm_xargs"] = {"ngram_size": size, "window_size": window, "whitelist_token_ids": spared}
        status, data = self._call("POST", "/chat/completions", json.dumps(body).encode(), deadline, given_up)
        if status != 200:
            # Not with its words: they may repeat what was sent.
            log.error("the upstream refused a page with status %d", status)
            raise PageError("internal", f"The model's server refused the page with status {status}.")
        try:
            return _said(json.loads(data))
        except (ValueError, KeyError, IndexError, TypeError, AttributeError):
            raise PageError("internal", "The model's server gave an answer that cannot be read.") from None

    def _call(
        self, method: str, path: str, body: bytes | None, deadline: float, given_up: GivenUp
    ) -> tuple[int, bytes]:
        """Status and body. Raises `PageError`."""
        pause, lost = FIRST_PAUSE_S, 0
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or given_up.is_set():
                raise PageError("page_timeout", "The model's server did not answer in time.")
            try:
                with self._outbound.open(
                    *(method, self._base + path, body, self._headers),
                    limit_s=left,
                    silence_s=left,
                    stop=given_up.call,
                ) as response:
                    if response.status not in (*NOT_BEGUN, *LOST):
                        return response.status, _whole(response)
                    lost += response.status in LOST
            except (Unreachable, urllib3.exceptions.HTTPError, HTTPException, OSError) as error:
                lost += not isinstance(error.__cause__, NEVER_SENT)
            if lost > 1:
                raise PageError("internal", "The model's server broke off.")
            time.sleep(min(pause, max(0.0, deadline - time.monotonic())))
            pause = min(2 * pause, MAX_PAUSE_S)

    def _served_model(self, wanted: str) -> dict[str, Any]:
        """What the server lists of the model that is to be used; waits for a server that is coming up."""
        deadline = time.monotonic() + START_LIMIT_S
        try:
            status, data = self._call("GET", "/models", None, deadline, GivenUp())
        except PageError as error:
            raise ValueError(f"FOVEA_UPSTREAM_URL: {error}") from None
        if status != 200:
            raise ValueError(f"FOVEA_UPSTREAM_URL: /models answered with status {status}")
        try:
            models = {str(model["id"]): model for model in json.loads(data)["data"]}
        except (ValueError, KeyError, TypeError):
            raise ValueError("FOVEA_UPSTREAM_URL: /models gave no list of models") from None
        if not wanted and len(models) == 1:
            return next(iter(models.values()))
        if wanted not in models:
            raise ValueError(f"FOVEA_UPSTREAM_MODEL must be one of {', '.join(models)}, not {wanted!r}")
        return models[wanted]


def _question(prompt: Prompt) -> str:
    words = prompt.task.template.removeprefix("<image>\n")
    return words.replace("{query}", prompt.query) if prompt.query else words


def _data_url(image: Image.Image) -> tuple[str, list[str]]:
    """The page's pixels as they are, or as JPEG where PNG is too large. Raises `PageError`."""
    for kind, options in (("png", {}), ("jpeg", {"quality": 95})):
        out = io.BytesIO()
        image.save(out, kind.upper(), **options)
        if out.tell() <= MAX_IMAGE_BYTES:
            url = f"data:image/{kind};base64,{base64.b64encode(out.getvalue()).decode()}"
            lossy = kind == "jpeg"
            return url, ["The page was sent to the model as JPEG: as PNG it is too large."] if lossy else []
    raise PageError("page_too_large", "The page's image is too large for the model's server.")


def _whole(response: urllib3.BaseHTTPResponse) -> bytes:
    data = response.read(MAX_ANSWER_BYTES + 1)
    if len(data) > MAX_ANSWER_BYTES:
        raise PageError("internal", "The model's server gave an answer that is too long.")
    return data


def _said(answer: dict[str, Any]) -> _Said:
    """Raises `ValueError`, `KeyError`, `IndexError`, `TypeError`, `AttributeError` for any other shape."""
    choice = answer["choices"][0]
    text = choice["message"]["content"] or ""
    if not isinstance(text, str):
        raise ValueError("the content is no text")
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
    return _Said(text, pieces, log_probs, finish, tokens if known else None)


def _pieces(text: str, tokens: list[str]) -> list[Piece] | None:
    """The text as its tokens divide it: markup that is one token is the model's, any other was printed on the page.

    A character may be spread over tokens, of which a server shows U+FFFD. None where the tokens are not the text's.
    """
    pieces: list[Piece] = []
    at, blurred = 0, False
    for index, token in enumerate(tokens):
        if "\N{REPLACEMENT CHARACTER}" in token:
            blurred = True
        elif token:
            found = text.find(token, at, at + len(token) + (MOST_BLURRED if blurred else 0))
            if found < 0:
                return None
            if found > at:
                pieces.append(Piece(text[at:found], False, index - 1))
            pieces.append(Piece(token, token in LAYOUT_MARKERS or token in TABLE_MARKERS, index))
            at, blurred = found + len(token), False
    rest = text[at:]
    if rest.strip() and not blurred:
        return None
    return [*pieces, Piece(rest, False, len(tokens) - 1)] if rest and tokens else pieces
