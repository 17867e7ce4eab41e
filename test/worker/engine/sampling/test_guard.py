"""The guard as a tensor operation against its definition, and the choice of a token."""

import random

import pytest
import torch

from fovea.engine.sampling import History, NgramGuard, pick


def banned_by_definition(ids, n, window, exempt):
    """The reference, word for word: compare the last n-1 tokens with every earlier start in the window."""
    if len(ids) < n:
        return set()
    prefix = ids[len(ids) - n + 1 :]
    starts = range(max(0, len(ids) - window), len(ids) - n + 1)
    return {ids[i + n - 1] for i in starts if ids[i : i + n - 1] == prefix} - set(exempt)


@pytest.mark.parametrize(("n", "window"), [(2, 5), (3, 12), (4, 4), (20, 50), (30, 90)])
def test_equals_the_definition(n, window):
    random_ids = random.Random(n)
    guard = NgramGuard(n, window, exempt=(1,))
    history = History(4, 160)
    for _ in range(160):
        tokens = torch.tensor([random_ids.randrange(2 + row) for row in range(4)])
        # Half of the rows repeat themselves so that long n-grams match at all.
        if int(history.lengths[0]) > 30:
            tokens[:2] = torch.tensor([history.row(row)[-25] for row in range(2)])
        history.push(tokens, torch.ones(4, dtype=torch.bool))
        mask = guard.banned(history, vocab_size=6)
        for row in range(4):
            expected = banned_by_definition(history.row(row), n, window, [1])
            assert set(mask[row].nonzero().flatten().tolist()) == expected


def test_breaks_short_periods_and_no_longer_ones():
    guard = NgramGuard(20, 50)
    for period, caught in ((31, True), (32, False)):
        history = History(1, 400)
        for step in range(300):
            history.push(torch.tensor([step % period]), torch.ones(1, dtype=torch.bool))
        assert bool(guard.banned(history, 400).any()) is caught


def test_table_tokens_are_spared():
    history = History(1, 64)
    for token in [5, 6] * 20:
        history.push(torch.tensor([token]), torch.ones(1, dtype=torch.bool))
    assert NgramGuard(4, 20).banned(history, 10)[0].nonzero().flatten().tolist() == [5]
    assert not NgramGuard(4, 20, exempt=(5, 6)).banned(history, 10).any()


def test_pick_takes_the_best_allowed_token():
    logits = torch.tensor([[1.0, 9.0, 3.0, 2.0], [0.0, 0.0, 5.0, 4.0]])
    allowed = torch.tensor([True, False, True, True])
    tokens, log_probability = pick(logits, allowed)
    assert tokens.tolist() == [2, 2]
    expected = torch.log_softmax(logits[:, [0, 2, 3]], -1)[:, 1]
    assert torch.allclose(log_probability, expected)


def test_a_forced_token_keeps_its_low_probability():
    logits = torch.tensor([[0.0, 8.0, 1.0]])
    allowed = torch.ones(3, dtype=torch.bool)
    tokens, log_probability = pick(logits, allowed, banned=torch.tensor([[False, True, False]]))
    assert tokens.tolist() == [2] and log_probability.item() < -6.9


def test_broken_logits_still_give_an_allowed_token():
    logits = torch.full((2, 4), torch.nan)
    logits[1] = torch.tensor([torch.inf, 1.0, 2.0, torch.nan])
    tokens, log_probability = pick(logits, torch.tensor([False, True, True, True]))
    assert tokens.tolist() == [1, 2]
    assert torch.isfinite(log_probability).all()
