"""Self-test with a golden page.

`write_self_test.py` writes `self_test.json` next to the weights, on a machine whose results are known to be correct: a
page, the tokens of its answer and their log-probabilities, for each precision. A worker that finds the file reads the
page when it starts, and serves only if the result is the same. This detects wrong kernels, damaged downloads and GPUs
that round differently.
"""

import base64
import io
import json
import logging
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from fovea.engine.answer import Generation
from fovea.engine.interface import Engine
from fovea.language.tasks import TASKS, Prompt
from fovea.language.tokenizer import Tokenizer

log = logging.getLogger(__name__)

FILE = "self_test.json"
MODE = "small"
TOKENS = 48
TOLERANCE = {"float32": 0.01, "float16": 0.1, "bfloat16": 0.2, "int8": 0.2}  # of log-probabilities


class SelfTestError(RuntimeError):
    """The result on this machine differs from the expected one. The message is for the operator."""


def golden_page() -> Image.Image:
    image = Image.new("L", (640, 640), 255)
    draw = ImageDraw.Draw(image)
    draw.text((40, 40), "Invoice 2041", 0, ImageFont.load_default(40))
    for row, words in enumerate(("Pen          2.00", "Paper       14.50", "Total       16.50")):
        draw.text((40, 140 + 60 * row), words, 0, ImageFont.load_default(28))
    draw.rectangle((40, 400, 600, 600), outline=0, width=3)
    return image


def ask(engine: Engine, tokenizer: Tokenizer, image: Image.Image, mode: str, tokens: int) -> Generation:
    vision_tokens = engine.encode(image.convert("RGB"), mode)
    ids = Prompt(TASKS["free"]).ids(tokenizer, vision_tokens.positions)
    return engine.decode(vision_tokens, ids, tokenizer.image, max_new=tokens).result()


def write(folder: Path, precision: str, engine: Engine, tokenizer: Tokenizer) -> Path:
    """Adds or replaces the expected answer for this precision. Returns the file's path."""
    path = folder / FILE
    body = json.loads(path.read_text()) if path.is_file() else {"schema": 1, "answers": {}}
    if "page" not in body:
        out = io.BytesIO()
        golden_page().save(out, "PNG")
        body["page"] = base64.b64encode(out.getvalue()).decode()
    tokens = min(TOKENS, engine.config.max_new)
    mode = MODE if MODE in engine.layout.modes else "base"
    answer = ask(engine, tokenizer, _page(body), mode, tokens)
    body["answers"][precision] = {
        "mode": mode,
        "tokens": tokens,
        "finish_reason": answer.finish_reason,
        "ids": answer.ids,
        "log_probs": [round(log_prob, 5) for log_prob in answer.log_probs],
        "tolerance": TOLERANCE[precision],
    }
    path.write_text(json.dumps(body, indent=1))
    return path


def check(folder: Path, precision: str, engine: Engine, tokenizer: Tokenizer) -> bool:
    """Runs the self-test. Returns False if no answer is on file. Raises `SelfTestError` if the answer differs."""
    path = folder / FILE
    if not path.is_file():
        return False
    try:
        body = json.loads(path.read_text())
        wanted = body["answers"].get(precision)
        if wanted is None:
            return False
        page = _page(body)
        answer = ask(engine, tokenizer, page, wanted["mode"], wanted["tokens"])
        difference = _difference(answer, wanted)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SelfTestError(f"{path} is not valid: {error!r}") from None
    if difference:
        raise SelfTestError(
            f"the self-test in {path} failed with {precision} on {engine.device}: {difference}. The weights, the "
            "software or the device differ from those that wrote the file. The worker does not start."
        )
    return True


def _page(body: dict[str, Any]) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(body["page"])))


def _difference(answer: Generation, wanted: dict[str, Any]) -> str:
    """A description of the difference; empty if it is within the tolerance."""
    for place, (ours, theirs) in enumerate(zip(answer.ids, wanted["ids"], strict=False)):
        if ours != theirs:
            return f"token {place} is {ours} and not {theirs}"
    if len(answer.ids) != len(wanted["ids"]) or answer.finish_reason != wanted["finish_reason"]:
        return f"{len(answer.ids)} tokens ({answer.finish_reason}) and not {len(wanted['ids'])}"
    error = max((abs(a - b) for a, b in zip(answer.log_probs, wanted["log_probs"], strict=True)), default=0.0)
    # With this order a NaN counts as a difference.
    return "" if error <= wanted["tolerance"] else f"log-probabilities differ by {error:.3g}"
