"""`fovea.keys`: the tenant's API keys. Needs the scope `admin`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import quote

from typing_extensions import Unpack

from .._base import Listed
from .._request import Call
from ..models import ApiKey, CreatedApiKey
from ..params import ChangeApiKey, NewApiKey
from ._lists import async_all
from .transport import AsyncTransport


class AsyncKeys:
    def __init__(self, http: AsyncTransport) -> None:
        self._http = http

    async def create(self, *, idempotency_key: str | None = None, **key: Unpack[NewApiKey]) -> CreatedApiKey:
        """Creates a key. Only this response contains the `key` itself."""
        call = Call("POST", "/v1/keys", json=key, idempotency_key=idempotency_key)
        return await self._http.json(CreatedApiKey, call)

    async def list(self, *, limit: int | None = None, cursor: str | None = None) -> Listed[ApiKey]:
        query = {"limit": limit, "cursor": cursor}
        return await self._http.json(Listed[ApiKey], Call("GET", "/v1/keys", query=query))

    def all(self) -> AsyncIterator[ApiKey]:
        return async_all(self.list)

    async def change(self, id: str, **change: Unpack[ChangeApiKey]) -> ApiKey:
        """Changes a key's name, expiry and limits; `None` removes a limit."""
        return await self._http.json(ApiKey, Call("PATCH", _path(id), json=change))

    async def rotate(self, id: str, *, overlap: int | None = None) -> CreatedApiKey:
        """Creates a key with the same rights.

        Args:
            overlap: seconds for which the old key stays valid; default: a day.
        """
        json = {} if overlap is None else {"overlap_s": overlap}
        return await self._http.json(CreatedApiKey, Call("POST", f"{_path(id)}/rotate", json=json))

    async def revoke(self, id: str) -> None:
        await self._http.none(Call("DELETE", _path(id)))


def _path(id: str) -> str:
    return f"/v1/keys/{quote(id, safe='')}"
