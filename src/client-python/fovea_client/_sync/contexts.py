# Made by `npm run types` from `_async`: do not edit.
"""`fovea.contexts`: conversations whose texts are kept, and whose older messages a view shows as page images."""

from __future__ import annotations

import builtins
import uuid
from collections.abc import Iterator
from io import BytesIO
from typing import Any, Literal
from urllib.parse import quote

from typing_extensions import Unpack

from .._base import Listed
from .._request import Answer, Call, back_off, sleep_sync
from .._source import Body
from ..models import (
    Ageing,
    AgeingChange,
    Context,
    ContextCosts,
    ContextMessage,
    ContextMessages,
    ContextMessageWithText,
    ContextSearch,
    ContextSegment,
    ContextSegmentWithMessages,
    ContextView,
    ContextZoom,
    ImportedContext,
    MemoryProfile,
    Recall,
)
from ..params import (
    AgeContext,
    ChangeContext,
    ChangeContextMessage,
    NewContext,
    NewContextMessagesMessage,
)
from ._lists import sync_all
from .transport import Transport

HOLD = 30
"""Seconds for which the service holds a request. The client repeats it until the work is done."""
Images = Literal["url", "data", "none"]
Provider = Literal["openai", "anthropic", "gemini"]


class Contexts:
    def __init__(self, http: Transport) -> None:
        self._http = http

    def create(self, *, idempotency_key: str | None = None, **context: Unpack[NewContext]) -> Context:
        call = Call("POST", "/v1/contexts", json=context, idempotency_key=idempotency_key)
        return self._http.json(Context, call)

    def get(self, id: str) -> Context:
        return self._http.json(Context, Call("GET", _path(id)))

    def list(self, *, limit: int | None = None, cursor: str | None = None) -> Listed[Context]:
        query = {"limit": limit, "cursor": cursor}
        return self._http.json(Listed[Context], Call("GET", "/v1/contexts", query=query))

    def all(self) -> Iterator[Context]:
        """All contexts, newest first."""
        return sync_all(self.list)

    def update(self, id: str, **change: Unpack[ChangeContext]) -> Context:
        """Changes the name, profile, token budget, metadata, or when texts are erased."""
        return self._http.json(Context, Call("PATCH", _path(id), json=change))

    def add(
        self,
        id: str,
        *messages: NewContextMessagesMessage,
        idempotency_key: str | None = None,
    ) -> builtins.list[ContextMessage]:
        """Appends up to 1000 messages: `add(id, {"role": "user", "content": "Hello"})`."""
        json = {"messages": messages}
        call = Call("POST", f"{_path(id)}/messages", json=json, idempotency_key=idempotency_key)
        return (self._http.json(Listed[ContextMessage], call)).data

    def add_from(
        self, id: str, provider: Provider, request: dict[str, Any], *, idempotency_key: str | None = None
    ) -> builtins.list[ContextMessage]:
        """Appends messages as they are sent to a provider: `add_from(id, "openai", {"messages": [...]})`."""
        json = {**request, "format": provider}
        call = Call("POST", f"{_path(id)}/messages", json=json, idempotency_key=idempotency_key)
        return (self._http.json(Listed[ContextMessage], call)).data

    def messages(self, id: str) -> Iterator[ContextMessageWithText]:
        """All messages with their texts, oldest first."""
        after: int | None = 0
        while after is not None:
            query = {"after": after, "limit": 200}
            page = self._http.json(ContextMessages, Call("GET", f"{_path(id)}/messages", query=query))
            yield from page.data
            after = page.next_after

    def message(self, id: str, number: int) -> ContextMessageWithText:
        """A message with its text; `text` is `None` if it is erased, then `recall` reads the image."""
        return self._http.json(ContextMessageWithText, Call("GET", _message(id, number)))

    def forget(self, id: str, number: int) -> None:
        """Deletes a message and the images of its segment, which are made again without it."""
        self._http.none(Call("DELETE", _message(id, number)))

    def change(self, id: str, number: int, **change: Unpack[ChangeContextMessage]) -> ContextMessage:
        """Pins a message or sets its importance."""
        return self._http.json(ContextMessage, Call("PATCH", _message(id, number), json=change))

    def view(self, id: str, *, profile: str | None = None, images: Images | None = None) -> ContextView:
        """The context as it is now. Image URLs are valid for at least an hour and need no key."""
        query = {"profile": profile, "images": images}
        return self._http.json(ContextView, Call("GET", f"{_path(id)}/view", query=query))

    def as_messages(
        self, id: str, provider: Provider, *, profile: str | None = None, images: Images | None = None
    ) -> dict[str, Any]:
        """The context as part of a request, ready to send: roles, labels of images, `detail`, cache breakpoints.

        Returns:
            For `openai` a dictionary with `messages`, for `anthropic` with `system` and `messages`, for `gemini` with
            `systemInstruction` and `contents`.
        """
        query = {"format": provider, "profile": profile, "images": images}
        view = self._http.json(ContextView, Call("GET", f"{_path(id)}/view", query=query))
        members = {"system", "messages", "systemInstruction", "contents"}
        return view.model_dump(include=members, exclude_none=True)

    def costs(self, id: str) -> ContextCosts:
        """What a view would cost with each provider, against plain text."""
        return self._http.json(ContextCosts, Call("GET", f"{_path(id)}/costs"))

    def search(
        self,
        id: str,
        words: str,
        *,
        limit: int | None = None,
        mode: Literal["words", "meaning"] | None = None,
    ) -> ContextSearch:
        """Messages that contain all words; with `mode="meaning"`, those nearest to a question. The best first."""
        query = {"q": words, "limit": limit, "mode": mode}
        return self._http.json(ContextSearch, Call("GET", f"{_path(id)}/search", query=query))

    def age(self, id: str, **request: Unpack[AgeContext]) -> Ageing:
        """Ages the context now and waits for the result; with `dry_run=True`, only reports what is due."""
        changes: builtins.list[AgeingChange] = []
        failures = 0
        while True:
            ageing = self._held(Ageing, Call("POST", f"{_path(id)}/age", json=request))
            changes.extend(ageing.changes)
            if ageing.state not in ("making", "busy"):
                return ageing.model_copy(update={"changes": changes})
            sleep_sync(back_off(failures))
            failures += 1

    def recall(
        self,
        id: str,
        number: int,
        *,
        model: str | None = None,
        source: Literal["auto", "image"] | None = None,
    ) -> Recall:
        """The text of a message: the original where the context still has it, else what a model reads in the image.

        Args:
            source: `image`: reads the image even if the original exists. It is read once per form; later calls use
                that reading.
        """
        query = {"model": model, "source": source}
        failures = 0
        while True:
            call = Call("GET", f"{_message(id, number)}/recall", query=query)
            recall = self._held(Recall, call)
            if recall.state != "reading":
                return recall
            sleep_sync(back_off(failures))
            failures += 1

    def segments(self, id: str) -> builtins.list[ContextSegment]:
        """Sealed runs of messages: what is in each, in which form views show it, and how legible its images are."""
        return (self._http.json(Listed[ContextSegment], Call("GET", f"{_path(id)}/segments"))).data

    def segment(self, id: str, segment_id: str) -> ContextSegmentWithMessages:
        """A segment with its messages."""
        return self._http.json(ContextSegmentWithMessages, Call("GET", _segment(id, segment_id)))

    def zoom(self, id: str, segment_id: str, form: str, *, profile: str | None = None) -> ContextZoom:
        """The pages of a segment in a clearer or fainter form; waits until they are made."""
        json = {"form": form} if profile is None else {"form": form, "profile": profile}
        failures = 0
        while True:
            zoom = self._held(ContextZoom, Call("POST", f"{_segment(id, segment_id)}/zoom", json=json))
            if zoom.state != "making":
                return zoom
            sleep_sync(back_off(failures))
            failures += 1

    def profiles(self) -> builtins.list[MemoryProfile]:
        """What each provider charges, and the page formats that are made for it."""
        return (self._http.json(Listed[MemoryProfile], Call("GET", "/v1/memory/profiles"))).data

    def export(self, id: str) -> Iterator[bytes]:
        """Everything the context still holds, as JSON lines."""
        return self._http.stream(Call("GET", f"{_path(id)}/export"))

    def import_(self, lines: bytes | str) -> ImportedContext:
        """A new context from the lines of an export."""
        data = lines.encode() if isinstance(lines, str) else lines
        body = Body(lambda: BytesIO(data), 0, len(data), media_type="application/jsonl")
        call = Call("POST", "/v1/contexts/import", body=body, idempotency_key=uuid.uuid4().hex)
        return self._http.json(ImportedContext, call)

    def delete(self, id: str) -> None:
        self._http.none(Call("DELETE", _path(id)))

    def _held(self, into: type[Answer], call: Call) -> Answer:
        call.headers = {"prefer": f"wait={HOLD}"}
        call.timeout = HOLD + self._http.options.timeout
        return self._http.json(into, call)


def _path(id: str) -> str:
    return f"/v1/contexts/{quote(id, safe='')}"


def _message(id: str, number: int) -> str:
    return f"{_path(id)}/messages/{number}"


def _segment(id: str, segment_id: str) -> str:
    return f"{_path(id)}/segments/{quote(segment_id, safe='')}"
