"""`fovea-nano`: the small model that this repository trains (docs/NANO.md). It runs on any CPU.

The reader finds the lines of text, packs them into strips, and encodes and decodes all strips of a page together. The
mode sets the size of the packed type and so the number of vision tokens.

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

from fovea.engine import Busy, Canceled, VisionTokens
from fovea.errors import PageError
from fovea.language.tokenizer import Tokenizer
from fovea.layout.line import Line
from fovea.layout.pitch import with_fixed_pitch
from fovea.model import ModelConfig, OcrModel, load_checkpoint
from fovea.nano import places
from fovea.nano.lines import Found, find_lines
from fovea.nano.packing import HEIGHT, TOKENS, Segment, cut, draw, pack
from fovea.nano.strip_model import StripModel
from fovea.pages.documents import Raster
from fovea.readers.base import ENCODE, TASKS, InvalidOptions, ReadRequest
from fovea.readers.kept import keep, recall
from fovea.readers.loading import engine_config
from fovea.recognition.blocks import blocks_of
from fovea.result.markdown import paragraphs, to_markdown
from fovea.result.page_result import Attempt, PageResult
from fovea.settings import Settings

RULES = b"fovea-nano rules 7"
"""Part of the digest. Raise the number when a change of line finding, packing or Markdown changes results."""

ROWS = {"large": 3, "base": 4, "small": 6, "tiny": 8}
"""Rows of a strip in each mode."""
AUTO = ("base", "large")
"""`auto` reads the page in the first mode and weak lines again in the second; the more confident answer counts."""
WEAK = 0.9
"""A line is weak if the mean probability of its characters is lower."""
POSITIONS = TOKENS + HEIGHT // 64 + 1
"""Positions of a strip in the decoder."""
MIN_CONFIDENCE = 0.95
"""A page is `suspect` if the mean probability of its characters is lower. It slightly underestimates the accuracy."""
MIN_OF_LINE, MIN_OF_TEXT = 0.35, 0.6
"""A line with a mean probability below `MIN_OF_LINE` is left out as not being text. If at least half of a page's lines
are below `MIN_OF_TEXT`, only lines that are not weak and longer than `MAX_STROKE` characters are kept."""
MAX_STROKE = 4
"""Characters that the model may read in a pen stroke."""
MAX_TOKENS = 150
"""Longest answer for a row, including places. Longer answers are loops."""
BATCH = 48
"""Strips of a page that are submitted together."""
WEIGHTS = Path(__file__).resolve().parents[1] / "nano" / "weights"
TIME_SHARE = 0.9


@dataclass(slots=True)
class _Answers:
    """The answers to a page's segments in one mode."""

    texts: list[str]
    """The text of each segment."""
    log_probs: list[list[float]]
    """The log-probabilities of each segment's characters."""
    strips: int = 0
    tokens: int = 0
    loops: int = 0
    encode_s: float = 0.0
    prefill_s: float = 0.0
    decode_s: float = 0.0
    warnings: list[str] = field(default_factory=list)
    packed: int = 0
    """Number of strips, without rows that are read again."""
    stored: list[torch.Tensor] = field(default_factory=list)
    """The vision tokens of these strips from an earlier reading, if there are any."""
    vision_tokens: list[torch.Tensor] = field(default_factory=list)
    """The vision tokens of all strips; rows that are read again come last."""

    def attempt(self, mode: str, tokens: int | None) -> Attempt:
        return Attempt(mode, tokens, "stop", "stored" if self.stored else None)


@dataclass(frozen=True, slots=True)
class _Read:
    """The text of a line. `confidence` is the mean probability of its characters, or 0 if there are none."""

    text: str
    confidence: float


class FoveaNano:
    name = "fovea-nano"
    parallel = 2
    modes = ()  # the number of strips is not known before the page's lines are found

    def __init__(self, folder: Path | None = None, settings: Settings | None = None) -> None:
        """Blocks while weights load. `settings` default to those of the environment.

        Raises `CheckpointError`, `OSError`, and `ValueError` for a setting that is not valid.
        """
        settings = settings or Settings.from_environment()
        folder = folder or settings.nano_dir or WEIGHTS
        config = ModelConfig.from_json(json.loads((folder / "config.json").read_text()))
        with torch.device("meta"):
            model = OcrModel(config)
        weights = load_checkpoint(model, folder, torch.float32)
        self.digest = "sha256:" + sha256(RULES + weights.encode()).hexdigest()
        self._tokenizer = Tokenizer.characters()
        max_new = min(max(ROWS.values()) * MAX_TOKENS, config.decoder.context)
        self._model = StripModel(model, self._tokenizer, engine_config(max_new, settings))
        self.engine = self._model.engine
        self._time_limit_s = TIME_SHARE * settings.page_timeout_s

    def check(self, request: ReadRequest) -> None:
        if request.mode not in ("auto", *ROWS):
            raise InvalidOptions(f"fovea-nano has the modes auto, {', '.join(ROWS)}.")
        if request.task not in TASKS[self.name]:
            raise InvalidOptions(f"fovea-nano has the tasks {', '.join(TASKS[self.name])}.")
        if request.prompt:
            raise InvalidOptions("fovea-nano does not support a prompt.")

    def read(self, raster: Raster, request: ReadRequest) -> PageResult:
        """Raises `PageError` if the page is canceled or if other pages keep the engine busy until the time limit."""
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
                page = None if attempts else raster.page  # a second attempt does not read the whole page
                answers = self._read(page, segments, mode, request, deadline)
            except Busy:
                if attempts:
                    break
                raise PageError("page_timeout", "The model was busy with other pages for too long.") from None
            except Canceled:
                raise PageError("page_timeout", "The page was canceled.") from None
            for number, line in zip(weak, _lines_of(len(weak), segments, answers), strict=True):
                best[number] = max(best[number], line, key=lambda line: line.confidence)
            attempts.append((mode, answers))
        read = [(line, one) for line, one in zip(found.lines, best, strict=True) if one.text]
        sound = [pair for pair in read if pair[1].confidence >= MIN_OF_TEXT]
        if 2 * len(sound) > len(read):
            good = [pair for pair in read if pair[1].confidence >= MIN_OF_LINE]
        else:
            good = [pair for pair in sound if pair[1].confidence >= WEAK and len(pair[1].text) > MAX_STROKE]
        lines = [Line(line.x0, line.y0, line.x1, line.y1, one.text, one.confidence) for line, one in good]
        first = attempts[0][1]
        if request.task == ENCODE:
            result = self._encoded(raster, *attempts[0])
        else:
            result = self._result(raster, found, request.task, lines, len(read) - len(lines), attempts)
        if first.packed and not first.stored and len(first.vision_tokens) >= first.packed:
            patches = first.packed * TOKENS
            embeddings = torch.cat(first.vision_tokens[: first.packed])
            keep(result, request, VisionTokens(embeddings, patches, patches))
        return result

    # -- reading ---------------------------------------------------------------------------------------

    def _read(
        self, page: int | None, segments: list[Segment], mode: str, request: ReadRequest, deadline: float
    ) -> _Answers:
        """Reads the segments. `page`: its number if they are the whole page."""
        rows = ROWS[mode]
        answers = _Answers([""] * len(segments), [[] for _ in segments])
        strips = pack(segments, rows)
        # Strips of similar length end at about the same time, which keeps batches full.
        strips.sort(key=lambda strip: sum(segments[number].pixels.shape[1] for number in strip))
        answers.packed = len(strips)
        stored = page and recall(request, page=page, mode=mode, digest=self.digest, width=self.engine.width)
        if stored and stored.positions == len(strips) * POSITIONS:
            answers.stored = list(stored.embeddings.split(POSITIONS))
        if request.task == ENCODE:
            self._encode_strips(segments, strips, rows, answers, request, deadline)
            return answers
        mismatched = self._read_strips(segments, strips, rows, answers, request, deadline)
        # If an answer does not have one line for each row of its strip, each row is read alone.
        if mismatched:
            alone = [[number] for number in mismatched]
            self._read_strips(segments, alone, rows, answers, request, deadline)
        return answers

    def _encode_strips(
        self,
        segments: list[Segment],
        strips: list[list[int]],
        rows: int,
        answers: _Answers,
        request: ReadRequest,
        deadline: float,
    ) -> None:
        """Encodes the strips without reading them."""
        started = time.perf_counter()
        for start in range(0, 0 if answers.stored else len(strips), BATCH):
            pictures = [draw([segments[n] for n in strip], rows) for strip in strips[start : start + BATCH]]
            pixels = _pixels(np.stack(pictures))
            answers.vision_tokens += self._model.encode(pixels, deadline, request.cancellation)
        answers.strips = len(strips)
        answers.encode_s = time.perf_counter() - started

    def _read_strips(
        self,
        segments: list[Segment],
        strips: list[list[int]],
        rows: int,
        answers: _Answers,
        request: ReadRequest,
        deadline: float,
    ) -> list[int]:
        """Fills in `answers`. Returns the segments of strips whose answers do not have one line for each row."""
        mismatched: list[int] = []
        for start in range(0, len(strips), BATCH):
            if time.monotonic() > deadline:
                answers.warnings.append("Time ran out before the page was read to its end.")
                break
            batch = strips[start : start + BATCH]
            pictures = np.stack([draw([segments[n] for n in strip], rows) for strip in batch])
            read = self._generate(pictures, max(map(len, batch)) * MAX_TOKENS, answers, request, deadline)
            for strip, (ids, log_probs) in zip(batch, read, strict=True):
                parts = _split(ids, log_probs, self._tokenizer.encode("\n")[0])
                if len(parts) != len(strip) and len(strip) > 1:
                    mismatched += strip
                    continue
                if len(strip) == 1:
                    parts = [([i for p in parts for i in p[0]], [x for p in parts for x in p[1]])]
                for number, (part, probabilities) in zip(strip, parts, strict=True):
                    answers.texts[number] = self._tokenizer.decode(part).strip()
                    answers.log_probs[number] = probabilities
        return mismatched

    def _generate(
        self,
        pictures: np.ndarray,
        max_new: int,
        answers: _Answers,
        request: ReadRequest,
        deadline: float,
    ) -> list[tuple[list[int], list[float]]]:
        """Reads strips (B, HEIGHT, WIDTH), grey. Returns the token ids and log-probabilities of each."""
        stored = answers.stored[answers.strips :][: len(pictures)]
        read = self._model.read(
            _pixels(pictures), max_new, request.owner, deadline, request.cancellation, stored
        )
        answers.vision_tokens += read.vision_tokens
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
        found: Found,
        task: str,
        lines: list[Line],
        left_out: int,
        attempts: list[tuple[str, _Answers]],
    ) -> PageResult:
        blocks, _ = blocks_of(found.frame, with_fixed_pitch(lines))
        characters = sum(len(line.text) for line in lines)
        mean = sum(line.confidence * len(line.text) for line in lines) / characters if characters else 0.0
        first, every = attempts[0], [answers for _, answers in attempts]
        warnings = list(first[1].warnings)
        verdict = "suspect" if warnings else "ok"
        if left_out:
            warnings.append(f"{left_out} places that look like lines of text could not be read.")
        if loops := sum(answers.loops for answers in every):
            warnings.append(
                f"The model began to repeat itself in {loops} places; the repetition was cut off."
            )
        if not lines:
            verdict = "unreadable"
            warnings.append("The page is not blank, but no text was read.")
        elif mean < MIN_CONFIDENCE or left_out > len(lines):
            verdict = "suspect"
            warnings.append(f"The mean probability of the characters is only {mean:.2f}.")
        strips = sum(answers.strips for answers in every)
        text = to_markdown(blocks) if task == "markdown" else paragraphs(blocks)
        return PageResult(
            page=raster.page,
            width=raster.image.width,
            height=raster.image.height,
            dpi=raster.dpi,
            model=self.name,
            model_digest=self.digest,
            mode=first[0],
            task=task,
            vision_tokens=_counts(strips),
            # These are bytes and places, so they give no compression that compares to other models.
            text_tokens=first[1].tokens,
            blocks=blocks,
            markdown=text,
            turned=found.frame.quarters,
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
    """(B, HEIGHT, WIDTH), grey, to (B, 3, HEIGHT, WIDTH) in −1..1."""
    return torch.from_numpy(pictures).float()[:, None].expand(-1, 3, -1, -1) / 127.5 - 1


def _counts(strips: int) -> dict[str, int]:
    """The counts of vision tokens in `strips` strips."""
    return {"positions": strips * POSITIONS, "patches": strips * TOKENS, "valid": strips * TOKENS}


def _split(ids: list[int], log_probs: list[float], newline: int) -> list[tuple[list[int], list[float]]]:
    """An answer's lines, each as ids and log-probabilities, without places."""
    parts: list[tuple[list[int], list[float]]] = [([], [])]
    for token, log_prob in zip(ids, log_probs, strict=True):
        if token == newline:
            parts.append(([], []))
        elif places.Place.of(token) is None:
            parts[-1][0].append(token)
            parts[-1][1].append(log_prob)
    return parts


def _lines_of(count: int, segments: list[Segment], answers: _Answers) -> list[_Read]:
    """The text of each of `count` lines, joined from its segments.

    A segment without text lowers the line's confidence, because there is ink in it.
    """
    texts: list[list[str]] = [[] for _ in range(count)]
    log_probs: list[list[float]] = [[] for _ in range(count)]
    for segment, text, probabilities in zip(segments, answers.texts, answers.log_probs, strict=True):
        texts[segment.line].append(text)
        log_probs[segment.line] += probabilities
    lines = []
    for parts, some in zip(texts, log_probs, strict=True):
        read = [part for part in parts if part]
        confidence = math.exp(sum(some) / len(some)) * len(read) / len(parts) if read and some else 0.0
        lines.append(_Read(" ".join(read), confidence))
    return lines
