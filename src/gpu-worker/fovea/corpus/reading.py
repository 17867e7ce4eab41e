"""Reads drawn pages as the service's worker does: the same time limit, witness, warnings and failures."""

import asyncio
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

from fovea.corpus.drawn import DrawnDocument, DrawnPage, Row
from fovea.corpus.filters import note
from fovea.corpus.options import InputError, Options
from fovea.corpus.records import encode, page_record
from fovea.errors import DocumentError
from fovea.readers import ALWAYS, READERS, golden, load_readers
from fovea.service.shard import WITNESS, Needs, Shard
from fovea.settings import Settings

ONE_BY_ONE = frozenset({"pp-ocr", "tesseract", "fovea-nano", "fovea-render"})
"""Readers that keep their cores busy with one page, which then has the same result in any company."""
CPU_READERS = ONE_BY_ONE | {"deepseek-ocr-upstream"}
"""Readers that use no GPU of this machine."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What the other stages have to know of the reader."""

    digest: str
    needs: Needs
    batched: bool
    """Whether it is given several pages at once, which a GPU reads in one batch."""


def check_model(name: str) -> None:
    """Raises `InputError` if there is no such reader."""
    if name not in READERS:
        raise InputError(f"There is no model {name}; there are {', '.join(READERS)}.")


class PageReader:
    """One per process: loads the reader and reads the pages that it is given."""

    def __init__(self, options: Options, settings: Settings):
        """Blocks while weights load, and reads the golden page. Raises `InputError` for what the reader lacks."""
        reading = options.reading
        names = (reading.model, WITNESS) if reading.witness else (reading.model,)
        try:
            self._readers = load_readers(names, settings)
            if settings.golden_page:
                golden.check(self._readers, without_weights=ALWAYS)
        except (ValueError, OSError, RuntimeError) as error:
            raise InputError(f"{reading.model} cannot be loaded: {error}") from error
        self._options, self._settings = options, settings
        try:
            self._shard().check()
        except DocumentError as error:
            raise InputError(error.message) from None
        reader = self._readers[reading.model]
        self.traits = Traits(reader.digest, Needs.of(reader), reading.model not in ONE_BY_ONE)

    def read(self, rows: Sequence[Row]) -> list[Row]:
        """The rows with drawn pages read, in their order. Blocks. Called from several threads."""
        return asyncio.run(self._read(rows))

    async def _read(self, rows: Sequence[Row]) -> list[Row]:
        if self.traits.batched:
            return list(await asyncio.gather(*map(self._row, rows)))
        return [await self._row(row) for row in rows]

    def _shard(self) -> Shard:
        return Shard(self._options.reading.shard_request(), self._readers, self._settings)

    async def _row(self, row: Row) -> Row:
        if row.state != "drawn":
            return row
        page = await asyncio.to_thread(DrawnPage.unpack, row.body)
        result = await self._shard().read_page(DrawnDocument(page), row.page)
        if result["error"] is not None:
            return failed_row(row, result["error"])
        record = page_record(row.line, page.custom_id, page.document_sha256, self._options.reading, result)
        said = note(result, self._options.filters)
        return row._replace(state="done", body=encode(record), note=said.encode())


def failed_row(row: Row, error: dict[str, str]) -> Row:
    return row._replace(state="failed", body=json.dumps(error).encode(), note=b"")


def with_threads(settings: Settings, cpus: float) -> Settings:
    """Settings of one of several readers on a machine: it uses its share of the cores, unless a setting says more."""
    if settings.threads:
        return settings
    return replace(settings, threads=max(1, round(min(cpus, os.cpu_count() or 1))))
