"""Requests of the Python client: retries, errors, bodies. test/e2e runs it against the real service."""

import asyncio
import io
import json
import os
import pickle

import httpx
import pytest

import fovea_client
from fovea_client import (
    ApiConnectionError,
    ApiError,
    ApiTimeoutError,
    AsyncFovea,
    Fovea,
    FoveaError,
    InvalidRequestError,
    Job,
    JobError,
    NotFoundError,
    RateLimitError,
)
from fovea_client._async import transport as async_transport
from fovea_client._sync import files as sync_files
from fovea_client._sync import transport as sync_transport
from fovea_client.models import PageError, PageStatus

FILE = {
    "id": "file_" + "0" * 24,
    "object": "file",
    "sha256": "0" * 64,
    "bytes": 5,
    "media_type": "application/pdf",
    "name": "a.pdf",
    "filename": "a.pdf",
    "page_count": None,
    "created_at": 1795910400,
    "purpose": "ocr",
    "expires_at": None,
    "mimetype": "application/pdf",
    "visibility": "workspace",
    "sample_type": "ocr_input",
    "source": "upload",
    "deleted": False,
}
TIME = "2026-11-29T00:00:00.000Z"


EXTRACTION = {
    "id": "ext_1",
    "job_id": "job_1",
    "state": "running",
    "model": "m",
    "cached": False,
    "progress": {"total": None, "done": 0},
    "usage": {"input_tokens": 100, "output_tokens": 10},
    "error": None,
    "created_at": TIME,
    "finished_at": None,
}
EXTRACTED = {**EXTRACTION, "state": "succeeded", "data": {"total": 7}, "citations": {"total": None}}
JOB = {
    "id": "job_1",
    "state": "succeeded",
    "file_id": FILE["id"],
    "model": "pp-ocr",
    "mode": "base",
    "task": "markdown",
    "prompt": None,
    "dpi": 144,
    "token_budget": None,
    "witness": False,
    "text_layer": "auto",
    "sequence": "page",
    "granularity": "block",
    "table_format": "html",
    "join_tables": False,
    "figures": "none",
    "hyperlinks": "inline",
    "languages": [],
    "tokens": "none",
    "selection": "",
    "cache": "use",
    "progress": {"total": 1, "done": 1, "failed": 0},
    "error": None,
    "metadata": {},
    "webhook_url": None,
    "zero_retention": False,
    "created_at": TIME,
    "started_at": TIME,
    "finished_at": TIME,
    "deadline_at": TIME,
    "links": dict.fromkeys(["self", "events", "result", "cancel", "deliveries"], "/"),
}


class Wire:
    """Answers requests in order; an exception is raised instead."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request):
        request.read()
        return self._next(request)

    async def in_async(self, request):
        await request.aread()
        return self._next(request)

    def _next(self, request):
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def client(self, **options) -> Fovea:
        http = httpx.Client(transport=httpx.MockTransport(self))
        return Fovea("key", "https://ocr.test/", http_client=http, **options)

    def async_client(self, **options) -> AsyncFovea:
        http = httpx.AsyncClient(transport=httpx.MockTransport(self.in_async))
        return AsyncFovea("key", "https://ocr.test/", http_client=http, **options)


@pytest.fixture
def pauses(monkeypatch):
    slept: list[float] = []

    async def sleep(seconds):
        slept.append(seconds)

    monkeypatch.setattr(sync_transport, "sleep_sync", slept.append)
    monkeypatch.setattr(async_transport, "sleep_async", sleep)
    return slept


def answer(status=200, body=None, **headers):
    return httpx.Response(status, json=body, headers={k.replace("_", "-"): v for k, v in headers.items()})


def problem(status, code, **more):
    return answer(
        status,
        {
            "type": f"urn:fovea:problem:{code}",
            "title": "No",
            "detail": "Not so.",
            "request_id": "req_1",
            **more,
        },
    )


def lost():
    return httpx.ReadError("reset")


def test_all_attempts_of_a_post_have_the_same_idempotency_key(pauses):
    wire = Wire(lost(), problem(503, "storage"), answer(201, {"id": "ctx"}), answer(201, {"id": "ctx"}))
    with pytest.raises(ApiConnectionError, match="no Context"):
        wire.client().contexts.create(name="a")
    keys = [request.headers["idempotency-key"] for request in wire.requests]
    assert len(keys) == 3 and len(set(keys)) == 1
    assert 0.25 <= pauses[0] <= 0.5 <= pauses[1] <= 1
    wire.answers = [answer(201, {})]
    with pytest.raises(ApiConnectionError):
        wire.client().contexts.create(idempotency_key="mine")
    assert wire.requests[-1].headers["idempotency-key"] == "mine"


def test_retry_after_is_waited_for_unless_it_is_long(pauses):
    wire = Wire(
        answer(429, retry_after="7"),
        answer(429, retry_after="Thu, 01 Jan 1970 00:00:00 GMT"),
        answer(429, retry_after="soon"),
        answer(200, FILE),
    )
    assert wire.client().files.get("x").name == "a.pdf"
    assert pauses[:2] == [7, 0] and 1 <= pauses[2] <= 2
    wire.answers = [answer(429, retry_after="61")]
    with pytest.raises(RateLimitError) as caught:
        wire.client().files.get("x")
    assert caught.value.retry_after == 61


def test_an_invalid_request_is_sent_once_and_an_unfinished_twin_again(pauses):
    wire = Wire(problem(422, "invalid-request", errors=[{"path": "dpi", "message": "too high"}]))
    with pytest.raises(InvalidRequestError) as caught:
        wire.client().jobs.create(file="x")
    error = caught.value
    assert (error.status, error.code, error.detail, error.request_id) == (
        422,
        "invalid-request",
        "Not so.",
        "req_1",
    )
    assert str(error) == "No: Not so. (request req_1)"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert pauses == []
    wire.answers = [problem(409, "idempotency-in-flight"), answer(200, FILE)]
    assert wire.client().files.get("x").bytes == 5


def test_the_last_error_is_raised_after_max_retries(pauses):
    wire = Wire(lost(), lost())
    with pytest.raises(ApiConnectionError, match=r"https://ocr\.test could not be reached: reset"):
        wire.client(max_retries=1).files.get("x")
    wire.answers = [httpx.ReadTimeout("")]
    with pytest.raises(ApiTimeoutError, match="within 5 s"):
        wire.client(max_retries=0).with_options(timeout=5).files.get("x")
    wire.answers = [httpx.Response(502, text="<html>")]
    with pytest.raises(ApiError) as caught:
        wire.client(max_retries=0).files.get("x")
    assert (caught.value.code, str(caught.value)) == ("unknown", "The service answered with status 502")


def test_a_job_without_a_page_says_what_is_wrong_with_its_first_page():
    refused = PageStatus.model_construct(
        page=9, error=PageError(code="page_missing", message="There is no page 9.")
    )
    fine = PageStatus.model_construct(page=8, error=None)
    job = Job.model_construct(state="failed", error=None, pages=[fine, refused])
    assert str(JobError(job)) == "page 9: page_missing: There is no page 9."
    assert str(JobError(job.model_copy(update={"pages": None}))) == "The job is failed."


def test_a_404_for_a_repeated_delete_is_success(pauses):
    wire = Wire(lost(), problem(404, "not-found"))
    wire.client().files.delete("x")
    wire.answers = [problem(404, "not-found")]
    with pytest.raises(NotFoundError):
        wire.client().files.delete("x")


def test_ids_cannot_leave_their_path(pauses):
    wire = Wire(answer(200, FILE))
    wire.client().files.get("../keys?x=1")
    assert wire.requests[0].url.raw_path == b"/v1/files/..%2Fkeys%3Fx%3D1"


def test_a_file_is_streamed_with_its_length_name_and_type(tmp_path, pauses):
    path = tmp_path / "notes.md"
    path.write_bytes(b"# Notes")
    wire = Wire(lost(), answer(201, FILE))
    wire.client().files.upload(path)
    for request in wire.requests:
        assert request.content == b"# Notes"
        assert request.headers["content-length"] == "7"
        assert "transfer-encoding" not in request.headers
        assert request.headers["content-type"] == "text/markdown"
        assert request.url.params["name"] == "notes.md"
        assert "idempotency-key" not in request.headers


def test_an_open_file_is_sent_from_its_position_and_a_pipe_again(pauses):
    file = io.BytesIO(b"skip%PDF")
    file.seek(4)
    reader, writer = os.pipe()
    os.write(writer, b"%PDF from a pipe")
    os.close(writer)
    wire = Wire(lost(), answer(201, FILE), lost(), answer(201, FILE))
    wire.client().files.upload(file)
    with open(reader, "rb") as pipe:
        wire.client().files.upload(pipe)
    contents = [request.content for request in wire.requests]
    assert contents == [b"%PDF"] * 2 + [b"%PDF from a pipe"] * 2


def test_what_is_no_document_is_refused_before_any_request(tmp_path):
    client = Wire().client()
    with pytest.raises(FileNotFoundError):
        client.read(tmp_path / "nothing.pdf")
    with pytest.raises(IsADirectoryError):
        client.read(tmp_path)
    with pytest.raises(TypeError, match="open in binary, not int"):
        client.read(7)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="open in binary, not StringIO"):
        client.read(io.StringIO("text"))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="Only bytes are uploaded"):
        client.files.upload("https://docs.io/a.pdf")


def test_a_large_file_is_sent_in_parts_without_the_key(monkeypatch, pauses):
    monkeypatch.setattr(sync_files, "LARGEST_WHOLE", 4)
    monkeypatch.setattr(sync_files, "sleep_sync", pauses.append)
    upload = {
        "id": "upl_1",
        "state": "open",
        "bytes": 5,
        "sha256": "0" * 64,
        "name": None,
        "file_id": None,
        "error": None,
        "created_at": TIME,
        "expires_at": TIME,
    }
    parts = [
        {"part": 1, "bytes": 3, "url": "https://r2.test/a?sig=1"},
        {"part": 2, "bytes": 2, "url": "https://r2.test/b"},
    ]
    wire = Wire(
        answer(201, {**upload, "parts": parts}),
        answer(200, etag='"1"'),
        lost(),  # only this part is sent again
        answer(200, etag='"2"'),
        answer(202, {**upload, "state": "checking"}),
        answer(200, {**upload, "state": "done", "file_id": FILE["id"]}),
        answer(200, FILE),
    )
    assert wire.client().files.upload(b"%PDF-").id == FILE["id"]
    sent = wire.requests
    assert [(r.method, r.url.host, r.url.path) for r in sent[1:4]] == [
        ("PUT", "r2.test", "/a"),
        ("PUT", "r2.test", "/b"),
        ("PUT", "r2.test", "/b"),
    ]
    assert [r.content for r in sent[1:4]] == [b"%PD", b"F-", b"F-"]
    assert all("authorization" not in r.headers and "content-type" not in r.headers for r in sent[1:4])
    assert json.loads(sent[4].content) == {"parts": [{"part": 1, "etag": '"1"'}, {"part": 2, "etag": '"2"'}]}
    wire.answers = [
        answer(201, {**upload, "parts": []}),
        answer(200, {**upload, "state": "failed", "error": "checksum-mismatch"}),
    ]
    with pytest.raises(FoveaError, match="failed: checksum-mismatch"):
        wire.client().files.upload(b"%PDF-")


def test_an_extraction_is_waited_for(monkeypatch, pauses):
    monkeypatch.setattr("fovea_client._sync.jobs.sleep_sync", pauses.append)
    running, ended = EXTRACTION, EXTRACTED
    wire = Wire(answer(202, running), answer(200, running), answer(200, ended))
    extraction = wire.client().jobs.extract("job_1", {"type": "object"}, instructions="In pounds.")
    assert (extraction.data, extraction.usage.input_tokens) == ({"total": 7}, 100)
    assert json.loads(wire.requests[0].content) == {
        "schema": {"type": "object"},
        "instructions": "In pounds.",
    }
    assert [r.url.path for r in wire.requests] == ["/v1/jobs/job_1/extract"] + [
        "/v1/jobs/job_1/extractions/ext_1"
    ] * 2
    assert len(pauses) == 2


def test_a_reading_with_a_schema_waits_for_its_extraction(monkeypatch, pauses):
    monkeypatch.setattr("fovea_client._sync.jobs.sleep_sync", pauses.append)
    job = {**JOB, "extraction": EXTRACTION}
    result = {"schema": 1, "job_id": "job_1", "file_id": FILE["id"], "pages": []}
    event = f"event: succeeded\nid: 1\ndata: {json.dumps({'state': 'succeeded'})}\n\n"
    wire = Wire(
        answer(200, job),
        httpx.Response(200, text=event),
        answer(200, job),
        answer(200, {**JOB, "extraction": {**EXTRACTED, "data": None}}),
        answer(200, result),
        answer(200, EXTRACTED),
    )
    reading = wire.client().read(FILE["id"], schema={"type": "object"}, instructions="In pounds.")
    assert reading.extraction is not None and reading.extraction.data == {"total": 7}
    assert json.loads(wire.requests[0].content) == {
        "file": FILE["id"],
        "schema": {"type": "object"},
        "instructions": "In pounds.",
    }
    # Data are delivered last: a document with zero_retention is erased then.
    assert [r.url.path.split("/", 4)[-1] for r in wire.requests[-2:]] == ["result", "extractions/ext_1"]
    wire.answers = [
        answer(200, job),
        httpx.Response(200, text=event),
        answer(200, job),
    ]
    # The time is over when the job has been looked at.
    monkeypatch.setattr("fovea_client._sync.jobs.time.monotonic", lambda: 0 if wire.answers else 9)
    with pytest.raises(ApiTimeoutError, match="continues"):
        wire.client().read(FILE["id"], schema={"type": "object"}, timeout=5)


def test_a_file_has_an_address_and_its_bytes():
    deleted = {"id": FILE["id"], "object": "file", "deleted": True}
    wire = Wire(
        answer(200, {"url": "https://ocr.test/v1/files/x/content?signature=s"}),
        httpx.Response(200, content=b"%PDF-"),
        answer(200, {"data": [], "next_cursor": None}),
        answer(200, deleted),
    )
    client = wire.client()
    assert client.files.url("x", expiry=2).endswith("signature=s")
    assert b"".join(client.files.content("x")) == b"%PDF-"
    assert client.files.list(after=FILE["id"]).data == []
    client.files.delete("x")
    assert [(r.method, r.url.raw_path.decode()) for r in wire.requests] == [
        ("GET", "/v1/files/x/url?expiry=2"),
        ("GET", "/v1/files/x/content"),
        ("GET", f"/v1/files?after={FILE['id']}"),
        ("DELETE", "/v1/files/x"),
    ]


def test_a_message_is_read_in_its_image_until_the_reading_is_there(monkeypatch, pauses):
    monkeypatch.setattr("fovea_client._sync.contexts.sleep_sync", pauses.append)
    reading = {
        "context_id": "ctx_1",
        "message": 1,
        "role": "user",
        "form": "small",
        "state": "reading",
        "source": "image",
        "text": None,
        "scope": None,
        "verdict": None,
        "expected_precision": [0.9, 1],
        "model": "pp-ocr",
        "model_digest": None,
        "measured": None,
        "verified": None,
        "characters": 5,
        "jobs": ["job_1"],
    }
    read = {**reading, "state": "recalled", "text": "Hello", "verified": True}
    wire = Wire(answer(202, reading), answer(200, read), answer(204))
    contexts = wire.client().contexts
    assert contexts.recall("ctx_1", 1, source="image").text == "Hello"
    contexts.forget("ctx_1", 1)
    path = "/v1/contexts/ctx_1/messages/1"
    assert [(r.method, r.url.raw_path.decode()) for r in wire.requests] == [
        ("GET", f"{path}/recall?source=image"),
        ("GET", f"{path}/recall?source=image"),
        ("DELETE", path),
    ]
    assert len(pauses) == 1


def test_a_list_is_read_over_its_cursors():
    first = {"data": [FILE, FILE], "next_cursor": "c"}
    wire = Wire(answer(200, first), answer(200, {"data": [FILE], "next_cursor": None}))
    assert len(list(wire.client().files.all())) == 3
    assert [dict(r.url.params) for r in wire.requests] == [{"limit": "100"}, {"limit": "100", "cursor": "c"}]


def test_a_shard_with_another_hash_is_fetched_again(pauses):
    shard = fovea_client.models.BatchOutputShard.model_construct(
        number=1, sha256="ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
    wire = Wire(httpx.Response(200, content=b"ab"), httpx.Response(200, content=b"abc"))
    assert wire.client().batches.shard("b", shard) == b"abc"
    wire.answers = [httpx.Response(200, content=b"ab")]
    with pytest.raises(ApiConnectionError, match="SHA-256"):
        wire.client(max_retries=0).batches.shard("b", shard)


def test_answers_of_a_newer_service_are_accepted():
    wire = Wire(answer(200, {**FILE, "shelf": "A", "name": None}))
    file = wire.client().files.get("x")
    assert file.model_extra == {"shelf": "A"}
    ageing = {"segment": "seg_x", "first_message": 1, "last_message": 2, "from": "text", "to": "hologram"}
    change = fovea_client.models.AgeingChange.model_validate(
        {**ageing, "tokens_before": 2, "tokens_after": 1}
    )
    assert (change.from_, change.to) == ("text", "hologram")


def test_the_audit_log_is_filtered_and_a_limit_of_a_key_removed(pauses):
    key = {
        **{"id": "key_1", "name": "billing", "hint": "x7Qp", "environment": "live", "scopes": ["read"]},
        **dict.fromkeys(["revoked_at", "expires_at", "last_used_at", "monthly_pages"]),
        **dict.fromkeys(["concurrent_jobs", "allowed_cidrs", "rate_per_minute"]),
        "created_at": TIME,
    }
    entry = {"id": "aud_1", "action": "key.changed", "target": "key_1", "fields": ["monthly_pages"]}
    entry |= {"key_id": "key_2", "key_name": "operations", "created_at": TIME}
    wire = Wire(answer(200, key), answer(200, {"data": [entry], "next_cursor": None}))
    client = wire.client()
    assert client.keys.change("key_1", monthly_pages=None).monthly_pages is None
    log = client.audit(target="key_1", from_day="2030-01-01", limit=5)
    assert log.data[0].fields == ["monthly_pages"]
    changed, asked = wire.requests
    assert (changed.method, changed.content) == ("PATCH", b'{"monthly_pages":null}')
    assert asked.url.query == b"limit=5&target=key_1&from=2030-01-01"


def test_the_environment_names_service_and_key(monkeypatch):
    monkeypatch.delenv("FOVEA_API_KEY", raising=False)
    with pytest.raises(FoveaError, match="FOVEA_API_KEY"):
        Fovea()
    monkeypatch.setenv("FOVEA_API_KEY", "fov_live_x")
    monkeypatch.setenv("FOVEA_URL", "ocr.example.com")
    with pytest.raises(ValueError, match="is no URL"):
        Fovea()


def test_the_asynchronous_client_does_the_same(tmp_path, pauses):
    path = tmp_path / "a.pdf"
    path.write_bytes(b"%PDF")
    wire = Wire(lost(), answer(201, FILE), answer(200, {"data": [FILE], "next_cursor": None}))

    async def work():
        async with wire.async_client() as client:
            await client.files.upload(path)
            return [file.id async for file in client.files.all()]

    assert asyncio.run(work()) == [FILE["id"]]
    assert [request.content for request in wire.requests[:2]] == [b"%PDF"] * 2
    assert wire.requests[1].headers["content-length"] == "4"
