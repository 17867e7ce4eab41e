"""What the tests of the corpus share: a run without Ray over documents made on the spot."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from support import EchoReader, encoded, pdf, picture

from fovea.corpus import opening
from fovea.corpus.alone import Alone
from fovea.corpus.options import Filters, Options, Reading
from fovea.corpus.run import Outcome, run
from fovea.pages.documents import Document, open_document
from fovea.readers import READERS
from fovea.settings import Settings

SETTINGS = Settings(golden_page=False)


class TextReader(EchoReader):
    """Stands in for a model: the text of a page is its size and number, so pages of equal size differ little."""

    name = "text"

    def __init__(self, settings: Settings | None = None):
        super().__init__()


READERS_FOR_TESTS = {"text": f"{__name__}:TextReader"}


class InProcess:
    """Opens documents in this process: a process for each takes a second, and these tests open hundreds."""

    def __init__(self, data: bytes, max_pixels: int, *, media_type: str, mode: str):
        self._arguments = (data, max_pixels, media_type, mode)

    def open(self) -> Document:
        return open_document(*self._arguments)


def use(monkeypatch) -> None:
    monkeypatch.setattr(opening, "IsolatedDocument", InProcess)
    monkeypatch.setattr(os, "fsync", lambda file: None)
    for name, place in READERS_FOR_TESTS.items():
        monkeypatch.setitem(READERS, name, place)


def documents(folder: Path, count: int = 7) -> Path:
    """PDFs with one to three pages, a picture, and a broken file. Returns the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for number in range(count):
        name = f"{number}.pdf"
        data = pdf(1 + number % 3, (300 + 10 * number, 842)) if number != 3 else b"%PDF-1.4 broken"
        (folder / name).write_bytes(data)
        names.append(name)
    (folder / "picture.png").write_bytes(encoded(picture("A picture")))
    manifest = folder / "manifest.txt"
    manifest.write_text("\n".join([*names, "", "# a picture", "picture.png"]) + "\n")
    return manifest


def options(filters: Filters | None = None, **reading) -> Options:
    near = filters or Filters(keep_near_duplicates=True)
    return Options(Reading("text", **reading), near, shard_documents=2)


def read(manifest: Path, out: Path | str, wanted: Options | None = None, engine=None) -> Outcome:
    return run(str(manifest), str(out), wanted or options(), engine or Alone(2), SETTINGS)


def files(out: Path) -> dict[str, bytes]:
    """What must be the same whatever happened on the way."""
    kept = [*out.glob("output/*"), *out.glob("training-data/*"), out / "manifest.json"]
    return {str(file.relative_to(out)): file.read_bytes() for file in kept if file.is_file()}


class Interrupted(Alone):
    """Raises, as a killed process ends, after some rows; or calls `then`."""

    def __init__(self, after: int, then: Callable[[], None] | None = None):
        super().__init__(2)
        self._after, self._then = after, then

    def rows(self, shards: Mapping) -> Iterator:
        for count, row in enumerate(super().rows(shards)):
            if count == self._after:
                if self._then is None:
                    raise KeyboardInterrupt
                self._then()
            yield row
