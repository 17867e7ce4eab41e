"""Pushes to the edge (docs/WORKER-PROTOCOL.md, section 2): each page the moment it is read."""

import asyncio
import http.client
import logging
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

import urllib3

from fovea.contract import schema_fault
from fovea.outbound import Outbound, Refused, Unreachable
from fovea.result.page_result import encode

log = logging.getLogger(__name__)

RETRY_FOR_S = 60.0
FIRST_PAUSE_S = 0.25
MAX_PAUSE_S = 8.0
CALL_LIMIT_S = 60.0
GET_LIMIT_S = 10.0
MAX_TOKENS_BYTES = 64 << 20
"""Of a page's vision tokens, from the edge: what it keeps is smaller, by a setting of its own."""

JSON = {"content-type": "application/json"}
ATTACHMENTS = {"image": "image/png", "tokens": "application/octet-stream"}
"""What can be pushed beside a page's result, by the last part of its path."""

# Apart from the threads that read: a lease is renewed however many pages are being read.
_THREADS = ThreadPoolExecutor(64, "push")


class Pushed(Enum):
    ACCEPTED = "accepted"
    GONE = "gone"
    """The shard is canceled or over: stop reading it."""
    NOT = "not pushed"
    """Refused, or the edge stayed silent. The edge will ask for the page again."""


class Pusher:
    """`push_url` is the signed address of one shard; paths are appended before its query. `traceparent`
    goes along with every push (W3C Trace Context). `clock` and `sleep` time the retries.

    Raises `Refused` when nothing may be sent there.
    """

    def __init__(
        self,
        push_url: str,
        outbound: Outbound,
        retry_for_s: float = RETRY_FOR_S,
        traceparent: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ):
        outbound.check(push_url)
        self._clock, self._sleep = clock, sleep
        self._parts = urlsplit(push_url)
        self._outbound = outbound
        self._retry_for_s = retry_for_s
        self._trace = traceparent
        self._head = {"traceparent": traceparent} if traceparent else {}

    async def document(self, body: dict[str, Any]) -> Pushed:
        if fault := schema_fault("DocumentReport", body):
            log.error("the report of the document breaks the contract: %s (trace %s)", fault, self._trace)
            return Pushed.NOT
        return await self._put("/document", encode(body))

    async def page(self, number: int, data: bytes) -> Pushed:
        """`data`: an encoded page result, already checked."""
        return await self._put(f"/pages/{number}", data)

    async def attachment(self, number: int, name: str, data: bytes, digest: str) -> Pushed:
        """Something of a page beside its result, made by the model `digest`; to be pushed before that."""
        head = {"content-type": ATTACHMENTS[name], "x-model-digest": digest}
        return await self._put(f"/pages/{number}/{name}", data, head)

    async def heartbeat(self, page: int) -> Pushed:
        """Once, without retries: the next one is due soon."""
        return await self._put("/heartbeat", encode({"schema": 1, "page": page}), retry_for_s=0)

    def stored_tokens(self, number: int, mode: str, digest: str) -> bytes | None:
        """The vision tokens that the edge has of a page; `None` where it has none or does not answer in time.

        Blocks. Asked once: whoever asks can encode the page himself.
        """
        query = "&".join(filter(None, [self._parts.query, urlencode({"mode": mode, "model_digest": digest})]))
        url = self._url(f"/pages/{number}/tokens", query)
        try:
            with self._outbound.open("GET", url, headers=self._head, limit_s=GET_LIMIT_S) as response:
                data = response.read(MAX_TOKENS_BYTES + 1) if response.status == 200 else None
        except (Refused, Unreachable, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError):
            return None
        return data if data is not None and len(data) <= MAX_TOKENS_BYTES else None

    def _url(self, path: str, query: str | None = None) -> str:
        parts = self._parts._replace(path=self._parts.path + path)
        return urlunsplit(parts if query is None else parts._replace(query=query))

    async def _put(
        self, path: str, data: bytes, head: dict[str, str] = JSON, retry_for_s: float | None = None
    ) -> Pushed:
        url, head = self._url(path), {**self._head, **head}
        end = self._clock() + (self._retry_for_s if retry_for_s is None else retry_for_s)
        pause = FIRST_PAUSE_S
        loop = asyncio.get_running_loop()
        while True:
            status = await loop.run_in_executor(_THREADS, self._send, url, data, head)
            if status is not None and 200 <= status < 300:
                return Pushed.ACCEPTED
            if status == 410:
                return Pushed.GONE
            if status is not None and status < 500 and status != 429:
                log.error("the edge refused %s with status %d (trace %s)", path, status, self._trace)
                return Pushed.NOT
            if self._clock() + pause > end:
                log.error("the edge did not take %s (last status %s, trace %s)", path, status, self._trace)
                return Pushed.NOT
            await self._sleep(pause)
            pause = min(pause * 2, MAX_PAUSE_S)

    def _send(self, url: str, data: bytes, head: dict[str, str]) -> int | None:
        """The status, or `None` without an answer."""
        try:
            with self._outbound.open("PUT", url, data, head, limit_s=CALL_LIMIT_S) as response:
                return response.status
        except Refused:
            return 403
        except Unreachable:
            return None
