# Made by `npm run types` from `_async`: do not edit.
"""`fovea.files`: uploaded documents."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from .._base import Listed
from .._request import Call, back_off, sha256_sync, sleep_sync
from .._source import Body, Source, body_of, reference
from ..errors import ApiConnectionError, FoveaError
from ..models import DeletedTokens, File, FileUrl, KeptTokens, OpenUpload, Upload
from ._lists import sync_all
from .transport import Transport

LARGEST_WHOLE = 100 * 1024 * 1024
"""A larger document is sent in parts, straight to the service's storage."""


class Files:
    def __init__(self, http: Transport) -> None:
        self._http = http

    def upload(self, source: Source, *, name: str | None = None) -> File:
        """Uploads a document without holding it in memory. The same bytes give the same file again.

        A document of more than 100 MiB is sent in parts: after a broken connection only the part that failed is sent
        again.

        Raises:
            OSError: there is no readable file at the path.
            FoveaError
        """
        if reference(source) is not None:
            raise TypeError("Only bytes are uploaded; read() takes URLs and file ids as they are.")
        with body_of(source) as body:
            name = name or body.name
            if body.length > LARGEST_WHOLE:
                return self._upload_parts(body, name)
            return self._http.json(File, Call("POST", "/v1/files", query={"name": name}, body=body))

    def _upload_parts(self, body: Body, name: str | None) -> File:
        sha256 = sha256_sync(body)
        announced = {"bytes": body.length, "sha256": sha256, **({"name": name} if name else {})}
        opened = self._http.json(OpenUpload, Call("POST", "/v1/uploads", json=announced))
        path = f"/v1/uploads/{opened.id}"
        etags = []
        first = 0
        for part in opened.parts:
            sent = self._http.send(Call("PUT", part.url, body=body.part(first, part.bytes)))
            if "etag" not in sent.headers:
                raise ApiConnectionError("The storage did not confirm a part of the document.")
            etags.append({"part": part.part, "etag": sent.headers["etag"]})
            first += part.bytes
        upload = self._http.json(Upload, Call("POST", f"{path}/complete", json={"parts": etags}))
        looks = 0
        while upload.state == "checking":
            sleep_sync(back_off(looks))
            looks += 1
            upload = self._http.json(Upload, Call("GET", path))
        if upload.file_id is None:
            raise FoveaError(f"The upload is {upload.state}: {upload.error}.")
        return self.get(upload.file_id)

    def get(self, id: str) -> File:
        return self._http.json(File, Call("GET", _path(id)))

    def list(
        self, *, limit: int | None = None, cursor: str | None = None, after: str | None = None
    ) -> Listed[File]:
        """A part of the files, newest first; with `after`, those older than the file with that id."""
        query = {"limit": limit, "cursor": cursor, "after": after}
        return self._http.json(Listed[File], Call("GET", "/v1/files", query=query))

    def all(self) -> Iterator[File]:
        """All files, newest first."""
        return sync_all(self.list)

    def url(self, id: str, *, expiry: int | None = None) -> str:
        """An address from which the document can be read without an API key.

        Args:
            expiry: hours for which it is valid, at most 168; default: 24.
        """
        call = Call("GET", f"{_path(id)}/url", query={"expiry": expiry})
        return (self._http.json(FileUrl, call)).url

    def content(self, id: str) -> Iterator[bytes]:
        """The bytes of the document, as they were sent, in pieces."""
        return self._http.stream(Call("GET", f"{_path(id)}/content"))

    def tokens(self, id: str, *, limit: int | None = None, cursor: str | None = None) -> Listed[KeptTokens]:
        """The vision tokens kept for the file's pages."""
        query = {"limit": limit, "cursor": cursor}
        return self._http.json(Listed[KeptTokens], Call("GET", f"{_path(id)}/tokens", query=query))

    def delete_tokens(
        self, id: str, *, mode: str | None = None, model_digest: str | None = None
    ) -> DeletedTokens:
        """Deletes kept vision tokens, optionally only those of a mode or a model digest. Results stay."""
        query = {"mode": mode, "model_digest": model_digest}
        return self._http.json(DeletedTokens, Call("DELETE", f"{_path(id)}/tokens", query=query))

    def delete(self, id: str) -> None:
        """Deletes the document and all results read from it."""
        self._http.none(Call("DELETE", _path(id)))


def _path(id: str) -> str:
    return f"/v1/files/{quote(id, safe='')}"
