# Made by `npm run types` from `_async`: do not edit.
"""Sends requests and retries them."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from contextlib import closing

import httpx

from .._request import (
    Answer,
    Call,
    Options,
    connection_error,
    parsed,
    pause_before_retry,
    sleep_sync,
)
from .._sse import EventParser, ServerEvent
from ..errors import ApiConnectionError, FoveaError, NotFoundError, error_of


class Transport:
    def __init__(self, options: Options, client: httpx.Client) -> None:
        self.options = options
        self.client = client

    def json(self, into: type[Answer], call: Call) -> Answer:
        response = self.send(call)
        return parsed(into, response.content)

    def text(self, call: Call) -> str:
        response = self.send(call)
        return response.content.decode()

    def content(self, call: Call) -> bytes:
        response = self.send(call)
        return response.content

    def checked(self, call: Call, sha256: str) -> bytes:
        """The whole body. A body with another SHA-256 counts as a failed attempt."""
        attempt = 0
        while True:
            content = self.content(call)
            if hashlib.sha256(content).hexdigest() == sha256:
                return content
            error = ApiConnectionError(f"The response's SHA-256 is not {sha256}.")
            pause = pause_before_retry(error, attempt, self.options.max_retries)
            if pause is None:
                raise error
            attempt += 1
            sleep_sync(pause)

    def none(self, call: Call) -> None:
        try:
            self.send(call)
        except NotFoundError:
            # An earlier attempt has deleted it, and its response was lost.
            if call.method != "DELETE" or call.attempts == 1:
                raise

    def send(self, call: Call, *, stream: bool = False) -> httpx.Response:
        """
        Returns:
            the response, read to its end unless `stream`.

        Raises:
            FoveaError
        """
        while True:
            call.attempts += 1
            try:
                return self._attempt(call, stream)
            except FoveaError as error:
                pause = pause_before_retry(error, call.attempts - 1, self.options.max_retries)
                if pause is None:
                    raise
            sleep_sync(pause)

    def _attempt(self, call: Call, stream: bool) -> httpx.Response:
        request = self.client.build_request(**call.arguments(self.options), content=call.content_sync())
        try:
            response = self.client.send(request, stream=True)
            if response.is_success and stream:
                return response
            try:
                response.read()
            finally:
                response.close()
        except httpx.HTTPError as error:
            raise connection_error(error, str(request.url), request.extensions["timeout"]["read"]) from error
        if not response.is_success:
            raise error_of(response)
        return response

    def stream(self, call: Call) -> Generator[bytes, None, None]:
        """The body in pieces. Retries end when it starts."""
        response = self.send(call, stream=True)
        try:
            yield from response.iter_bytes()
        except httpx.HTTPError as error:
            raise ApiConnectionError("The connection broke before the response was complete.") from error
        finally:
            response.close()

    def events(self, call: Call, last_event_id: str) -> Generator[ServerEvent | None, None, None]:
        """Server-Sent Events; `None` whenever the service shows that it is still there."""
        parser = EventParser(last_event_id)
        with closing(self.stream(call)) as chunks:
            for chunk in chunks:
                yield from parser.feed(chunk)
                yield None
