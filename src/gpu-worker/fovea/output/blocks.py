"""Builds the page's list of blocks from pieces of generated text.

All ids come from this list: blocks are numbered from 1, and the image file of a block is named after its id. (The
official script numbers files by boxes but links by references, so links break when a reference has several boxes.)
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from fovea.language.tokenizer import Piece
from fovea.output import content
from fovea.output.content import Part
from fovea.output.grammar import GrammarParser, Reference, parse
from fovea.result.geometry import FULL, from_bins, union
from fovea.result.page_result import BLOCK_TYPES, Block

MAX_BLOCKS = 5000
MAX_WARNINGS = 50

# Labels of the model that differ from our block types. The complete list of its labels is not published.
_ALIASES = {
    "doc_title": "title", "heading": "title", "paragraph_title": "sub_title", "subtitle": "sub_title",
    "section_title": "sub_title", "paragraph": "text", "abstract": "text", "reference": "text",
    "list_item": "list", "figure": "image", "picture": "image", "photo": "image",
    "chart": "image", "chemistry": "image", "geometry": "image", "seal": "image", "logo": "image",
    "caption": "image_caption", "figure_caption": "image_caption", "chart_caption": "image_caption",
    "figure_title": "image_caption", "table_title": "table_caption", "table_footnote": "table_caption",
    "formula": "equation", "isolate_formula": "equation", "interline_equation": "equation",
    "algorithm": "code", "page_header": "header", "page_footer": "footer", "number": "page_number",
}  # fmt: skip


@dataclass(slots=True)
class Reading:
    """The blocks of an answer. `malformed` counts broken references, `noise` stray control tokens."""

    blocks: list[Block] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    malformed: int = 0
    noise: int = 0


@dataclass(slots=True)
class _Section:
    """A reference and the text up to the next one. The text before the first reference has `None`."""

    reference: Reference | None
    texts: list[str] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)  # for each text the index of the token that completed it


class _Confidence:
    """The confidence of parts of a section: exp of the mean log-probability of their tokens."""

    def __init__(self, section: _Section, log_probs: Sequence[float]):
        self._section, self._log_probs = section, log_probs
        self._starts = [0, *accumulate(map(len, section.texts))]

    def of_part(self, part: Part) -> float | None:
        """The confidence of the tokens of a part."""
        tokens, last = self._section.tokens, len(self._section.tokens) - 1
        first = min(bisect_right(self._starts, part.start) - 1, last)
        end = min(bisect_right(self._starts, max(part.end - 1, part.start)) - 1, last)
        return self._mean(range(tokens[first], tokens[end] + 1))

    def of_markup(self) -> float | None:
        """The confidence of the tokens of the reference."""
        return self._mean(self._section.reference.tokens)

    def _mean(self, tokens: range) -> float | None:
        chosen = [self._log_probs[token] for token in tokens if token < len(self._log_probs)]
        return math.exp(min(0.0, sum(chosen) / len(chosen))) if chosen else None


def block_type(label: str) -> str | None:
    """The block type of a label, or `None` if the text is not a known label."""
    name = "_".join(label.lower().replace("-", " ").split())
    return name if name in BLOCK_TYPES else _ALIASES.get(name)


def read_blocks(pieces: Iterable[Piece], log_probs: Sequence[float] = (), located: bool = False) -> Reading:
    """The blocks of an answer. Never raises.

    `log_probs` has one value for each token. `located`: labels are the words to locate, and each box becomes a block.
    """
    events, parser = parse(pieces)
    sections = [_Section(None)]
    for event in events:
        if isinstance(event, Reference):
            sections.append(_Section(event))
        else:
            sections[-1].texts.append(event.text)
            sections[-1].tokens.append(event.token)
    reading = Reading(malformed=parser.malformed, noise=parser.noise)
    for section in sections:
        _read_section(section, log_probs, located, reading)
        if len(reading.blocks) > MAX_BLOCKS:
            del reading.blocks[MAX_BLOCKS:]
            reading.warnings.append(f"Blocks beyond the limit of {MAX_BLOCKS} were dropped.")
            break
    _add_warnings(reading, parser)
    number(reading.blocks)
    return reading


def number(blocks: list[Block]) -> None:
    """Sets the ids, from 1, in the order of the list."""
    for index, block in enumerate(blocks):
        block.id = index + 1


def crop_name(page: int, block: Block) -> str:
    """Path of a block's image file, relative to the page's Markdown."""
    return f"images/page-{page}-block-{block.id}.png"


def _read_section(section: _Section, log_probs: Sequence[float], located: bool, reading: Reading) -> None:
    text, reference = "".join(section.texts), section.reference
    confidence = _Confidence(section, log_probs)
    boxes, kind = [FULL], "text"
    if reference is not None:
        boxes = [from_bins(box) for box in reference.boxes] or [FULL]
        kind = block_type(reference.label)
        words = None
        if located or (kind is None and not text.strip()):
            words, own = reference.label, "text"
        elif kind == "image":
            words, own = "", "image"
        if words is not None:
            reading.blocks += [Block(0, own, box, words, confidence.of_markup()) for box in boxes]
            boxes, kind = [FULL] if located else boxes, "text"
    around = union(boxes)
    for part in _parts(text, kind or "text"):
        block = Block(0, part.type, around, part.text, confidence.of_part(part), part.html, part.latex)
        block.cells = part.cells
        reading.blocks.append(block)
        reading.warnings += (f"Block {len(reading.blocks)}: {warning}." for warning in part.warnings)


def _parts(text: str, kind: str) -> list[Part]:
    """The text of a region as parts. The first part has the type `kind` of the region's label."""
    whole = (0, len(text))
    if not text.strip():
        return []
    if kind == "equation":
        return [content.equation_part(content.tidy(text), *whole)]
    if kind == "code" and "```" not in text:
        return [Part("code", text.strip("\n").rstrip(), *whole)]
    if kind == "table" and "</table" not in text and (table := content.table_part(text, *whole)):
        return [table]
    parts = content.divide(text)
    if len(parts) > 1 and {part.type for part in parts} <= {"text", "list" if kind == "list" else "text"}:
        parts = [Part("text", content.tidy(text), *whole)]  # keep the paragraphs of a region in one block
    if not parts or kind == "text":
        return parts
    if kind == "table" and any(part.type == "table" for part in parts):
        kind = "table_caption"
    if parts[0].type in ("text", "list", "title", "sub_title"):
        parts[0].type = kind
        if kind == "list":
            parts[0].text = content.list_lines(parts[0].text)
    return parts


def _add_warnings(reading: Reading, parser: GrammarParser) -> None:
    del reading.warnings[MAX_WARNINGS:]
    if parser.malformed:
        reading.warnings.append(f"The layout markup was broken in {parser.malformed} place(s).")
    if parser.noise:
        reading.warnings.append(f"{parser.noise} stray control token(s) were dropped.")
