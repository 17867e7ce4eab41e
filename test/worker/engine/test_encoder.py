"""The encoder as a stage: its thread, and compiled batches beside plain ones."""

import logging
import threading

import pytest
import torch
from conftest import make_model

from fovea.engine import Busy, Canceled
from fovea.engine.encoder import EncoderThread, Page, ViewEncoder
from fovea.engine.metrics import Metrics


@pytest.fixture
def thread(model):
    encoder = EncoderThread(model, 2 * 128 * 128, Metrics())
    yield encoder
    encoder.close()


def hold(encoder):
    """Keeps the thread busy until the event is set: the first view of the next batch waits for it."""
    event, encode = threading.Event(), encoder._queue._encoder

    def held(pixels):
        assert event.wait(60)
        return encode(pixels)

    encoder._queue._encoder = held
    return event


def test_the_thread_gives_what_the_model_gives(thread, model):
    generator = torch.Generator().manual_seed(3)
    whole, tiles = (
        torch.randn(3, 128, 128, generator=generator),
        torch.randn(4, 3, 64, 64, generator=generator),
    )
    pages = [Page(whole), Page(whole, tiles, 2), Page(torch.zeros(3, 60, 64))]
    for page in pages:
        thread.add(page)
    with torch.inference_mode():
        assert torch.allclose(pages[0].future.result(60), model.encode_page(whole), atol=1e-5)
        assert torch.allclose(pages[1].future.result(60), model.encode_page(whole, tiles, 2), atol=1e-5)
    with pytest.raises(RuntimeError):
        pages[2].future.result(60)


def test_canceled_and_late_pages_do_not_wait(model):
    now = [0.0]
    thread = EncoderThread(model, 64 * 64, Metrics(), clock=lambda: now[0])
    event = hold(thread)
    first, canceled, late = (
        Page(torch.zeros(3, 64, 64)),
        Page(torch.zeros(3, 64, 64)),
        Page(torch.zeros(3, 64, 64)),
    )
    late.deadline = 10
    for page in (first, canceled, late):
        thread.add(page)
    thread.cancel(canceled)
    now[0] = 11
    event.set()
    for page, error in ((canceled, Canceled), (late, Busy)):
        with pytest.raises(error):
            page.future.result(60)
    thread.close()
    with pytest.raises(RuntimeError, match="closed"):
        thread.add(Page(torch.zeros(3, 64, 64)))


def test_closing_ends_the_pages_that_wait(model):
    thread = EncoderThread(model, 64 * 64, Metrics())
    event = hold(thread)
    pages = [Page(torch.zeros(3, 64, 64)) for _ in range(5)]
    for page in pages:
        thread.add(page)
    closing = threading.Thread(target=thread.close)
    closing.start()
    event.set()
    closing.join(60)
    assert all(page.future.done() for page in pages)
    assert any(isinstance(page.future.exception(), Canceled) for page in pages)


@torch.inference_mode()
def test_a_compiled_batch_equals_a_plain_one():
    """Traced as a whole, without a break: the tables of positions are read and not made."""
    model = make_model()
    graphs = []

    def compiler(encode):
        def backend(graph, _):
            graphs.append(graph)
            return graph.forward

        return torch.compile(encode, dynamic=False, fullgraph=True, backend=backend)

    encoder = ViewEncoder(model, compiler)
    views = torch.randn(6, 3, 128, 128)
    for count in (1, 1, 6, 6):  # the first batch of a size runs uncompiled; six views are four, one and one
        wanted = model.encode_grids(views[:count])
        assert torch.allclose(encoder(views[:count]), wanted, atol=1e-5)
    assert len(graphs) == 2


@torch.inference_mode()
def test_an_encoder_that_cannot_be_compiled_runs_as_it_is(model, caplog):
    def compiler(encode):
        def fail(pixels):
            raise RuntimeError("no compiler for this device")

        return fail

    encoder = ViewEncoder(model, compiler)
    views = torch.randn(2, 3, 64, 64)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert torch.equal(encoder(views), model.encode_grids(views))
    assert [record.message for record in caplog.records] == [
        "the encoder cannot be compiled and runs uncompiled: no compiler for this device"
    ]
