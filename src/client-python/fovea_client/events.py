"""Events of a job."""

from __future__ import annotations

from typing import Literal

from pydantic import TypeAdapter

from ._base import Record
from ._sse import ServerEvent
from .models import PageError

OPEN = frozenset({"queued", "running"})


def is_over(state: str) -> bool:
    """Whether a job in this state has ended."""
    return state not in OPEN


class PageEvent(Record):
    """A page was read, or could not be read."""

    type: Literal["page"]
    id: str
    page: int
    state: str
    source: str
    verdict: str | None = None
    finish_reason: str | None = None
    error: PageError | None = None


class StateEvent(Record):
    """The job is `queued` or `running`, or has ended; an end state is the last event."""

    type: Literal["queued", "running", "succeeded", "partial", "failed", "canceled", "expired"] | str
    id: str
    state: str
    done: int | None = None
    """Pages, counted when the job ends."""
    failed: int | None = None


JobEvent = PageEvent | StateEvent

_DATA: TypeAdapter[dict[str, object]] = TypeAdapter(dict[str, object])


def job_event(event: ServerEvent) -> JobEvent:
    fields = {**_DATA.validate_json(event.data), "type": event.event, "id": event.id}
    return (PageEvent if event.event == "page" else StateEvent).model_validate(fields)
