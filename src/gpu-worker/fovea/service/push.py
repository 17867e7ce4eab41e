"""Pushes each page to the edge as soon as it is read (docs/WORKER-PROTOCOL.md, section 2)."""

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
"""Largest file of vision tokens accepted from the edge. The edge's own limit is lower and a setting there."""

JSON = {"content-type": "application/json"}
TOKENS = "tokens"
"""The path of a page's vision tokens. Other attachments are images: `image` of the page, `figures/{block id}`."""

# Separate from the threads that read pages, so that heartbeats are sent even if all of those are busy.
_THREADS = ThreadPoolExecutor(64, "push")


class Pushed(Enum):
    ACCEPTED = "accepted"
    GONE = "gone"
    """The shard is canceled or has ended: stop reading it."""
    FAILED = "not pushed"
    """The edge refused it or did not answer. The edge dispatches the page again."""


class Pusher:
    """Pushes to `push_url`, the signed URL of one shard; paths are inserted before its query.

    `clock` and `sleep` time the retries.

    `traceparent` is sent with every push (W3C Trace Context). Raises `Refused` if the URL is not allowed.
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
            return Pushed.FAILED
        return await self._put("/document", encode(body))

    async def page(self, number: int, data: bytes) -> Pushed:
        """`data`: an encoded page result, already checked."""
        return await self._put(f"/pages/{number}", data)

    async def attachment(self, number: int, name: str, data: bytes, digest: str) -> Pushed:
        """Pushes what belongs to a page, made by the model `digest`, to the path `name`. Call it before `page`."""
        head = {"content-type": media_type(name, data), "x-model-digest": digest}
        return await self._put(f"/pages/{number}/{name}", data, head)

    async def heartbeat(self, page: int) -> Pushed:
        """Sends one heartbeat, without retries because the next one follows soon."""
        return await self._put("/heartbeat", encode({"schema": 1, "page": page}), retry_for_s=0)

    def stored_tokens(self, number: int, mode: str, digest: str) -> bytes | None:
        """The page's vision tokens stored at the edge; `None` if there are none or the edge does not answer in time.

        Blocks. There are no retries, because the caller can encode the page instead.
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
                return Pushed.FAILED
            if self._clock() + pause > end:
                log.error("the edge did not take %s (last status %s, trace %s)", path, status, self._trace)
                return Pushed.FAILED
            await self._sleep(pause)
            pause = min(pause * 2, MAX_PAUSE_S)

    def _send(self, url: str, data: bytes, head: dict[str, str]) -> int | None:
        """The HTTP status, or `None` if there is no answer."""
        try:
            with self._outbound.open("PUT", url, data, head, limit_s=CALL_LIMIT_S) as response:
                return response.status
        except Refused:
            return 403
        except Unreachable:
            return None


def media_type(name: str, data: bytes) -> str:
    """The media type of an attachment."""
    if name == TOKENS:
        return "application/octet-stream"
    return "image/jpeg" if data.startswith(b"\xff\xd8\xff") else "image/png"
