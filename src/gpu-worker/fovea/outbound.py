"""All outbound HTTP of the worker: to the edge, and to documents on public addresses.

This module resolves the host name, checks every address it gets, and connects to a checked address. The name is
resolved only once, so a hostile name server cannot answer differently the second time (DNS rebinding). Redirects are
not followed. One time limit covers the whole call, so a server cannot hold a connection open by sending a byte now
and then.
"""

import contextlib
import http.client
import ipaddress
import socket
import threading
from collections.abc import Callable, Iterator
from urllib.parse import quote, urlsplit

import urllib3

CONNECT_S = 10

# IPv6 networks that embed an IPv4 address. It may be private even though the IPv6 address is global.
TUNNELS = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "2002::/16", "2001::/32", "::/96")))


class Refused(Exception):
    """The URL may not be called. The message names no internals."""


class Unreachable(Exception):
    """The connection failed or broke."""


def origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


class Outbound:
    """Origins in `allowed_origins` are called without checks; all others must be public `https`."""

    def __init__(self, allowed_origins: frozenset[str]):
        self._allowed = allowed_origins

    def check(self, url: str) -> None:
        """Raises `Refused` for a URL that is not allowed wherever its host name points."""
        try:
            parts = urlsplit(url)
            parts.port  # noqa: B018 - parsed on access; raises ValueError
        except ValueError:
            raise Refused("the address is not a valid URL") from None
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
            raise Refused("the address is not an https URL")
        if not parts.netloc.isascii():
            raise Refused("the host must be written in ASCII (a name such as xn--…)")
        if origin_of(url) not in self._allowed and parts.scheme != "https":
            raise Refused("only https addresses are allowed")

    @contextlib.contextmanager
    def open(
        self,
        method: str,
        url: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        *,
        limit_s: float,
        silence_s: float = 30,
        on_cancel: Callable[[Callable[[], None]], None] | None = None,
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        """A response whose body has not been read.

        `limit_s`: seconds after which the connection is closed, whatever the state of the call.
        `silence_s`: longest time without a byte.
        `on_cancel`: registers a function that closes the connection.
        Raises `Refused`, `Unreachable`.
        """
        self.check(url)
        parts = urlsplit(url)
        pool = self._pool(url)
        opened: list[http.client.HTTPConnection] = []

        class Connection(pool.ConnectionCls):
            def connect(self) -> None:
                opened.append(self)
                super().connect()

        pool.ConnectionCls = Connection
        timer = threading.Timer(limit_s, _close, [opened])
        timer.daemon = True
        timer.start()
        if on_cancel:
            on_cancel(lambda: _close(opened))
        try:
            try:
                response = pool.urlopen(
                    method,
                    _ascii(parts.path or "/") + (f"?{_ascii(parts.query)}" if parts.query else ""),
                    body=body,
                    headers={"host": parts.netloc, "user-agent": "Fovea", **(headers or {})},
                    timeout=urllib3.Timeout(connect=CONNECT_S, read=silence_s),
                    redirect=False,
                    retries=False,
                    preload_content=False,
                    assert_same_host=False,
                )
            except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, ValueError) as error:
                raise Unreachable(str(error)) from error
            try:
                yield response
            finally:
                response.close()
        finally:
            timer.cancel()
            pool.close()

    def _pool(self, url: str) -> urllib3.HTTPConnectionPool:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        if origin_of(url) in self._allowed:
            kind = urllib3.HTTPSConnectionPool if parts.scheme == "https" else urllib3.HTTPConnectionPool
            return kind(parts.hostname, port)
        address = public_address(parts.hostname, port)
        return urllib3.HTTPSConnectionPool(
            address, port, server_hostname=parts.hostname, assert_hostname=parts.hostname
        )


def _ascii(text: str) -> str:
    return quote(text, safe="!#$%&'()*+,/:;=?@[]~-._")


def _close(connections: list[http.client.HTTPConnection]) -> None:
    for connection in connections:
        if connection.sock:
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)


def public_address(host: str, port: int) -> str:
    """An IP address of `host`. Raises `Refused` if one of its addresses is not public, and `Unreachable`."""
    try:
        found = {info[4][0] for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        raise Unreachable("the host name cannot be resolved") from None
    if not found:
        raise Unreachable("the host name has no address")
    for text in found:
        if not _is_public(ipaddress.ip_address(text.split("%")[0])):
            raise Refused("the address is not public")
    return sorted(found)[0]


def _is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    mapped = getattr(address, "ipv4_mapped", None)
    if mapped:
        return _is_public(mapped)
    if address.version == 6 and any(address in network for network in TUNNELS):
        return False
    return address.is_global and not address.is_multicast
