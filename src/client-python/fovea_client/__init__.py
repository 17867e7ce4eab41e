"""Client of Fovea, an OCR service: `Fovea().read("invoice.pdf").markdown`."""

from . import models, params
from ._async.client import AsyncFovea
from ._base import Listed
from ._source import Source
from ._sync.client import Fovea
from ._version import VERSION as __version__
from .errors import (
    ApiConnectionError,
    ApiError,
    ApiTimeoutError,
    AuthenticationError,
    ConflictError,
    FoveaError,
    InvalidRequestError,
    JobError,
    NotFoundError,
    PermissionDeniedError,
    QuotaError,
    RateLimitError,
    ServerError,
    WebhookError,
)
from .events import ExtractionEvent, JobEvent, PageEvent, StateEvent, is_over
from .manifest import ManifestLine, is_batch_over
from .models import Block, Extraction, FailedPage, Job, ResultDocument, StoredPageResult
from .reading import PageOutcome, Reading
from .webhooks import WebhookEvent, verify_webhook

__all__ = [
    "ApiConnectionError",
    "ApiError",
    "ApiTimeoutError",
    "AsyncFovea",
    "AuthenticationError",
    "Block",
    "ConflictError",
    "Extraction",
    "ExtractionEvent",
    "FailedPage",
    "Fovea",
    "FoveaError",
    "InvalidRequestError",
    "Job",
    "JobError",
    "JobEvent",
    "Listed",
    "ManifestLine",
    "NotFoundError",
    "PageEvent",
    "PageOutcome",
    "PermissionDeniedError",
    "QuotaError",
    "RateLimitError",
    "Reading",
    "ResultDocument",
    "ServerError",
    "Source",
    "StateEvent",
    "StoredPageResult",
    "WebhookError",
    "WebhookEvent",
    "__version__",
    "is_batch_over",
    "is_over",
    "models",
    "params",
    "verify_webhook",
]
