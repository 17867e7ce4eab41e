"""Reads a golden page with every reader that has weights, before the worker serves.

The page has large type and plain words and numbers, so a sane reader reads nearly all of them. Wrong weights, broken
kernels and damaged downloads give other words. `fovea.engine.self_test` compares more finely, but needs a machine whose
results are known to be correct.

`page.png` is `page.md` as drawn by `fovea.pages.render` for the mode base; test_golden.py holds the two together.
"""

import logging
import re
import time
from collections.abc import Collection, Mapping
from pathlib import Path

from PIL import Image

from fovea.errors import PageError
from fovea.pages.documents import Raster
from fovea.readers.base import Reader, ReadRequest

log = logging.getLogger(__name__)

FOLDER = Path(__file__).parent
MODE = "base"
NEEDED = 0.9
"""Share of the words and numbers that must be read."""
SHOWN = 300
"""Characters of a wrong reading that the error quotes."""
_WORD = re.compile(r"\w+(?:[.:,]\w+)*")


class GoldenPageError(RuntimeError):
    """A reader cannot read the golden page. The message is for the operator."""


def words(text: str) -> set[str]:
    """The words and numbers of a text, in lower case."""
    return {word.lower() for word in _WORD.findall(text)}


def page() -> Raster:
    with Image.open(FOLDER / "page.png") as image:
        return Raster(1, image.convert("RGB"), None)


def check(readers: Mapping[str, Reader], without_weights: Collection[str] = ()) -> None:
    """Reads the page with each reader, except those `without_weights`. Blocks. Raises `GoldenPageError`."""
    for name, reader in readers.items():
        if name in without_weights:
            continue
        started = time.monotonic()
        found = _read(name, reader)
        needed = words((FOLDER / "page.md").read_text(encoding="utf-8"))
        missing = sorted(needed - words(found))
        if len(missing) > (1 - NEEDED) * len(needed):
            raise GoldenPageError(
                f"{name} does not read the golden page: {len(missing)} of {len(needed)} words and numbers are missing "
                f"({', '.join(missing[:8])} …). It read {found[:SHOWN]!r}. The weights, the software or the device are "
                "wrong, so the worker does not serve. FOVEA_GOLDEN_PAGE=off skips this check, for random weights."
            )
        log.info("%s reads the golden page, in %.1f s", name, time.monotonic() - started)


def _read(name: str, reader: Reader) -> str:
    try:
        return reader.read(page(), ReadRequest(mode=MODE)).markdown
    except PageError as error:
        raise GoldenPageError(f"{name} cannot read the golden page: {error}") from error
