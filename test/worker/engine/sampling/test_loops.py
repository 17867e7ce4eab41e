"""Every exact loop is found; what pages rightly repeat is not one."""

import random

import pytest

from fovea.engine.sampling import LoopDetector, TokenClasses
from fovea.language.tokenizer import Tokenizer

TOKENIZER = Tokenizer.characters()
CLASSES = TokenClasses.of(TOKENIZER)


def feed(tokens):
    """Looks after every token until a loop is found: (period, tokens so far, tokens kept), or None."""
    detector = LoopDetector(CLASSES)
    for count in range(1, len(tokens) + 1):
        if loop := detector.find(tokens[:count]):
            return loop.period, count, loop.kept
    return None


def noise(length, seed=0):
    """Distinct-looking tokens that are neither fill nor structure."""
    letters = [3 + ord(c) for c in "abcdefghijklmnopqrstuvwxyz"]
    return random.Random(seed).choices(letters, k=length)


@pytest.mark.parametrize("period", [1, 2, 3, 7, 31, 61, 62, 97, 300, 511, 512, 990, 1500, 2000])
def test_any_period_is_found_and_cut_to_one(period):
    # The one exclamation mark keeps the body from being a loop of a shorter period itself.
    intro, body = noise(150, seed=1), [*noise(period - 1, seed=2), 3 + ord("!")]
    found, count, kept = feed(intro + body * (4000 // period + 3))
    assert found == period
    copies = 2 if period < 512 else 1
    assert count <= len(intro) + period + max(128, copies * period)
    # The body may continue the introduction by chance, never the other way round.
    assert len(intro) <= kept <= len(intro) + period
    assert (intro + body)[:kept] == (intro + body * 2)[:kept]


def test_the_loop_may_begin_at_the_first_token():
    assert feed(noise(40) * 20)[0::2] == (40, 40)


def test_random_text_never_loops():
    assert feed(noise(3000)) is None


@pytest.mark.parametrize(
    "text",
    [
        "Contents\n" + "".join(f"Chapter {i} {'.' * 100} {i}\n" for i in range(20)),
        "a" + " . " * 60 + "7",
        "_" * 200 + "\n" + "-" * 200,
        "The same line.\n" * 3,
        "<table>" + ("<tr>" + "<td></td>" * 12 + "</tr>") * 30 + "</table>",
        "<table>" + ("<tr>" + "<td>0</td>" * 5 + "</tr>") * 20 + "</table>",
        "| | | |\n" * 60,
    ],
    ids=["leader dots", "spaced dots", "rules", "three lines", "empty form", "zeros", "markdown blanks"],
)
def test_pages_that_rightly_repeat(text):
    assert feed(TOKENIZER.encode_template(text)) is None


@pytest.mark.parametrize("cell", ["<td></td>", "<td>0</td>", "<tr><td>n/a</td></tr>", "<td>. .</td>"])
def test_endless_tables_are_loops_all_the_same(cell):
    found, count, _ = feed(TOKENIZER.encode_template("<table>" + cell * 2000))
    assert found == len(TOKENIZER.encode_template(cell))
    assert count < 1700


def test_counting_is_no_exact_loop():
    assert feed(TOKENIZER.encode("".join(f"{i}. item\n" for i in range(300)))) is None


def test_a_late_look_finds_the_same_cut():
    tokens = noise(90) + noise(50, seed=1) * 9
    period, count, kept = feed(tokens)
    for late in (count + 1, count + 31, len(tokens)):
        assert LoopDetector(CLASSES).find(tokens[:late]) == (period, kept)


def boxes(rows):
    return "".join(f"<|ref|>{label}<|/ref|><|det|>[[{box}]]<|/det|>\n{text}\n\n" for label, box, text in rows)


def test_a_model_that_moves_its_boxes_loops():
    """Like DeepSeek-OCR on a form: it goes on writing three letters in turn while the boxes creep to the right."""
    form = [("text", f"15, {100 + 40 * n}, 120, {120 + 40 * n}", f"Field {chr(65 + n)}") for n in range(18)]
    stuck = [("text", f"{20 + n // 3}, 844, 20, 860", "FRE"[n % 3]) for n in range(79)]
    tokens = TOKENIZER.encode_template(boxes(form + stuck))
    head, period = TOKENIZER.encode_template(boxes(form)), TOKENIZER.encode_template(boxes(stuck[:3]))
    found, count, kept = feed(tokens)
    assert found == len(period)
    assert len(head) <= kept <= len(head) + 2 * len(period)
    assert count <= kept + 512


def test_pages_with_many_boxes():
    names = [f"{a}{b}" for a in "ABCDE" for b in "uvwxyz"]
    captioned = [("text", f"{n}0, 844, {n}5, 860", name) for n, name in enumerate(names, 10)]
    pictures = [("image", f"{n}0, 100, {n}9, 200", "") for n in range(10, 40)]
    ticks = [("text", f"{n}0, 100, {n}9, 200", "☐ yes ☐ no") for n in range(10, 15)]
    for page in (captioned, pictures, ticks):
        assert feed(TOKENIZER.encode_template(boxes(page))) is None


def test_markup_that_is_never_closed_is_text_again():
    tokens = TOKENIZER.encode_template("<|det|>[[") + noise(1600) + TOKENIZER.encode("17 18 " * 80)
    assert feed(tokens)[0] == 6
