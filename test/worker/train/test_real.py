"""Strips cut out of PDF files: the text layer must say what the pixels show, and where."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from train_support import MATERIAL, make_material

from fovea.language.tokenizer import Tokenizer
from fovea.nano.packing import HEIGHT, WIDTH
from fovea.train import pdfs, real
from fovea.train.batches import Stream
from fovea.train.strips import Style

EXAMPLES = Path(__file__).parents[3] / "examples"
STYLE = Style(rows=(4,), clean=1.0, real=0.5, data=MATERIAL)


@pytest.fixture
def paper():
    """The text of the only PDF file in `MATERIAL`."""
    assert len(real.files(MATERIAL)) == 1
    return " ".join((EXAMPLES / "truth/paper.txt").read_text().split())


def test_a_strip_says_what_stands_in_the_file(paper):
    strips = real.real_strips(3, 8, STYLE)
    assert len(strips) == 8
    for strip in strips:
        assert strip.image.size == (WIDTH, HEIGHT)
        assert len(strip.lines) <= 4
        for line in strip.lines:
            assert line in paper


def test_places_lie_on_ink(paper):
    for strip in real.real_strips(3, 6, STYLE):
        grey = np.asarray(strip.image.convert("L"))
        letters = [(x, y) for (x, y), c in zip(strip.places, strip.text, strict=True) if c.isalnum()]
        near = [
            grey[max(0, int(y) - 8) : int(y) + 9, max(0, int(x) - 5) : int(x) + 6].min() for x, y in letters
        ]
        assert np.mean(np.array(near) < 128) > 0.94


def test_the_same_seed_gives_the_same_strips(paper):
    one, other = (real.real_strips(5, 4, STYLE) for _ in range(2))
    assert [s.text for s in one] == [s.text for s in other]
    assert all((a.places == b.places).all() for a, b in zip(one, other, strict=True))
    assert [s.text for s in real.real_strips(6, 4, STYLE)] != [s.text for s in one]


def test_files_that_are_held_out_are_not_trained_on(tmp_path):
    paper = (EXAMPLES / "paper.pdf").read_bytes()
    files = {f"{number}.pdf": paper + b"%" + bytes([number]) for number in range(12)}
    make_material(tmp_path, [], pdfs=files | {"broken.pdf": b"%PDF-1.4 nothing"})
    found = real.files(tmp_path)
    assert 0 < len(found) < 12
    assert not any(pdfs.held_out(data) for data, _ in found)


def test_without_a_file_there_is_an_error_and_not_an_endless_search(tmp_path):
    make_material(tmp_path, [])
    with pytest.raises(RuntimeError, match="no PDF file"):
        real.real_strips(1, 1, replace(STYLE, data=tmp_path))


def test_a_pool_holds_the_share_that_was_asked_for(paper, monkeypatch):
    asked = []
    cut = real.real_strips
    monkeypatch.setattr(
        "fovea.train.batches.real_strips", lambda seed, n, style: asked.append(n) or cut(seed, n, style)
    )
    batches = Stream(STYLE, count=2).pool(0, Tokenizer.characters())
    assert asked == [4]
    assert sum(len(batch.ids) for batch in batches) == 8
    Stream(STYLE, count=2, evaluation=True).pool(0, Tokenizer.characters())
    assert asked == [4, 0]
