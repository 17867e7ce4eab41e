"""A training task: the blocks of a page with their boxes, in the official grammar. No reader uses it.

Readers use the rules of `fovea.result.layout`, which find more blocks than the model (docs/decisions/0022;
`bench/nano.py layout` measures both).

The prompt is the official one. The page is one view of 512 × 512 px, 64 vision tokens. The answer has each block in
reading order: `<|ref|>title<|/ref|><|det|>` box `<|/det|>`. A box is two points of three place tokens each
(`fovea.nano.places`): one of 8 × 8 squares of the page, one of 8 × 8 squares in that, and once more, so its precision
is 1/512. `written_out` replaces these tokens by the official digits, which `fovea.output` parses.
"""

from collections.abc import Sequence

from PIL import Image

from fovea.language.tasks import prompt_for
from fovea.language.tokenizer import Tokenizer, pieces_of
from fovea.nano.places import COLUMNS, ROWS, Place
from fovea.output.blocks import block_type
from fovea.output.grammar import Reference, parse
from fovea.result.geometry import from_bins, to_bins
from fovea.result.page_result import Box
from fovea.vision.modes import MODES, positions
from fovea.vision.views import make_views

MODE = "tiny"
CELLS = MODES[MODE].side // 64
"""Vision tokens per side."""
POSITIONS = positions(MODE, None)
"""Positions of a page in the decoder, including newlines and the separator."""
REGIONS = (
    "title", "sub_title", "text", "list", "table", "table_caption", "image", "image_caption", "equation", "code",
    "header", "footer", "page_number",
)  # fmt: skip
"""The labels that the model learns: `fovea.result.page_result.BLOCK_TYPES` without footnotes, which are text to it."""
MAX_TOKENS = 1000
"""Longest answer, about 60 blocks."""
POINT = 3
"""Tokens per point."""
FINENESS = COLUMNS**POINT


def page_view(image: Image.Image) -> Image.Image:
    """The view of an upright RGB page."""
    return make_views(image, MODE).whole


def layout_prompt(tokenizer: Tokenizer) -> list[int]:
    """The prompt as token ids."""
    return prompt_for("markdown", None, False).ids(tokenizer, POSITIONS)


def answer_of(blocks: Sequence[tuple[str, Box]], tokenizer: Tokenizer) -> list[tuple[int, int | None]]:
    """The answer for `blocks` (type, box in 0..1): each token with the vision token that shows it, or `None`."""
    ref, end_ref, det, end_det = tokenizer.ids_of(("<|ref|>", "<|/ref|>", "<|det|>", "<|/det|>"))
    answer: list[tuple[int, int | None]] = []
    for kind, (x0, y0, x1, y1) in blocks:
        first, second = point_tokens(x0, y0), point_tokens(x1, y1)
        corner, other = (place.row * CELLS + place.column for place in map(Place.of, (first[0], second[0])))
        answer += [(token, corner) for token in (ref, *tokenizer.encode(kind), end_ref, det, *first)]
        answer += [(token, other) for token in second]
        answer.append((end_det, None))
    return answer


def written_out(ids: Sequence[int], tokenizer: Tokenizer) -> list[int]:
    """The answer with place tokens replaced by the official digits: `[[x0, y0, x1, y1]]` in 0..999."""
    out: list[int] = []
    held: list[int] = []
    for token in ids:
        if Place.of(token) is not None:
            held.append(token)
            if len(held) == 2 * POINT:
                box = to_bins((*point_of(held[:POINT]), *point_of(held[POINT:])))
                out += tokenizer.encode(f"[[{', '.join(map(str, box))}]]")
                held = []
            continue
        held = []  # an incomplete box gets no digits, so the parser treats it as broken
        out.append(token)
    return out


def blocks_of(ids: Sequence[int], tokenizer: Tokenizer) -> list[tuple[str, Box]]:
    """The blocks of an answer: (type, box in 0..1), parsed like the official output. Never raises."""
    events, _ = parse(pieces_of(tokenizer, written_out(ids, tokenizer)))
    found: list[tuple[str, Box]] = []
    for event in events:
        if not isinstance(event, Reference):
            continue
        kind = block_type(event.label)
        if kind is not None:
            boxes = (from_bins(box) for box in event.boxes)
            found += [(kind, box) for box in boxes if box[2] > box[0] and box[3] > box[1]]
    return found


def point_tokens(x: float, y: float) -> list[int]:
    """A point in 0..1 as `POINT` tokens, from coarse to fine."""
    across, down = (min(max(round(value * FINENESS), 0), FINENESS - 1) for value in (x, y))
    tokens = []
    for level in reversed(range(POINT)):
        size = COLUMNS**level
        tokens.append(Place(down // size % ROWS, across // size % COLUMNS).token)
    return tokens


def point_of(tokens: Sequence[int]) -> tuple[float, float] | None:
    """The point in 0..1 of `POINT` tokens; `None` if one of them is not a place."""
    across = down = 0
    for token in tokens:
        place = Place.of(token)
        if place is None:
            return None
        across, down = across * COLUMNS + place.column, down * ROWS + place.row
    return across / FINENESS, down / FINENESS
