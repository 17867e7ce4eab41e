"""The blocks of a page as an answer, in the official grammar: a task of training that no reader asks.

The rules of `fovea.result.layout` place more blocks than the model does (docs/decisions/0022; `bench/nano.py layout`
measures both).

The question is the official one, the page is seen as one view of 512 × 512 px, 64 vision tokens. The answer names each
block in reading order: `<|ref|>title<|/ref|><|det|>` a box `<|/det|>`. A box is two points of three location tokens
each (`fovea.nano.places`): one of 8 × 8 squares of the page (each seen by one vision token), one of 8 × 8 squares in
that, and once more, so it is exact to a 512th. `written_out` puts the official digits in their place, and
`fovea.output` parses what comes of it.
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
"""Vision tokens of a side."""
POSITIONS = positions(MODE, None)
"""Of a page as a whole in the decoder: its vision tokens with newlines and separator."""
REGIONS = (
    "title", "sub_title", "text", "list", "table", "table_caption", "image", "image_caption", "equation", "code",
    "header", "footer", "page_number",
)  # fmt: skip
"""The labels that the model learns (`fovea.result.page_result.BLOCK_TYPES`)."""
MAX_TOKENS = 1000
"""Of an answer: about sixty blocks."""
POINT = 3
"""Tokens of a point."""
FINENESS = COLUMNS**POINT


def page_view(image: Image.Image) -> Image.Image:
    """The page as it is seen. `image`: upright and RGB."""
    return make_views(image, MODE).whole


def layout_prompt(tokenizer: Tokenizer) -> list[int]:
    """The question, with its vision tokens."""
    return prompt_for("markdown", None, False).ids(tokenizer, POSITIONS)


def answer_of(blocks: Sequence[tuple[str, Box]], tokenizer: Tokenizer) -> list[tuple[int, int | None]]:
    """The tokens that name `blocks` (type, box in 0..1), each with the vision token in which to look for it."""
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
    """The answer with its location tokens as the official digits: `[[x0, y0, x1, y1]]` in 0..999."""
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
        held = []  # a box that is not whole has no digits; the parser sees that it is broken
        out.append(token)
    return out


def blocks_of(ids: Sequence[int], tokenizer: Tokenizer) -> list[tuple[str, Box]]:
    """Types and boxes in 0..1 of the blocks that an answer names, by the official output's parser. Never raises."""
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
    """A point in 0..1 of a page as `POINT` tokens, from coarse to fine."""
    across, down = (min(max(round(value * FINENESS), 0), FINENESS - 1) for value in (x, y))
    tokens = []
    for level in reversed(range(POINT)):
        size = COLUMNS**level
        tokens.append(Place(down // size % ROWS, across // size % COLUMNS).token)
    return tokens


def point_of(tokens: Sequence[int]) -> tuple[float, float] | None:
    """The point in 0..1 that `POINT` tokens name; `None` where one of them is no place."""
    across = down = 0
    for token in tokens:
        place = Place.of(token)
        if place is None:
            return None
        across, down = across * COLUMNS + place.column, down * ROWS + place.row
    return across / FINENESS, down / FINENESS
