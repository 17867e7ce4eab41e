"""Gets a document's bytes: from a data URL, or over HTTP with a size cap and a time limit."""

import base64
import binascii
import time
from urllib.parse import urljoin

import urllib3

from fovea.errors import DocumentError
from fovea.outbound import Outbound, Refused, Unreachable, origin_of
from fovea.settings import Settings

MAX_REDIRECTS = 3
CHUNK = 1 << 20


def fetch_document(url: str, settings: Settings, outbound: Outbound) -> bytes:
    """Blocks; call it in a thread. Raises `DocumentError`."""
    if url[:5].lower() == "data:":
        return _from_data_url(url, settings.max_document_bytes)
    deadline = time.monotonic() + settings.fetch_timeout_s
    for _ in range(MAX_REDIRECTS + 1):
        try:
            response = outbound.open("GET", url)
        except Refused as error:
            raise DocumentError("document_unreachable", f"The document was not fetched: {error}.") from None
        except Unreachable:
            raise DocumentError(
                "document_unreachable", "No answer came from the document's address."
            ) from None
        try:
            if response.status in (301, 302, 303, 307, 308):
                target = urljoin(url, response.headers.get("location", ""))
                if origin_of(target) != origin_of(url):
                    raise DocumentError("document_unreachable", "The address redirects to another host.")
                url = target
                continue
            if response.status != 200:
                raise DocumentError(
                    "document_unreachable", f"The document's address answered with status {response.status}."
                )
            return _read(response, settings.max_document_bytes, deadline)
        finally:
            response.close()
    raise DocumentError("document_unreachable", "The address redirects too often.")


def _read(response: urllib3.BaseHTTPResponse, limit: int, deadline: float) -> bytes:
    chunks: list[bytes] = []
    size = 0
    try:
        for chunk in response.stream(CHUNK):
            size += len(chunk)
            if size > limit:
                raise _too_large(limit)
            if time.monotonic() > deadline:
                raise DocumentError("document_unreachable", "The document took too long to come.")
            chunks.append(chunk)
    except (urllib3.exceptions.HTTPError, OSError):
        raise DocumentError("document_unreachable", "The document broke off while it was fetched.") from None
    return b"".join(chunks)


def _from_data_url(url: str, limit: int) -> bytes:
    head, comma, data = url.partition(",")
    if not comma or not head.lower().endswith(";base64"):
        raise DocumentError("document_unsupported", "The data URL is not base64.")
    if len(data) * 3 // 4 > limit + 2:
        raise _too_large(limit)
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise DocumentError("document_unsupported", "The data URL is not valid base64.") from None


def _too_large(limit: int) -> DocumentError:
    return DocumentError("document_too_large", f"The document has more than {limit} bytes.")
