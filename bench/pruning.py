"""Bytes of a job in D1, and the time in which the sweep deletes old records.

    python3 bench/pruning.py                    # 30,000 jobs of three pages
    python3 bench/pruning.py --jobs 100000

Fills SQLite with the edge's migrations and finished jobs, and runs the statements of `storage/pruning.ts` and
`storage/job-retention.ts`, taken from those files, until nothing is left. D1 is SQLite, but its disks and replication
differ.
"""

import argparse
import hashlib
import json
import re
import sqlite3
import tempfile
import time
from pathlib import Path

STORAGE = Path(__file__).parent.parent / "src/edge/storage"
START = 1_700_000_000_000
NOW = START + 200 * 86_400_000
PAGES = 3
ROWS = 5000  # PRUNED_ROWS in src/edge/jobs/retention.ts
OPTIONS = json.dumps({"model": "pp-ocr", "mode": "auto", "task": "markdown", "prompt": None, "dpi": 144})


def statements(file: str, function: str) -> list[str]:
    """The SQL in the templates of a function, with its constants filled in."""
    source = (STORAGE / file).read_text()
    body = source[source.index(f"function {function}(") :]
    body = body[: body.index("\n}\n")]
    constants = dict(re.findall(r"const (\w+) =\s+\"([^\"]*)\"", body)) | {"DAY_MS": "86400000"}
    found = re.findall(r"[`\"]((?:WITH|UPDATE|DELETE)[^`\"]*)[`\"]", body)
    return [re.sub(r"\$\{(\w+)\}", lambda name: constants[name[1]], sql) for sql in found]


def insert(db: sqlite3.Connection, table: str, **values: object) -> None:
    marks = ", ".join("?" * len(values))
    db.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", list(values.values()))


def fill(db: sqlite3.Connection, jobs: int) -> None:
    """Finished jobs of one tenant, each with its pages, events, a shard and a delivered webhook."""
    tenant = "ten_" + "0" * 24
    insert(db, "tenants", id=tenant, name="bench", created_at=0)
    for i in range(jobs):
        digits = hashlib.sha256(str(i).encode()).hexdigest()
        job, file, at = f"job_{i:08d}{digits[:16]}", f"file_{i // 2:08d}{digits[:16]}", START + i * 10
        trace = f"00-{digits[:32]}-{digits[:16]}-01"
        insert(
            db, "jobs", id=job, tenant_id=tenant, key_id="key_" + "0" * 24, file_id=file, options=OPTIONS,
            selection='{"ranges":[[1,null]]}', cache="use", state="succeeded", planned=1, total=PAGES, done=PAGES,
            metadata="{}", created_at=at, started_at=at, finished_at=at, deadline_at=at, traceparent=trace,
        )  # fmt: skip
        events = [("queued", {"state": "queued"}), ("running", {"state": "running"})]
        for page in range(1, PAGES + 1):
            result = {"state": "done", "source": "read", "verdict": "ok", "finish_reason": "stop"}
            insert(
                db, "job_pages", job_id=job, page=page, page_key=hashlib.sha256(f"{i}/{page}".encode()).hexdigest(),
                state="done", source="read", model_digest="sha256:" + "a" * 64, verdict="ok", finish_reason="stop",
            )  # fmt: skip
            events.append(("page", {"page": page, **result, "error": None}))
        events.append(("succeeded", {"state": "succeeded", "done": PAGES, "failed": 0, "error": None}))
        for kind, data in events:
            text = json.dumps(data, separators=(",", ":"))
            insert(db, "events", job_id=job, type=kind, data=text, created_at=at)
        shard = f"shard_{digits[:24]}"
        insert(
            db, "shards", id=shard, tenant_id=tenant, file_id=file, options=OPTIONS, state="done", attempt=1,
            server="main", prediction_id=f"{shard}-1", deadline_at=at, created_at=at, traceparent=trace,
        )  # fmt: skip
        insert(
            db, "deliveries", id=f"msg_{digits[:24]}", tenant_id=tenant, event="job.succeeded", state="delivered",
            url="https://example.com/webhooks/fovea", created_at=at, endpoint_id="whe_" + "0" * 24, job_id=job,
        )  # fmt: skip
        insert(
            db, "delivery_attempts", delivery_id=f"msg_{digits[:24]}", attempt=1, at=at, duration_ms=40, status=200,
            answer="ok",
        )  # fmt: skip


def used_bytes(db: sqlite3.Connection) -> int:
    pages, free, size = (
        db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=30_000)
    jobs = parser.parse_args().jobs
    with tempfile.TemporaryDirectory() as folder:
        db = sqlite3.connect(Path(folder) / "d1.sqlite", isolation_level=None)
        # SQLite knows `subsec` from 3.42 on.
        db.create_function("unixepoch", 1, lambda _: time.time())
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA journal_mode = WAL")
        for migration in sorted((STORAGE / "migrations").glob("*.sql")):
            db.executescript(migration.read_text())
        empty = used_bytes(db)
        db.execute("BEGIN")
        fill(db, jobs)
        db.execute("COMMIT")
        print(f"SQLite {sqlite3.sqlite_version}")
        print(f"bytes of a job with all records: {(used_bytes(db) - empty) / jobs:.0f}")

        logs = statements("pruning.ts", "pruneLogs")
        slices = []
        while True:
            before, since = db.total_changes, time.perf_counter()
            db.execute("BEGIN")
            for sql in logs:
                db.execute(sql, (NOW, ROWS))
            db.execute("COMMIT")
            if db.total_changes == before:
                break
            slices.append((time.perf_counter() - since, db.total_changes - before))
        print(
            f"logs: {len(slices)} slices, the slowest took {max(slices)[0]:.2f} s for {max(slices)[1]} rows"
        )
        print(f"bytes of a job without logs: {(used_bytes(db) - empty) / jobs:.0f}")

        [due] = statements("pruning.ts", "pruneJobs")
        remove = statements("job-retention.ts", "removeJobs")
        slices = []
        while True:
            since = time.perf_counter()
            ids = [row[0] for row in db.execute(due, (NOW, 90, ROWS))]
            if not ids:
                break
            db.execute("BEGIN")
            for sql in remove:
                db.execute(sql, (json.dumps(ids),))
            db.execute("COMMIT")
            slices.append((time.perf_counter() - since, len(ids)))
        print(
            f"jobs: {len(slices)} slices, the slowest took {max(slices)[0]:.2f} s for {max(slices)[1]} jobs"
        )
        print(f"bytes left of a job: {(used_bytes(db) - empty) / jobs:.0f}")
        db.close()


main()
