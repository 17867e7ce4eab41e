"""Greedy generation over a scripted decoder: how a page ends, what is kept, what is counted."""

import math
import time

import pytest
import torch

from fovea.engine.generate import Rules, generate
from fovea.language.tokenizer import Tokenizer

TOKENIZER = Tokenizer.characters()
VOCABULARY = 280  # nine rows more than the tokenizer has ids
PROMPT = torch.zeros(1, 5, 4)


class Scripted:
    """Says the tokens of a script, whatever it is told; each with probability `sure`, or else `second`."""

    def __init__(self, script, second=None, sure=0.9):
        self.script, self.second, self.sure = script, second, sure
        self.steps, self.capacity, self.positions, self.told = 0, None, [], []

    def embed(self, ids):
        self.told += ids.flatten().tolist()
        return torch.zeros(*ids.shape, 4)

    def new_cache(self, batch, capacity):
        self.capacity = capacity
        return object()

    def step(self, embeddings, cache):
        self.positions.append(embeddings.shape[1])
        token = self.script(self.steps) if callable(self.script) else self.script[self.steps]
        self.steps += 1
        logits = torch.full((1, VOCABULARY), -math.inf)
        logits[0, token] = math.log(self.sure)
        other = self.second if self.second is not None else (token + 1) % 256 + 3
        logits[0, other] = math.log(1 - self.sure)
        return logits


def run(script, max_new=100, ngram=None, **options):
    decoder = script if isinstance(script, Scripted) else Scripted(script)
    return decoder, generate(decoder, PROMPT, Rules.of(TOKENIZER, VOCABULARY, ngram), max_new, **options)


def test_a_page_that_ends():
    ids = TOKENIZER.encode("Hello")
    decoder, answer = run([*ids, TOKENIZER.eos])
    assert (answer.ids, answer.finish_reason, answer.sampled) == (ids, "stop", 5)
    assert answer.log_probs == pytest.approx([math.log(0.9)] * 5)
    # The prompt at once, then token by token; each token that was said is what comes next.
    assert decoder.positions == [5, 1, 1, 1, 1, 1]
    assert decoder.told == ids
    assert decoder.capacity == 105


def test_an_empty_page():
    _, answer = run([TOKENIZER.eos])
    assert (answer.ids, answer.finish_reason) == ([], "stop")
    assert answer.prefill_s > 0


def test_the_length_limit():
    decoder, answer = run(lambda step: 3 + step % 7 * 5 + step // 7, max_new=20)
    assert (len(answer.ids), answer.finish_reason, decoder.steps) == (20, "length", 20)
    assert not answer.out_of_time


def test_no_room():
    with pytest.raises(ValueError, match="no room"):
        run([1], max_new=0)


def test_a_deadline():
    _, answer = run(lambda step: 3 + step % 200, deadline=time.monotonic() - 1)
    assert (len(answer.ids), answer.finish_reason, answer.out_of_time) == (1, "length", True)


@pytest.mark.parametrize("period", [1, 2, 7, 61, 150, 600])
def test_loops_of_any_period(period):
    start = TOKENIZER.encode("The beginning of the page. ")
    generator = torch.Generator().manual_seed(period)
    cycle = torch.randint(3 + 97, 3 + 122, (period,), generator=generator).tolist()
    _, answer = run(lambda step: (start + cycle * (4000 // period + 1))[step], max_new=4000)
    assert (answer.finish_reason, answer.period) == ("loop", period)
    assert answer.ids == start + cycle
    assert len(answer.log_probs) == len(answer.ids)
    assert answer.sampled <= len(start) + 4 * period + 140


def test_an_empty_form_is_no_loop():
    row = [TOKENIZER.markers[m] for m in ("<tr>", "<td>", "</td>", "<td>", "</td>", "</tr>")]
    _, answer = run(row * 100 + [TOKENIZER.eos], max_new=1000)
    assert (answer.finish_reason, len(answer.ids)) == ("stop", 600)


def test_the_guard_breaks_what_it_can_and_is_off_by_default():
    text = TOKENIZER.encode("abcdef" * 4)
    script = [*text, *[TOKENIZER.eos] * 10]
    assert run(Scripted(script))[1].ids == text
    other = TOKENIZER.encode("!")[0]
    _, guarded = run(Scripted(script, second=other), ngram=(8, 50))
    assert other in guarded.ids
    forced = guarded.ids.index(other)
    assert guarded.log_probs[forced] == pytest.approx(math.log(0.1), abs=1e-4)


def test_the_guard_spares_table_cells():
    cells = TOKENIZER.ids_of(["<td>", "</td>"]) * 30
    assert run([*cells, TOKENIZER.eos], ngram=(4, 20))[1].ids == cells


@pytest.mark.parametrize("wanted", [TOKENIZER.bos, TOKENIZER.pad, TOKENIZER.image, 275])
def test_what_must_never_be_said(wanted):
    decoder = Scripted(lambda step: wanted if step == 0 else TOKENIZER.eos, second=80)
    assert run(decoder)[1].ids == [80]


def test_broken_logits_end_the_page_without_a_fault():
    class Broken(Scripted):
        def step(self, embeddings, cache):
            return super().step(embeddings, cache) * math.nan

    _, answer = run(Broken([70] * 500), max_new=300)
    assert answer.finish_reason in ("stop", "loop", "length")
    assert all(math.isfinite(log_prob) for log_prob in answer.log_probs)
