from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from typing import Protocol, TypeVar

from .._base import Listed

Item = TypeVar("Item")
Part = TypeVar("Part", covariant=True)


class AsyncList(Protocol[Part]):
    def __call__(self, *, limit: int | None, cursor: str | None) -> Awaitable[Part]: ...


async def async_all(list: AsyncList[Listed[Item]]) -> AsyncIterator[Item]:
    """All items of a list, over its cursors."""
    cursor: str | None = None
    while True:
        part = await list(limit=100, cursor=cursor)
        for item in part.data:
            yield item
        cursor = part.next_cursor
        if cursor is None:
            return
