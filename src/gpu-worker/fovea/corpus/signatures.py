"""Near-duplicate pages: 64-bit simhashes (Charikar 2002) that differ in at most 3 bits (Manku et al. 2007).

A simhash depends on the page alone, and duplicates are decided in the order of the plan when all pages are read. So
the same pages are dropped, in whatever order they were read and however often the run was interrupted.
"""

import hashlib
import re
from array import array
from collections.abc import Iterable

import numpy as np

SHINGLE = 3
"""Words that are hashed together."""
MOST_BITS = 3
SHORT = 20
"""Pages with fewer words are duplicates only if all their words are the same."""
_BANDS = MOST_BITS + 1
"""Signatures that differ in 3 bits agree in one of 4 bands of 16 bits."""
_BAND_BITS = 64 // _BANDS
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|\w+")
"""Scripts without spaces count by character."""


def signature(text: str) -> int | None:
    """The simhash of a page's text; `None` if it has no word."""
    words = _WORD.findall(text.lower())
    if not words:
        return None
    if len(words) < SHORT:
        return _hash(" ".join(words))
    shingles = {" ".join(words[i : i + SHINGLE]) for i in range(len(words) - SHINGLE + 1)}
    hashes = np.array([_hash(shingle) for shingle in shingles], dtype="<u8")
    bits = np.unpackbits(hashes.view(np.uint8).reshape(-1, 8), axis=1, bitorder="little")  # (shingles, 64)
    ones = bits.sum(axis=0, dtype=np.int64)
    packed = np.packbits(2 * ones > len(hashes), bitorder="little")
    return int(packed.view("<u8")[0])


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


class Kept:
    """The signatures of the pages that are kept, in the order of the plan."""

    def __init__(self) -> None:
        self._bands: list[dict[int, array[int]]] = [{} for _ in range(_BANDS)]

    def add(self, value: int) -> bool:
        """Keeps a page; `False` if a page that was kept before is nearly the same."""
        keys = [(value >> (band * _BAND_BITS)) & ((1 << _BAND_BITS) - 1) for band in range(_BANDS)]
        for band, key in zip(self._bands, keys, strict=True):
            if (near := band.get(key)) and _is_near(near, value):
                return False
        for band, key in zip(self._bands, keys, strict=True):
            band.setdefault(key, array("Q")).append(value)
        return True


def _is_near(values: "array[int]", value: int) -> bool:
    if len(values) < 16:  # faster than NumPy
        return any((other ^ value).bit_count() <= MOST_BITS for other in values)
    apart = np.bitwise_count(np.frombuffer(values, dtype=np.uint64) ^ np.uint64(value))
    return bool(apart.min() <= MOST_BITS)


def duplicates(pages: Iterable[tuple[int, int, int]]) -> set[tuple[int, int]]:
    """Of pages as (line, page, signature) in order, those that are nearly the same as an earlier one that is kept."""
    kept = Kept()
    return {(line, page) for line, page, value in pages if not kept.add(value)}
