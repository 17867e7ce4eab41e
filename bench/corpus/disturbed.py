"""Reads a corpus twice on Ray, once undisturbed and once disturbed, and compares every byte of the two outputs.

    .venv/bin/python bench/corpus/disturbed.py /tmp/disturbed --model pp-ocr --pages 500

Disturbed: the run is killed three times (SIGKILL), each time after further shards; one reader is killed while it reads;
the disk fills up once (a small tmpfs, if this may be mounted) and is then made larger. `--calm FOLDER` is the output
of an undisturbed run that is already there.
"""

import argparse
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pages

ROOT = pages.ROOT
POLL_S = 0.2


class Corpus:
    """Starts `python -m fovea.corpus` with the same arguments each time."""

    def __init__(self, arguments: list[str], out: Path):
        self._arguments, self.out = arguments, out
        self.starts = 0

    def start(self) -> subprocess.Popen[bytes]:
        self.starts += 1
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src" / "gpu-worker")}
        command = [sys.executable, "-m", "fovea.corpus", *self._arguments, "--out", str(self.out)]
        # Signals to this run do not reach the others.
        return subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True)

    def shards(self) -> int:
        return len(list((self.out / "output").glob("*.json")))

    def wait_for(self, shards: int, process: subprocess.Popen[bytes]) -> bool:
        """Waits until so many shards are written; `False` if the run ended first."""
        while self.shards() < shards:
            if process.poll() is not None:
                return False
            time.sleep(POLL_S)
        return True


def readers(of: int | None) -> list[int]:
    """The process ids of the readers in a session, or of all that there are."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            title = (folder / "cmdline").read_bytes()
            session = int((folder / "stat").read_text().rpartition(")")[2].split()[3])
        except (OSError, ValueError):
            continue
        if b"ReadPages" in title and title.startswith(b"ray::") and of in (None, session):
            found.append(int(folder.name))
    return found


def digests(out: Path) -> dict[str, str]:
    """SHA-256 of each file that must be the same."""
    same = [*out.glob("output/*"), *out.glob("training-data/*"), out / "manifest.json", out / "plan.jsonl"]
    return {
        str(file.relative_to(out)): hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(same)
    }


def disturb(corpus: Corpus, total: int, tmpfs: bool, shared: bool) -> None:
    """Runs until the output is complete, and prints what happened. `shared`: the cluster outlives the runs."""
    steps = [max(1, total * part // 6) for part in (1, 2, 3)]
    for wanted in steps:
        process = corpus.start()
        if not corpus.wait_for(wanted, process):
            raise SystemExit(f"the run ended by itself with status {process.returncode}")
        process.send_signal(signal.SIGKILL)
        process.wait()
        print(f"killed (SIGKILL) with {corpus.shards()} of {total} shards", flush=True)
    if tmpfs:
        resize(corpus.out, shutil.disk_usage(corpus.out).used // 1024 + 40)
        process = corpus.start()
        status = process.wait()
        print(f"disk full with {corpus.shards()} of {total} shards: status {status}", flush=True)
        resize(corpus.out, 1 << 20)
    process = corpus.start()
    corpus.wait_for(corpus.shards() + 1, process)
    while process.poll() is None and not (found := readers(None if shared else process.pid)):
        time.sleep(POLL_S)
    if process.poll() is None:
        os.kill(found[0], signal.SIGKILL)
        print(f"reader {found[0]} killed (SIGKILL) with {corpus.shards()} of {total} shards", flush=True)
    print(f"the last of {corpus.starts} starts ended with status {process.wait()}", flush=True)


def resize(folder: Path, kib: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={kib}k", folder], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="pp-ocr")
    parser.add_argument("--pages", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--address", help="of a Ray cluster; default: each start has one of its own")
    parser.add_argument("--calm", type=Path)
    parser.add_argument("--documents", type=Path, help="folder for the documents; default: in the folder")
    given = parser.parse_args()
    documents = given.documents or given.folder / "documents"
    manifest = pages.write(documents, given.pages, given.seed)
    arguments = [str(manifest), "--model", given.model, "--shard-documents", "2", "--cpus", "2"]
    arguments += ["--readers", "2", "--reader-cpus", "0.75", "--object-store-bytes", "200000000"]
    arguments += ["--address", given.address] if given.address else []
    calm = given.calm or given.folder / "calm"
    if not given.calm:
        status = Corpus(arguments, calm).start().wait()
        print(f"undisturbed: status {status}", flush=True)
    total = len(list((calm / "output").glob("*.jsonl")))
    out = given.folder / "disturbed"
    out.mkdir(exist_ok=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1g", "none", out]).returncode == 0
    try:
        disturb(Corpus(arguments, out), total, mounted, bool(given.address))
        one, other = digests(calm), digests(out)
        # The paths of the documents are in every record: both runs have the same ones.
        differing = sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
        said = re.sub(r"\s+", " ", (out / "manifest.json").read_text()[:120])
        print(f"{len(one)} files, {len(differing)} differ {differing[:8]}; {said}…")
        raise SystemExit(bool(differing))
    finally:
        if mounted:
            subprocess.run(["umount", out], check=False)


if __name__ == "__main__":
    main()
