"""What vLLM loads of Fovea, on tensors as vLLM's V2 model runner has them. test/vllm runs them in vLLM."""

import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from fovea.engine.sampling import NgramGuard, pick, tails
from fovea.engine.vllm_plugins import GuardV2, check_window, restrict

VOCABULARY = 8


def states(slots=6, longest=300):
    """As `LogitsProcRequestState`: prompts and answers of all slots, on the device."""
    on_device = lambda *shape: SimpleNamespace(gpu=torch.zeros(*shape, dtype=torch.int32))  # noqa: E731
    return SimpleNamespace(
        max_num_reqs=slots,
        device=torch.device("cpu"),
        vocab_size=VOCABULARY,
        all_token_ids=on_device(slots, longest),
        prompt_len=on_device(slots),
        total_len=on_device(slots),
    )


def context(slots):
    """As `LogitsContext`, without speculative decoding."""
    return SimpleNamespace(
        idx_mapping_np=np.array(slots), expanded_idx_mapping=torch.tensor(slots, dtype=torch.int32)
    )


def request(ngram):
    return SimpleNamespace(extra_args={"ngram": ngram} if ngram else None)


@pytest.mark.parametrize("seed", range(40))
def test_the_guard_of_the_v2_runner_is_the_native_one(seed):
    numbers = random.Random(seed)
    state = states()
    guard = type("Guard", (GuardV2,), {"exempt": (1,)})(None, state)
    slots = numbers.sample(range(6), 4)
    for _ in range(2):  # slots are used again
        wanted = []
        for slot in slots:
            n = numbers.randint(2, 5)
            ngram = numbers.choice([None, [n, numbers.randint(6, 40)], [3, 9]])
            assert guard.add_request(slot, request(ngram)) is bool(ngram)
            answer = [numbers.randint(0, 3) for _ in range(numbers.randint(0, 90))]
            start = numbers.randint(1, 100)
            state.all_token_ids.gpu[slot] = 0  # a prompt of embeddings has zeros as ids
            state.all_token_ids.gpu[slot, start : start + len(answer)] = torch.tensor(
                answer, dtype=torch.int32
            )
            state.prompt_len.gpu[slot], state.total_len.gpu[slot] = start, start + len(answer)
            if ngram:
                native = NgramGuard(*ngram, (1,))
                wanted.append(native.banned(tails([answer], native.window), VOCABULARY)[0])
            else:
                wanted.append(torch.zeros(VOCABULARY, dtype=torch.bool))
        guard.apply_staged_writes()
        logits = guard.apply(torch.zeros(4, VOCABULARY), context(slots))
        assert torch.equal(logits.isinf(), torch.stack(wanted))


@pytest.mark.parametrize("ngram", [[1, 9], [5, 4], [3, 5000]])
def test_sizes_that_no_guard_has_are_refused(ngram):
    with pytest.raises(ValueError, match="n-gram guard"):
        GuardV2.validate_params(request(ngram))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_only_allowed_tokens_win(dtype):
    allowed = torch.tensor([False, True, True, False])
    logits = torch.tensor(
        [[9.0, 1.0, 2.0, 9.0], [torch.nan] * 4, [torch.inf, -torch.inf, 0.5, 3.0]], dtype=dtype
    )
    restricted = restrict(logits, allowed)
    assert restricted.argmax(-1).tolist() == [2, 1, 2]
    # Probabilities are those among the allowed tokens, as in the native engine.
    _, wanted = pick(logits[:1], allowed)
    got = restricted[:1].float().log_softmax(-1)[:, 2]
    assert torch.allclose(got, wanted, atol=1e-6)


def layers(window, *, has):
    """As vLLM's attention layers: `has`: whether the device's attention can have a window."""
    backend = type("Backend", (), {"get_name": lambda: "CPU_ATTN", "supports_rswa": lambda: has})
    layer = SimpleNamespace(get_attn_backend=lambda: backend)
    if window:
        layer._rswa_window = window
    return [layer] * 3


def test_a_window_never_becomes_full_attention():
    check_window(layers(None, has=False), None)
    check_window(layers(128, has=True), 128)
    with pytest.raises(ValueError, match=r"CPU_ATTN.*FOVEA_ENGINE=native"):
        check_window(layers(128, has=False), 128)
    for theirs, ours in [(None, 128), (64, 128), (128, None)]:
        with pytest.raises(ValueError, match="window over generated tokens"):
            check_window(layers(theirs, has=True), ours)
    with pytest.raises(ValueError, match="no attention"):
        check_window([], 128)
