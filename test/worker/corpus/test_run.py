"""A run ends with the same bytes whatever happens on the way. These tests run the stages in one process."""

import errno
import hashlib
import json
import os
import signal
from typing import ClassVar

import corpus_support as corpus
import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from fovea.contract import schema_fault
from fovea.corpus import opening
from fovea.corpus.alone import Alone
from fovea.corpus.options import Filters, InputError
from fovea.corpus.records import selection_text
from fovea.corpus.shards import finished
from fovea.corpus.store import Store, StoreFault


@pytest.fixture(autouse=True)
def _readers(monkeypatch):
    corpus.use(monkeypatch)


@pytest.fixture
def manifest(tmp_path):
    return corpus.documents(tmp_path / "documents")


@pytest.fixture
def calm(manifest, tmp_path):
    """The files of an undisturbed run."""
    assert corpus.read(manifest, tmp_path / "calm").complete
    return corpus.files(tmp_path / "calm")


def test_the_output_has_every_page_once_and_matches_the_contract(manifest, tmp_path):
    outcome = corpus.read(manifest, tmp_path / "out")
    listed = outcome.manifest
    records = []
    for shard in listed["shards"]:
        data = (tmp_path / "out" / shard["path"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == shard["sha256"]
        assert len(data) == shard["bytes"]
        records += map(json.loads, data.splitlines())
    lines = [record for record in records if record["type"] == "line"]
    pages = [(record["line"], record["page"]) for record in records if record["type"] == "page"]
    assert [line["line"] for line in lines] == list(range(1, 9))
    assert pages == [(n + 1, page) for n in range(7) if n != 3 for page in range(1, 2 + n % 3)] + [(8, 1)]
    assert [line["state"] for line in lines] == ["succeeded"] * 3 + ["failed"] + ["succeeded"] * 4
    assert lines[3]["error"]["code"] == "document_broken"
    schemas = {"line": "OutputLine", "page": "OutputPage"}
    assert [schema_fault(schemas[record["type"]], record) for record in records] == [None] * len(records)
    training = [
        json.loads(text)
        for shard in listed["training_data"]["shards"]
        for text in (tmp_path / "out" / shard["path"]).read_text().splitlines()
    ]
    assert [schema_fault("TrainingRecord", record) for record in training] == [None] * len(training)
    assert len(training) == listed["training_data"]["records"] == listed["pages"] == len(pages)
    assert (listed["lines"], listed["errors"]) == (8, {"document_broken": 1})


@pytest.mark.parametrize("after", (0, 5, 9, 16))
def test_a_run_that_is_killed_anywhere_continues_to_the_same_bytes(manifest, tmp_path, calm, after):
    for more in (after, after // 2, 3):
        try:
            corpus.read(manifest, tmp_path / "out", engine=corpus.Interrupted(more))
        except KeyboardInterrupt:
            continue
    assert corpus.read(manifest, tmp_path / "out").complete
    assert corpus.files(tmp_path / "out") == calm


def test_finished_shards_are_not_read_again(manifest, tmp_path):
    assert corpus.read(manifest, tmp_path / "out").metrics["pages_read"] == 13
    again = corpus.read(manifest, tmp_path / "out")
    assert again.complete
    assert again.metrics["pages_read"] == 0
    (tmp_path / "out" / "output" / "000001.json").unlink()
    assert corpus.read(manifest, tmp_path / "out").metrics["pages_read"] == 3


def test_rows_that_come_twice_or_in_another_order_change_nothing(manifest, tmp_path, calm):
    class Shuffled(Alone):
        def rows(self, shards):
            rows = list(super().rows(shards))
            yield from [*rows[::-2], *rows[::2], *rows[::-1]]

    assert corpus.read(manifest, tmp_path / "out", engine=Shuffled(2)).complete
    assert corpus.files(tmp_path / "out") == calm


def test_a_full_disk_stops_the_run_and_loses_nothing(manifest, tmp_path, calm, monkeypatch):
    writes = []

    def fsync(file):
        writes.append(file)
        if len(writes) == 6:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(StoreFault, match="there is no space left"):
        corpus.read(manifest, tmp_path / "out")
    assert not list(tmp_path.glob("out/output/.*"))
    assert corpus.read(manifest, tmp_path / "out").complete
    assert corpus.files(tmp_path / "out") == calm


def test_a_shard_counts_when_the_object_store_has_all_of_it(manifest, calm, monkeypatch):
    class Full(MemoryFileSystem):
        protocol = "full"
        store: ClassVar = {}
        pseudo_dirs: ClassVar = [""]
        fails = True

        def open(self, path, mode="rb", **options):
            file = super().open(path, mode, **options)
            if Full.fails and mode == "wb" and "output/000002" in path:
                file.commit = lambda: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full"))
            return file

    fsspec.register_implementation("full", Full, clobber=True)
    with pytest.raises(StoreFault):
        corpus.read(manifest, "full://bucket/out")
    assert finished(Store("full://bucket/out"), "output") == {1}
    Full.fails = False
    assert corpus.read(manifest, "full://bucket/out").complete
    stored = {path.partition("/out/")[2]: file.getvalue() for path, file in Full.store.items()}
    assert {name: stored[name] for name in calm} == calm


def test_on_sigterm_started_shards_are_finished_and_no_other_is_begun(manifest, tmp_path, calm):
    stop = corpus.Interrupted(1, lambda: os.kill(os.getpid(), signal.SIGTERM))
    outcome = corpus.read(manifest, tmp_path / "out", engine=stop)
    assert not outcome.complete
    assert outcome.metrics["shards_written"] == 1
    assert not (tmp_path / "out" / "manifest.json").exists()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert corpus.read(manifest, tmp_path / "out").complete
    assert corpus.files(tmp_path / "out") == calm


def test_a_page_that_cannot_be_read_is_a_line_and_no_stop(manifest, tmp_path, monkeypatch):
    monkeypatch.setattr(
        corpus.TextReader, "__init__", lambda self, settings=None: corpus.EchoReader.__init__(self, 2)
    )
    outcome = corpus.read(manifest, tmp_path / "out")
    assert outcome.manifest["states"] == {"failed": 1, "partial": 4, "succeeded": 3}
    assert outcome.manifest["errors"] == {"document_broken": 1, "internal": 4}
    assert outcome.manifest["dropped"] == {"failed": 4}
    text = (tmp_path / "out" / "output" / "000001.jsonl").read_text()
    assert "secret internal detail" not in text


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"dpi": 100}, "reading.dpi"), ({"seed": 2}, "reading.seed")],
)
def test_the_folder_of_another_run_is_refused(manifest, tmp_path, changes, named):
    corpus.read(manifest, tmp_path / "out")
    before = corpus.files(tmp_path / "out")
    with pytest.raises(InputError, match=f"folder of another run; it differs in {named}"):
        corpus.read(manifest, tmp_path / "out", corpus.options(**changes))
    with pytest.raises(InputError, match=r"filters\.verdicts"):
        corpus.read(
            manifest,
            tmp_path / "out",
            corpus.options(Filters(verdicts=("ok", "suspect"), keep_near_duplicates=True)),
        )
    manifest.write_text(manifest.read_text() + "picture.png\n")
    with pytest.raises(InputError, match="manifest_sha256"):
        corpus.read(manifest, tmp_path / "out")
    assert corpus.files(tmp_path / "out") == before


def test_other_weights_are_refused(manifest, tmp_path, monkeypatch):
    corpus.read(manifest, tmp_path / "out")
    monkeypatch.setattr(corpus.TextReader, "digest", "sha256:" + "e" * 64)
    with pytest.raises(InputError, match="other weights or rules"):
        corpus.read(manifest, tmp_path / "out")


def test_bad_input_is_said_before_anything_is_written(manifest, tmp_path, monkeypatch):
    out = tmp_path / "out"
    for wanted, said in (
        (corpus.options(dpi=9), "--dpi"),
        (corpus.options(sample=0), "--sample"),
        (corpus.options(Filters(verdicts=("fine",))), "--verdicts: fine"),
        (corpus.options(task="describe"), "echo has the task markdown"),
    ):
        with pytest.raises(InputError, match=said):
            corpus.read(manifest, out, wanted)
    assert not [file for file in out.rglob("*") if file.is_file()]
    locked = tmp_path / "file"
    locked.touch()
    with pytest.raises(InputError, match="cannot be written"):
        corpus.read(manifest, locked / "out")
    with pytest.raises(InputError, match="Protocol not known"):
        corpus.read(manifest, "nowhere://x")


def test_a_model_without_weights_is_refused(manifest, tmp_path, monkeypatch):
    def without(self, settings=None):
        raise ValueError("no weights")

    monkeypatch.setattr(corpus.TextReader, "__init__", without)
    with pytest.raises(InputError, match="text cannot be loaded: no weights"):
        corpus.read(manifest, tmp_path / "out")


def test_an_unknown_model_is_refused(manifest, tmp_path):
    wanted = corpus.Options(corpus.Reading("gpt"))
    with pytest.raises(InputError, match="There is no model gpt; there are pp-ocr"):
        corpus.read(manifest, tmp_path / "out", wanted)


def test_documents_that_are_missing_or_too_large_are_lines(tmp_path, monkeypatch):
    manifest = corpus.documents(tmp_path / "documents", 2)
    manifest.write_text("0.pdf\nnone.pdf\n.\n1.pdf\n")
    large = (tmp_path / "documents" / "1.pdf").stat().st_size
    monkeypatch.setattr(corpus, "SETTINGS", corpus.Settings(golden_page=False, max_document_bytes=large - 1))
    outcome = corpus.read(manifest, tmp_path / "out")
    assert outcome.manifest["errors"] == {"document_too_large": 1, "document_unreachable": 2}


def test_a_failing_place_is_tried_again(manifest, tmp_path, monkeypatch):
    real, tries = opening._from_files, []

    def sometimes(url, limit):
        tries.append(url)
        if len(tries) % 3:
            raise opening.DocumentError("document_unreachable", "later")
        return real(url, limit)

    monkeypatch.setattr(opening, "PAUSE_S", 0)
    monkeypatch.setattr(opening, "_from_files", sometimes)
    assert corpus.read(manifest, tmp_path / "out").manifest["states"]["succeeded"] == 7
    assert len(tries) == 24


def test_the_choice_of_pages_is_said_of_the_line_and_counted(tmp_path):
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "long.pdf").write_bytes(corpus.pdf(20))
    (folder / "manifest.txt").write_text(json.dumps({"path": "long.pdf", "pages": "3-"}) + "\n")
    outcome = corpus.read(
        folder / "manifest.txt", tmp_path / "out", corpus.options(pages_per_document=4, seed=5)
    )
    first, *pages = map(json.loads, (tmp_path / "out" / "output" / "000001.jsonl").read_text().splitlines())
    assert len(pages) == 4
    assert outcome.manifest["dropped"] == {"over_share": 14}
    numbers = [page["page"] for page in pages]
    assert min(numbers) >= 3
    assert first["selection"] == selection_text(numbers)
