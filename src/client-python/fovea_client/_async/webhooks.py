"""`fovea.webhooks`: endpoints that are notified when jobs end. Needs the scope `webhooks`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import quote

from typing_extensions import Unpack

from .._base import Listed
from .._request import Call
from ..models import WebhookDelivery, WebhookEndpoint, WebhookEndpointWithSecret, WebhookSecret
from ..params import ChangeWebhookEndpoint, NewWebhookEndpoint
from ._lists import async_all
from .transport import AsyncTransport


class AsyncWebhooks:
    def __init__(self, http: AsyncTransport) -> None:
        self._http = http

    async def secret(self) -> str:
        """The secret that signs webhooks to a job's `webhook_url`. Each endpoint has its own secret."""
        return (await self._http.json(WebhookSecret, Call("GET", "/v1/webhooks/secret"))).secret

    async def create(
        self, *, idempotency_key: str | None = None, **endpoint: Unpack[NewWebhookEndpoint]
    ) -> WebhookEndpointWithSecret:
        """Creates an endpoint; only this response and `rotate` contain its secret."""
        call = Call("POST", "/v1/webhooks/endpoints", json=endpoint, idempotency_key=idempotency_key)
        return await self._http.json(WebhookEndpointWithSecret, call)

    async def list(self, *, limit: int | None = None, cursor: str | None = None) -> Listed[WebhookEndpoint]:
        call = Call("GET", "/v1/webhooks/endpoints", query={"limit": limit, "cursor": cursor})
        return await self._http.json(Listed[WebhookEndpoint], call)

    def all(self) -> AsyncIterator[WebhookEndpoint]:
        return async_all(self.list)

    async def change(self, id: str, **change: Unpack[ChangeWebhookEndpoint]) -> WebhookEndpoint:
        return await self._http.json(WebhookEndpoint, Call("PATCH", _path(id), json=change))

    async def rotate(self, id: str) -> WebhookEndpointWithSecret:
        """Replaces the secret. For a day, webhooks carry signatures of both secrets."""
        return await self._http.json(WebhookEndpointWithSecret, Call("POST", f"{_path(id)}/rotate"))

    async def test(self, id: str) -> WebhookDelivery:
        """Sends the event `endpoint.test`, once."""
        return await self._http.json(WebhookDelivery, Call("POST", f"{_path(id)}/test"))

    async def delete(self, id: str) -> None:
        await self._http.none(Call("DELETE", _path(id)))

    async def replay(self, delivery_id: str) -> None:
        """Sends a delivery again. `fovea.jobs.deliveries(id)` lists deliveries."""
        path = f"/v1/webhooks/deliveries/{quote(delivery_id, safe='')}/replay"
        await self._http.none(Call("POST", path))


def _path(id: str) -> str:
    return f"/v1/webhooks/endpoints/{quote(id, safe='')}"
