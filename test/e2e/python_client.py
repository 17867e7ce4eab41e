"""Run by client.test.ts: the installed Python client against the real service. Ends silently if all is well."""

import asyncio
import hashlib
import io
import json
import sys
import zipfile
from pathlib import Path

import httpx

from fovea_client import (
    AsyncFovea,
    AuthenticationError,
    ConflictError,
    FailedPage,
    Fovea,
    InvalidRequestError,
    JobError,
    NotFoundError,
    StoredPageResult,
)
from fovea_client._sync import files

EXAMPLES, ENCRYPTED = map(Path, sys.argv[1:3])
S3 = sys.argv[3]
INVOICE = EXAMPLES / "invoice.pdf"
client = Fovea()


def reads_and_gives_every_format():
    seen = []
    reading = client.read(INVOICE, on_event=lambda event: seen.append(event.type), table_format="markdown")
    assert "| LED copy light, 5000 K |" in reading.markdown
    assert seen[-1] == "succeeded" and "page" in seen, seen
    [page] = reading.pages
    assert isinstance(page, StoredPageResult) and page.error is None
    table = next(block for block in page.blocks if block.type == "table")
    assert table.cells and 0 <= table.bbox[0] < table.bbox[2] <= 1
    job = reading.job.id
    assert client.jobs.result(job, pages="1").pages[0].page == 1
    assert '"LED copy light, 5000 K"' in client.jobs.result_text(job, "csv")
    assert zipfile.ZipFile(io.BytesIO(client.jobs.result_bytes(job, "docx"))).testzip() is None
    assert b"".join(client.jobs.result_stream(job, "txt")).decode() == client.jobs.result_text(job, "txt")
    assert client.jobs.pdf(job).startswith(b"%PDF-1.7")
    assert "<svg" in client.jobs.overlay(job, 1)
    again = client.read(reading.job.file_id)
    assert again.job.pages is not None and again.job.pages[0].source == "hit"
    assert any(one.id == job for one in client.jobs.all(file=reading.job.file_id))


def tells_pages_that_failed():
    reading = client.read(INVOICE.read_bytes(), name="invoice", pages="1,9")
    [failed] = reading.failed
    assert isinstance(failed, FailedPage)
    assert (failed.page, failed.error.code) == (9, "page_out_of_range")
    try:
        client.read(ENCRYPTED)
    except JobError as error:
        assert str(error).startswith("document_encrypted: "), error
    else:
        raise AssertionError("an encrypted document was read")


def extracts_by_a_schema():
    schema = json.loads((EXAMPLES / "invoice.schema.json").read_text())
    extraction = client.read(INVOICE, schema=schema).extraction
    assert extraction is not None and extraction.error is None
    assert extraction.data and extraction.data["amount_due"] == 4399.49, extraction.data
    assert extraction.usage.input_tokens > 0
    assert client.jobs.extract(extraction.job_id, schema).data == extraction.data


def follows_events_from_the_middle():
    with (EXAMPLES / "report-12.pdf").open("rb") as file:
        job = client.start(file, pages="2-3")
    assert client.jobs.wait(job.id, timeout=120).state == "succeeded"
    events = list(client.jobs.events(job.id))
    assert list(client.jobs.events(job.id, last_event_id=events[0].id)) == events[1:]
    assert list(client.jobs.events(job.id, last_event_id=events[-1].id)) == []


def repeats_a_post_once():
    file = client.files.upload(INVOICE)
    first, second = (client.jobs.create(file=file.id, idempotency_key="python-e2e", dpi=90) for _ in range(2))
    assert first.id == second.id
    try:
        client.jobs.create(file=file.id, idempotency_key="python-e2e", dpi=91)
    except InvalidRequestError as error:
        assert error.code == "idempotency-key-reused", error.code
    else:
        raise AssertionError("one key for two requests")
    assert client.jobs.wait(first.id).state == "succeeded"
    try:
        client.jobs.cancel(first.id)
    except ConflictError as error:
        assert error.request_id and error.request_id.startswith("req_")


def uploads_in_parts():
    files.LARGEST_WHOLE = 1000
    document = INVOICE.read_bytes() + b"\n% in parts\n"
    file = client.files.upload(document, name="parts.pdf")
    files.LARGEST_WHOLE = 100 * 1024 * 1024
    assert (file.sha256, file.name) == (hashlib.sha256(document).hexdigest(), "parts.pdf")
    assert b"".join(client.files.content(file.id)) == document
    assert httpx.get(client.files.url(file.id, expiry=1)).content == document
    client.files.delete(file.id)
    try:
        client.files.get(file.id)
    except NotFoundError:
        return
    raise AssertionError("a deleted file is there")


def reads_a_batch():
    file = client.files.upload(INVOICE)
    lines = (
        {"file": file.id, "custom_id": name, "pages": pages} for name, pages in [("a", "1"), ("b", "one")]
    )
    batch = client.batches.start(lines, defaults={"granularity": "line"}, metadata={"from": "python"})
    *_, last = client.batches.watch(batch.id, every=0.2)
    assert (last.state, last.lines.succeeded, last.lines.failed) == ("completed", 1, 1)
    [failure] = client.batches.failures(batch.id)
    assert (failure.custom_id, failure.error.code) == ("b", "invalid_page_selection")
    [shard] = client.batches.output(batch.id).shards
    records = [json.loads(line) for line in client.batches.shard(batch.id, shard).splitlines()]
    assert records[0]["custom_id"] == "a"
    client.batches.delete(batch.id)


def keeps_a_conversation():
    context = client.contexts.create(name="python")
    assert client.contexts.update(context.id, name="talk", erase_after=60).erase_after == 60
    text = "The parcel with the copy light leaves on Tuesday."
    [first, _] = client.contexts.add(
        context.id,
        {"role": "user", "content": text},
        {"role": "assistant", "content": "Noted.", "pinned": True},
    )
    assert first.number == 1
    assert client.contexts.change(context.id, 1, importance=0.5).importance == 0.5
    view = client.contexts.view(context.id)
    assert view.items and view.items[0].type == "message"
    assert client.contexts.as_messages(context.id, "openai")["messages"]
    assert "contents" in client.contexts.as_messages(context.id, "gemini")
    assert [hit.number for hit in client.contexts.search(context.id, "copy light").data] == [1]
    assert [message.text for message in client.contexts.messages(context.id)] == [text, "Noted."]
    assert client.contexts.segments(context.id) == []
    assert {cost.profile for cost in client.contexts.costs(context.id).data} >= {"deepseek-ocr"}
    assert client.contexts.profiles()[0].forms
    more = client.contexts.add_from(context.id, "openai", {"messages": [{"role": "user", "content": "More"}]})
    assert [message.number for message in more] == [3]
    assert client.contexts.age(context.id, dry_run=True).dry_run
    assert client.contexts.recall(context.id, 1).text == text
    assert client.contexts.message(context.id, 1).text == text
    lines = b"".join(client.contexts.export(context.id)).decode()
    assert text in lines
    copy = client.contexts.import_(lines)
    assert (copy.imported, copy.skipped) == (3, [])
    client.contexts.delete(copy.id)
    client.contexts.forget(context.id, 1)
    try:
        client.contexts.message(context.id, 1)
    except NotFoundError:
        pass
    else:
        raise AssertionError("a forgotten message is there")
    client.contexts.delete(context.id)


def shows_models_usage_and_endpoints():
    assert "pp-ocr" in [model.id for model in client.models()]
    assert client.usage()[0].pages_read > 0
    assert client.settings().retention_days > 0
    endpoint = client.webhooks.create(url="https://hooks.io/python", events=["job.failed"])
    assert endpoint.secret.startswith("whsec_") and client.webhooks.secret().startswith("whsec_")
    assert endpoint.id in [one.id for one in client.webhooks.all()]
    client.webhooks.delete(endpoint.id)
    try:
        Fovea(api_key="fov_live_wrong").jobs.list()
    except AuthenticationError as error:
        assert error.status == 401


def connects_a_bucket():
    access_key = {"access_key_id": "AKIDOFTHETESTS", "secret_access_key": "secret-key-of-the-tests"}
    place = {"endpoint": S3, "region": "eu-test-1", "bucket": "python-scans"}
    bucket = client.buckets.create(**place, **access_key)
    assert (bucket.bucket, bucket.access_key_hint, bucket.rotated_at) == ("python-scans", "ESTS", None)
    assert client.buckets.get(bucket.id) == bucket
    assert client.buckets.check(bucket.id).ok
    wrong = {**access_key, "secret_access_key": "wrong-secret"}
    assert client.buckets.rotate(bucket.id, **wrong).rotated_at is not None
    refused = client.buckets.check(bucket.id)
    assert not refused.ok and refused.steps[0].error.code == "secret_wrong", refused
    assert bucket.id in [one.id for one in client.buckets.all()]
    client.buckets.delete(bucket.id)
    assert bucket.id not in [one.id for one in client.buckets.list().data]


async def does_the_same_asynchronously():
    async with AsyncFovea() as client:
        reading, compressed = await asyncio.gather(
            client.read(INVOICE), client.compress("# Notes\n\nA short text.", mode="base")
        )
        assert "LED copy light" in reading.markdown
        assert compressed.vision_tokens == 256
        events = [event.type async for event in client.jobs.events(reading.job.id)]
        assert events[-1] == "succeeded"


for check in [
    reads_and_gives_every_format,
    tells_pages_that_failed,
    extracts_by_a_schema,
    follows_events_from_the_middle,
    repeats_a_post_once,
    uploads_in_parts,
    reads_a_batch,
    keeps_a_conversation,
    shows_models_usage_and_endpoints,
    connects_a_bucket,
]:
    check()
asyncio.run(does_the_same_asynchronously())
client.close()
