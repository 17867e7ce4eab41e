# Made by `npm run types` from `_async`: do not edit.
"""`fovea.webhooks`: endpoints that are notified when jobs end. Needs the scope `webhooks`."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from typing_extensions import Unpack

from .._base import Listed
from .._request import Call
from ..models import WebhookDelivery, WebhookEndpoint, WebhookEndpointWithSecret, WebhookSecret
from ..params import ChangeWebhookEndpoint, NewWebhookEndpoint
from ._lists import sync_all
from .transport import Transport


class Webhooks:
    def __init__(self, http: Transport) -> None:
        self._http = http

    def secret(self) -> str:
        """The secret that signs webhooks to a job's `webhook_url`. Each endpoint has its own secret."""
        return (self._http.json(WebhookSecret, Call("GET", "/v1/webhooks/secret"))).secret

    def create(
        self, *, idempotency_key: str | None = None, **endpoint: Unpack[NewWebhookEndpoint]
    ) -> WebhookEndpointWithSecret:
        """Creates an endpoint; only this response and `rotate` contain its secret."""
        call = Call("POST", "/v1/webhooks/endpoints", json=endpoint, idempotency_key=idempotency_key)
        return self._http.json(WebhookEndpointWithSecret, call)

    def list(self, *, limit: int | None = None, cursor: str | None = None) -> Listed[WebhookEndpoint]:
        call = Call("GET", "/v1/webhooks/endpoints", query={"limit": limit, "cursor": cursor})
        return self._http.json(Listed[WebhookEndpoint], call)

    def all(self) -> Iterator[WebhookEndpoint]:
        return sync_all(self.list)

    def change(self, id: str, **change: Unpack[ChangeWebhookEndpoint]) -> WebhookEndpoint:
        return self._http.json(WebhookEndpoint, Call("PATCH", _path(id), json=change))

    def rotate(self, id: str) -> WebhookEndpointWithSecret:
        """Replaces the secret. For a day, webhooks carry signatures of both secrets."""
        return self._http.json(WebhookEndpointWithSecret, Call("POST", f"{_path(id)}/rotate"))

    def test(self, id: str) -> WebhookDelivery:
        """Sends the event `endpoint.test`, once."""
        return self._http.json(WebhookDelivery, Call("POST", f"{_path(id)}/test"))

    def delete(self, id: str) -> None:
        self._http.none(Call("DELETE", _path(id)))

    def replay(self, delivery_id: str) -> None:
        """Sends a delivery again. `fovea.jobs.deliveries(id)` lists deliveries."""
        path = f"/v1/webhooks/deliveries/{quote(delivery_id, safe='')}/replay"
        self._http.none(Call("POST", path))


def _path(id: str) -> str:
    return f"/v1/webhooks/endpoints/{quote(id, safe='')}"
