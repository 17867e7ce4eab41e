import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import ImageDraw
from support import picture

from fovea.layout.line import Region
from fovea.pages.documents import Raster, open_document
from fovea.pages.text_layer import LayerWord
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


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_page_is_read_from_its_top(reader, degrees):
    text = "The quick brown fox\njumps over 42 lazy dogs"
    image = picture(text, (900, 400), 40).rotate(degrees, expand=True)
    result = reader.read(Raster(1, image, None), ReadRequest())
    assert " ".join(result.markdown.split()) == " ".join(text.split())
    assert all(0 <= value <= 1 for block in result.blocks for value in block.bbox)


def test_a_skewed_page_is_read(reader):
    text = "\n".join(f"The quick brown fox jumps over {i} lazy dogs" for i in range(20, 26))
    image = picture(text, (1100, 700), 30).rotate(6, fillcolor="white")
    result = reader.read(Raster(1, image, None), ReadRequest())
    assert " ".join(result.markdown.split()) == " ".join(text.split())


def test_the_text_layer_gives_the_text_only_if_it_agrees(reader):
    image = picture("The quick brown fox", (900, 200), 40)
    box = [value / side for value, side in zip(ink_box(image), (900, 200, 900, 200), strict=True)]

    def layer(*words):
        step = (box[2] - box[0]) / len(words)
        return tuple(
            LayerWord(
                word, box[0] + i * step, box[1], box[0] + (i + 1) * step - 0.01, box[3], False, False, True
            )
            for i, word in enumerate(words)
        )

    right = reader.read(Raster(1, image, None, layer=layer("The", "quick", "brown", "fóx")), ReadRequest())
    assert right.markdown == "The quick brown fóx"
    wrong = reader.read(
        Raster(1, image, None, layer=layer("Qvod", "erat", "demon", "strandum")), ReadRequest()
    )
    assert wrong.markdown == "The quick brown fox"
    assert "text layer" in wrong.warnings[0]


def test_the_layout_model_takes_part_and_the_rules_serve_without_it(monkeypatch):
    """Only the model can know the line above the picture for its caption."""
    image = picture("Plan of the harbour in the year 1911", (900, 700), 26)
    ImageDraw.Draw(image).rectangle((60, 130, 460, 420), fill=(90, 120, 60))
    raster = Raster(1, image, None)
    with_model = PpOcr()
    seen = [Region("figure_caption", 0.9, (40, 50, 860, 110))]
    monkeypatch.setattr(with_model._layout, "regions", lambda _: seen)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    without = PpOcr()
    assert with_model.digest != without.digest
    types = [{b.type for b in one.read(raster, ReadRequest()).blocks} for one in (with_model, without)]
    assert types == [{"image", "image_caption"}, {"image", "text"}]


def ink_box(image):
    rows, columns = np.nonzero(np.asarray(image.convert("L")) < 128)
    return columns.min(), rows.min(), columns.max(), rows.max()


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
