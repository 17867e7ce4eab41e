"""`fovea-nano`: the model that this repository trains (docs/NANO.md), on any CPU.

It reads a page line by line: lines are found by their ink, packed into strips, and all strips of a page are
seen and decoded together. Modes are sizes of the packed type, and so counts of vision tokens.

| variable | default | |
|---|---|---|
| `FOVEA_NANO_DIR` | the weights in this package | folder with `*.safetensors` and `config.json` |
| `FOVEA_KV_BYTES`, `FOVEA_BATCH`, `FOVEA_THREADS` | as of `deepseek-ocr` | sizes of the engine |
"""

import json
import math
import time
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch

from fovea.engine import Busy, Canceled, Seen
from fovea.errors import PageError
from fovea.language.tokenizer import Tokenizer
from fovea.model import ModelConfig, OcrModel, load_checkpoint
from fovea.nano import places
from fovea.nano.lines import find_lines
from fovea.nano.packing import HEIGHT, TOKENS, Segment, cut, draw, pack
from fovea.nano.strip_model import StripModel
from fovea.pages.documents import Raster
from fovea.readers.base import ENCODE, TASKS, InvalidOptions, ReadRequest
from fovea.readers.kept import keep, recall
from fovea.readers.loading import engine_config
from fovea.result.layout import Line, lay_out
from fovea.result.markdown import to_markdown
from fovea.result.page_result import Attempt, PageResult
from fovea.settings import Settings

RULES = b"fovea-nano rules 4"
"""Part of the digest: raise the number when line finding, packing or Markdown change what is answered."""

ROWS = {"large": 3, "base": 4, "small": 6, "tiny": 8}
"""Rows of a strip in each mode."""
AUTO = ("base", "large")
"""`auto`: the page in the first, its weak lines once more in the second; of each line the surer answer counts."""
WEAK = 0.9
"""Mean probability of its characters below which a line is weak."""
POSITIONS = TOKENS + HEIGHT // 64 + 1
"""Of a strip in the decoder."""
LEAST_CONFIDENCE = 0.95
"""Mean probability of a page's characters below which it is `suspect`. The share that is right is a little larger."""
LEAST_OF_LINE, LEAST_OF_TEXT = 0.35, 0.6
"""Mean probability below which a line was not read but made up. Where half of a page's lines are below the second,
there is no text: of such a page only lines count that are not weak, and of more than a few characters."""
MARKS = 4
"""Characters of a line that a pen stroke could pass for."""
MOST_TOKENS = 150
"""Of a row, places included. Longer answers are loops."""
AT_ONCE = 48
"""Strips of a page that are asked for together."""
WEIGHTS = Path(__file__).resolve().parents[1] / "nano" / "weights"
TIME_SHARE = 0.9


@dataclass(slots=True)
class _Answers:
    """What was read in each segment, and with which log-probabilities of its characters."""

    texts: list[str]
    log_probs: list[list[float]]
    strips: int = 0
    tokens: int = 0
    loops: int = 0
    encode_s: float = 0.0
    prefill_s: float = 0.0
    decode_s: float = 0.0
    warnings: list[str] = field(default_factory=list)
    packed: int = 0
    """Strips before rows were read again."""
    kept: list[torch.Tensor] = field(default_factory=list)
    """Their vision tokens, where there are some from an earlier reading."""
    seen: list[torch.Tensor] = field(default_factory=list)
    """The vision tokens of all strips, those of rows that were read again behind the others."""

    def attempt(self, mode: str, tokens: int | None) -> Attempt:
        return Attempt(mode, tokens, "stop", "stored" if self.kept else None)


@dataclass(frozen=True, slots=True)
class _Read:
    """A line as it was read; `confidence` is the mean probability of its characters, 0 where there are none."""

    text: str
    confidence: float


class FoveaNano:
    name = "fovea-nano"
    parallel = 2
    modes = ()  # how many strips a page takes is known when its lines are found: nothing to spread a budget over

    def __init__(self, folder: Path | None = None, settings: Settings | None = None) -> None:
        """Blocks while weights load. Without `settings` they are those of the environment.

        Raises `CheckpointError`, `OSError`, and `ValueError` for a bad setting.
        """
        settings = settings or Settings.from_environment()
        folder = folder or settings.nano_dir or WEIGHTS
        config = ModelConfig.from_json(json.loads((folder / "config.json").read_text()))
        with torch.device("meta"):
            model = OcrModel(config)
        weights = load_checkpoint(model, folder, torch.float32)
        self.digest = "sha256:" + sha256(RULES + weights.encode()).hexdigest()
        self._tokenizer = Tokenizer.characters()
        most = min(max(ROWS.values()) * MOST_TOKENS, config.decoder.context)
        self._model = StripModel(model, self._tokenizer, engine_config(model, most, settings))
        self.engine = self._model.engine
        self._time_limit_s = TIME_SHARE * settings.page_timeout_s

    def check(self, request: ReadRequest) -> None:
        if request.mode not in ("auto", *ROWS):
            raise InvalidOptions(f"fovea-nano has the modes auto, {', '.join(ROWS)}.")
        if request.task not in TASKS[self.name]:
            raise InvalidOptions(f"fovea-nano has the tasks {', '.join(TASKS[self.name])}.")
        if request.prompt:
            raise InvalidOptions("fovea-nano takes no prompt.")

    def read(self, raster: Raster, request: ReadRequest) -> PageResult:
        """Raises `PageError` where other pages held the model until time was up, or nobody waits any more."""
        deadline = time.monotonic() + self._time_limit_s
        found = find_lines(raster.image)
        modes = AUTO if request.mode == "auto" else (request.mode,)
        if request.task == ENCODE:
            modes = modes[:1]
        best = [_Read("", 0.0)] * len(found.lines)
        attempts: list[tuple[str, _Answers]] = []
        for mode in modes:
            weak = [number for number, line in enumerate(best) if line.confidence < WEAK]
            if attempts and (not weak or time.monotonic() > deadline):
                break
            segments = cut(found.upright, [found.lines[number] for number in weak], ROWS[mode])
            try:
                page = None if attempts else raster.page  # what is read again is not the whole page
                answers = self._read(page, segments, mode, request, deadline)
            except Busy:
                if attempts:
                    break
                raise PageError("page_timeout", "The model was busy with other pages for too long.") from None
            except Canceled:
                raise PageError("page_timeout", "Nobody waits for the page any more.") from None
            for number, line in zip(weak, _lines_of(len(weak), segments, answers), strict=True):
                best[number] = max(best[number], line, key=lambda line: line.confidence)
            attempts.append((mode, answers))
        read = [(line, one) for line, one in zip(found.lines, best, strict=True) if one.text]
        sound = [pair for pair in read if pair[1].confidence >= LEAST_OF_TEXT]
        if 2 * len(sound) > len(read):
            good = [pair for pair in read if pair[1].confidence >= LEAST_OF_LINE]
        else:
            good = [pair for pair in sound if pair[1].confidence >= WEAK and len(pair[1].text) > MARKS]
        lines = [Line.of_quad(found.quad(line), one.text, one.confidence) for line, one in good]
        first = attempts[0][1]
        if request.task == ENCODE:
            result = self._encoded(raster, *attempts[0])
        else:
            result = self._result(raster, request.task, lines, len(read) - len(lines), attempts)
        if first.packed and not first.kept and len(first.seen) >= first.packed:
            patches = first.packed * TOKENS
            keep(result, request, Seen(torch.cat(first.seen[: first.packed]), patches, patches))
        return result

    # -- reading ---------------------------------------------------------------------------------------

    def _read(
        self, page: int | None, segments: list[Segment], mode: str, request: ReadRequest, deadline: float
    ) -> _Answers:
        """`page`: its number, where the segments are the whole page's."""
        rows = ROWS[mode]
        answers = _Answers([""] * len(segments), [[] for _ in segments])
        strips = pack(segments, rows)
        # Strips of like length end together.
        strips.sort(key=lambda strip: sum(segments[number].pixels.shape[1] for number in strip))
        answers.packed = len(strips)
        kept = page and recall(request, page=page, mode=mode, digest=self.digest, width=self.engine.width)
        if kept and kept.positions == len(strips) * POSITIONS:
            answers.kept = list(kept.embeddings.split(POSITIONS))
        if request.task == ENCODE:
            self._see(segments, strips, rows, answers, request, deadline)
            return answers
        again = self._read_strips(segments, strips, rows, answers, request, deadline)
        # An answer with another number of lines than its strip has rows: each row is read alone.
        if again:
            self._read_strips(segments, [[number] for number in again], rows, answers, request, deadline)
        return answers

    def _see(
        self,
        segments: list[Segment],
        strips: list[list[int]],
        rows: int,
        answers: _Answers,
        request: ReadRequest,
        deadline: float,
    ) -> None:
        """The strips' vision tokens and no more."""
        began = time.perf_counter()
        for start in range(0, 0 if answers.kept else len(strips), AT_ONCE):
            pictures = [draw([segments[n] for n in strip], rows) for strip in strips[start : start + AT_ONCE]]
            answers.seen += self._model.see(_pixels(np.stack(pictures)), deadline, request.given_up)
        answers.strips = len(strips)
        answers.encode_s = time.perf_counter() - began

    def _read_strips(
        self,
        segments: list[Segment],
        strips: list[list[int]],
        rows: int,
        answers: _Answers,
        request: ReadRequest,
        deadline: float,
    ) -> list[int]:
        """Fills in the answers. Returns the segments of strips whose lines do not match their rows."""
        again: list[int] = []
        for start in range(0, len(strips), AT_ONCE):
            if time.monotonic() > deadline:
                answers.warnings.append("Time ran out before the page was read to its end.")
                break
            some = strips[start : start + AT_ONCE]
            pictures = np.stack([draw([segments[n] for n in strip], rows) for strip in some])
            read = self._generate(pictures, max(map(len, some)) * MOST_TOKENS, answers, request, deadline)
            for strip, (ids, log_probs) in zip(some, read, strict=True):
                parts = _split(ids, log_probs, self._tokenizer.encode("\n")[0])
                if len(parts) != len(strip) and len(strip) > 1:
                    again += strip
                    continue
                if len(strip) == 1:
                    parts = [([i for p in parts for i in p[0]], [x for p in parts for x in p[1]])]
                for number, (part, probabilities) in zip(strip, parts, strict=True):
                    answers.texts[number] = self._tokenizer.decode(part).strip()
                    answers.log_probs[number] = probabilities
        return again

    def _generate(
        self,
        pictures: np.ndarray,
        most: int,
        answers: _Answers,
        request: ReadRequest,
        deadline: float,
    ) -> list[tuple[list[int], list[float]]]:
        """pictures (B, HEIGHT, WIDTH) grey -> ids and log-probabilities of each."""
        kept = answers.kept[answers.strips :][: len(pictures)]
        read = self._model.read(_pixels(pictures), most, request.owner, deadline, request.given_up, kept)
        answers.seen += read.seen
        answers.strips += len(pictures)
        answers.tokens += sum(answer.sampled for answer in read.answers)
        answers.loops += sum(answer.finish_reason == "loop" for answer in read.answers)
        answers.encode_s += read.encode_s
        answers.prefill_s += read.prefill_s
        answers.decode_s += read.decode_s
        return [(answer.ids, answer.log_probs) for answer in read.answers]

    # -- result ----------------------------------------------------------------------------------------

    def _result(
        self,
        raster: Raster,
        task: str,
        lines: list[Line],
        left_out: int,
        attempts: list[tuple[str, _Answers]],
    ) -> PageResult:
        width, height = raster.image.size
        blocks = lay_out(lines, width, height)
        characters = sum(len(line.text) for line in lines)
        mean = sum(line.confidence * len(line.text) for line in lines) / characters if characters else 0.0
        first, every = attempts[0], [answers for _, answers in attempts]
        warnings = list(first[1].warnings)
        verdict = "suspect" if warnings else "ok"
        if left_out:
            warnings.append(f"{left_out} places that look like lines of text could not be read.")
        if loops := sum(answers.loops for answers in every):
            warnings.append(f"The model began to repeat itself in {loops} places; that was cut off.")
        if not lines:
            verdict = "unreadable"
            warnings.append("There is something on the page, but no text was read.")
        elif mean < LEAST_CONFIDENCE or left_out > len(lines):
            verdict = "suspect"
            warnings.append(f"The text was read with a mean token probability of only {mean:.2f}.")
        strips = sum(answers.strips for answers in every)
        text = to_markdown(blocks) if task == "markdown" else "\n\n".join(block.text for block in blocks)
        return PageResult(
            page=raster.page,
            width=width,
            height=height,
            dpi=raster.dpi,
            model=self.name,
            model_digest=self.digest,
            mode=first[0],
            task=task,
            vision_tokens=_counts(strips),
            text_tokens=first[
                1
            ].tokens,  # bytes and places: no compression that could be compared follows from it
            blocks=blocks,
            markdown=text,
            verdict=verdict,
            warnings=warnings,
            attempts=[answers.attempt(mode, answers.tokens) for mode, answers in attempts],
            timings_ms={
                "encode": 1000 * sum(answers.encode_s for answers in every),
                "prefill": 1000 * sum(answers.prefill_s for answers in every),
                "decode": 1000 * sum(answers.decode_s for answers in every),
            },
        )

    def _encoded(self, raster: Raster, mode: str, answers: _Answers) -> PageResult:
        return PageResult(
            page=raster.page,
            width=raster.image.width,
            height=raster.image.height,
            dpi=raster.dpi,
            model=self.name,
            model_digest=self.digest,
            mode=mode,
            task=ENCODE,
            vision_tokens=_counts(answers.strips),
            attempts=[answers.attempt(mode, None)],
            timings_ms={"encode": 1000 * answers.encode_s},
        )


def _pixels(pictures: np.ndarray) -> torch.Tensor:
    """(B, HEIGHT, WIDTH) grey -> (B, 3, HEIGHT, WIDTH) in −1..1."""
    return torch.from_numpy(pictures).float()[:, None].expand(-1, 3, -1, -1) / 127.5 - 1


def _counts(strips: int) -> dict[str, int]:
    """Vision tokens of strips."""
    return {"positions": strips * POSITIONS, "patches": strips * TOKENS, "valid": strips * TOKENS}


def _split(ids: list[int], log_probs: list[float], newline: int) -> list[tuple[list[int], list[float]]]:
    """An answer's lines, each with the log-probabilities of its characters. Places are not among them."""
    parts: list[tuple[list[int], list[float]]] = [([], [])]
    for token, log_prob in zip(ids, log_probs, strict=True):
        if token == newline:
            parts.append(([], []))
        elif places.Place.of(token) is None:
            parts[-1][0].append(token)
            parts[-1][1].append(log_prob)
    return parts


def _lines_of(count: int, segments: list[Segment], answers: _Answers) -> list[_Read]:
    """What was read of each of `count` lines, its segments put together again. Segments without an answer make it less
    sure: there is ink in them.
    """
    texts: list[list[str]] = [[] for _ in range(count)]
    log_probs: list[list[float]] = [[] for _ in range(count)]
    for segment, text, probabilities in zip(segments, answers.texts, answers.log_probs, strict=True):
        texts[segment.line].append(text)
        log_probs[segment.line] += probabilities
    lines = []
    for parts, some in zip(texts, log_probs, strict=True):
        said = [part for part in parts if part]
        sure = math.exp(sum(some) / len(some)) * len(said) / len(parts) if said and some else 0.0
        lines.append(_Read(" ".join(said), sure))
    return lines
