"""The worker's settings as JSON, for scripts/settings-table.ts.

They come from the tables in the docstrings of the modules that read them. The code is compared with these tables:
every variable that a module reads is in one of them, no other is, and a default that the code states is the one in the
table. Nothing is imported, so neither PyTorch nor a model is loaded.
"""

import ast
import json
import re
import sys
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "gpu-worker"
ROW = re.compile(r"^\| (`[A-Z].*?) \| (.*?) \| (.*) \|$", re.MULTILINE)
NAME = re.compile(r"(?:FOVEA|COG)_[A-Z0-9_]+[A-Z]")
BY_COG = {"WEBHOOK_AUTH_TOKEN"}
"""Read by Cog itself."""
INTERNAL = {"FOVEA_DRAIN_FILE", "COG_PREDICT_TYPE_STUB", "COG_MAX_CONCURRENCY"}
"""Set by the supervisor for the server that it starts."""


def main() -> None:
    modules, rows, faults = [], list[dict[str, Any]](), list[str]()
    read: dict[str, Any] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text())
        for name, default in _read(tree).items():
            read[name] = read.get(name) or default
        if documented := _documented(tree):
            modules.append({"module": path.stem, "rows": documented})
            rows += documented
    for row in rows:
        stated = row["default"].strip("`").split(" ")[0]
        for name in row["names"]:
            default = read.get(name)
            if default is not None and str(default) != stated:
                faults.append(f"{name}: the docstring says {row['default']}, the code {default}")
    known = {name for row in rows for name in row["names"]} - BY_COG
    faults += [f"{name} is read and in no docstring's table" for name in sorted(set(read) - INTERNAL - known)]
    faults += [f"{name} is in a table and read by nothing" for name in sorted(known - set(read))]
    if faults:
        sys.exit("\n".join(faults))
    json.dump(modules, sys.stdout)


def _documented(tree: ast.Module) -> list[dict[str, Any]]:
    """The rows `| `NAME` | default | meaning |` of a module's docstring."""
    return [
        {"names": re.findall(r"`(\w+)`", names), "default": default, "meaning": meaning}
        for names, default, meaning in ROW.findall(ast.get_docstring(tree) or "")
    ]


def _read(tree: ast.Module) -> dict[str, Any]:
    """The variables that a module's code names, with the default where the code states one."""
    constants = _constants(tree)
    found: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and NAME.fullmatch(node.value):
            found.setdefault(node.value, None)
    for node in ast.walk(tree):
        if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or) and _named(node.values[0]):
            found[str(_named(node.values[0]))] = _value(node.values[1], constants)
        if (name := _named(node)) and isinstance(node, ast.Call) and len(node.args) == 2:
            found[name] = found[name] or _value(node.args[1], constants)
    return found


def _named(node: ast.AST) -> str | None:
    """The variable that a call such as `environ.get("FOVEA_SLOTS", "4")` is about."""
    first = node.args[0] if isinstance(node, ast.Call) and node.args else None
    value = first.value if isinstance(first, ast.Constant) else None
    return value if isinstance(value, str) and NAME.fullmatch(value) else None


def _constants(tree: ast.Module) -> dict[str, Any]:
    """Constants of the module, and defaults of its dataclasses' fields."""
    bodies = [tree.body, *(node.body for node in tree.body if isinstance(node, ast.ClassDef))]
    constants: dict[str, Any] = {}
    for statement in (statement for body in bodies for statement in body):
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                constants[name] = _value(value, constants)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                constants[name] = _value(value, constants)
    return constants


def _value(node: ast.AST, constants: dict[str, Any]) -> Any:
    """Of a literal, a product or shift of literals, or a known constant; None of anything else. 0 stands for none."""
    match node:
        case ast.Constant(value=value):
            return None if value in (0, "", "0") else value
        case ast.Name(id=name) | ast.Attribute(attr=name):
            value = constants.get(name)
            return int(value) if isinstance(value, float) and value.is_integer() else value
        case ast.BinOp(left=left, op=ast.Mult() | ast.LShift() as op, right=right):
            a, b = _value(left, constants), _value(right, constants)
            return (a * b if isinstance(op, ast.Mult) else a << b) if a and b else None
    return None


main()
