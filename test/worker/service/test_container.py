"""cog.yaml beside what it names. Cog itself needs Docker; its rules here are read from its source."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from fovea.readers import READERS
from fovea.settings import DEVICES

ROOT = Path(__file__).resolve().parents[3]
COG = yaml.safe_load((ROOT / "cog.yaml").read_text())
BUILD = COG["build"]
ENVIRONMENT = dict(line.split("=", 1) for line in COG["environment"])
REQUIREMENTS = ROOT / BUILD["python_requirements"]
# As SplitPinnedPythonRequirement of Cog finds name and version in a line.
PINNED = re.compile(r"([a-zA-Z0-9\-_]+)==([^ ]+)")


def requirements() -> list[str]:
    """The lines as Cog reads them, with continuations joined."""
    if not REQUIREMENTS.is_file():
        pytest.skip(f"{REQUIREMENTS.name} is not there")
    text = REQUIREMENTS.read_text().replace("\\\n", "")
    return [line.split("#")[0].strip() for line in text.splitlines() if line.split("#")[0].strip()]


def test_cog_reads_every_requirement_as_it_is_meant():
    """Cog keeps a line that it cannot read; then pip would want hashes for all, which Cog has dropped."""
    for line in requirements():
        name, version = re.match(r"(\S+?)==(\S+)", line).groups()
        assert PINNED.search(line).groups() == (name, version), line


def test_torch_and_vllm_are_in_the_requirements_and_no_command_installs_them():
    names = {PINNED.search(line)[1] for line in requirements()}
    assert {"torch", "vllm", "cog", "fastjsonschema"} <= names
    assert not any("torch" in command or "vllm" in command for command in BUILD["run"])
    assert BUILD["gpu"] is True and re.fullmatch(r"13\.\d", BUILD["cuda"])


def test_cog_is_the_version_of_the_worker():
    pins = re.findall(r"^cog==(\S+)", (ROOT / "src/gpu-worker/requirements.txt").read_text(), re.MULTILINE)
    assert pins == [BUILD["sdk_version"]]


def test_the_settings_exist():
    assert set(ENVIRONMENT["FOVEA_MODELS"].split(",")) <= set(READERS)
    assert ENVIRONMENT["FOVEA_DEVICE"] in DEVICES
    assert ENVIRONMENT["FOVEA_DEEPSEEK_DIR"].startswith("/src/weights/")


def test_the_image_has_the_worker_and_the_weights_and_little_else():
    """.dockerignore, for the files of the repository. Its patterns here are names of folders."""
    patterns = [
        line
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    assert not any(pattern.lstrip("*/").startswith(("weights", "src/gpu-worker")) for pattern in patterns)
    roots = [pattern.removeprefix("/") for pattern in patterns if pattern.startswith("/")]
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    left = [
        path
        for path in listed.stdout.splitlines()
        if not path.startswith("src/gpu-worker/") and not any(path.startswith(f"{root}/") for root in roots)
    ]
    assert all("/" not in path for path in left), left
