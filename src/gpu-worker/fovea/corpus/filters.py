"""Which pages become training data, as far as a page alone decides it; `signatures` finds near-duplicates."""

import json
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from fovea.corpus.options import Filters, InputError
from fovea.corpus.signatures import signature

CONFIDENCE, LANGUAGE, DUPLICATE, FAILED = "low_confidence", "other_language", "near_duplicate", "failed"
"""Reasons, as the manifest counts them, beside `verdict_…`."""


@dataclass(frozen=True, slots=True)
class Note:
    """What a page's record says for the selection. `reason`: why it is left out; `signature`: 16 hex digits."""

    verdict: str
    reason: str = ""
    signature: str = ""
    language: str = ""

    def encode(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def decode(cls, data: bytes) -> "Note":
        return cls(**json.loads(data))


def note(result: dict[str, Any], filters: Filters) -> Note:
    """`result`: of a page that did not fail."""
    verdict, text = result["verdict"], result["markdown"]
    if verdict not in filters.verdicts:
        return Note(verdict, f"verdict_{verdict}")
    sure = confidence(result)
    if sure is not None and sure < filters.min_confidence:
        return Note(verdict, CONFIDENCE)
    language = language_of(text) if filters.languages else ""
    if filters.languages and language not in filters.languages:
        return Note(verdict, LANGUAGE, language=language)
    value = None if filters.keep_near_duplicates else signature(text)
    return Note(verdict, "", "" if value is None else f"{value:016x}", language)


def confidence(result: dict[str, Any]) -> float | None:
    """Mean confidence of the blocks, weighted by their texts; `None` if no block has one, as with text layers."""
    pairs = [(block["confidence"], len(block["text"])) for block in result["blocks"]]
    known = [(sure, length) for sure, length in pairs if sure is not None and length]
    return sum(sure * length for sure, length in known) / sum(n for _, n in known) if known else None


def language_of(text: str) -> str:
    """ISO 639-1 code of the language that most of the text is in; empty without letters."""
    return _identifier().classify(text)[0] if any(map(str.isalpha, text)) else ""


def check_languages(languages: tuple[str, ...]) -> None:
    """Raises `InputError` for a language that cannot be told, or if the package that tells them is missing."""
    if not languages:
        return
    try:
        known = set(_identifier().labels)
    except ImportError:
        raise InputError("--languages needs the package py3langid, of the Python group `corpus`.") from None
    if unknown := sorted(set(languages) - known):
        raise InputError(f"--languages: {', '.join(unknown)} is none of {', '.join(sorted(known))}.")


@cache
def _identifier() -> Any:
    # Imported here because only this filter needs it; it is in the group `corpus`.
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE)
