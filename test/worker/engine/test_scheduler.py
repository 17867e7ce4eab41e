"""The rules of who is next, without a model."""

import pytest
import torch

from fovea.engine.config import EngineConfig
from fovea.engine.kv_cache import SHARES, Blocks
from fovea.engine.scheduler import Scheduler
from fovea.engine.sequence import Sequence


def scheduler(blocks=100, **changes):
    return Scheduler(
        EngineConfig(**{"max_batch": 8, "block": 4, "prefill_tokens": 10, **changes}), Blocks(blocks + 1)
    )


def sequence(length=8, owner="", prefix=None):
    return Sequence(torch.zeros(length, 1), 10, owner, prefix=prefix)


def owners(admitted):
    return [one.owner for one in admitted]


def test_owners_take_turns():
    rules = scheduler(max_batch=4)
    for owner in ("a", "a", "a", "a", "b", "b", "c"):
        rules.add(sequence(owner=owner))
    assert owners(rules.admit()) == ["a", "b", "c", "a"]
    rules.remove(rules.prefilling[0])
    assert owners(rules.admit()) == ["b"]  # a has one still, b has one, b waited longer


def test_who_has_few_in_the_batch_comes_first():
    rules = scheduler(max_batch=3)
    for _ in range(5):
        rules.add(sequence(owner="many"))
    rules.admit()
    rules.add(sequence(owner="new"))
    rules.remove(rules.prefilling[0])
    assert owners(rules.admit()) == ["new"]


def test_it_waits_for_blocks_and_does_not_let_small_ones_past_for_ever():
    rules = scheduler(blocks=5)
    rules.add(sequence(12))
    big, small = sequence(12), sequence(3)
    first = rules.admit()
    assert len(first) == 1
    rules.add(big)
    rules.add(small)
    assert rules.admit() == []
    rules.remove(first[0])
    assert rules.admit()[0] is big


def test_only_what_could_never_fit_does_not_fit():
    rules = scheduler(blocks=5)
    assert rules.fits(20) and not rules.fits(21)


def test_prompts_go_on_in_chunks():
    rules = scheduler()
    long, short = sequence(15), sequence(4)
    rules.add(long)
    rules.add(short)
    rules.admit()
    assert rules.chunks() == [(long, 10)]
    assert not rules.computed(long, 10)
    assert rules.chunks() == [(long, 5), (short, 4)]
    assert rules.computed(long, 5) and rules.computed(short, 4)


def test_rows_stay_dense():
    rules = scheduler()
    sequences = [sequence() for _ in range(3)]
    for one in sequences:
        rules.add(one)
    rules.admit()
    assert [rules.run(one) for one in sequences] == [0, 1, 2]
    assert rules.remove(sequences[0]) == 2
    assert rules.running == [sequences[2], sequences[1]] and sequences[2].row == 0
    assert rules.remove(sequences[1]) is None
    assert rules.newest() is sequences[2]


def test_blocks_are_given_back_by_all_ways_out():
    rules = scheduler()
    running, prefilling, waiting = (sequence() for _ in range(3))
    rules.add(running)
    rules.add(prefilling)
    rules.admit()
    rules.add(waiting)
    rules.run(running)
    for one in (running, prefilling, waiting):
        rules.remove(one)
    assert rules.idle and rules.blocks.free == 100


def prefixed(length=14, key="page", common=9):
    return sequence(length, prefix=(key, common))


def test_a_common_beginning_is_computed_once():
    rules = scheduler()
    first, second, other = prefixed(), prefixed(), prefixed(key="other page")
    for one in (first, second, other):
        rules.add(one)
    assert rules.admit() == [first]  # the second waits for what the first computes, and other behind it
    rules.computed(first, 10)
    assert rules.admit()[0] is second
    assert second.blocks[:2] == first.blocks[:2] and second.computed == 8
    assert not set(second.blocks[2:]) & set(first.blocks)
    rules.remove(first)
    third = prefixed()
    rules.add(third)
    rules.admit()
    assert third.blocks[:2] == second.blocks[:2]
    for one in (second, third, other):
        rules.remove(one)
    assert rules.blocks.free == 100
    rules.add(again := prefixed())
    rules.admit()
    assert again.computed == 0  # nobody had it any more


def test_who_waits_for_a_beginning_goes_on_when_its_writer_is_gone():
    rules = scheduler()
    first, second = prefixed(), prefixed()
    rules.add(first)
    rules.add(second)
    rules.admit()
    rules.remove(first)
    assert rules.admit() == [second] and second.computed == 0


def test_a_block_has_a_limited_number_of_owners():
    rules = scheduler(max_batch=32)
    sequences = [prefixed() for _ in range(SHARES + 2)]
    for one in sequences:
        rules.add(one)
    rules.admit()
    rules.computed(sequences[0], 14)
    rules.admit()
    assert [one.computed for one in sequences] == [14] + [8] * (SHARES - 1) + [0, 0]


def test_blocks_are_counted():
    blocks = Blocks(6)
    assert (blocks.count, blocks.free, blocks.high) == (5, 5, 1)
    taken = blocks.take(3)
    assert taken == [1, 2, 3] and blocks.high == 4 and blocks.take(3) is None
    blocks.share(taken[:1])
    blocks.release(taken)
    assert (blocks.free, blocks.high) == (4, 2)
    blocks.release(taken[:1])
    assert (blocks.free, blocks.high) == (5, 1)
    with pytest.raises(ValueError):
        Blocks(1)


@pytest.mark.parametrize("changes", [{"max_batch": 0}, {"block": 0}, {"kv_bytes": 0}])
def test_settings_are_checked(changes):
    with pytest.raises(ValueError):
        EngineConfig(**changes)
