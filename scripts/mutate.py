"""The mutation run of `mutate.ts` for the worker: breaks a module in small ways and says which no test notices.

    .venv/bin/python scripts/mutate.py src/gpu-worker/fovea/plan.py [--sample 200] [--seed 1] [--workers 2]

A broken module exists only in memory. Of the tests those run that import the module themselves. A mutant is killed
when one of them fails, or when they do not end.
"""

import argparse
import ast
import copy
import importlib.util
import os
import random
import re
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ROOT / "src/gpu-worker"

COMPARED = {
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
}  # fmt: skip
CALCULATED = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
CALLED = {"min": "max", "max": "min", "any": "all", "all": "any", "floor": "ceil", "ceil": "floor"}


@dataclass(frozen=True, slots=True)
class Mutant:
    line: int
    before: str
    after: str
    source: bytes


def mutants_of(source: bytes) -> list[Mutant]:
    """Every small mistake that compiles."""
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = []
    for node, change in changes(ast.parse(source)):
        start = starts[node.lineno - 1] + node.col_offset
        end = starts[node.end_lineno - 1] + node.end_col_offset
        after = ast.unparse(change)
        if isinstance(node, ast.expr):
            after = f"({after})"
        broken = source[:start] + after.encode() + source[end:]
        try:
            compile(broken, "mutant", "exec")
        except SyntaxError:  # within an f-string
            continue
        found.append(Mutant(node.lineno, source[start:end].decode(), after, broken))
    return found


def changes(tree: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Nodes with what takes their place."""
    erased: set[ast.AST] = set()
    for node in ast.walk(tree):
        # Annotations are never looked at, and docstrings are words for people.
        erased.update(
            below
            for field, value in ast.iter_fields(node)
            if field in ("annotation", "returns") and isinstance(value, ast.AST)
            for below in ast.walk(value)
        )
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            erased |= {node, node.value}
        if node in erased:
            continue
        for test in conditions_of(node):
            yield test, ast.Constant(False)
            if not isinstance(node, ast.While):
                yield test, ast.Constant(True)
        for change in changes_of(node):
            yield node, change


def conditions_of(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.If | ast.IfExp | ast.While):
        return [node.test]
    return node.ifs if isinstance(node, ast.comprehension) else []


def changes_of(node: ast.AST) -> Iterator[ast.AST]:
    def changed(**fields) -> ast.AST:
        other = copy.copy(node)
        for name, value in fields.items():
            setattr(other, name, value)
        return other

    match node:
        case ast.Compare():
            for number, op in enumerate(node.ops):
                for kind in COMPARED[type(op)]:
                    yield changed(ops=[*node.ops[:number], kind(), *node.ops[number + 1 :]])
        case ast.BinOp() if type(node.op) in CALCULATED and not (is_text(node.left) or is_text(node.right)):
            yield changed(op=CALCULATED[type(node.op)]())
        case ast.AugAssign() if type(node.op) in CALCULATED:
            yield changed(op=CALCULATED[type(node.op)]())
            yield ast.Pass()
        case ast.BoolOp():
            yield changed(op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            yield node.operand
        case ast.Constant(value=bool()):
            yield changed(value=not node.value)
        case ast.Constant(value=int()):
            yield changed(value=node.value + 1)
            yield changed(value=node.value - 1)
        case ast.Constant(value=float()):
            yield changed(value=node.value * 1.1)
        case ast.Constant(value=str()) if node.value and not re.search(r"\w,? \w", node.value):
            yield changed(value="")
        case ast.Return(value=ast.expr()) if ast.unparse(node.value) != "None":
            yield changed(value=None)
        case ast.Expr() | ast.Raise() | ast.Continue() | ast.Break():
            yield ast.Pass()
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield ast.Pass()
        case ast.Call(func=ast.Name(id=name)) if name in CALLED:
            yield changed(func=ast.Name(CALLED[name]))
        case ast.Call(func=ast.Attribute(attr=name)) if name in CALLED:
            yield changed(func=ast.Attribute(node.func.value, CALLED[name]))


def is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def tests_of(module: str) -> list[str]:
    """Test files that import `module`."""
    found = []
    for path in sorted((ROOT / "test/worker").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_bytes())):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [f"{node.module}", *(f"{node.module}.{alias.name}" for alias in node.names)]
            if module in names:
                found.append(str(path))
                break
    return found


class Broken:
    """Finds and loads one module from a text in place of its file."""

    def __init__(self, name: str, path: Path, source: bytes):
        self.name, self.path, self.source = name, path, source

    def find_spec(self, name, _path=None, _target=None):
        return (
            importlib.util.spec_from_file_location(name, self.path, loader=self)
            if name == self.name
            else None
        )

    def create_module(self, _spec):
        return None

    def exec_module(self, module):
        exec(compile(self.source, str(self.path), "exec"), module.__dict__)


def start(name: str, path: Path, source: bytes, tests: list[str]) -> int:
    """Runs the tests in a process of their own. Returns its id."""
    pid = os.fork()
    if pid:
        return pid
    os.setpgid(0, 0)
    quiet = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(quiet, stream)
    import pytest

    sys.meta_path.insert(0, Broken(name, path, source))
    options = [
        "-c",
        str(PACKAGES / "pyproject.toml"),
        "--rootdir",
        str(ROOT),
        "-x",
        "-q",
        "-p",
        "no:cacheprovider",
    ]
    os._exit(int(pytest.main([*options, *tests])))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--sample", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    path = args.file.resolve()
    name = ".".join(path.relative_to(PACKAGES).with_suffix("").parts).removesuffix(".__init__")
    source, tests = path.read_bytes(), tests_of(name)
    if not tests:
        sys.exit(f"no test imports {name}")

    # Before the fork, so that not every process loads them anew.
    import cv2  # noqa: F401
    import numpy  # noqa: F401
    import PIL.Image  # noqa: F401
    import pytest  # noqa: F401

    began = time.monotonic()
    if os.waitpid(start(name, path, source, tests), 0)[1]:
        sys.exit(f"the tests of {name} fail as they are")
    limit = 10 + 5 * (time.monotonic() - began)

    every = mutants_of(source)
    random.Random(args.seed).shuffle(every)
    chosen = every[: args.sample]
    print(f"{len(chosen)} of {len(every)} mutants, seed {args.seed}")
    waiting, running, survivors = list(chosen), {}, []
    while waiting or running:
        while waiting and len(running) < args.workers:
            mutant = waiting.pop()
            running[start(name, path, mutant.source, tests)] = (mutant, time.monotonic() + limit)
        for pid, (mutant, end) in list(running.items()):
            done, status = os.waitpid(pid, os.WNOHANG)
            if not done and time.monotonic() > end:
                os.killpg(pid, signal.SIGKILL)
                done, status = os.waitpid(pid, 0)
            if done:
                del running[pid]
                if status == 0:
                    survivors.append(mutant)
        time.sleep(0.01)

    for mutant in sorted(survivors, key=lambda one: one.line):
        print(f"\n{path.relative_to(ROOT)}:{mutant.line}\n  - {mutant.before}\n  + {mutant.after}")
    killed = len(chosen) - len(survivors)
    print(f"\nkilled {killed} of {len(chosen)}: {100 * killed / len(chosen):.1f} %")


if __name__ == "__main__":
    main()
