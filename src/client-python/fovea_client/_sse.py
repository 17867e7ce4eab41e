"""A parser for Server-Sent Events (WHATWG HTML, 9.2.6) as the service sends them: no bare CR ends a line."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


class ServerEvent(NamedTuple):
    id: str
    event: str
    data: str


@dataclass
class EventParser:
    id: str
    """Of the last event before the stream. Events without an id have the id of the one before."""
    _rest: bytes = b""
    _event: str = "message"
    _data: list[str] = field(default_factory=list)

    def feed(self, chunk: bytes) -> list[ServerEvent]:
        """The events that are complete with these bytes. An event that the stream cuts off is never returned."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        return [event for line in lines if (event := self._line(line.removesuffix(b"\r").decode()))]

    def _line(self, line: str) -> ServerEvent | None:
        if line == "":
            event = ServerEvent(self.id, self._event, "\n".join(self._data)) if self._data else None
            self._event, self._data = "message", []
            return event
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "id":
            self.id = value
        elif name == "event":
            self._event = value
        elif name == "data":
            self._data.append(value)
        return None
