"""Sends requests and retries them."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from contextlib import aclosing

import httpx

from .._request import (
    Answer,
    Call,
    Options,
    connection_error,
    parsed,
    pause_before_retry,
    sleep_async,
)
from .._sse import EventParser, ServerEvent
from ..errors import ApiConnectionError, FoveaError, NotFoundError, error_of


class AsyncTransport:
    def __init__(self, options: Options, client: httpx.AsyncClient) -> None:
        self.options = options
        self.client = client

    async def json(self, into: type[Answer], call: Call) -> Answer:
        response = await self.send(call)
        return parsed(into, response.content)

    async def text(self, call: Call) -> str:
        response = await self.send(call)
        return response.content.decode()

    async def content(self, call: Call) -> bytes:
        response = await self.send(call)
        return response.content

    async def checked(self, call: Call, sha256: str) -> bytes:
        """The whole body. A body with another SHA-256 counts as a failed attempt."""
        attempt = 0
        while True:
            content = await self.content(call)
            if hashlib.sha256(content).hexdigest() == sha256:
                return content
            error = ApiConnectionError(f"The response's SHA-256 is not {sha256}.")
            pause = pause_before_retry(error, attempt, self.options.max_retries)
            if pause is None:
                raise error
            attempt += 1
            await sleep_async(pause)

    async def none(self, call: Call) -> None:
        try:
            await self.send(call)
        except NotFoundError:
            # An earlier attempt has deleted it, and its response was lost.
            if call.method != "DELETE" or call.attempts == 1:
                raise

    async def send(self, call: Call, *, stream: bool = False) -> httpx.Response:
        """
        Returns:
            the response, read to its end unless `stream`.

        Raises:
            FoveaError
        """
        while True:
            call.attempts += 1
            try:
                return await self._attempt(call, stream)
            except FoveaError as error:
                pause = pause_before_retry(error, call.attempts - 1, self.options.max_retries)
                if pause is None:
                    raise
            await sleep_async(pause)

    async def _attempt(self, call: Call, stream: bool) -> httpx.Response:
        request = self.client.build_request(**call.arguments(self.options), content=call.content_async())
        try:
            response = await self.client.send(request, stream=True)
            if response.is_success and stream:
                return response
            try:
                await response.aread()
            finally:
                await response.aclose()
        except httpx.HTTPError as error:
            raise connection_error(error, str(request.url), request.extensions["timeout"]["read"]) from error
        if not response.is_success:
            raise error_of(response)
        return response

    async def stream(self, call: Call) -> AsyncGenerator[bytes, None]:
        """The body in pieces. Retries end when it starts."""
        response = await self.send(call, stream=True)
        try:
            async for chunk in response.aiter_bytes():
                yield chunk
        except httpx.HTTPError as error:
            raise ApiConnectionError("The connection broke before the response was complete.") from error
        finally:
            await response.aclose()

    async def events(self, call: Call, last_event_id: str) -> AsyncGenerator[ServerEvent | None, None]:
        """Server-Sent Events; `None` whenever the service shows that it is still there."""
        parser = EventParser(last_event_id)
        async with aclosing(self.stream(call)) as chunks:
            async for chunk in chunks:
                for event in parser.feed(chunk):
                    yield event
                yield None
