# Made by `npm run types` from `_async`: do not edit.
from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, TypeVar

from .._base import Listed

Item = TypeVar("Item")
Part = TypeVar("Part", covariant=True)


class List(Protocol[Part]):
    def __call__(self, *, limit: int | None, cursor: str | None) -> Part: ...


def sync_all(list: List[Listed[Item]]) -> Iterator[Item]:
    """All items of a list, over its cursors."""
    cursor: str | None = None
    while True:
        part = list(limit=100, cursor=cursor)
        yield from part.data
        cursor = part.next_cursor
        if cursor is None:
            return
