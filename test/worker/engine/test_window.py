"""Unlimited-OCR's attention: generated tokens see the prompt and the last generated ones, and memory stays constant."""

import pytest
import torch
from conftest import TOKENIZER, VOCABULARY, make_model
from support import until

from fovea.engine.generate import Rules, generate
from fovea.engine.kv_cache import PagedKv
from fovea.model.decoder import rotary, rotate

WINDOW = 6


@pytest.fixture(scope="module")
def model():
    return make_model(window=WINDOW)


@pytest.fixture(scope="module")
def rules():
    """Any token, and no end and no loop, so that answers are long."""
    allowed = torch.ones(VOCABULARY, dtype=torch.bool)
    allowed[1] = False
    return Rules(allowed, 1, Rules.of(TOKENIZER, VOCABULARY).classes)


@pytest.fixture(scope="module")
def plain(model, rules, prompts):
    return [generate(model, p[None], rules, 12 + 5 * number) for number, p in enumerate(prompts)]


def by_definition(model, embeddings, prompt):
    """Logits (T, V): for each layer and position, a softmax over exactly the positions that it sees."""
    x = embeddings[None]
    length = x.shape[1]
    config = model.config.decoder
    place = rotary(torch.arange(length), config.head_dim, config.rope_theta)
    for layer in model.model.layers:
        attention, normed = layer.self_attn, layer.input_layernorm(x)
        q, k, v = (
            getattr(attention, name)(normed).view(1, length, config.heads, -1).transpose(1, 2)
            for name in ("q_proj", "k_proj", "v_proj")
        )
        q, k = rotate(q, *place)[0], rotate(k, *place)[0]
        outs = []
        for at in range(length):
            seen = [j for j in range(at + 1) if j < prompt or at - j < WINDOW]
            scores = (q[:, at : at + 1] @ k[:, seen].transpose(1, 2)) * config.head_dim**-0.5
            outs.append(scores.softmax(-1) @ v[0][:, seen])
        out = torch.cat(outs, 1).transpose(0, 1).reshape(1, length, -1)
        x = x + attention.o_proj(out)
        x = x + layer.mlp(layer.post_attention_layernorm(x))
    return model._head(x)[0]


@torch.inference_mode()
@pytest.mark.parametrize("prompt", [1, 9, 30])
def test_the_reference_sees_what_the_definition_says(model, prompt):
    embeddings = torch.randn(30, 48)
    expected = by_definition(model, embeddings, prompt)
    assert torch.allclose(model(embeddings[None], prompt)[0], expected, atol=1e-5)
    if prompt == 30:
        assert torch.allclose(model(embeddings[None])[0], expected, atol=1e-5)
        return
    assert not torch.allclose(model(embeddings[None])[0, -1], expected[-1], atol=1e-3)
    cache = model.new_cache(1, 30)
    logits = model.step(embeddings[None, :prompt], cache)
    for at in range(prompt, 30):
        assert torch.allclose(logits[0], expected[at - 1], atol=1e-5)
        logits = model.step(embeddings[None, at : at + 1], cache)
    assert torch.allclose(logits[0], expected[-1], atol=1e-5)


@torch.inference_mode()
def test_a_prompt_in_pieces(model):
    embeddings = torch.randn(1, 30, 48)
    cache = model.new_cache(1, 30)
    cache.prompt = 20
    for start, end in ((0, 7), (7, 20), (20, 30)):
        logits = model.step(embeddings[:, start:end], cache)
    assert torch.allclose(logits, model(embeddings, 20)[:, -1], atol=1e-5)


def ask(engine, prompts):
    return [
        engine.submit(prompt, max_new=12 + 5 * number, owner=str(number % 3))
        for number, prompt in enumerate(prompts)
    ]


def check(handles, plain):
    for handle, wanted in zip(handles, plain, strict=True):
        answer = handle.result(60)
        assert (answer.ids, answer.finish_reason) == (wanted.ids, wanted.finish_reason)
        assert answer.log_probs == pytest.approx(wanted.log_probs, abs=1e-4)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"in_place": False},
        {"max_batch": 1},
        {"max_batch": 16, "block": 4, "prefill_tokens": 3},
    ],
    ids=["in place", "gathered", "one by one", "small chunks"],
)
def test_the_engine_answers_as_the_reference(make_engine, prompts, plain, changes):
    engine = make_engine(**changes)
    check(ask(engine, prompts), plain)
    assert engine._blocks.free == engine._blocks.count and engine._blocks.high == 1


def test_a_preempted_answer_goes_on_as_it_was(make_engine, model, prompts, plain):
    block = PagedKv.bytes_per_block(model.config.decoder, 8, torch.float32)
    engine = make_engine(max_batch=9, kv_bytes=17 * block)
    check(ask(engine, prompts), plain)
    assert engine.metrics.values["set_aside"] > 0
    assert engine._blocks.free == engine._blocks.count


def test_an_answer_of_any_length_takes_constant_memory(make_engine, prompts):
    engine = make_engine(block=4)
    used = []
    grow = engine._grow

    def watched():
        grow()
        used.append(engine._blocks.count - engine._blocks.free)

    engine._grow = watched
    answer = engine.submit(prompts[3], max_new=200).result(60)
    assert len(answer.ids) == 200
    # The prompt's 26 positions are in 7 blocks; a window of 6 touches up to 3.
    assert max(used) <= 10
    until(lambda: engine._blocks.free == engine._blocks.count)
