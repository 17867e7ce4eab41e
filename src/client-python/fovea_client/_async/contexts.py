"""`fovea.contexts`: conversations whose older messages fade from text to ever smaller page images."""

from __future__ import annotations

import builtins
from collections.abc import AsyncIterator, Sequence
from typing import Any, Literal
from urllib.parse import quote

from typing_extensions import Unpack

from .._base import Listed
from .._request import Answer, Call, back_off, sleep_async
from ..models import (
    Ageing,
    AgeingChange,
    Context,
    ContextMessage,
    ContextMessageWithText,
    ContextView,
    LossReport,
    Recall,
)
from ..params import (
    AgeContext,
    ChangeContext,
    ChangeContextMessage,
    NewContext,
    NewContextMessagesMessage,
)
from ._lists import async_all
from .transport import AsyncTransport

HOLD = 30
"""Seconds for which the service holds a request. The client repeats it until the work is done."""
Images = Literal["url", "data", "none"]


class AsyncContexts:
    def __init__(self, http: AsyncTransport) -> None:
        self._http = http

    async def create(self, *, idempotency_key: str | None = None, **context: Unpack[NewContext]) -> Context:
        call = Call("POST", "/v1/contexts", json=context, idempotency_key=idempotency_key)
        return await self._http.json(Context, call)

    async def get(self, id: str) -> Context:
        return await self._http.json(Context, Call("GET", _path(id)))

    async def list(self, *, limit: int | None = None, cursor: str | None = None) -> Listed[Context]:
        query = {"limit": limit, "cursor": cursor}
        return await self._http.json(Listed[Context], Call("GET", "/v1/contexts", query=query))

    def all(self) -> AsyncIterator[Context]:
        """All contexts, newest first."""
        return async_all(self.list)

    async def update(self, id: str, **change: Unpack[ChangeContext]) -> Context:
        """Changes the name, token budget, metadata, or when texts are erased."""
        return await self._http.json(Context, Call("PATCH", _path(id), json=change))

    async def add(
        self,
        id: str,
        *messages: NewContextMessagesMessage,
        idempotency_key: str | None = None,
    ) -> builtins.list[ContextMessage]:
        """Appends up to 100 messages: `add(id, {"role": "user", "content": "Hello"})`."""
        json = {"messages": messages}
        call = Call("POST", f"{_path(id)}/messages", json=json, idempotency_key=idempotency_key)
        return (await self._http.json(Listed[ContextMessage], call)).data

    async def message(self, id: str, number: int) -> ContextMessageWithText:
        """A message with its text; `text` is `None` if it is erased, then `recall` reads the image."""
        return await self._http.json(ContextMessageWithText, Call("GET", _message(id, number)))

    async def forget(self, id: str, number: int) -> None:
        """Deletes a message and the image that contains it; the image's other messages are text again."""
        await self._http.none(Call("DELETE", _message(id, number)))

    async def change(self, id: str, number: int, **change: Unpack[ChangeContextMessage]) -> ContextMessage:
        """Pins a message or sets its importance."""
        return await self._http.json(ContextMessage, Call("PATCH", _message(id, number), json=change))

    async def view(self, id: str, *, images: Images | None = None) -> ContextView:
        """The context as it is now. Image URLs are valid for an hour and need no key."""
        return await self._http.json(ContextView, Call("GET", f"{_path(id)}/view", query={"images": images}))

    async def content(self, id: str, *, images: Images | None = None) -> Sequence[dict[str, Any]]:
        """The context as the `content` of a chat message for a vision-language model."""
        query = {"format": "openai", "images": images}
        view = await self._http.json(ContextView, Call("GET", f"{_path(id)}/view", query=query))
        return [item.model_dump() for item in view.content or []]

    async def age(self, id: str, **request: Unpack[AgeContext]) -> Ageing:
        """Ages the context now and waits for the result; with `dry_run=True`, only reports what is due."""
        changes: builtins.list[AgeingChange] = []
        failures = 0
        while True:
            ageing = await self._held(Ageing, Call("POST", f"{_path(id)}/age", json=request))
            changes.extend(ageing.changes)
            if ageing.state not in ("making", "busy"):
                return ageing.model_copy(update={"changes": changes})
            await sleep_async(back_off(failures))
            failures += 1

    async def recall(
        self,
        id: str,
        number: int,
        *,
        model: str | None = None,
        source: Literal["auto", "image"] | None = None,
    ) -> Recall:
        """The text of a message: the original where the context still has it, else what a model reads in the image.

        Args:
            source: `image`: reads the image even if the original exists. It is read once per rung; later calls use
                that reading.
        """
        query = {"model": model, "source": source}
        failures = 0
        while True:
            call = Call("GET", f"{_message(id, number)}/recall", query=query)
            recall = await self._held(Recall, call)
            if recall.state != "reading":
                return recall
            await sleep_async(back_off(failures))
            failures += 1

    async def loss(self, id: str) -> LossReport:
        """How legible each message still is."""
        return await self._http.json(LossReport, Call("GET", f"{_path(id)}/loss"))

    def export(self, id: str) -> AsyncIterator[bytes]:
        """Everything the context still holds, as JSON lines."""
        return self._http.stream(Call("GET", f"{_path(id)}/export"))

    async def delete(self, id: str) -> None:
        await self._http.none(Call("DELETE", _path(id)))

    async def _held(self, into: type[Answer], call: Call) -> Answer:
        call.headers = {"prefer": f"wait={HOLD}"}
        call.timeout = HOLD + self._http.options.timeout
        return await self._http.json(into, call)


def _path(id: str) -> str:
    return f"/v1/contexts/{quote(id, safe='')}"


def _message(id: str, number: int) -> str:
    return f"{_path(id)}/messages/{number}"
