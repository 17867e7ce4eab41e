"""The expected precision of reading a page at a given compression.

Compression is text tokens ÷ valid vision tokens. The ranges are those of the DeepSeek-OCR paper, measured on 100
English pages with 64 and 100 vision tokens (arXiv 2510.18234, table 2). Other scripts and layouts will differ.
"""

from fovea.contract import CONTRACT

_MEASURED: list[tuple[float, float, float]] = CONTRACT["measured_precision"]
"""(highest compression, lowest measured precision, highest measured precision)"""


def expected_precision(compression: float) -> tuple[float, float] | None:
    """(low, high), or `None` above a compression of 20, where the paper has no measurement."""
    return next(((low, high) for most, low, high in _MEASURED if compression <= most), None)
