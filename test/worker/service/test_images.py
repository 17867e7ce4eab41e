"""compose.yaml and its images. Docker does not run here: the images are laid out in folders (images.py) and run by
their own commands, as a user who may write nothing but the volumes, with the checks and the order of compose.yaml.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from images import COMPOSE, ROOT, build, context, ignored, parse

SERVICES = COMPOSE["services"]
OURS = ("settings", "worker", "edge")
NODE = ROOT / "node_modules/.bin/node"
STRANGER = 65534
"""A user id that owns nothing."""
AS_STRANGER = ["setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups"]
OWN_COGLET = [
    "unshare",
    "--mount",
    "sh",
    "-c",
    'mount -t tmpfs -o mode=1777 none /tmp/coglet && exec "$@"',
    "sh",
]
"""Cog writes to /tmp/coglet, which other users of this machine may have made. A container has a /tmp of its own."""


VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"


def stranger_runs(program: str | Path) -> bool:
    """Whether another user may run a program, as a child of a shell too: folders above it may be closed to them."""
    words = ["sh", "-c", '"$0" --version', str(program)]
    return subprocess.run([*AS_STRANGER, *words], capture_output=True).returncode == 0


def open_python() -> str | None:
    """A Python of this version that other users may run."""
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        return None
    candidates = (f"{sys.base_prefix}/bin/{VERSION}", f"/usr/bin/{VERSION}")
    return next((path for path in candidates if stranger_runs(path)), None)


def dockerfile(service: str) -> Path:
    return ROOT / SERVICES[service]["build"]["dockerfile"]


@pytest.mark.parametrize("service", OURS)
def test_a_service_may_do_little(service):
    assert SERVICES[service]["read_only"] is True
    assert SERVICES[service]["cap_drop"] == ["ALL"]
    assert SERVICES[service]["security_opt"] == ["no-new-privileges:true"]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", parse(dockerfile(service)).user)


def test_the_order_and_the_networks():
    assert SERVICES["edge"]["depends_on"] == {
        "settings": {"condition": "service_completed_successfully"},
        "worker": {"condition": "service_healthy"},
    }
    assert COMPOSE["networks"]["inside"] == {"internal": True} and SERVICES["worker"]["networks"] == [
        "inside"
    ]
    assert "ports" not in SERVICES["worker"]
    assert all(port.startswith("127.0.0.1:") for port in SERVICES["edge"]["ports"])
    # The worker gets its token, not the secrets of the edge.
    assert not any("edge-secrets" in volume for volume in SERVICES["worker"]["volumes"])


def test_base_images_have_full_versions():
    images = [parse(dockerfile(service)).base for service in ("edge", "worker")] + [
        SERVICES["proxy"]["image"]
    ]
    for image in images:
        assert re.search(r":\d+\.\d+\.\d+-", image), image
    node = json.loads((ROOT / "package.json").read_text())["dependencies"]["node"]
    assert images[0].startswith(f"node:{node}-")


def test_the_contexts_have_what_is_copied_and_no_secrets():
    for service in ("edge", "worker"):
        image = parse(dockerfile(service))
        sources = [source for copied, _ in image.copies for source in copied]
        for path in context(dockerfile(service)):
            assert any(path == source or path.startswith(f"{source}/") for source in sources), path
        patterns = Path(f"{dockerfile(service)}.dockerignore").read_text().splitlines()
        for secret in (
            "deployments/fovea/secrets.json",
            ".env",
            "fovea.env",
            "src/edge/.env.local",
            ".dev.vars",
        ):
            assert ignored(secret, patterns), secret
    for pattern in ("/deployments", "/docker"):
        assert pattern in (ROOT / ".dockerignore").read_text().splitlines()


def test_ignore_patterns():
    patterns = ["*", "!src/edge", "**/.env*", "**/__pycache__"]
    assert not ignored("src/edge/a/b.ts", patterns)
    for path in ("README.md", "src/other.ts", "src/edge/.env", ".env.local", "src/edge/__pycache__/a.pyc"):
        assert ignored(path, patterns), path


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture
def open_folder():
    """Unlike pytest's own, other users may enter it."""
    folder = Path(tempfile.mkdtemp(prefix="fovea-images-"))
    yield folder
    shutil.rmtree(folder)


class Machine:
    """Where containers have names, volumes and networks, folders and ports of this machine stand in for them."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.chmod(0o755)
        self.edge, self.worker = free_port(), free_port()
        self.apps = {name: folder / name for name in ("edge", "worker")}
        self.volumes = {name: folder / f"volume-{name}" for name in COMPOSE["volumes"]}
        for volume in [*self.volumes.values(), self.apps["edge"] / ".wrangler", folder / "tmp"]:
            volume.mkdir(parents=True)
            shutil.chown(volume, STRANGER, STRANGER)
        self.images = {name: build(name, app) for name, app in self.apps.items()}
        (self.apps["edge"] / "node_modules").symlink_to(ROOT / "node_modules")
        self.python = folder / "python"
        subprocess.run([open_python(), "-m", "venv", "--without-pip", self.python], check=True)
        packages = f"lib/{VERSION}/site-packages"
        (self.python / packages / "checkout.pth").write_text(f"{ROOT / '.venv' / packages}\n")
        python = {"PYTHONPATH": "src/gpu-worker", "PATH": os.environ["PATH"]}
        schema = [ROOT / ".venv/bin/python", "src/gpu-worker/schema.py"]
        subprocess.run(schema, cwd=self.apps["worker"], env=python, check=True)

    def here(self, text: str, service: str) -> str:
        for name, port in (("edge", self.edge), ("worker", self.worker)):
            text = text.replace(
                f"http://{name}:{8787 if name == 'edge' else 5000}", f"http://127.0.0.1:{port}"
            )
        text = text.replace("127.0.0.1:8787", f"127.0.0.1:{self.edge}").replace(
            "127.0.0.1:5000", f"127.0.0.1:{self.worker}"
        )
        text = re.sub(r"--host 0\.0\.0\.0 --port 5000", f"--host 127.0.0.1 --port {self.worker}", text)
        for volume in SERVICES[service]["volumes"]:
            name, place = volume.split(":")[:2]
            text = text.replace(place, str(self.volumes[name]))
        return text.replace("/app", str(self.apps["worker" if service == "worker" else "edge"]))

    def start(self, service: str, command: list[str], **env: str) -> subprocess.Popen:
        image = "worker" if service == "worker" else "edge"
        words = [self.here(word, service) for word in command]
        if service == "edge" and "--port" in words:
            words[words.index("--port") + 1] = str(self.edge)
            words[words.index("--host") + 1] = "127.0.0.1"
        words[0] = str(NODE) if words[0] == "node" else words[0]
        listed = SERVICES[service].get("environment", {})
        given = {
            name: self.here(re.sub(r"\$\{\w+:-(.*?)\}", r"\1", value), service)
            for name, value in listed.items()
            if value
        }
        own = {name: self.here(value, service) for name, value in self.images[image].env.items()}
        path = f"{self.python / 'bin'}:{os.environ['PATH']}"
        Path("/tmp/coglet").mkdir(exist_ok=True)
        return subprocess.Popen(
            [*OWN_COGLET, *AS_STRANGER, *words],
            cwd=self.apps[image],
            env={
                "PATH": path,
                **own,
                **given,
                **env,
                "HOME": str(self.folder / "tmp"),
                "TMPDIR": str(self.folder / "tmp"),
            },
            stdout=(self.folder / f"{service}.log").open("a"),
            stderr=subprocess.STDOUT,
        )

    def said(self, service: str) -> str:
        return (self.folder / f"{service}.log").read_text()

    def healthy(self, service: str) -> bool:
        """The image's own check."""
        return self.start(service, self.images[service].health).wait(30) == 0

    def settings(self, **env: str) -> tuple[int, str]:
        command = [*SERVICES["settings"]["command"]]
        for name in ("edge", "worker"):
            command += [f"--{name}", f"/run/fovea/{name}"]
        process = self.start("settings", command, **env)
        return process.wait(60), self.said("settings")


def call(url: str, key: str, data: bytes | None = None, **headers: str) -> dict:
    request = urllib.request.Request(url, data, {"authorization": f"Bearer {key}", **headers})
    with urllib.request.urlopen(request, timeout=120) as response:
        return json.load(response)


@pytest.mark.slow
@pytest.mark.skipif("FOVEA_TEST_IMAGES" not in os.environ, reason="takes minutes: set FOVEA_TEST_IMAGES")
@pytest.mark.skipif(open_python() is None, reason="needs root, and a Python that other users may run")
def test_the_images_run_by_their_own_commands_and_read_a_page(open_folder):
    machine = Machine(open_folder)
    edge_secrets = machine.volumes["edge-secrets"]

    for wrong in ("http://ocr.acme-papers.com", "https://ocr.acme-papers.com/api", "ocr.acme-papers.com"):
        status, said = machine.settings(FOVEA_PUBLIC_ORIGIN=wrong)
        assert status == 1 and "FOVEA_PUBLIC_ORIGIN" in said
    assert machine.settings(ALLOW_LOOPBACK="true")[0] == 1
    assert machine.settings(START_S="soon")[0] == 1
    assert not any(edge_secrets.iterdir())

    assert machine.settings()[0] == 0
    secrets = json.loads((edge_secrets / "secrets.json").read_text())
    # The second start keeps the secrets and takes the new settings.
    status, said = machine.settings(FOVEA_PUBLIC_ORIGIN="https://ocr.acme-papers.com", RATE_PER_MINUTE="50")
    assert status == 0 and "https://ocr.acme-papers.com" in said
    assert json.loads((edge_secrets / "secrets.json").read_text()) == secrets
    environment = (edge_secrets / "edge.env").read_text()
    assert "RATE_PER_MINUTE='50'" in environment
    for path in [*edge_secrets.iterdir(), *machine.volumes["worker-secrets"].iterdir()]:
        assert path.stat().st_mode & 0o777 == 0o600, path
    # The names of the containers lead nowhere here.
    (edge_secrets / "edge.env").write_text(machine.here(environment, "settings"))

    running = {}
    try:
        for service in ("worker", "edge"):  # the order of compose.yaml
            process = machine.start(service, machine.images[service].command)
            running[service] = process
            end = time.monotonic() + 600
            while not machine.healthy(service):
                assert process.poll() is None, machine.said(service)
                assert time.monotonic() < end, f"{service} is not healthy in time: {machine.said(service)}"
                time.sleep(1)

        origin = f"http://127.0.0.1:{machine.edge}"
        key = call(
            f"{origin}/v1/keys", secrets["BOOTSTRAP_SECRET"], b"{}", **{"content-type": "application/json"}
        )["key"]
        page = (ROOT / "examples/invoice.pdf").read_bytes()
        file = call(f"{origin}/v1/files?name=invoice.pdf", key, page)["id"]
        asked = {"content-type": "application/json", "prefer": "wait=60"}
        job = call(f"{origin}/v1/ocr", key, json.dumps({"file": file}).encode(), **asked)
        assert job["state"] == "succeeded", (
            f"{json.dumps(job)}\n{machine.said('worker')}\n{machine.said('edge')}"
        )
        assert "Invoice" in job["result"]["pages"][0]["markdown"]
        # As `docker compose run edge`, beside the running edge.
        backup = ["node", "scripts/backup.ts", "backup", "/data", str(machine.folder / "tmp/backup")]
        settings = ["--settings", "/run/fovea/edge/edge.env"]
        assert machine.start("edge", [*backup, *settings]).wait(120) == 0, machine.said("edge")
        manifest = json.loads((machine.folder / "tmp/backup/manifest.json").read_text())
        assert manifest["objects"]["count"] >= 2 and manifest["signing"]
        # Production: nothing is fetched from this machine.
        with pytest.raises(urllib.error.HTTPError) as refused:
            body = json.dumps({"url": f"http://127.0.0.1:{machine.worker}/health-check"}).encode()
            call(f"{origin}/v1/ocr", key, body, **asked)
        assert refused.value.code == 422
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            process.wait(timeout=60)
    assert sorted(path.name for path in machine.apps["worker"].iterdir()) == [".cog", "src"]
