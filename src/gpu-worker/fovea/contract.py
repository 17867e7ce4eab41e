"""What the edge and the worker agree on, from `contract.json`: the messages between them, and shared constants.

`npm run contract` generates that file from the edge's zod schemas. A leaf: it knows no other module of the worker.
"""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import fastjsonschema

CONTRACT: dict[str, Any] = json.loads(Path(__file__).with_name("contract.json").read_text())


def schema_fault(message: str, body: Any) -> str | None:
    """Where `body` breaks the schema of `message` (a name in `definitions`); `None` if it fits."""
    try:
        _validator(message)(body)
    except fastjsonschema.JsonSchemaValueException as fault:
        return str(fault)
    return None


@cache
def _validator(message: str) -> Callable[[Any], Any]:
    schema = {"$ref": f"#/definitions/{message}", "definitions": CONTRACT["definitions"]}
    return fastjsonschema.compile(schema, use_default=False)
