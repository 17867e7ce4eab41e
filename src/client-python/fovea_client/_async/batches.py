"""`fovea.batches`: many documents, read at a lower priority than interactive requests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from urllib.parse import quote

from .._base import Listed
from .._request import Call, sleep_async
from .._source import Source, manifest_of
from ..manifest import BatchFailures, ManifestLine, is_batch_over
from ..models import Batch, BatchFailure, BatchManifest, BatchOutput, BatchOutputShard
from ..params import BatchDefaults, NewBatchDeliver, NewBatchInput, NewBatchOutput
from ._lists import async_all
from .transport import AsyncTransport

WATCH_EVERY = 2.0
TRANSFER_TIMEOUT = 600.0
"""Seconds, for a shard on a slow connection."""


class AsyncBatches:
    def __init__(self, http: AsyncTransport) -> None:
        self._http = http

    async def start(
        self,
        manifest: Iterable[ManifestLine] | Source,
        *,
        defaults: BatchDefaults | None = None,
        metadata: Mapping[str, str] | None = None,
        output: NewBatchOutput | None = None,
        deliver: NewBatchDeliver | None = None,
        idempotency_key: str | None = None,
    ) -> Batch:
        """Uploads a manifest and starts a batch on it.

        Args:
            manifest: the lines, or JSONL as a path, bytes or an open file.
            defaults: options of the lines that do not have them.
            output: a bucket into which the output is written.
            deliver: a presigned address to which the whole output is put.
        """
        uploaded = await self.upload(manifest)
        return await self.create(
            uploaded.id,
            defaults=defaults,
            metadata=metadata,
            output=output,
            deliver=deliver,
            idempotency_key=idempotency_key,
        )

    async def upload(self, manifest: Iterable[ManifestLine] | Source) -> BatchManifest:
        """Uploads a manifest. Its lines are checked only when the batch reaches them."""
        with manifest_of(manifest) as body:
            return await self._http.json(BatchManifest, Call("POST", "/v1/batches/manifests", body=body))

    async def create(
        self,
        manifest: str | None = None,
        *,
        input: NewBatchInput | None = None,
        defaults: BatchDefaults | None = None,
        metadata: Mapping[str, str] | None = None,
        output: NewBatchOutput | None = None,
        deliver: NewBatchDeliver | None = None,
        idempotency_key: str | None = None,
    ) -> Batch:
        """Starts a batch on an uploaded manifest, or on the objects of a bucket (`input`)."""
        batch = {
            "manifest": manifest,
            "input": input,
            "defaults": defaults,
            "metadata": metadata,
            "output": output,
            "deliver": deliver,
        }
        json = {name: value for name, value in batch.items() if value is not None}
        call = Call("POST", "/v1/batches", json=json, idempotency_key=idempotency_key)
        return await self._http.json(Batch, call)

    async def get(self, id: str) -> Batch:
        return await self._http.json(Batch, Call("GET", _path(id)))

    async def list(self, *, limit: int | None = None, cursor: str | None = None) -> Listed[Batch]:
        query = {"limit": limit, "cursor": cursor}
        return await self._http.json(Listed[Batch], Call("GET", "/v1/batches", query=query))

    def all(self) -> AsyncIterator[Batch]:
        """All batches, newest first."""
        return async_all(self.list)

    async def watch(self, id: str, *, every: float = WATCH_EVERY) -> AsyncIterator[Batch]:
        """The batch now and after every change until it is over. Looks `every` so many seconds."""
        last: Batch | None = None
        while True:
            batch = await self.get(id)
            if batch != last:
                yield batch
            if is_batch_over(batch.state):
                return
            last = batch
            await sleep_async(every)

    async def pause(self, id: str) -> Batch:
        """Starts no further lines; lines in progress are finished."""
        return await self._http.json(Batch, Call("POST", f"{_path(id)}/pause"))

    async def resume(self, id: str) -> Batch:
        return await self._http.json(Batch, Call("POST", f"{_path(id)}/resume"))

    async def cancel(self, id: str) -> Batch:
        """Cancels the lines that are not finished. Pages read so far stay in the output."""
        return await self._http.json(Batch, Call("POST", f"{_path(id)}/cancel"))

    async def retry(self, id: str) -> Batch:
        """Retries the failed lines, and the failed pages of lines that were read in part."""
        return await self._http.json(Batch, Call("POST", f"{_path(id)}/retry"))

    async def deliver(self, id: str) -> Batch:
        """Tries again what could not be written to a bucket."""
        return await self._http.json(Batch, Call("POST", f"{_path(id)}/deliver"))

    async def delete(self, id: str) -> None:
        """Deletes the batch and its output."""
        await self._http.none(Call("DELETE", _path(id)))

    async def failures(self, id: str) -> AsyncIterator[BatchFailure]:
        """The lines that failed or were read in part, in manifest order."""
        after: int | None = 0
        while after is not None:
            call = Call("GET", f"{_path(id)}/failures", query={"after": after, "limit": 500})
            page = await self._http.json(BatchFailures, call)
            for failure in page.data:
                yield failure
            after = page.next_after

    async def output(self, id: str) -> BatchOutput:
        """The shards written so far. More may follow until the output is `complete`."""
        return await self._http.json(BatchOutput, Call("GET", f"{_path(id)}/output"))

    async def shard(self, id: str, shard: BatchOutputShard) -> bytes:
        """The JSONL of a shard that `output` lists, checked against its SHA-256."""
        call = Call("GET", f"{_path(id)}/output/{shard.number}", timeout=TRANSFER_TIMEOUT)
        return await self._http.checked(call, shard.sha256)

    def training_data(self, id: str, shard: int, *, verdicts: str | None = None) -> AsyncIterator[bytes]:
        """A shard as training data, one record per page.

        Args:
            verdicts: which pages, such as `ok,blank`; default: `ok`.
        """
        call = Call("GET", f"{_path(id)}/training-data/{shard}", query={"verdicts": verdicts})
        return self._http.stream(call)


def _path(id: str) -> str:
    return f"/v1/batches/{quote(id, safe='')}"
