"""Lines of a batch (docs/BATCHES.md)."""

from __future__ import annotations

from ._base import Record
from .models import BatchFailure
from .params import BatchDefaults


class ManifestLine(BatchDefaults, total=False):
    """A document, with options that override the batch's `defaults`."""

    file: str
    url: str
    bucket: str
    """Id of a bucket connection, with the `key` of an object and perhaps its `etag`."""
    key: str
    etag: str
    custom_id: str
    metadata: dict[str, str]


class BatchFailures(Record):
    data: list[BatchFailure]
    next_after: int | None = None


def is_batch_over(state: str) -> bool:
    """Whether a batch in this state has ended. It then changes only when its failures are retried."""
    return state in ("completed", "canceled", "failed")
