"""How well text of a given compression can be expected to be read back.

Compression is text tokens ÷ valid vision tokens. The bands span what the DeepSeek-OCR paper measured on
100 English pages with 64 and 100 vision tokens (arXiv 2510.18234, table 2); between and beyond these
figures nothing is known, and other scripts and layouts will differ.
"""

from fovea.contract import CONTRACT

_MEASURED: list[tuple[float, float, float]] = CONTRACT["measured_precision"]
"""(compression up to, lowest precision measured there, highest)"""


def expected_precision(compression: float) -> tuple[float, float] | None:
    """(low, high), or None where the paper measured nothing: above 20 text tokens a vision token."""
    return next(((low, high) for most, low, high in _MEASURED if compression <= most), None)
