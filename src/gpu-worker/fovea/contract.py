"""What the edge and the worker agree on, from `contract.json`: the messages between them, and shared constants.

`npm run contract` generates that file from the edge's zod schemas. A leaf: it knows no other module of the worker.
"""

import json
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import fastjsonschema

CONTRACT: dict[str, Any] = json.loads(Path(__file__).with_name("contract.json").read_text())


def schema_fault(message: str, body: Any) -> str | None:
    """Where `body` breaks the schema of `message` (a name in `definitions`); `None` if it fits."""
    try:
        _validator(message)(_as_the_edge_counts(body))
    except (fastjsonschema.JsonSchemaValueException, ValueError) as fault:
        return str(fault)
    return None


@cache
def _validator(message: str) -> Callable[[Any], Any]:
    schema = {"$ref": f"#/definitions/{message}", "definitions": CONTRACT["definitions"]}
    return fastjsonschema.compile(schema, use_default=False)


def _as_the_edge_counts(value: Any) -> Any:
    """`value` with each character beyond ASCII as one `?` for each of its UTF-16 units, which is how JavaScript
    measures strings. Raises `ValueError` for what JSON cannot hold: half of a surrogate pair, infinity, NaN."""
    if isinstance(value, str):
        return value if value.isascii() else "?" * (len(value.encode("utf-16-le")) // 2)
    if isinstance(value, dict):
        return {name: _as_the_edge_counts(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_as_the_edge_counts(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is no number in JSON")
    return value
