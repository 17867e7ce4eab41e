"""One run, from a manifest to training data: checks what was asked for, plans, reads what is missing, selects."""

import hashlib
import json
import logging
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from fovea.corpus.drawn import Row
from fovea.corpus.filters import check_languages
from fovea.corpus.manifest import PlannedDocument, plan_documents, read_manifest
from fovea.corpus.options import InputError, Options
from fovea.corpus.progress import Progress
from fovea.corpus.reading import Traits, check_model
from fovea.corpus.records import RUN
from fovea.corpus.selecting import TRAINING, select
from fovea.corpus.shards import OUTPUT, Collector, finished, name_of
from fovea.corpus.store import Store, clear_leftovers
from fovea.settings import Settings

log = logging.getLogger(__name__)

RUN_FILE, PLAN, MANIFEST, METRICS = "run.json", "plan.jsonl", "manifest.json", "metrics.json"


class Selection(NamedTuple):
    """One shard of training data that is to be written: the arguments of `write_selection`."""

    url: str
    number: int
    chosen: set[tuple[int, int]]
    form: str


class Engine(Protocol):
    """What runs the stages."""

    readers: int

    def start(self, options: Options, settings: Settings) -> Traits:
        """Loads the reader once. Raises `InputError` for what it does not have."""
        ...

    def rows(self, shards: Mapping[int, Sequence[PlannedDocument]]) -> Iterator[Row]:
        """The read pages of these shards, in any order."""
        ...

    def select(self, selections: Iterator[Selection]) -> Iterator[dict[str, Any]]:
        """Writes training data; the summaries, in any order."""
        ...

    def drain(self) -> None:
        """Starts no further shard. `rows` ends when those that were started are read."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """`complete`: whether every shard is written; otherwise the run was drained."""

    complete: bool
    metrics: dict[str, Any]
    manifest: dict[str, Any] | None


def run(
    manifest: str,
    out: str,
    options: Options,
    engine: Engine,
    settings: Settings,
    *,
    price: float = 0.0,
    say: Callable[[str], None] = lambda line: None,
) -> Outcome:
    """Raises `InputError` before anything is read, and `StoreFault` when the output cannot be written."""
    if fault := options.fault():
        raise InputError(fault)
    check_model(options.reading.model)
    check_languages(options.filters.languages)
    data, entries = read_manifest(manifest)
    store = Store(out)
    store.check()
    identity = {"schema": 1, "manifest_sha256": hashlib.sha256(data).hexdigest(), **options.to_json()}
    known = _same_run(store, identity)
    if known is None:
        documents = list(plan_documents(entries, manifest))
    else:
        documents = [PlannedDocument.from_line(line) for line in (store.read(PLAN) or b"").splitlines()]
    try:
        digest = engine.start(options, settings).digest
        if known is None:
            store.write(PLAN, b"".join(document.to_line().encode() + b"\n" for document in documents))
            store.write(RUN_FILE, _pretty({**identity, "model_digest": digest}))
        elif known["model_digest"] != digest:
            raise InputError(
                f"{out} was begun with other weights or rules of {options.reading.model} ({known['model_digest']}); "
                f"here it is {digest}. Choose another folder."
            )
        return _work(store, options, engine, documents, price, say)
    finally:
        engine.close()


def _same_run(store: Store, identity: dict[str, Any]) -> dict[str, Any] | None:
    """What an earlier start has stored; `None` if there was none. Raises `InputError` if that was another run."""
    stored = store.read(RUN_FILE)
    if stored is None:
        if store.names(OUTPUT):
            raise InputError(f"{store.url} has an output, but no {RUN_FILE}. Choose another folder.")
        return None
    known = json.loads(stored)
    differing = sorted(_differing(known, json.loads(json.dumps(identity))))
    if differing:
        raise InputError(
            f"{store.url} is the folder of another run; it differs in {', '.join(differing)}. "
            "Choose another folder, or the options of that run."
        )
    return known


def _differing(known: dict[str, Any], wanted: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in wanted.items():
        if isinstance(value, dict):
            yield from _differing(known.get(name, {}), value, f"{name}.")
        elif known.get(name) != value:
            yield f"{prefix}{name} ({known.get(name)!r} there, {value!r} here)"


def _work(
    store: Store,
    options: Options,
    engine: Engine,
    documents: list[PlannedDocument],
    price: float,
    say: Callable[[str], None],
) -> Outcome:
    size = options.shard_documents
    shards = {start // size + 1: documents[start : start + size] for start in range(0, len(documents), size)}
    for folder in (OUTPUT, TRAINING):
        clear_leftovers(store, folder)
    done = finished(store, OUTPUT)
    missing = {number: planned for number, planned in shards.items() if number not in done}
    before = len(documents) - sum(map(len, missing.values()))
    progress = Progress(len(documents), before, engine.readers, price)
    if done:
        say(f"{len(done):,} of {len(shards):,} shards are already written")
    with _Drain(engine, say) as drain:
        _read(store, options, engine, missing, progress, say)
        if len(done) + progress.shards < len(shards):
            store.write(METRICS, progress.encode())
            if not drain.requested:
                lost = len(shards) - len(done) - progress.shards
                raise RuntimeError(f"{lost} shards are not complete although all documents were read.")
            return Outcome(False, progress.to_json(), None)
        listed = _select(store, options, engine, len(shards), say)
    store.write(METRICS, progress.encode())
    return Outcome(True, progress.to_json(), listed)


def _read(
    store: Store,
    options: Options,
    engine: Engine,
    missing: Mapping[int, Sequence[PlannedDocument]],
    progress: Progress,
    say: Callable[[str], None],
) -> None:
    if not missing:
        return
    collector = Collector(store, missing, options.reading)
    for row in engine.rows(missing):
        progress.add(row)
        if collector.add(row):
            progress.shards += 1
        if progress.due():
            say(progress.line())
            store.write(METRICS, progress.encode())
    say(progress.line())


def _select(
    store: Store, options: Options, engine: Engine, shards: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """Writes the training data that are missing, and the manifest of the output."""
    say("selecting training data")
    done = finished(store, TRAINING)
    outputs: list[dict[str, Any]] = []

    def wanted() -> Iterator[Selection]:
        for number, chosen, summary in select(store, range(1, shards + 1)):
            outputs.append(summary)
            if number not in done:
                yield Selection(store.url, number, chosen, options.format)

    for _ in engine.select(wanted()):
        pass
    training = [
        json.loads(store.read(f"{TRAINING}/{name_of(number)}.json") or b"{}")
        for number in range(1, shards + 1)
    ]
    listed = _manifest(outputs, training)
    store.write(MANIFEST, _pretty(listed))
    return listed


def _manifest(outputs: list[dict[str, Any]], training: list[dict[str, Any]]) -> dict[str, Any]:
    """The list of shards as of `/v1/batches/{id}/output`, and beside it the training data and all counts."""
    listed = ("number", "run", "lines", "pages", "bytes", "sha256")
    counts = {}
    for name in ("states", "verdicts", "errors", "dropped"):
        total: Counter[str] = Counter()
        for summary in outputs:
            total.update(summary[name])
        counts[name] = dict(sorted(total.items()))
    return {
        "schema": 1,
        "run": RUN,
        "complete": True,
        **{name: sum(one[name] for one in outputs) for name in ("lines", "pages", "bytes")},
        "shards": [
            {**{name: one[name] for name in listed}, "path": f"{OUTPUT}/{name_of(one['number'])}.jsonl"}
            for one in outputs
        ],
        "training_data": {
            "records": sum(one["records"] for one in training),
            "bytes": sum(one["bytes"] for one in training),
            "shards": training,
        },
        **counts,
    }


class _Drain:
    """On SIGTERM or SIGINT the engine drains; a second signal ends the run at once."""

    def __init__(self, engine: Engine, say: Callable[[str], None]):
        self._engine, self._say = engine, say
        self.requested = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "_Drain":
        try:
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._stop)
        except ValueError:
            pass  # not the main thread: whoever runs this handles signals
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _stop(self, number: int, _frame: Any) -> None:
        if self.requested:
            raise SystemExit(128 + number)
        self.requested = True
        self._say("draining: shards that were started are finished; a second signal ends the run at once")
        self._engine.drain()


def _pretty(body: dict[str, Any]) -> bytes:
    return json.dumps(body, indent=1, ensure_ascii=False).encode() + b"\n"
