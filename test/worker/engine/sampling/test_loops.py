"""Every exact loop is found; what pages rightly repeat is not one."""

import random

import pytest
import torch

from fovea.engine.sampling import History, LoopDetector, TokenClasses
from fovea.language.tokenizer import Tokenizer

pytestmark = pytest.mark.slow

TOKENIZER = Tokenizer.characters()
CLASSES = TokenClasses.of(TOKENIZER, 400)


def feed(tokens, capacity=8192):
    """Push tokens until a loop is reported: (period, tokens pushed, tokens kept), or None."""
    history = History(1, capacity)
    detector = LoopDetector(history, CLASSES)
    active = torch.ones(1, dtype=torch.bool)
    for count, token in enumerate(tokens, start=1):
        history.push(torch.tensor([token]), active)
        if period := int(detector.update(active)):
            return period, count, detector.kept(0, period)
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


def test_rows_of_a_batch_are_judged_alone():
    rows = [noise(1) * 400, noise(400, seed=3), noise(70, seed=4) * 10]
    history = History(3, 1024)
    detector = LoopDetector(history, CLASSES)
    found = {}
    for step in range(400):
        # The second row pauses now and then, as a row does that waits for its next page.
        active = torch.tensor([0 not in found, step % 3 != 0, 2 not in found])
        coming = [row[min(int(n), 399)] for row, n in zip(rows, history.lengths, strict=True)]
        history.push(torch.tensor(coming), active)
        for row, period in enumerate(detector.update(active).tolist()):
            if period:
                found[row] = (period, int(history.lengths[row]), detector.kept(row, period))
    alone = {i: feed(row, capacity=1024) for i, row in enumerate(rows)}
    assert found == {i: result for i, result in alone.items() if result}
    assert history.row(1) == rows[1][: int(history.lengths[1])]
