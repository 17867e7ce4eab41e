"""Fovea encodes and vLLM decodes: every answer is the native engine's, and the engine keeps its promises."""

import time
from dataclasses import replace

import pytest
import torch
from conftest import compare

from fovea.engine import Busy, Canceled
from fovea.engine.generate import Rules
from fovea.engine.native import NativeEngine
from fovea.language.tasks import TASKS, Prompt

CLOSE = 1e-3  # of log-probabilities, in fp32


def prompts(count, shortest=20, step=7):
    generator = torch.Generator().manual_seed(2)
    return [torch.randn(shortest + step * n, 1280, generator=generator) for n in range(count)]


def ask(engine, prompts, lengths, **options):
    return [
        engine.submit(prompt, max_new=length, owner=str(n % 5), **options)
        for n, (prompt, length) in enumerate(zip(prompts, lengths, strict=True))
    ]


def results(handles):
    return [handle.result(600) for handle in handles]


def test_the_encoders_tokens_are_the_models(engine, model, page):
    tokens = engine.encode(page, "tiny")
    assert tokens.embeddings.device.type == "cpu" and tokens.positions == 73
    assert engine.metrics.values["views"] == 1


def test_a_page_is_read_as_natively(engine, native, tokenizer, page):
    """From the image to the tokens, for two questions that share the page's positions."""
    tokens = engine.encode(page, "tiny")
    own = native.encode(page, "tiny")
    assert torch.allclose(tokens.embeddings, own.embeddings, atol=1e-4)
    questions = [Prompt(TASKS[task]).ids(tokenizer, tokens.positions) for task in ("free", "markdown")]
    answers, wanted = (
        results([one.decode(own, ids, tokenizer.image, max_new=60) for ids in questions])
        for one in (engine, native)
    )
    compare(answers, wanted, CLOSE)


def test_sixteen_at_once(engine, native):
    lengths = [16 + 4 * n for n in range(16)]
    compare(*(results(ask(one, prompts(16), lengths)) for one in (engine, native)), CLOSE)
    assert engine.metrics.values["kv_blocks"] == 49


def test_a_full_cache_sets_pages_aside_and_loses_nothing(engine, native):
    before = engine.metrics.values["set_aside"]
    lengths = [120] * 16
    compare(*(results(ask(one, prompts(16, step=1), lengths)) for one in (engine, native)), CLOSE)
    assert engine.metrics.values["set_aside"] > before


def test_tokens_are_reported_as_they_come(engine):
    parts = []
    handle = engine.submit(
        prompts(1)[0], max_new=24, on_tokens=lambda ids, log_probs: parts.append((ids, log_probs))
    )
    answer = handle.result(600)
    assert len(parts) > 12  # not all at the end
    assert [i for ids, _ in parts for i in ids] == answer.ids
    assert [p for _, log_probs in parts for p in log_probs] == answer.log_probs


def test_canceling_frees_the_place_before_the_next_step(engine, native):
    seen = []
    long, other = prompts(2)
    handle = engine.submit(long, max_new=300, on_tokens=lambda ids, _: seen.extend(ids))
    beside = engine.submit(other, max_new=60)
    while len(seen) < 5:
        time.sleep(0.01)
    handle.cancel()
    with pytest.raises(Canceled):
        handle.result(600)
    compare([beside.result(600)], results(ask(native, [other], [60])), CLOSE)
    assert len(seen) < 300 and not engine._running and not engine._vllm.has_unfinished_requests()


def test_one_prediction_cannot_keep_out_another(engine):
    done = []
    greedy = [engine.submit(p, max_new=30, owner="greedy") for p in prompts(40, step=1)]
    modest = engine.submit(prompts(1)[0], max_new=5, owner="modest")
    for handle in (*greedy, modest):
        handle.future.add_done_callback(done.append)
    results([*greedy, modest])
    assert done.index(modest.future) <= 16  # the places that were taken already


def test_deadlines(engine):
    clock, engine._clock = engine._clock, lambda: engine.metrics.values["tokens"]
    try:
        now = engine._clock()
        begun = engine.submit(prompts(1)[0], max_new=300, deadline=now + 20)
        late = [engine.submit(p, max_new=200, owner="a", deadline=now - 1) for p in prompts(3)]
        answer = begun.result(600)
        assert (answer.finish_reason, answer.out_of_time) == ("length", True)
        assert 20 <= len(answer.ids) < 40
        for handle in late:
            with pytest.raises(Busy):
                handle.result(600)
    finally:
        engine._clock = clock


@pytest.mark.parametrize("ngram", [(2, 12), (3, 40)])
def test_the_n_gram_guard(engine, native, ngram):
    """Beside answers without it."""
    pair = []
    for one in (engine, native):
        guarded = ask(one, prompts(3), [90] * 3, ngram=ngram)
        pair.append(results(guarded + ask(one, prompts(2), [40] * 2)))
    compare(*pair, CLOSE)
    for answer in pair[0][:3]:
        recent = answer.ids[-ngram[1] :]
        grams = [tuple(recent[k : k + ngram[0]]) for k in range(len(recent) - ngram[0] + 1)]
        assert len(grams) == len(set(grams))


def test_requests_that_cannot_be_served(engine):
    for prompt, length, reason in (
        (torch.zeros(7, 1279), 1, "prompt"),
        (torch.zeros(7, 1280), 0, "no room"),
        (torch.zeros(7, 1280), 401, "limited"),
        (torch.zeros(1400, 1280), 60, "fit"),
    ):
        with pytest.raises(ValueError, match=reason):
            engine.submit(prompt, max_new=length)


def test_a_page_of_nan_is_refused(engine, native):
    """vLLM would leave it in the cache, where it makes later answers wrong (seen with the CPU build)."""
    for value in (torch.nan, torch.inf):
        with pytest.raises(ValueError, match="not finite"):
            engine.submit(torch.full((40, 1280), value), max_new=20)
    compare(results(ask(engine, prompts(4), [40] * 4)), results(ask(native, prompts(4), [40] * 4)), CLOSE)


def test_a_step_that_fails_ends_the_pages_in_it_and_not_the_engine(engine, native):
    step = engine._vllm.step
    failures = iter([RuntimeError("out of memory")])

    def once():
        for failure in failures:
            raise failure
        return step()

    engine._vllm.step = once
    try:
        with pytest.raises(RuntimeError, match="out of memory"):
            engine.submit(prompts(1)[0], max_new=9).result(600)
        compare(results(ask(engine, prompts(2), [20] * 2)), results(ask(native, prompts(2), [20] * 2)), CLOSE)
    finally:
        del engine._vllm.step


def test_only_allowed_tokens_and_loops(engine, model, folder, rules):
    """With three tokens to choose from: no other is sampled, probabilities are among the three, loops end."""
    few = torch.zeros_like(rules.allowed)
    few[[700, 701, 702]] = True
    allowed, rules.allowed[:] = rules.allowed.clone(), few  # the tensor that vLLM's model masks with
    try:
        masked = engine._vllm.apply_model(lambda one: setattr(one, "_fovea_allowed", None))
        assert masked == [None]
        narrow = NativeEngine(model, replace(rules, allowed=few), replace(engine_config(), max_new=400))
        try:
            pair = [results(ask(one, prompts(3), [300] * 3)) for one in (engine, narrow)]
        finally:
            narrow.close()
        compare(*pair, CLOSE)
        assert {i for answer in pair[0] for i in answer.ids} <= {700, 701, 702}
        assert any(answer.finish_reason == "loop" for answer in pair[0])
    finally:
        rules.allowed[:] = allowed
        engine._vllm.apply_model(lambda one: setattr(one, "_fovea_allowed", None))


def engine_config():
    from fovea.engine import EngineConfig

    return EngineConfig(max_batch=8, kv_bytes=256 << 20, threads=torch.get_num_threads())


def test_rules_are_the_tokenizers(rules, tokenizer):
    """453 rows of the official embedding have no token; begin, padding and image tokens occur in prompts only."""
    assert int((~rules.allowed).sum()) == 453 + 3
    assert isinstance(rules, Rules) and rules.eos == 1
