"""Hostile text: 2,000 examples through each of grammar and table repair. Nothing raises, nothing hangs."""

import sys
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from work import Visits, ends

from fovea.language.tokenizer import Tokenizer, pieces_of
from fovea.output import content, grammar, tables
from fovea.output.blocks import MAX_BLOCKS, read_blocks
from fovea.output.grammar import GrammarParser, Reference, markup_pieces, parse
from fovea.output.markdown import write_markdown
from fovea.output.shapes import read_shapes
from fovea.output.smiles import is_smiles
from fovea.output.tables import MAX_COLUMNS, MAX_ROWS, MAX_SLOTS, repair_table
from fovea.result import markdown
from fovea.result.page_result import encode, page_faults

pytestmark = pytest.mark.slow

EXAMPLES = 2000

fuzz = settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))

MARKUP = [
    "<|ref|>", "<|/ref|>", "<|det|>", "<|/det|>", "<|ref|>table<|/ref|>", "<|ref|>image<|/ref|>",
    "<|det|>[[1, 2, 3, 4]]<|/det|>", "[[", "]]", "[", "]", ",", " ", "0", "999", "1000", "-1",
    "__import__('os')",
    "<table>", "</table>", "<tr>", "</tr>", "<td>", "</td>", "<th>", "<td rowspan=\"",
    "<td colspan=99999>",
    "<td rowspan='0'>", "\"", ">", "<", "&lt;", "&#0;", "&#xD800;", "\\[", "\\]", "\\(", "\\)",
    "$$", "```",
    "\n",
    "\n\n", "# ", "## ", "- ", "• ", "1. ", "2. ", "|", "|---|", "<center>", "![", "](", "javascript:",
    "<script>",
    "'", "{", "}", "{'Line': {'line': ['", "(1, 2) -- (3, 4)", "title", "text", "\0", "\u2028", "\u202e",
]  # fmt: skip
CELLS = ["<table>", "</table>", "<tr>", "</tr>", "<td>", "</td>", "<th>", "x", "<b>", "<td rowspan=3>"]


def characters(random, most):
    """Up to so many: half of them ASCII, the others from anywhere in Unicode."""
    last = [random.choice((0x7E, 0x7E, 0x2FF, sys.maxunicode)) for _ in range(random.randint(0, most))]
    codes = (random.randint(0, code) for code in last)
    return "".join(chr(code) for code in codes if not 0xD800 <= code < 0xE000)


def hostile(random):
    return "".join(
        random.choice(MARKUP) if random.random() < 0.5 else characters(random, 6)
        for _ in range(random.randint(0, 60))
    )


def spanned(random):
    return f'<td rowspan="{random.randint(0, 9_999_999)}" colspan="{random.randint(0, 9_999_999)}">'


def cells(random):
    kinds = (lambda: random.choice(CELLS), lambda: spanned(random), lambda: characters(random, 4))
    return "".join(random.choice(kinds)() for _ in range(random.randint(0, 80)))


def tokens(random):
    return random.choices(range(271), k=random.randint(0, 200))


def drawn(*kinds):
    """Made from a seed: to draw the same pieces one by one, Hypothesis takes up to four times as long."""
    return st.one_of(
        *(st.integers(0, 2**64).map(lambda seed, make=make: make(Random(seed))) for make in kinds)
    )


TOKENIZER = Tokenizer.characters()


def assert_valid(blocks):
    body = {
        "schema": 1, "page": 1, "width": 1, "height": 1, "dpi": None, "model": "m", "mode": "base",
        "task": "markdown",
        "model_digest": "sha256:" + "0" * 64, "markdown": write_markdown(blocks, 1), "finish_reason": "stop",
        "verdict": "ok", "blocks": [block.to_json() for block in blocks],
        "timings_ms": dict.fromkeys(["raster", "encode", "prefill", "decode"], 0), "warnings": [], "attempts": [],
        **dict.fromkeys(["prompt", "vision_tokens", "text_tokens", "compression", "expected_precision", "error"]),
    }  # fmt: skip
    assert page_faults(body) == []
    assert len(blocks) <= MAX_BLOCKS
    assert [block.id for block in blocks] == list(range(1, len(blocks) + 1))
    encode(body)


@fuzz
@given(drawn(hostile))
def test_grammar_and_blocks(text):
    events, parser = parse(markup_pieces(text))
    for event in events:
        if isinstance(event, Reference):
            assert all(0 <= number <= 999 for box in event.boxes for number in box)
    assert parser.references <= text.count("<|ref|>")
    with ends():
        reading = read_blocks(markup_pieces(text), [-0.5] * 100)
    assert_valid(reading.blocks)


@fuzz
@given(drawn(tokens))
def test_any_tokens(ids):
    with ends():
        reading = read_blocks(pieces_of(TOKENIZER, ids), [-0.1] * len(ids))
    assert_valid(reading.blocks)
    streamed = GrammarParser()
    events = [
        event for piece in pieces_of(TOKENIZER, ids) for event in streamed.feed(piece)
    ] + streamed.close()
    assert events == parse(pieces_of(TOKENIZER, ids))[0]


@fuzz
@given(drawn(cells, hostile))
def test_tables(text):
    with ends():
        table = repair_table(text)
    assert len(table.rows) <= MAX_ROWS and table.columns <= MAX_COLUMNS
    if len(table.rows) * table.columns <= MAX_SLOTS:
        # Repaired means repaired: reading it again changes nothing and finds nothing to complain of.
        again = repair_table(table.html())
        assert again.html() == table.html()
        assert again.warnings == []
        slots = sum(cell.rowspan * cell.colspan for row in table.rows for cell in row)
        assert slots == len(table.rows) * table.columns


@fuzz
@given(drawn(hostile))
def test_figures(text):
    with ends():
        read_shapes(text)
        is_smiles(text)


def test_long_hostile_pages_take_bounded_work(monkeypatch):
    visits = Visits().watch(monkeypatch, content, grammar, markdown, tables)
    for unit in (
        "<|ref|>",
        "<|ref|>x<|/ref|>",
        "<|ref|>x<|/ref|><|det|>",
        "<td>",
        "[[1,2,3,4],",
        "\\[",
        "\\(",
        "<",
    ):
        visits.characters, text = 0, unit * (100_000 // len(unit))
        with ends():
            reading = read_blocks(markup_pieces(text))
            write_markdown(reading.blocks, 1)
        assert visits.characters < 20 * len(text), unit


def test_nothing_here_can_run_what_it_reads():
    source = Path(__file__).parents[3] / "src" / "gpu-worker" / "fovea" / "output"
    for file in source.glob("*.py"):
        code = file.read_text()
        for name in ("eval(", "exec(", "compile(", "literal_eval", "__import__("):
            assert name not in code.replace("re.compile(", ""), file
