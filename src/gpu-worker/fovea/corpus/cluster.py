"""Runs the stages on Ray Data: on this machine, or on the cluster that `RAY_ADDRESS` or `--address` names.

    open_documents (tasks) → ReadPages (a pool of actors) → this process, which writes shards → write_selection (tasks)

Ray's back-pressure keeps few drawn pages waiting. A batch for a reader has pages of several documents. Rows can come
twice after a crash; `shards.Collector` takes each once.
"""

import logging
import math
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fovea.corpus.drawn import Row
from fovea.corpus.guard import Key, Tries, read_guarded
from fovea.corpus.manifest import PlannedDocument
from fovea.corpus.opening import open_shard
from fovea.corpus.options import InputError, Options
from fovea.corpus.reading import CPU_READERS, PageReader, Traits, with_threads
from fovea.corpus.run import Selection
from fovea.corpus.selecting import write_selection
from fovea.corpus.store import StoreFault
from fovea.service.shard import Needs
from fovea.settings import Settings

log = logging.getLogger(__name__)

START_TRIES = 3
"""Ray gives a part of its processes half a minute to start, whatever is set; a busy machine can exceed that."""
START_LIMITS = {"RAY_gcs_server_port_wait_time_s": "180", "RAY_worker_register_timeout_seconds": "300"}
"""Environment of a cluster that is started here: the parts whose time can be set."""
CONNECT_S = 10.0
"""For a connection to a cluster; Ray alone would try for a quarter of an hour."""
PACKAGES = str(Path(__file__).parents[2])
"""The folder that has the package `fovea`: the processes of a cluster that is started here import it from there."""
BLOCK_BYTES = 4 << 20
"""Drawn pages that travel together; a page of text is about 0.2 MB."""
CPU_BATCH, GPU_BATCH = 4, 32
CONCURRENT = 4
"""Batches that a reader on a GPU works on at the same time, so that its engine always has sequences to decode."""


@dataclass(frozen=True, slots=True)
class Resources:
    """`None`: chosen by the model and the cluster."""

    address: str | None = None
    readers: tuple[int, int] | None = None
    """Least and most readers."""
    reader_cpus: float = 1.0
    reader_gpus: float | None = None
    open_cpus: float = 0.5
    """Of a task that opens documents and draws pages."""
    batch: int | None = None
    cpus: int | None = None
    """Of a cluster that is started here."""
    object_store_bytes: int | None = None
    """Likewise."""
    start_limit_s: float = 900.0
    """Until the first reader has loaded its weights; a cluster may have to start a machine for it."""


class Ledger(Tries):
    """An actor: whether the run is draining, and how often each page has been begun."""

    def __init__(self) -> None:
        super().__init__()
        self._draining = False

    def drain(self) -> None:
        self._draining = True

    def draining(self) -> bool:
        return self._draining


def open_documents(table: Any, options: Options, needs: Needs, ledger: Any) -> Iterator[Any]:
    """A task: the drawn pages of shards, as tables of rows. Starts no shard while the run drains."""
    import ray

    settings = Settings.from_environment()
    for number, lines in zip(table["shard"].to_pylist(), table["documents"].to_pylist(), strict=True):
        if ray.get(ledger.draining.remote()):
            continue
        documents = [PlannedDocument.from_line(line) for line in lines]
        for row in open_shard(number, documents, options.reading, needs, settings):
            yield _table([row])
    yield _table([])


class ReadPages:
    """An actor: reads batches of drawn pages."""

    def __init__(self, options: Options, cpus: float, ledger: Any):
        logging.basicConfig(level=logging.WARNING)
        self._reader = PageReader(options, with_threads(Settings.from_environment(), cpus))
        self._ledger = ledger

    def __call__(self, table: Any) -> Any:
        import ray

        rows = [Row(**row) for row in table.to_pylist()]
        return _table(
            read_guarded(
                self._reader, rows, lambda pages: ray.get(self._ledger.begin.remote(pages)), self._end
            )
        )

    def _end(self, pages: list[Key]) -> None:
        self._ledger.end.remote(pages)


def _table(rows: Sequence[Row]) -> Any:
    import pyarrow as pa

    types = (pa.int64(), pa.int64(), pa.int64(), pa.string(), pa.binary(), pa.binary())
    columns = zip(*rows, strict=True) if rows else [()] * len(types)
    arrays = [pa.array(column, kind) for column, kind in zip(columns, types, strict=True)]
    return pa.table(dict(zip(Row._fields, arrays, strict=True)))


def probe(options: Options, cpus: float) -> Traits | str:
    """A task: loads the reader once. Returns its traits, or why it cannot be used."""
    try:
        return PageReader(options, with_threads(Settings.from_environment(), cpus)).traits
    except InputError as error:
        return str(error)


def readers_that_fit(
    resources: Resources, gpus: float, has: Mapping[str, float], *, grows: bool
) -> tuple[int, int]:
    """Least and most readers. `gpus`: of one; `has`: what Ray has now; `grows`: whether it may get more later.

    Raises `InputError`.
    """
    has_cores, has_gpus = has.get("CPU", 0.0), has.get("GPU", 0.0)
    if gpus and not has_gpus and not (grows and resources.readers):
        raise InputError(
            "The model needs GPUs and the cluster has none. Say --readers if it starts machines on demand, or "
            "--reader-gpus 0 to read on CPUs."
        )
    fit = has_gpus / gpus if gpus else (has_cores - resources.open_cpus) / resources.reader_cpus
    least, most = resources.readers or (max(1, math.floor(fit)),) * 2
    cores = least * resources.reader_cpus + resources.open_cpus
    if not grows and (cores > has_cores or least * gpus > has_gpus):
        raise InputError(
            f"{least} × {resources.reader_cpus:g} cores to read, {resources.open_cpus:g} cores to open documents and "
            f"{least} × {gpus:g} GPUs are more than this machine has: {has_cores:g} cores, {has_gpus:g} GPUs."
        )
    return least, most


class RayCluster:
    def __init__(self, resources: Resources):
        self._resources = resources
        self._address = resources.address or os.environ.get("RAY_ADDRESS")
        self.readers = 1

    def start(self, options: Options, settings: Settings) -> Traits:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
        except ImportError:
            raise InputError(
                "Ray is not installed: it is in the Python group `corpus` (`npm run corpus:install`)."
            ) from None
        self._options = options
        self._connect(ray)
        has = ray.cluster_resources()
        on_gpu = options.reading.model not in CPU_READERS and settings.device != "cpu"
        resources = self._resources
        self._gpus = resources.reader_gpus if resources.reader_gpus is not None else float(on_gpu)
        self._least, self._most = readers_that_fit(resources, self._gpus, has, grows=bool(self._address))
        self.readers = self._most
        self._ledger = ray.remote(Ledger).options(num_cpus=0).remote()
        task = ray.remote(probe).options(num_cpus=resources.reader_cpus, num_gpus=self._gpus, name="probe")
        found, _ = ray.wait([task.remote(options, resources.reader_cpus)], timeout=resources.start_limit_s)
        if not found:
            raise InputError(f"No reader was ready within {resources.start_limit_s:.0f} s: {has}.")
        try:
            traits = ray.get(found[0])
        except ray.exceptions.RayError as error:
            raise InputError(f"No reader can start on the cluster: {_cause(error)}") from None
        if isinstance(traits, str):
            raise InputError(traits)
        self._traits = traits
        return traits

    def _connect(self, ray: Any) -> None:
        resources = self._resources
        passed_on = {name: value for name, value in os.environ.items() if name.startswith("FOVEA_")}
        address = self._address
        local: dict[str, Any] = {}
        if address:
            check_address(address)
        else:
            for name, value in START_LIMITS.items():
                os.environ.setdefault(name, value)
            local["include_dashboard"] = False
            passed_on["PYTHONPATH"] = os.pathsep.join(
                [PACKAGES, *filter(None, [os.environ.get("PYTHONPATH")])]
            )
            if resources.cpus:
                local["num_cpus"] = resources.cpus
            if resources.object_store_bytes:
                local["object_store_memory"] = resources.object_store_bytes
        for attempt in range(1, START_TRIES + 1):
            try:
                ray.init(
                    address=address or "local",
                    namespace="fovea-corpus",
                    runtime_env={"env_vars": passed_on},
                    logging_level=logging.ERROR,
                    log_to_driver=False,
                    **local,
                )
                return
            except Exception as error:  # Ray raises a plain `Exception` if its processes are slow to start
                ray.shutdown()
                why = str(error).partition("\n")[0].rstrip(".")
                if address:
                    token = (
                        "A cluster that asks for a token needs RAY_AUTH_MODE=token and the token here, too."
                    )
                    raise InputError(f"Ray cannot be reached: {why}. {token}") from None
                if attempt == START_TRIES or isinstance(error, ValueError):
                    raise InputError(f"Ray cannot be started: {why}.") from None
                log.warning("Ray did not start: %s", error)

    def rows(self, shards: Mapping[int, Sequence[PlannedDocument]]) -> Iterator[Row]:
        import pyarrow as pa
        import ray.data

        # Otherwise its lines come between those of the progress.
        logging.getLogger("ray.data").setLevel(logging.WARNING)
        logging.getLogger("ray.data._internal.progress").setLevel(logging.ERROR)
        context = ray.data.DataContext.get_current()
        context.target_max_block_size = BLOCK_BYTES
        context.enable_progress_bars = False
        resources, batched = self._resources, self._traits.batched
        batch = resources.batch or (GPU_BATCH if batched else CPU_BATCH)
        tables = [
            pa.table({"shard": [number], "documents": [[document.to_line() for document in documents]]})
            for number, documents in shards.items()
        ]
        pool = ray.data.ActorPoolStrategy(
            min_size=self._least,
            max_size=self._most,
            max_tasks_in_flight_per_actor=2 * CONCURRENT if batched else 2,
            max_concurrent_calls_per_actor=CONCURRENT if batched else 1,
            enable_true_multi_threading=batched,
        )
        dataset = (
            ray.data.from_arrow(tables)
            .map_batches(
                open_documents,
                batch_size=1,
                batch_format="pyarrow",
                fn_kwargs={"options": self._options, "needs": self._traits.needs, "ledger": self._ledger},
                num_cpus=resources.open_cpus,
                # The default. An argument that readers do not have keeps Ray from fusing both stages into one, which it
                # does when they have as many cores.
                max_retries=-1,
            )
            .map_batches(
                ReadPages,
                batch_size=batch,
                batch_format="pyarrow",
                fn_constructor_args=(self._options, resources.reader_cpus, self._ledger),
                compute=pool,
                num_cpus=resources.reader_cpus,
                num_gpus=self._gpus or None,
            )
        )
        dataset.set_name("fovea-corpus")
        for table in dataset.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=1):
            for row in table.to_pylist():
                yield Row(**row)

    def select(self, selections: Iterator[Selection]) -> Iterator[dict[str, Any]]:
        import ray

        task = ray.remote(write_selection).options(name="write_selection")
        most = max(2, 2 * int(ray.cluster_resources().get("CPU", 1)))
        running: list[Any] = []
        for one in selections:
            running.append(task.remote(*one))
            if len(running) >= most:
                done, running = ray.wait(running)
                yield from map(_result, done)
        yield from map(_result, running)

    def drain(self) -> None:
        self._ledger.drain.remote()

    def close(self) -> None:
        import sys

        if ray := sys.modules.get("ray"):
            ray.shutdown()


def _result(reference: Any) -> Any:
    """Raises `StoreFault` of the task as one of this process."""
    import ray

    try:
        return ray.get(reference)
    except StoreFault as error:
        raise StoreFault(str(error)) from None


def check_address(address: str) -> None:
    """Raises `InputError` if nothing answers there. Other forms than `host:port`, such as `auto`, are left to Ray."""
    try:
        place = urlsplit(address if "://" in address else f"ray://{address}")
        host, port = place.hostname, place.port
    except ValueError:
        return
    if not host or not port:
        return
    try:
        socket.create_connection((host, port), CONNECT_S).close()
    except OSError as error:
        raise InputError(f"Ray cannot be reached: {address}: {error.strerror or error}") from None


def _cause(error: Exception) -> str:
    """The last line that says something: Ray puts the traceback of the other process before it."""
    return ([line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__])[-1]
