"""Fetches a document's bytes: from a data URL, or over HTTP with a size limit and a time limit."""

import base64
import binascii
import time
from dataclasses import dataclass
from urllib.parse import urljoin

import urllib3

from fovea.errors import DocumentError
from fovea.outbound import Outbound, Refused, Unreachable, origin_of
from fovea.settings import Settings

LIMIT_S = 120.0
MAX_REDIRECTS = 3
REDIRECTS = (301, 302, 303, 307, 308)
CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Fetched:
    data: bytes
    media_type: str
    """As declared, without parameters; empty if not declared."""


def fetch_document(url: str, settings: Settings, outbound: Outbound) -> Fetched:
    """Blocks for at most `LIMIT_S` seconds. Raises `DocumentError`."""
    if url[:5].lower() == "data:":
        return _from_data_url(url, settings.max_document_bytes)
    deadline = time.monotonic() + LIMIT_S
    for _ in range(MAX_REDIRECTS + 1):
        limit_s = max(0.1, deadline - time.monotonic())
        try:
            with outbound.open("GET", url, limit_s=limit_s) as response:
                if response.status not in REDIRECTS:
                    data = _read(response, settings.max_document_bytes)
                    return Fetched(data, _essence(response.headers.get("content-type", "")))
                url = _redirected(url, response.headers.get("location", ""))
        except Refused as error:
            raise _unreachable(f"The document was not fetched: {error}.") from None
        except (Unreachable, urllib3.exceptions.HTTPError, OSError) as error:
            if time.monotonic() >= deadline:
                raise _unreachable("The download of the document took too long.") from None
            if isinstance(error, Unreachable):
                raise _unreachable("The document's server does not answer.") from None
            raise _unreachable("The connection broke while the document was downloaded.") from None
    raise _unreachable("The document's address redirects too often.")


def _essence(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _redirected(url: str, location: str) -> str:
    try:
        target = urljoin(url, location)
        same = origin_of(target) == origin_of(url)
    except ValueError:
        same = False
    if not same:
        raise _unreachable("The document's address redirects to another host.")
    return target


def _read(response: urllib3.BaseHTTPResponse, limit: int) -> bytes:
    if response.status != 200:
        raise _unreachable(f"The document's server answered with status {response.status}.")
    chunks: list[bytes] = []
    size = 0
    for chunk in response.stream(CHUNK):
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
    return b"".join(chunks)


def _from_data_url(url: str, limit: int) -> Fetched:
    head, comma, data = url.partition(",")
    if not comma or not head.lower().endswith(";base64"):
        raise DocumentError("document_unsupported", "The data URL must be encoded as base64.")
    if len(data) * 3 // 4 > limit + 2:
        raise _too_large(limit)
    try:
        return Fetched(base64.b64decode(data, validate=True), _essence(head[5:]))
    except (binascii.Error, ValueError):
        raise DocumentError("document_unsupported", "The data URL is not valid base64.") from None


def _too_large(limit: int) -> DocumentError:
    return DocumentError("document_too_large", f"The document is larger than {limit} bytes.")


def _unreachable(message: str) -> DocumentError:
    return DocumentError("document_unreachable", message)
