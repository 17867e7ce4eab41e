"""Lays out the images of compose.yaml without Docker: the COPY, ENV and CMD lines of a Dockerfile, in a folder.

RUN lines that install packages are not run; the packages of this checkout stand in for them. `build` with `run=True`
runs them, too (`python test/worker/images.py FOLDER`), as far as they touch the folder only.
"""

import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())


@dataclass
class Image:
    """What a Dockerfile says. `copies`: sources and target, relative to the WORKDIR."""

    base: str = ""
    user: str = ""
    copies: list[tuple[list[str], str]] = field(default_factory=list)
    runs: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """Lines of RUN, each with the environment up to there."""
    env: dict[str, str] = field(default_factory=dict)
    health: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)


def parse(dockerfile: Path) -> Image:
    image = Image()
    text = re.sub(r"^#.*\n", "", dockerfile.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    for line in filter(None, map(str.strip, text.splitlines())):
        word, rest = line.split(None, 1)
        match word:
            case "FROM":
                image.base = rest
            case "USER":
                image.user = rest
            case "COPY":
                *sources, target = rest.split()
                image.copies.append((sources, target))
            case "RUN":
                image.runs.append((re.sub(r"\s+", " ", rest), dict(image.env)))
            case "ENV" | "ARG":
                image.env |= dict(pair.split("=", 1) for pair in shlex.split(rest))
            case "HEALTHCHECK":
                image.health = json.loads(rest.split("CMD", 1)[1])
            case "CMD":
                image.command = json.loads(rest)
            case "WORKDIR" | "VOLUME" | "EXPOSE" | "STOPSIGNAL":
                pass
            case _:
                raise AssertionError(f"{dockerfile.name}: {word} is not known here")
    return image


def ignored(path: str, patterns: list[str]) -> bool:
    """Whether .dockerignore leaves a file out: the last pattern that matches it or a folder above decides."""
    parts = path.split("/")
    above = ["/".join(parts[: n + 1]) for n in range(len(parts))]
    out = False
    for pattern in patterns:
        bare = pattern.removeprefix("!").strip("/")
        # `**/` also stands for no folder at all.
        forms = [bare, bare.removeprefix("**/")]
        if any(
            fnmatch.fnmatchcase(name, form)
            and ("**" in form or name.count("/") == form.count("/") or form == bare)
            for name in above
            for form in forms
        ) or (bare.startswith("**/") and any(fnmatch.fnmatchcase(part, bare[3:]) for part in parts)):
            out = not pattern.startswith("!")
    return out


def context(dockerfile: Path) -> list[str]:
    """The files of the repository that the build sees."""
    lines = Path(f"{dockerfile}.dockerignore").read_text().splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [path for path in listed.stdout.splitlines() if not ignored(path, patterns)]


def build(name: str, app: Path, *, run: bool = False) -> Image:
    """Lays out an image of compose.yaml; `app` is its WORKDIR."""
    dockerfile = ROOT / COMPOSE["services"][name]["build"]["dockerfile"]
    image = parse(dockerfile)
    seen = context(dockerfile)
    for sources, target in image.copies:
        for source in sources:
            files = [path for path in seen if path == source or path.startswith(f"{source}/")]
            assert files, f"{dockerfile.name}: COPY {source}: nothing of this name is in the context"
            for path in files:
                inside = target + Path(source).name if target.endswith("/") else target
                place = app / (inside + path.removeprefix(source))
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / path, place)
    if run:
        for line, env in image.runs:
            if not re.match(r"apt-get|groupadd", line):
                _run(line, app, env)
    return image


def _run(line: str, app: Path, env: dict[str, str]) -> None:
    """Runs a RUN line; Python packages go into a virtual environment of the folder. An ARG may be replaced."""
    bin_ = app / ".venv/bin"
    if not bin_.exists():
        subprocess.run([sys.executable, "-m", "venv", app / ".venv"], check=True)
    line = line.replace(" --system", f" --python {bin_}/python").replace("npm cache clean --force", "true")
    print(f"+ {line}", flush=True)
    path = {"PATH": f"{bin_}:{os.environ['PATH']}"}
    subprocess.run(
        ["bash", "-euo", "pipefail", "-c", line], cwd=app, env={**env, **os.environ, **path}, check=True
    )


if __name__ == "__main__":
    for service in ("edge", "worker"):
        build(service, Path(sys.argv[1]) / service, run=True)
