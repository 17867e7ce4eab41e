"""Which pages of a document are read. The choice depends on the seed and the document's bytes, not on any order."""

import hashlib
from collections import Counter
from collections.abc import Sequence

from fovea.corpus.options import Reading

SAMPLE, SHARE = "not_in_sample", "over_share"
"""Reasons, as the manifest counts them."""


def choose(pages: Sequence[int], document_sha256: str, reading: Reading) -> tuple[list[int], Counter[str]]:
    """The chosen pages, ascending, and how many were left out, by reason."""
    rank = {page: _rank(page, document_sha256, reading.seed) for page in pages}
    chosen = [page for page in pages if rank[page] < reading.sample]
    left_out = Counter({SAMPLE: len(pages) - len(chosen)})
    most = reading.pages_per_document
    if most is not None and len(chosen) > most:
        left_out[SHARE] = len(chosen) - most
        chosen = sorted(sorted(chosen, key=lambda page: (rank[page], page))[:most])
    return chosen, +left_out


def _rank(page: int, document_sha256: str, seed: int) -> float:
    """Uniform in 0..1."""
    digest = hashlib.blake2b(f"{seed} {document_sha256} {page}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
