"""Parses plane geometry from the model's answer.

The model describes a drawing as a Python dictionary: `Line` has `line` ("(x, y) -- (x, y)"), `line_type` ("--" for a
visible line) and `line_endpoint` ("A: (x, y)"); `Circle` can have `circle_center` and `radius`. The official script
passes the answer to `eval`. This parser accepts only dictionaries, lists, strings and numbers of limited size, and only
these keys.
"""

import re

MAX_LENGTH = 32_000
MAX_DEPTH = 6
MAX_VALUES = 4000
MAX_SHAPES = 500

_NUMBER = r"-?[0-9]{1,5}(?:\.[0-9]{1,6})?"
_POINT = rf"\(\s*({_NUMBER})\s*,\s*({_NUMBER})\s*\)"
_SEGMENT = re.compile(rf"\s*{_POINT}\s*--\s*{_POINT}\s*")
_NAMED_POINT = re.compile(rf"\s*([A-Za-z][A-Za-z0-9_']{{0,15}})\s*:\s*{_POINT}\s*")
_LITERAL = re.compile(
    rf"\s*(?:(?P<number>{_NUMBER})(?![0-9.])|'(?P<single>[^'\\\n]{{0,200}})'|\"(?P<double>[^\"\\\n]{{0,200}})\""
    r"|(?P<sign>[\[\]{},:]))"
)


class _NotGeometry(Exception):
    """The text does not have the expected structure."""


def read_shapes(text: str) -> dict | None:
    """`{"lines": [{"from", "to", "style"}], "points": [{"name", "at"}], "circles": [{"center", "radius"}]}`.

    Coordinates are as given by the model. `None` if the text is not such an answer.
    """
    if len(text) > MAX_LENGTH:
        return None
    try:
        value = _Literals(text).read()
        return _shapes(value)
    except _NotGeometry:
        return None


def _shapes(value) -> dict:
    if not isinstance(value, dict) or not set(value) <= {"Line", "Circle"}:
        raise _NotGeometry
    line, circle = _fields(value.get("Line")), _fields(value.get("Circle"))
    segments, styles = _list(line.get("line")), _list(line.get("line_type"))
    lines = []
    for index, segment in enumerate(segments):
        x0, y0, x1, y1 = _numbers(_SEGMENT, segment)
        style = styles[index] if index < len(styles) else "--"
        if style not in ("--", "-", "-.", ":", "..", "", "solid", "dashed", "dotted"):
            raise _NotGeometry
        lines.append({"from": [x0, y0], "to": [x1, y1], "style": style})
    points = [_named_point(point) for point in _list(line.get("line_endpoint"))]
    centers, radii = _list(circle.get("circle_center")), _list(circle.get("radius"))
    if len(centers) != len(radii):
        raise _NotGeometry
    circles = []
    for center, radius in zip(centers, radii, strict=True):
        if not isinstance(radius, float) or radius <= 0:
            raise _NotGeometry
        circles.append({"center": _named_point(center)["at"], "radius": radius})
    if not lines and not circles:
        raise _NotGeometry
    return {"lines": lines, "points": points, "circles": circles}


def _fields(value) -> dict:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _NotGeometry
    return value


def _list(value) -> list:
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > MAX_SHAPES:
        raise _NotGeometry
    return value


def _numbers(pattern: re.Pattern, text) -> list[float]:
    match = pattern.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise _NotGeometry
    return [float(number) for number in match.groups()]


def _named_point(text) -> dict:
    match = _NAMED_POINT.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise _NotGeometry
    return {"name": match[1], "at": [float(match[2]), float(match[3])]}


class _Literals:
    """A recursive descent parser for dictionaries, lists, strings and numbers, with limited depth and count."""

    def __init__(self, text: str):
        self._text, self._at, self._values = text.strip(), 0, 0

    def read(self):
        value = self._value(0)
        if self._at != len(self._text):
            raise _NotGeometry
        return value

    def _next(self) -> tuple[str, str]:
        match = _LITERAL.match(self._text, self._at)
        if match is None:
            raise _NotGeometry
        self._at = match.end()
        return match.lastgroup, match[match.lastgroup]

    def _value(self, depth: int):
        self._values += 1
        if depth > MAX_DEPTH or self._values > MAX_VALUES:
            raise _NotGeometry
        kind, text = self._next()
        if kind == "number":
            return float(text)
        if kind in ("single", "double"):
            return text
        if text == "[":
            return self._sequence("]", lambda: self._value(depth + 1))
        if text == "{":
            return dict(self._sequence("}", lambda: self._pair(depth + 1)))
        raise _NotGeometry

    def _pair(self, depth: int) -> tuple[str, object]:
        kind, key = self._next()
        if kind not in ("single", "double") or self._next() != ("sign", ":"):
            raise _NotGeometry
        return key, self._value(depth)

    def _sequence(self, end: str, item) -> list:
        start = self._at
        if self._next() == ("sign", end):
            return []
        self._at, items = start, []
        while True:
            items.append(item())
            sign = self._next()
            if sign == ("sign", end):
                return items
            if sign != ("sign", ","):
                raise _NotGeometry
