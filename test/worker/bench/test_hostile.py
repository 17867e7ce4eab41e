"""A small part of bench/hostile.py, with the seeds that it found losses with."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "bench"))

import hostile

pytestmark = pytest.mark.slow

SEEDS = range(1, 61)
WITHOUT_CHECKSUM = (".jpeg", ".jpg", ".webp", ".tiff", "scan-jpeg.pdf", "scan-fax.pdf")
"""Originals whose data a decoder can misread without stumbling."""


@pytest.mark.parametrize("seed", SEEDS)
def test_a_damaged_document_loses_nothing_in_silence(seed):
    outcome = hostile.outcome(seed)
    assert outcome.kind not in ("hang", "crash")
    assert outcome.kind != "silent" or outcome.name.endswith(WITHOUT_CHECKSUM)
    assert hostile.processes() == []


def test_lost_ink_is_seen_and_moved_or_darker_ink_is_not():
    (page,) = hostile.pictures("invoice.pdf")
    assert hostile.lost_ink(page, page) == 0
    assert hostile.lost_ink(page, page.point(lambda value: value * 0.8)) < hostile.LOST
    half = page.copy()
    half.paste("white", (0, 0, page.width, page.height // 2))
    assert hostile.lost_ink(page, half) > hostile.LOST
