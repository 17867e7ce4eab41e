"""The worker's only way out: HTTP to the edge, and to documents on public addresses.

A name is resolved here, each of its addresses is judged, and the connection goes to the address that was
judged: a second answer of a hostile name server (DNS rebinding) is never asked for. Redirects are not
followed.
"""

import ipaddress
import socket
from urllib.parse import urlsplit

import urllib3

TIMEOUT = urllib3.Timeout(connect=10, read=30)


class Refused(Exception):
    """The address may not be called. The message names no internals."""


class Unreachable(Exception):
    """No connection, or it broke."""


def origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


class Outbound:
    """`allowed_origins` are called as they are written; all others must be public `https`."""

    def __init__(self, allowed_origins: frozenset[str]):
        self._allowed = allowed_origins

    def open(self, method: str, url: str, body: bytes | None = None, headers: dict[str, str] | None = None):
        """A response whose body is not read yet; close it. Raises `Refused`, `Unreachable`."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise Refused("the address is not a URL") from None
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
            raise Refused("the address is not an https URL")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        port = port or (443 if parts.scheme == "https" else 80)
        if origin_of(url) in self._allowed:
            pool = _pool(parts.scheme, parts.hostname, port)
        elif parts.scheme != "https":
            raise Refused("only https addresses are allowed")
        else:
            address = public_address(parts.hostname, port)
            pool = urllib3.HTTPSConnectionPool(
                address, port, server_hostname=parts.hostname, assert_hostname=parts.hostname
            )
        try:
            return pool.urlopen(
                method,
                path,
                body=body,
                headers={"host": parts.netloc, "user-agent": "Fovea", **(headers or {})},
                timeout=TIMEOUT,
                redirect=False,
                retries=False,
                preload_content=False,
                assert_same_host=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unreachable(str(error)) from error


def _pool(scheme: str, host: str, port: int) -> urllib3.HTTPConnectionPool:
    kind = urllib3.HTTPSConnectionPool if scheme == "https" else urllib3.HTTPConnectionPool
    return kind(host, port)


def public_address(host: str, port: int) -> str:
    """An address of the host, all of whose addresses are public. Raises `Refused`, `Unreachable`."""
    try:
        found = {info[4][0] for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        raise Unreachable("the name cannot be resolved") from None
    for text in found:
        address = ipaddress.ip_address(text.split("%")[0])
        mapped = getattr(address, "ipv4_mapped", None)
        if not (mapped or address).is_global or address.is_multicast:
            raise Refused("the address is not public")
    return sorted(found)[0]
