# Made by `npm run types` from `_async`: do not edit.
"""`fovea.buckets`: connections to S3-compatible buckets of yours. Needs the scope `buckets`."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from typing_extensions import Unpack

from .._base import Listed
from .._request import Call
from ..models import Bucket, BucketCheck
from ..params import BucketAccessKey, NewBucket
from ._lists import sync_all
from .transport import Transport


class Buckets:
    def __init__(self, http: Transport) -> None:
        self._http = http

    def create(self, *, idempotency_key: str | None = None, **bucket: Unpack[NewBucket]) -> Bucket:
        """Connects a bucket. The access key is never shown again."""
        call = Call("POST", "/v1/buckets", json=bucket, idempotency_key=idempotency_key)
        return self._http.json(Bucket, call)

    def get(self, id: str) -> Bucket:
        return self._http.json(Bucket, Call("GET", _path(id)))

    def list(self, *, limit: int | None = None, cursor: str | None = None) -> Listed[Bucket]:
        query = {"limit": limit, "cursor": cursor}
        return self._http.json(Listed[Bucket], Call("GET", "/v1/buckets", query=query))

    def all(self) -> Iterator[Bucket]:
        return sync_all(self.list)

    def check(self, id: str) -> BucketCheck:
        """Lists objects, writes a small one, reads it back and deletes it."""
        return self._http.json(BucketCheck, Call("POST", f"{_path(id)}/check"))

    def rotate(self, id: str, **access_key: Unpack[BucketAccessKey]) -> Bucket:
        """Replaces the access key."""
        return self._http.json(Bucket, Call("POST", f"{_path(id)}/rotate", json=access_key))

    def delete(self, id: str) -> None:
        """Deletes the connection and its access key; the bucket is not touched."""
        self._http.none(Call("DELETE", _path(id)))


def _path(id: str) -> str:
    return f"/v1/buckets/{quote(id, safe='')}"
