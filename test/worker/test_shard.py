import asyncio
import base64
import time
from dataclasses import replace

import pytest
from support import EchoReader, EdgeStub, encoded, pdf, picture

from fovea.outbound import Outbound, Refused
from fovea.push import Pushed, Pusher
from fovea.readers.base import ReadRequest
from fovea.settings import Settings
from fovea.shard import ShardRequest, run_shard


def run(request, reader=None, settings=None):
    reader = reader or EchoReader()
    return asyncio.run(run_shard(request, {"echo": reader}, settings or Settings()))


def data_url(data: bytes) -> str:
    return "data:;base64," + base64.b64encode(data).decode()


def local(edge, **changes):
    return Settings(allowed_origins=frozenset({edge.origin}), **changes)


def test_without_a_push_address_the_pages_are_in_the_receipt():
    receipt = run(ShardRequest(document=data_url(pdf(3)), pages="1,3", model="echo", dpi=72))
    assert (receipt["page_count"], receipt["error"], receipt["pushed"]) == (3, None, [])
    assert [page["page"] for page in receipt["pages"]] == [1, 3]
    assert {page["markdown"] for page in receipt["pages"]} == {"595 × 842"}


def test_pages_are_pushed_as_they_come_with_the_query_kept():
    with EdgeStub({"/doc": pdf(3)}) as edge:
        request = ShardRequest(document=f"{edge.origin}/doc", model="echo", push_url=edge.push_url)
        receipt = run(request, settings=local(edge))
        assert [path for path, _ in edge.pushes] == ["/document", "/pages/1", "/pages/2", "/pages/3"]
        assert edge.pushes[0][1]["page_count"] == 3
        assert set(edge.queries) == {"signature=s"}
        assert (receipt["pages"], receipt["pushed"]) == ([], [1, 2, 3])


def test_the_trace_goes_along_with_every_push():
    trace = f"00-{'4' * 32}-{'7' * 16}-01"
    for sent in (trace, None):
        with EdgeStub({"/doc": pdf(2)}) as edge:
            request = ShardRequest(
                document=f"{edge.origin}/doc", model="echo", push_url=edge.push_url, traceparent=sent
            )
            run(request, settings=local(edge))
            assert edge.traces == [sent] * 3


def test_every_page_gets_an_answer_whatever_happens_to_it():
    reader = EchoReader(fail_on=2)
    receipt = run(ShardRequest(document=data_url(pdf(3)), pages="1-3,9", model="echo"), reader)
    codes = [page["error"] and page["error"]["code"] for page in receipt["pages"]]
    assert codes == [None, "internal", None, "page_out_of_range"]
    assert "secret" not in str(receipt)


def test_a_slow_page_times_out_and_the_next_is_read():
    reader = EchoReader(wait=lambda page: time.sleep(1.5) if page == 1 else None)
    settings = Settings(page_timeout_s=0.3)
    receipt = run(ShardRequest(document=data_url(pdf(2)), model="echo"), reader, settings)
    assert [page["verdict"] for page in receipt["pages"]] == ["failed", "ok"]
    assert receipt["pages"][0]["error"]["code"] == "page_timeout"


def test_a_blank_page_is_not_read():
    reader = EchoReader()
    receipt = run(ShardRequest(document=data_url(encoded(picture(""))), model="echo"), reader)
    assert (receipt["pages"][0]["verdict"], reader.read_pages) == ("blank", [])


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"model": "gpt"}, "unknown_model"),
        ({"options": ReadRequest(task="deep")}, "invalid_options"),
        ({"pages": "3-x"}, "invalid_options"),
        ({"max_pages": 2}, "too_many_pages"),
        ({"document": data_url(b"hello")}, "document_unsupported"),
    ],
)
def test_faults_of_the_document_are_reported_once_and_in_the_receipt(changes, code):
    with EdgeStub() as edge:
        request = ShardRequest(document=data_url(pdf(3)), model="echo", push_url=edge.push_url)
        receipt = run(replace(request, **changes), settings=local(edge))
        assert receipt["error"]["code"] == code
        ((path, body),) = edge.pushes
        assert (path, body["error"]["code"]) == ("/document", code)


def test_410_stops_the_shard():
    with EdgeStub() as edge:
        edge.answers = {"/pages/2": [410]}
        reader = EchoReader()
        receipt = run(
            ShardRequest(document=data_url(pdf(5)), model="echo", push_url=edge.push_url), reader, local(edge)
        )
        assert (receipt["pushed"], reader.read_pages) == ([1], [1, 2])


def test_heartbeats_renew_the_lease_and_410_to_one_stops_a_page_in_work():
    with EdgeStub() as edge:
        reader = EchoReader(wait=lambda _: time.sleep(0.6))
        settings = local(edge, heartbeat_s=0.2)
        request = ShardRequest(document=data_url(pdf(1)), model="echo", push_url=edge.push_url)
        run(request, reader, settings)
        assert ("/heartbeat", {"schema": 1, "page": 1}) in edge.pushes
        edge.answers = {"/heartbeat": [410]}
        reader = EchoReader(wait=lambda _: time.sleep(0.6))
        receipt = run(replace(request, document=data_url(pdf(3))), reader, settings)
        assert receipt["pushed"] == []


def test_pushes_are_tried_again_until_the_edge_answers():
    with EdgeStub() as edge:
        edge.answers = {"/pages/1": [503, 429, 204], "/pages/2": [500], "/pages/3": [422]}
        pusher = Pusher(edge.push_url, Outbound(frozenset({edge.origin})), retry_for_s=2)
        assert asyncio.run(pusher.page(1, {"page": 1})) is Pushed.ACCEPTED
        assert edge.pages() == [1]
        started = time.monotonic()
        assert asyncio.run(pusher.page(2, {})) is Pushed.NOT
        assert 0.5 < time.monotonic() - started < 3
        started = time.monotonic()
        assert asyncio.run(pusher.page(3, {})) is Pushed.NOT
        assert time.monotonic() - started < 0.5
    gone = Pusher("http://127.0.0.1:9/shard?s", Outbound(frozenset({"http://127.0.0.1:9"})), retry_for_s=0.3)
    assert asyncio.run(gone.page(1, {})) is Pushed.NOT
    with pytest.raises(Refused):
        Pusher("http://127.0.0.1:9/shard?s", Outbound(frozenset()))


def test_a_push_url_that_may_not_be_called_ends_the_shard_before_anything_is_read():
    reader = EchoReader()
    request = ShardRequest(document=data_url(pdf(1)), model="echo", push_url="http://127.0.0.1:9/shard?s")
    receipt = asyncio.run(run_shard(request, {"echo": reader}, Settings()))
    assert receipt["error"]["code"] == "invalid_options"
    assert "push_url" in receipt["error"]["message"]
    assert reader.read_pages == []


def test_cancel_ends_the_shard():
    async def cancelled():
        reader = EchoReader(wait=lambda _: time.sleep(0.2))
        request = ShardRequest(document=data_url(pdf(50)), model="echo")
        task = asyncio.create_task(run_shard(request, {"echo": reader}, Settings()))
        await asyncio.sleep(0.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return reader.read_pages

    assert len(asyncio.run(cancelled())) < 10
