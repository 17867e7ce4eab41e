"""Runs the stages in this process, one page after the other: without Ray, to compare with, and for few pages."""

import itertools
from collections.abc import Iterator, Mapping, Sequence

from fovea.corpus.drawn import Row
from fovea.corpus.manifest import PlannedDocument
from fovea.corpus.opening import open_shard
from fovea.corpus.options import Options
from fovea.corpus.reading import PageReader, Traits
from fovea.corpus.run import Selection
from fovea.corpus.selecting import write_selection
from fovea.settings import Settings


class Alone:
    readers = 1

    def __init__(self, batch: int = 1):
        """`batch`: pages that the reader gets at once."""
        self._batch = batch
        self._draining = False

    def start(self, options: Options, settings: Settings) -> Traits:
        """Raises `InputError`."""
        self._options, self._settings = options, settings
        self._reader = PageReader(options, settings)
        return self._reader.traits

    def rows(self, shards: Mapping[int, Sequence[PlannedDocument]]) -> Iterator[Row]:
        for number, documents in shards.items():
            if self._draining:
                return
            drawn = open_shard(
                number, documents, self._options.reading, self._reader.traits.needs, self._settings
            )
            while batch := list(itertools.islice(drawn, self._batch)):
                yield from self._reader.read(batch)

    def select(self, selections: Iterator[Selection]) -> Iterator[dict]:
        for one in selections:
            yield write_selection(*one)

    def drain(self) -> None:
        self._draining = True

    def close(self) -> None:
        pass
