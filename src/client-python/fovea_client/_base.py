"""What the generated models build on."""

from __future__ import annotations

from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict

Item = TypeVar("Item")


class Record(BaseModel):
    """An answer of the service. Fields that this version does not know are kept (`model_extra`)."""

    model_config = ConfigDict(
        extra="allow",
        populate_by_name=True,
        protected_namespaces=(),  # `model_digest` is a field
        defer_build=True,  # an import costs nothing for the models that are not used
    )


class Listed(Record, Generic[Item]):
    """A part of a list, newest first; `next_cursor` leads to the next part."""

    data: list[Item]
    next_cursor: str | None = None
