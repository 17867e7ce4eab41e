"""Continuous batching says what the plain loop says, and keeps its promises while it does."""

import itertools
import threading
from dataclasses import replace

import pytest
import torch
from conftest import TOKENIZER, VOCABULARY, make_model
from support import until

from fovea.engine import Busy, Canceled, VisionTokens
from fovea.engine.generate import Rules, generate
from fovea.engine.kv_cache import PagedKv
from fovea.engine.metrics import resident_bytes


def ask(engine, prompts, **options):
    return [
        engine.submit(prompt, max_new=12 + 5 * number, owner=str(number % 3), **options)
        for number, prompt in enumerate(prompts)
    ]


def check(answers, plain):
    for answer, wanted in zip(answers, plain, strict=True):
        assert (answer.ids, answer.finish_reason) == (wanted.ids, wanted.finish_reason)
        assert (answer.sampled, answer.period) == (wanted.sampled, wanted.period)
        assert answer.log_probs == pytest.approx(wanted.log_probs, abs=1e-4)
        assert answer.prefill_s > 0 and answer.decode_s >= 0


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
def test_pages_that_share_steps_are_read_as_alone(make_engine, prompts, plain, changes):
    engine = make_engine(**changes)
    check([handle.result(60) for handle in ask(engine, prompts)], plain)
    assert engine._blocks.free == engine._blocks.count and engine._blocks.high == 1


def test_a_full_cache_sets_pages_aside_and_loses_nothing(make_engine, model, prompts, plain):
    block = PagedKv.bytes_per_block(model.config.decoder, 8, torch.float32)
    engine = make_engine(max_batch=9, kv_bytes=17 * block)
    check([handle.result(60) for handle in ask(engine, prompts)], plain)
    assert engine.metrics.values["set_aside"] > 0
    assert engine._blocks.free == engine._blocks.count


def test_what_can_never_fit_is_refused_and_the_rest_waits(make_engine, model, prompts):
    block = PagedKv.bytes_per_block(model.config.decoder, 8, torch.float32)
    engine = make_engine(kv_bytes=10 * block)
    with pytest.raises(ValueError, match="fit"):
        engine.submit(torch.zeros(70, 48), max_new=11)
    with pytest.raises(ValueError, match="no room"):
        engine.submit(torch.zeros(7, 48), max_new=0)
    with pytest.raises(ValueError, match="prompt"):
        engine.submit(torch.zeros(7, 47), max_new=1)
    assert len(engine.submit(torch.zeros(70, 48), max_new=10).result(60).ids) <= 10


def test_guard_and_loops_in_a_batch(make_engine, model, prompts):
    """The n-gram guard and the loop detector work row by row as they do alone."""
    guarded = Rules.of(TOKENIZER, VOCABULARY, (2, 12))
    only = torch.zeros(VOCABULARY, dtype=torch.bool)
    only[[70, 71, 72]] = True
    looping = Rules(only, TOKENIZER.eos, guarded.classes)
    for rules in (guarded, looping):
        wanted = [generate(model, p[None], rules, 150) for p in prompts[:3]]
        engine = make_engine(own_rules=rules)
        handles = [engine.submit(p, max_new=150) for p in prompts[:3]]
        check([handle.result(60) for handle in handles], wanted)
    assert any(answer.finish_reason == "loop" for answer in wanted)


def test_every_answer_has_its_own_guard(make_engine, model, rules, prompts):
    ngrams = [None, (2, 12), (3, 20), None, (2, 12)]
    wanted = []
    for prompt, ngram in zip(prompts, ngrams, strict=False):
        own = Rules.of(TOKENIZER, VOCABULARY, ngram)
        wanted.append(generate(model, prompt[None], own, 60))
    engine = make_engine()
    handles = [engine.submit(p, max_new=60, ngram=n) for p, n in zip(prompts, ngrams, strict=False)]
    check([handle.result(60) for handle in handles], wanted)
    with pytest.raises(ValueError, match="n-gram guard"):
        engine.submit(prompts[0], max_new=9, ngram=(1, 5))


def test_tokens_are_reported_as_they_come(make_engine, prompts, plain):
    engine = make_engine(max_batch=2)
    parts = []
    handle = engine.submit(
        prompts[3], max_new=27, on_tokens=lambda ids, log_probs: parts.append((ids, log_probs))
    )
    answer = handle.result(60)
    assert len(parts) == answer.sampled > 1
    assert [i for ids, _ in parts for i in ids][: len(answer.ids)] == answer.ids == plain[3].ids
    assert [p for _, log_probs in parts for p in log_probs][: len(answer.ids)] == answer.log_probs

    def fail(ids, log_probs):
        raise RuntimeError("the caller's fault")

    broken = engine.submit(prompts[0], max_new=20, on_tokens=fail)
    beside = engine.submit(prompts[3], max_new=27)
    with pytest.raises(RuntimeError, match="fault"):
        broken.result(60)
    assert beside.result(60).ids == answer.ids


def test_canceling_frees_the_place_at_once(make_engine, prompts):
    engine = make_engine(max_batch=1)
    first = engine.submit(prompts[0], max_new=300)
    second = engine.submit(prompts[1], max_new=1)
    first.cancel()
    assert len(second.result(60).ids) <= 1
    with pytest.raises(Canceled):
        first.result(0)
    second.cancel()
    assert second.result(0)


def test_deadlines(make_engine, prompts):
    """By a clock that ticks with every token."""
    engine = make_engine(max_batch=1, clock=lambda: engine.metrics.values["tokens"])
    begun = engine.submit(prompts[1], max_new=300, deadline=20)
    waiting = engine.submit(prompts[0], max_new=5, deadline=10)
    with pytest.raises(Busy):
        waiting.result(60)
    answer = begun.result(60)
    assert (answer.finish_reason, answer.out_of_time) == ("length", True)
    assert len(answer.ids) == len(answer.log_probs) == 21


def test_a_prompt_that_fails_ends_alone(make_engine, prompts, plain):
    engine = make_engine()
    compute = engine._decoder.prefill

    def prefill(chunks):
        if any(len(chunk.inputs) and chunk.inputs[0, 0] == 77 for chunk in chunks):
            raise RuntimeError("broken page")
        return compute(chunks)

    engine._decoder.prefill = prefill
    handles = ask(engine, prompts)
    broken = engine.submit(torch.full((9, 48), 77.0), max_new=9)
    with pytest.raises(RuntimeError, match="broken page"):
        broken.result(60)
    check([handle.result(60) for handle in handles], plain)


def test_a_page_of_nan_harms_no_other(make_engine, prompts, plain):
    """Neither those beside it nor those that get its blocks later."""
    engine = make_engine()
    broken = [engine.submit(torch.full((20, 48), torch.nan), max_new=30) for _ in range(2)]
    handles = ask(engine, prompts)
    check([handle.result(60) for handle in handles], plain)
    assert all(handle.result(60).finish_reason in ("stop", "length", "loop") for handle in broken)
    check([handle.result(60) for handle in ask(engine, prompts)], plain)


def test_a_step_that_fails_ends_the_pages_in_it_and_not_the_engine(make_engine, prompts, plain):
    engine = make_engine()
    decode = engine._decoder.decode
    failures = iter([RuntimeError("out of memory")])

    def once(*arguments):
        for failure in failures:
            raise failure
        return decode(*arguments)

    engine._decoder.decode = once
    with pytest.raises(RuntimeError, match="out of memory"):
        engine.submit(prompts[0], max_new=9).result(60)
    check([handle.result(60) for handle in ask(engine, prompts)], plain)


def test_a_long_prompt_does_not_hold_up_running_pages(make_engine, model):
    """Between two chunks of the long prompt every running page gets its token."""
    engine = make_engine(prefill_tokens=16)
    order = []
    decode, prefill = engine._decoder.decode, engine._decoder.prefill
    engine._decoder.decode = lambda *a: (order.append("token"), decode(*a))[1]
    engine._decoder.prefill = lambda chunks: (
        order.append(sum(len(c.inputs) for c in chunks)),
        prefill(chunks),
    )[1]
    running = engine.submit(torch.randn(4, 48), max_new=200)
    until(lambda: order.count("token") > 2)
    long = engine.submit(torch.randn(300, 48), max_new=1)
    long.result(60)
    running.cancel()
    chunks = [place for place, what in enumerate(order) if what != "token"][1:]
    assert all(order[place] <= 16 for place in chunks) and len(chunks) >= 300 // 16
    assert all(later - earlier == 2 for earlier, later in itertools.pairwise(chunks))


def test_one_prediction_cannot_keep_out_another(make_engine):
    engine = make_engine(max_batch=2)
    done = []
    greedy = [engine.submit(torch.randn(4, 48), max_new=30, owner="greedy") for _ in range(12)]
    modest = engine.submit(torch.randn(4, 48), max_new=5, owner="modest")
    for handle in (*greedy, modest):
        handle.future.add_done_callback(lambda future: done.append(future))
    for handle in (*greedy, modest):
        handle.result(60)
    assert done.index(modest.future) <= 3


def test_two_questions_to_a_page_share_its_tokens(make_engine, model, rules):
    seen = VisionTokens(torch.randn(40, 48), 39, 39)
    first = [TOKENIZER.bos, *[TOKENIZER.image] * 40, *TOKENIZER.encode("\nFree OCR.")]
    second = [TOKENIZER.bos, *[TOKENIZER.image] * 40, *TOKENIZER.encode("\nParse the figure.")]
    wanted = []
    for ids in (first, second):
        with torch.inference_mode():
            prompt = model.embed(torch.tensor([ids])).clone()
            prompt[0, 1:41] = seen.embeddings
        wanted.append(generate(model, prompt, rules, 20))
    engine = make_engine(prefill_tokens=64)
    handles = [engine.decode(seen, ids, TOKENIZER.image, max_new=20) for ids in (first, second)]
    check([handle.result(60) for handle in handles], wanted)
    # 41 positions are five full blocks of eight; the second question computes the rest only.
    assert engine.metrics.values["prefill_tokens"] == len(first) + len(second) - 40
    with pytest.raises(ValueError, match="vision tokens"):
        engine.decode(seen, first[2:], TOKENIZER.image, max_new=20)


def test_the_encoder_batches_views_of_one_size_and_gives_what_encoding_alone_gives(make_engine, model):
    engine = make_engine(encode_pixels=2 * 128 * 128)
    sizes = []
    encode = model.encode_view

    def encode_view(pixels):
        sizes.append(tuple(pixels.shape))
        return encode(pixels)

    generator = torch.Generator().manual_seed(3)
    wholes = [torch.randn(3, 128, 128, generator=generator) for _ in range(3)]
    tiles = torch.randn(4, 3, 64, 64, generator=generator)
    with torch.inference_mode():
        wanted = [model.encode_page(whole, tiles, 2) for whole in wholes]
    engine.model.encode_view = encode_view
    try:
        hold = threading.Event()
        engine._post("page", _Holding(hold))
        handles = [engine.encode_views(whole, tiles, 2) for whole in wholes]
        hold.set()
        tokens = [handle.result(60) for handle in handles]
    finally:
        del engine.model.encode_view
    for ours, theirs in zip(tokens, wanted, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)
    assert sizes[0] == (2, 3, 128, 128) and (8, 3, 64, 64) in sizes


class _Holding:
    """Keeps the engine's thread at its inbox until the test has asked everything."""

    deadline = None

    def __init__(self, hold):
        self.future = self
        self.hold = hold

    def done(self):
        return self.hold.wait(60)


def test_a_view_that_fails_fails_its_page_only(make_engine):
    engine = make_engine()
    good = torch.zeros(3, 64, 64)
    cases = [good, torch.zeros(4, 64, 64), torch.zeros(3, 60, 64), good]
    handles = [engine.encode_views(case) for case in cases]
    assert handles[0].result(60).shape == handles[3].result(60).shape
    for handle in handles[1:3]:
        with pytest.raises(RuntimeError):
            handle.result(60)


def test_a_view_need_not_be_square(make_engine, model):
    strip = torch.randn(3, 128, 320)
    tokens = make_engine().encode_views(strip).result(60)
    assert len(tokens) == 2 * (5 + 1) + 1
    with torch.inference_mode():
        grid = model.encode_view(strip[None]).view(2, 5, -1)
        assert torch.allclose(tokens[:-1], model.with_newlines(grid), atol=1e-5)


def test_pages_are_read_while_others_are_encoded(make_engine, rules):
    """The encoder never has two turns in a row while a page is being read."""
    endless = replace(rules, allowed=rules.allowed.clone())
    endless.allowed[rules.eos] = False  # the page that is read must last
    engine = make_engine(own_rules=endless)
    order = []
    decode, batch = engine._decoder.decode, engine._encoder.batch
    engine._decoder.decode = lambda *a: (order.append("token"), decode(*a))[1]
    engine._encoder.batch = lambda: (order.append("views"), batch())[1]
    running = engine.submit(torch.randn(4, 48), max_new=250)
    until(lambda: len(order) > 2)
    handles = [engine.encode_views(torch.randn(3, *[64 * (1 + n % 2)] * 2)) for n in range(6)]
    for handle in handles:
        handle.result(60)
    running.cancel()
    turns = "".join("v" if what == "views" else "t" for what in order)
    assert turns.count("v") >= 2 and "vv" not in turns


def test_closing_ends_what_is_left(make_engine, prompts):
    engine = make_engine(max_batch=1)
    handles = [engine.submit(p, max_new=300) for p in prompts[:3]]
    engine.close()
    for handle in handles:
        assert handle.done()
    with pytest.raises(RuntimeError, match="closed"):
        engine.submit(prompts[0], max_new=1)
    engine._closing = False  # the fixture closes it again
    engine._thread = threading.Thread(target=lambda: None)
    engine._thread.start()


@pytest.mark.skipif(resident_bytes() == 0, reason="needs /proc")
def test_memory_grows_with_what_is_read_and_not_with_the_cache(make_engine, prompts):
    before = resident_bytes()
    engine = make_engine(kv_bytes=4 << 30)
    engine.submit(prompts[0], max_new=3).result(60)
    assert resident_bytes() - before < 1 << 30


def test_many_predictions_of_mixed_length_lose_nothing(make_engine):
    engine = make_engine(own_model=make_model(seed=4), max_batch=32, prefill_tokens=64)
    generator = torch.Generator().manual_seed(5)
    lengths = torch.randint(1, 60, (2, 40), generator=generator).tolist()
    handles = [
        engine.submit(torch.randn(size, 48, generator=generator), max_new=new, owner=str(n % 32))
        for n, (size, new) in enumerate(zip(*lengths, strict=True))
    ]
    for handle, new in zip(handles, lengths[1], strict=True):
        answer = handle.result(120)
        assert len(answer.ids) == new or answer.finish_reason != "length"
    assert engine._blocks.free == engine._blocks.count
