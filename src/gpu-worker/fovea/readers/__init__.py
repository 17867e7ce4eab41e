"""The readers by name. A reader is imported only if it is used, because some load large packages."""

import importlib

from fovea.readers.base import InvalidOptions, Reader, ReadRequest
from fovea.settings import Settings

__all__ = ["ALWAYS", "READERS", "InvalidOptions", "ReadRequest", "Reader", "load_readers"]

READERS = {
    "pp-ocr": "fovea.readers.pp_ocr:PpOcr",
    "tesseract": "fovea.readers.tesseract:TesseractReader",
    "fovea-nano": "fovea.readers.fovea_nano:FoveaNano",
    "deepseek-ocr": "fovea.readers.deepseek_ocr:DeepseekOcr",
    "deepseek-ocr-2": "fovea.readers.deepseek_ocr_2:DeepseekOcr2",
    "unlimited-ocr": "fovea.readers.unlimited_ocr:UnlimitedOcr",
    "deepseek-ocr-upstream": "fovea.readers.upstream:Upstream",
    "fovea-render": "fovea.readers.fovea_render:FoveaRender",
}
ALWAYS = ("fovea-render",)
"""Loaded by every worker; needs no weights."""


def load_readers(names: tuple[str, ...], settings: Settings | None = None) -> dict[str, Reader]:
    """Loads the readers. Blocks while weights load. `settings` default to those of the environment.

    Raises `ValueError` for a name that is not in `READERS`.
    """
    settings = settings or Settings.from_environment()
    readers: dict[str, Reader] = {}
    for name in dict.fromkeys((*names, *ALWAYS)):
        if name not in READERS:
            raise ValueError(f"FOVEA_MODELS: unknown model {name!r}; known: {', '.join(READERS)}")
        module, _, class_name = READERS[name].partition(":")
        readers[name] = getattr(importlib.import_module(module), class_name)(settings=settings)
    return readers
