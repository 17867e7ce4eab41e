"""The events of a job: the parser, broken streams, and the wait for the end."""

import asyncio
import json

import httpx
import pytest

from fovea_client import ApiConnectionError, ApiTimeoutError, AsyncFovea, ExtractionEvent, Fovea, PageEvent
from fovea_client._sse import EventParser
from fovea_client._sync import jobs as sync_jobs


def event(id, type, **data):
    return f"id: {id}\nevent: {type}\ndata: {json.dumps(data)}\n\n".encode()


RUNNING = event(1, "running", state="running")
PAGE = event(2, "page", page=1, state="done", source="read", verdict="ok", finish_reason="stop", error=None)
END = event(3, "succeeded", state="succeeded", done=1, failed=0)


class Streams:
    """Event streams in order; one that ends with an exception breaks off."""

    def __init__(self, *streams):
        self.streams = list(streams)
        self.resumed: list[str] = []

    def __call__(self, request):
        self.resumed.append(request.headers["last-event-id"])
        chunks = self.streams.pop(0)

        def body():
            for chunk in chunks:
                if isinstance(chunk, Exception):
                    raise chunk
                yield chunk

        return httpx.Response(200, content=body())

    def client(self, **options):
        http = httpx.Client(transport=httpx.MockTransport(self))
        return Fovea("key", "https://ocr.test", http_client=http, **options)


@pytest.fixture(autouse=True)
def pauses(monkeypatch):
    slept: list[float] = []
    monkeypatch.setattr(sync_jobs, "sleep_sync", slept.append)
    return slept


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_parser_takes_any_cut_of_the_bytes(size, newline):
    text = ": still here\n\nid: 1\nevent: page\ndata: {\ndata:  }\nretry: 5\nunknown\n\ndata\n\nid: 2\ndata: é\n\n"
    text += "data: cut"
    stream = text.replace("\n", newline).encode()
    parser = EventParser("0")
    events = [e for i in range(0, len(stream), size) for e in parser.feed(stream[i : i + size])]
    assert events == [("1", "page", "{\n }"), ("1", "message", ""), ("2", "message", "é")]


def test_events_resume_after_a_broken_connection(pauses):
    wire = Streams([RUNNING, PAGE[:20], httpx.ReadError("reset")], [b": ok\n\n", PAGE], [END])
    events = list(wire.client().jobs.events("job"))
    assert [one.type for one in events] == ["running", "page", "succeeded"]
    assert isinstance(events[1], PageEvent) and events[1].verdict == "ok"
    assert wire.resumed == ["0", "1", "2"]
    assert len(pauses) == 1


def test_pages_with_one_id_come_once():
    pages = [PAGE.replace(b"id: 2\n", b"").replace(b'"page": 1', b'"page": %d' % n) for n in (1, 2)]
    third = PAGE.replace(b'"page": 1', b'"page": 3')
    broken = httpx.ReadError("reset")
    wire = Streams([RUNNING, pages[0], broken], [pages[0], pages[1], broken], [*pages, third, END])
    events = list(wire.client().jobs.events("job"))
    assert [event.page for event in events if isinstance(event, PageEvent)] == [1, 2, 3]
    assert wire.resumed == ["0", "1", "1"]


def test_events_go_on_after_the_end_of_the_job_with_its_extractions(pauses):
    data = {"extraction_id": "ext_1", "state": "failed", "error": {"code": "deadline", "message": "Late."}}
    extraction = event(4, "extraction.completed", **data)
    wire = Streams([END, extraction], [END, httpx.ReadError("reset")], [extraction])
    for _ in range(2):
        *_, last = wire.client().jobs.events("job")
        assert isinstance(last, ExtractionEvent)
        assert (last.id, last.extraction_id, last.error.code) == ("4", "ext_1", "deadline")
    assert wire.resumed == ["0", "0", "3"]


def test_a_stream_that_breaks_again_and_again_is_an_error(pauses):
    wire = Streams(*[[httpx.ReadError("reset")]] * 3)
    with pytest.raises(ApiConnectionError):
        list(wire.client(max_retries=2).jobs.events("job"))
    assert len(wire.resumed) == 3


def test_waiting_ends_in_time_and_says_that_the_job_continues(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(sync_jobs.time, "monotonic", lambda: now[0])

    def slow():
        yield RUNNING
        now[0] = 9.0
        yield b": still here\n\n"

    wire = Streams(slow())
    with pytest.raises(ApiTimeoutError, match="not ended within 8 s; it continues"):
        wire.client().jobs.wait("job", timeout=8)
    now[0] = 0.0
    silent = Streams([httpx.ReadTimeout("")], [httpx.ReadTimeout("")])
    monkeypatch.setattr(sync_jobs, "sleep_sync", lambda _: now.__setitem__(0, now[0] + 5))
    with pytest.raises(ApiTimeoutError, match="it continues"):
        silent.client().jobs.wait("job", timeout=4)


def test_asynchronous_events_resume_too(monkeypatch):
    resumed = []
    streams = [[RUNNING, httpx.ReadError("reset")], [PAGE, END]]

    async def wire(request):
        resumed.append(request.headers["last-event-id"])
        chunks = streams.pop(0)

        async def body():
            for chunk in chunks:
                if isinstance(chunk, Exception):
                    raise chunk
                yield chunk

        return httpx.Response(200, content=body())

    async def work():
        http = httpx.AsyncClient(transport=httpx.MockTransport(wire))
        client = AsyncFovea("key", "https://ocr.test", http_client=http)
        return [one.type async for one in client.jobs.events("job")]

    async def no_pause(_):
        pass

    monkeypatch.setattr("fovea_client._async.jobs.sleep_async", no_pause)
    assert asyncio.run(work()) == ["running", "page", "succeeded"]
    assert resumed == ["0", "1"]
