"""Measures how well `pp-ocr` reads pages whose structure is known, beside other tools.

    npm run bench -- reading                                   # every reader that is installed, three looks
    npm run bench -- reading --harms all --readers pp-ocr      # verdicts: harmed pages, too
    .venv/bin/python bench/reading.py --readers pp-ocr --designs paper-two,slide --looks digital

Pages are made by `bench/reading_pages`: designs for development (`dev`), and others that no rule was made for (`held`).
Each page comes in three looks: digital (a PDF with its text layer), scanned, photographed; `--harms` adds pages that
are harmed in ways that a reader should notice. Needs Chromium, the fonts Liberation, DejaVu and WenQuanYi Micro Hei,
and `pip install -r bench/reading_pages/requirements.txt`; `tesseract` (with its languages eng, deu, fra, spa, pol,
chi_sim) and `pdftotext` take part if they are installed.

Pages and answers are kept in --out. A run asks only for answers that are missing, or that another version of the page
or the reader gave, so a stopped run goes on where it was. Seconds are those of the run that asked.

Writes reading.csv (a line per page, look and reader), reading.svg, and verdicts.svg if there are verdicts.
"""

import argparse
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from reading_pages.contestants import CONTESTANTS, code_version
from reading_pages.corpus import LOOKS, Sample, key_of, make
from reading_pages.designs import DESIGNS
from reading_pages.harm import HARMS
from reading_pages.measures import Answer, score
from reading_pages.plots import plot, plot_verdicts
from reading_pages.tables import Row, notes, report, write_csv
from reading_pages.worst import draw_worst

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--readers", default="", help="default: all that are installed")
    parser.add_argument("--designs", default="", help="default: all")
    parser.add_argument("--group", choices=("dev", "held"), help="default: both")
    parser.add_argument("--looks", default=",".join(LOOKS), help="`none` for harmed pages only")
    parser.add_argument("--harms", default="", help=f"`all`, or some of {', '.join(HARMS)}")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--variants", type=int, default=1, help="pages per design")
    parser.add_argument("--before", metavar="COMMIT", help="its reader becomes the column `before`")
    parser.add_argument("--score", action="store_true", help="ask nobody, score the answers in --out")
    parser.add_argument("--worst", type=Path, help="folder for pictures of the ten worst dev pages of pp-ocr")
    parser.add_argument("--notes", action="store_true", help="print what is wrong on each dev page of pp-ocr")
    parser.add_argument("--node", default="node", help="Node ≥ 20, to print the pages")
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "out")
    given = parser.parse_args()

    folder = given.out / "reading"
    designs = [
        name
        for name, (group, _) in DESIGNS.items()
        if given.group in (None, group) and (not given.designs or name in given.designs.split(","))
    ]
    looks = [look for look in given.looks.split(",") if look in LOOKS]
    looks += list(HARMS) if given.harms == "all" else [harm for harm in given.harms.split(",") if harm]
    samples = make(folder / f"pages-{given.seed}", given.node, given.seed, given.variants, designs, looks)
    readers = given.readers.split(",") if given.readers else installed(given.before)
    rows: list[Row] = []
    for reader in readers:
        source = ROOT if reader != "before" else checkout(given.before, folder)
        theirs = [sample for sample in samples if takes_part(reader, sample)]
        if not given.score:
            ask(reader, theirs, folder / "answers" / str(given.seed), source)
        rows += [
            row for sample in theirs if (row := judged(reader, sample, folder / "answers" / str(given.seed)))
        ]
    write_csv(rows, given.out / "reading.csv")
    print(report(rows))
    (given.out / "reading.svg").write_text(plot(rows))
    if any(row.answer.verdict for row in rows):
        (given.out / "verdicts.svg").write_text(plot_verdicts(rows))
    if given.notes:
        print(notes(rows))
    if given.worst:
        draw_worst(rows, given.worst)


def installed(before: str | None) -> list[str]:
    return [
        name
        for name, contestant in CONTESTANTS.items()
        if contestant.is_installed and (before or name != "before")
    ]


def takes_part(reader: str, sample: Sample) -> bool:
    """Harmed pages are read by those that give verdicts."""
    if sample.look in HARMS:
        return reader in ("pp-ocr", "before")
    return CONTESTANTS[reader].pictures or sample.look == "digital"


def checkout(commit: str | None, folder: Path) -> Path:
    """The worker of another commit."""
    if not commit:
        raise SystemExit("The reader `before` needs --before COMMIT.")
    there = folder / "before"
    shutil.rmtree(there, ignore_errors=True)
    there.mkdir(parents=True)
    command = ["git", "-C", str(ROOT), "archive", commit, "src/gpu-worker"]
    packed = subprocess.run(command, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(there, filter="data")
    return there


# -- answers -------------------------------------------------------------------------------------------


def ask(reader: str, samples: list[Sample], folder: Path, source: Path) -> None:
    """Runs a reader in a process of its own over the pages that it has not read yet, and keeps its answers."""
    worker = (source / "src" / "gpu-worker").resolve()
    contestant = CONTESTANTS[reader]
    version = code_version(worker / "fovea") if reader in ("pp-ocr", "before") else contestant.version
    wanted = [(sample, f"{key_of(sample)} {version}") for sample in samples]
    missing = [
        (sample, made_of) for sample, made_of in wanted if _made_of(_path(folder, reader, sample)) != made_of
    ]
    if not missing:
        return
    command = [sys.executable, str(ROOT / "bench" / "reading_pages" / "contestants.py"), reader]
    env = os.environ | {"FOVEA_SOURCE": str(worker), "OMP_THREAD_LIMIT": "2"}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
    assert process.stdin and process.stdout
    process.stdin.write(json.dumps([{"path": str(one.path), "lang": one.lang} for one, _ in missing]))
    process.stdin.close()
    for (sample, made_of), line in zip(missing, process.stdout, strict=False):
        path = _path(folder, reader, sample)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(json.loads(line) | {"made_of": made_of}))
    if process.wait():
        raise SystemExit(f"{reader} stopped with {process.returncode}.")


def _path(folder: Path, reader: str, sample: Sample) -> Path:
    return folder / reader / f"{sample.name}.{sample.look}.json"


def _made_of(path: Path) -> str | None:
    """From which page an answer was made, and by what."""
    return json.loads(path.read_text()).get("made_of") if path.exists() else None


def judged(reader: str, sample: Sample, folder: Path) -> Row | None:
    path = _path(folder, reader, sample)
    if not path.exists():
        return None
    raw = json.loads(path.read_text())
    answer = Answer(
        raw["blocks"],
        raw.get("verdict"),
        raw.get("warnings", []),
        CONTESTANTS[reader].kinds,
        raw["cpu_s"],
        raw["wall_s"],
        raw["peak_mib"],
    )
    result = score(sample.truth, answer)
    if "error" in raw:
        result.notes.append(raw["error"])
    return Row(reader, sample, result, answer)


if __name__ == "__main__":
    main()
