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
    """The job is `queued` or `running`, or has ended. After an end state, only its extractions can follow."""

    type: Literal["queued", "running", "succeeded", "partial", "failed", "canceled", "expired"] | str
    id: str
    state: str
    done: int | None = None
    """Pages, counted when the job ends."""
    failed: int | None = None


class ExtractionEvent(Record):
    """An extraction of the job has ended."""

    type: Literal["extraction.completed"]
    id: str
    extraction_id: str
    state: Literal["succeeded", "failed"] | str
    error: PageError | None = None


JobEvent = PageEvent | StateEvent | ExtractionEvent

_TYPES: dict[str, type[JobEvent]] = {"page": PageEvent, "extraction.completed": ExtractionEvent}

_DATA: TypeAdapter[dict[str, object]] = TypeAdapter(dict[str, object])


def job_event(event: ServerEvent) -> JobEvent:
    fields = {**_DATA.validate_json(event.data), "type": event.event, "id": event.id}
    return _TYPES.get(event.event, StateEvent).model_validate(fields)
