import re
from pathlib import Path

import pytest
from support import picture

from fovea.pages.documents import Raster, open_document
from fovea.readers.base import InvalidOptions, ReadRequest
from fovea.readers.pp_ocr import PpOcr
from fovea.train.evaluate import distance

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def reader():
    return PpOcr()


def test_it_reads_and_says_where_and_how_surely(reader):
    text = "The quick brown fox\njumps over 42 lazy dogs"
    result = reader.read(Raster(1, picture(text, (900, 400), 40), None), ReadRequest())
    assert " ".join(result.markdown.split()) == " ".join(text.split())
    (block,) = result.blocks
    assert block.confidence > 0.9
    assert 0.05 < block.bbox[0] < 0.09
    assert result.to_json()["verdict"] == "ok"


def test_a_page_that_is_taken_for_upside_down_is_read_the_way_that_reads_better(reader, monkeypatch):
    """So the classifier does with some italics."""
    turned = reader._turned

    def wrong(lines):
        images, verdicts = turned(lines)
        verdicts.cls_res = [("180", 0.99) for _ in lines]
        return images, verdicts

    monkeypatch.setattr(reader, "_turned", wrong)
    text = "The quick brown fox\njumps over the lazy dog"
    result = reader.read(Raster(1, picture(text, (900, 400), 40), None), ReadRequest())
    assert " ".join(result.markdown.split()) == " ".join(text.split())


def test_an_upside_down_page_is_read(reader):
    text = "The quick brown fox\njumps over 42 lazy dogs"
    image = picture(text, (900, 400), 40).rotate(180)
    words = reader.read(Raster(1, image, None), ReadRequest()).markdown.split()
    assert sorted(words) == sorted(text.split())


TRUTH = Path(__file__).resolve().parents[3] / "examples" / "truth"


@pytest.mark.parametrize("mode", ["tiny", "base"])
def test_running_english_on_a_full_page_of_a_text_is_read_back(reader, mode):
    """The layout is made for this: at most 2 % of the characters wrong in the mode's own view."""
    text = re.sub(r"\s*\n\s*", " ", (TRUTH / "report-12.txt").read_text()) * 2
    document = open_document(text.encode(), 10**8, "text/plain", mode)
    raster = document.raster(1, 144)
    assert document.page_count > 1
    said = reader.read(raster, ReadRequest(task="free")).markdown
    here, there = (" ".join(words.split()) for words in (said, raster.source))
    assert distance(here, there) <= 0.02 * len(there)


def test_a_picture_without_words_is_unreadable_not_invented(reader):
    image = picture("", (600, 600))
    image.paste((90, 90, 90), (100, 100, 500, 500))
    result = reader.read(Raster(1, image, None), ReadRequest())
    assert (result.verdict, result.markdown) == ("unreadable", "")


def test_its_digest_names_its_weights_and_its_options_are_checked(reader):
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", reader.digest)
    assert PpOcr().digest == reader.digest
    with pytest.raises(InvalidOptions):
        reader.check(ReadRequest(task="deep"))
    with pytest.raises(InvalidOptions):
        reader.check(ReadRequest(prompt="x"))
