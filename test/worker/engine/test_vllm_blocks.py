"""The engine's count of vLLM's blocks, beside the steps of vLLM's block manager. test/vllm compares it with vLLM's."""

import pytest

from fovea.engine.vllm_engine import blocks_of


def held_by_vllm(prompt, answer, block, window):
    """As `allocate_slots` of vLLM 0.32 does before each step: free what is unseen, then allocate what is missing."""
    table, freed = 0, set()
    for tokens in range(answer + 1):
        computed = prompt + tokens - 1 if tokens else 0
        if window is not None:
            freed |= set(range(-(-prompt // block), max(prompt, computed - window) // block))
        table = -(-(prompt + tokens) // block)
    return table - len(freed)


@pytest.mark.parametrize("window", [None, 1, 6, 16, 40])
@pytest.mark.parametrize("block", [4, 16])
def test_the_count_is_that_of_vllm(block, window):
    for prompt in (1, 4, 15, 16, 17, 33):
        for answer in range(100):
            expected = held_by_vllm(prompt, answer, block, window)
            assert blocks_of(prompt, answer, block, window) == expected, (prompt, answer)


def test_with_a_window_an_answer_takes_a_constant_share():
    shares = {blocks_of(1000, answer, 16, 128) for answer in range(300, 20_000)}
    assert max(shares) <= -(-1000 // 16) + 128 // 16 + 2
    assert blocks_of(1000, 20_000, 16, None) == -(-21_000 // 16)
