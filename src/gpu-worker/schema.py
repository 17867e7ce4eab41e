"""Writes `.cog/openapi_schema.json`, which the Cog server uses to validate inputs.

    python src/gpu-worker/schema.py

In a container image `cog build` writes the file instead.
"""

import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any

WORKER = Path(__file__).resolve().parent
ROOT = WORKER.parent.parent
TARGET = ROOT / ".cog" / "openapi_schema.json"


def input_schema(field: Any) -> dict[str, Any]:
    """The JSON Schema of a Cog input field."""
    schema = {"title": field.name.replace("_", " ").title(), "x-order": field.order, **field.type.json_type()}
    if field.choices:
        schema["enum"] = field.choices
    names = {
        "default": "default",
        "description": "description",
        "ge": "minimum",
        "le": "maximum",
        "min_length": "minLength",
        "max_length": "maxLength",
        "regex": "pattern",
    }
    for ours, theirs in names.items():
        value = getattr(field, ours)
        if value is not None:
            schema[theirs] = value
    if field.type.repetition.name.startswith("OPTIONAL"):
        schema["nullable"] = True
    return schema


def build() -> dict[str, Any]:
    sys.path.insert(0, str(WORKER))
    from cog._inspector import create_predictor

    # The receipt is a free-form JSON object; Cog has no better type for it than Any.
    warnings.filterwarnings("ignore", message="use of Any")
    info = create_predictor("predict", "Runner")
    fields = sorted(info.inputs.values(), key=lambda field: field.order)
    required = [
        field.name
        for field in fields
        if field.default is None and not field.type.repetition.name.startswith("OPTIONAL")
    ]
    schemas = {
        "Input": {
            "title": "Input",
            "type": "object",
            "properties": {field.name: input_schema(field) for field in fields},
            "required": required,
            "additionalProperties": False,
        },
        "Output": {"title": "Output"},
    }
    return {
        "openapi": "3.0.2",
        "info": {"title": "Cog", "version": "0.1.0"},
        "components": {"schemas": schemas},
    }


if __name__ == "__main__":
    TARGET.parent.mkdir(exist_ok=True)
    # In one step: a server that is just starting reads the old file or the new one.
    new = TARGET.with_suffix(f".{os.getpid()}")
    new.write_text(json.dumps(build(), indent=2) + "\n")
    new.replace(TARGET)
