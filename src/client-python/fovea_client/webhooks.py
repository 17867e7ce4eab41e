"""Verifies webhooks (Standard Webhooks specification)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping, Sequence

from pydantic import ValidationError

from ._base import Record
from .errors import WebhookError
from .models import JobProgress, PageError


class WebhookData(Record):
    """What happened. Events that are not about a job have other fields (`model_extra`)."""

    job_id: str | None = None
    file_id: str | None = None
    state: str | None = None
    progress: JobProgress | None = None
    error: PageError | None = None
    metadata: dict[str, str] | None = None
    links: dict[str, str] | None = None


class WebhookEvent(Record):
    type: str
    """Such as `job.succeeded`."""
    timestamp: str
    data: WebhookData


def verify_webhook(
    secret: str | Sequence[str],
    body: bytes | str,
    headers: Mapping[str, str],
    *,
    tolerance: float = 300,
    now: float | None = None,
) -> WebhookEvent:
    """The event of a genuine webhook.

    Args:
        secret: `whsec_…`; several while a secret is being replaced.
        body: the body exactly as received.
        headers: the request's headers.
        tolerance: seconds by which the timestamp may differ from `now`, the time in seconds since 1970.

    Raises:
        WebhookError: no signature is valid, or the timestamp is too old or too new.
        ValueError: a secret does not have the form `whsec_…`.
    """
    found = {name.lower(): value for name, value in headers.items()}
    try:
        id, timestamp, signatures = (found[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
    except KeyError as error:
        raise WebhookError(f"The header {error.args[0]} is missing.") from None
    if not (timestamp.isascii() and timestamp.isdigit()):
        raise WebhookError("The webhook's timestamp is no number.")
    if abs((time.time() if now is None else now) - int(timestamp)) > tolerance:
        raise WebhookError("The webhook's timestamp is too old or too new.")
    content = body.encode() if isinstance(body, str) else body
    signed = f"{id}.{timestamp}.".encode() + content
    for one in [secret] if isinstance(secret, str) else secret:
        expected = hmac.new(_key(one), signed, hashlib.sha256).digest()
        for entry in signatures.split(" "):
            version, _, signature = entry.partition(",")
            if version == "v1" and hmac.compare_digest(_decoded(signature), expected):
                return _event(content)
    raise WebhookError("The webhook has no valid signature.")


def _event(content: bytes) -> WebhookEvent:
    try:
        return WebhookEvent.model_validate_json(content)
    except ValidationError as error:
        raise WebhookError("The webhook's body is no event.") from error


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raise ValueError("The webhook secret does not have the form whsec_…") from None


def _decoded(signature: str) -> bytes:
    try:
        return base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        return b""
