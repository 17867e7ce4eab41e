import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from support import picture

from fovea.layout.line import Region
from fovea.pages.blank import is_blank
from fovea.pages.documents import Raster, open_document
from fovea.pages.glyphs import font
from fovea.pages.text_layer import LayerWord
from fovea.readers.base import InvalidOptions, ReadRequest
from fovea.readers.pp_ocr import PpOcr
from fovea.result.page_result import Block
from fovea.train.evaluate import distance

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def reader():
    return PpOcr()


def test_the_text_of_a_converted_document_is_not_recognised(reader):
    page = Image.new("RGB", (100, 100), "white")
    title, image = Block(1, "title", (0, 0, 1, 0.5), "Rivers"), Block(2, "image", (0, 0.5, 1, 1), "A map")
    result = reader.read(Raster(1, page, None, content=(title, image)), ReadRequest())
    assert (result.markdown, result.text_source, result.verdict) == ("# Rivers", "file", "ok")
    assert result.warnings == ["The pictures of the document are not read; this page has 1."]
    result.to_json()
    assert reader.read(Raster(1, page, None, content=(image,)), ReadRequest()).verdict == "suspect"
    free = reader.read(Raster(1, page, None, content=(title,)), ReadRequest(task="free"))
    assert (free.markdown, free.warnings) == ("Rivers", [])


def test_it_reads_and_says_where_and_how_surely(reader):
    text = "The quick brown fox\njumps over 42 lazy dogs"
    result = reader.read(Raster(1, picture(text, (900, 400), 40), None), ReadRequest())
    assert " ".join(result.markdown.split()) == " ".join(text.split())
    (block,) = result.blocks
    assert block.confidence > 0.9
    assert 0.05 < block.bbox[0] < 0.09
    assert result.to_json()["verdict"] == "ok"
    words = [word for line in block.lines for word in line.words]
    assert [word.text for word in words] == text.split()
    assert all(0.9 < word.confidence <= 1 for word in words)
    drawn = [*runs_of_ink(text.split("\n")[0]), *runs_of_ink(text.split("\n")[1])]
    for word, (left, right) in zip(words, drawn, strict=True):
        assert (900 * word.bbox[0], 900 * word.bbox[2]) == (
            pytest.approx(left, abs=15),
            pytest.approx(right, abs=15),
        )


def runs_of_ink(text):
    """Where the words of a line begin and end in its picture: between them are gaps of more than 7 pixels."""
    columns = np.flatnonzero((np.asarray(picture(text, (900, 400), 40).convert("L")) < 128).any(axis=0))
    cuts = np.flatnonzero(np.diff(columns) > 7)
    return zip(columns[[0, *(cuts + 1)]], columns[[*cuts, -1]], strict=True)


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
    boxes = word_boxes("The quick brown fox", image, 40)

    def layer(*words):
        return tuple(
            LayerWord(word, *box, False, False, True) for word, box in zip(words, boxes, strict=True)
        )

    right = reader.read(Raster(1, image, None, layer=layer("The", "quick", "brown", "f0x")), ReadRequest())
    assert (right.markdown, right.text_source) == ("The quick brown f0x", "text_layer")
    wrong = reader.read(
        Raster(1, image, None, layer=layer("Qvod", "erat", "demon", "strandum")), ReadRequest()
    )
    assert (wrong.markdown, wrong.text_source) == ("The quick brown fox", "recognition")
    assert "text layer" in wrong.warnings[0]


def only_layer(reader, image, *words):
    result = reader.read(Raster(1, image, None, layer=words), ReadRequest(text_layer="only"))
    assert result.text_source == "text_layer"
    return result


def hidden(text, image, x0, y0, x1, y1):
    """A word of a layer that is not drawn, with its box in pixels."""
    width, height = image.size
    return LayerWord(text, x0 / width, y0 / height, x1 / width, y1 / height, False, False, False)


def test_only_the_text_layer_gives_characters_if_the_request_says_so(reader):
    image = picture("The quick brown fox", (900, 200), 40)
    x0, y0, x1, y1 = ink_box(image)
    result = only_layer(reader, image, hidden("The quick brown f0x", image, x0, y0, x1, y1))
    assert (result.verdict, result.markdown, result.warnings) == ("ok", "The quick brown f0x", [])
    result = only_layer(reader, image, hidden("Quod erat demonstrandum", image, x0, y0, x1, y1))
    assert (result.verdict, result.markdown) == ("suspect", "Quod erat demonstrandum")
    assert "something else" in result.warnings[0]


def test_a_page_without_a_text_layer_is_unreadable_if_nothing_may_be_recognized(reader):
    result = only_layer(reader, picture("The quick brown fox", (900, 200), 40))
    assert (result.verdict, result.markdown) == ("unreadable", "")
    assert "no text layer" in result.warnings[0]


def test_a_page_that_its_text_layer_covers_in_part_is_suspect_if_nothing_may_be_recognized(reader):
    image = picture("The quick brown fox\njumps over lazy dogs", (900, 300), 40)
    x0, y0, x1, y1 = ink_box(image)
    words = [hidden("The quick brown fox", image, x0, y0, x1, (y0 + y1) / 2)]
    result = only_layer(reader, image, *words)
    assert (result.verdict, result.markdown) == ("suspect", "The quick brown fox")
    assert "1 lines of the page are not in its text layer" in result.warnings[0]


def test_lines_beside_the_text_layer_are_recognized(reader):
    image = picture("The quick brown fox\njumps over", (900, 300), 40)
    boxes = word_boxes("The quick brown fox", image, 40)
    words = ("The", "quick", "brown", "f0x")
    layer = tuple(LayerWord(word, *box, False, False, True) for word, box in zip(words, boxes, strict=True))
    result = reader.read(Raster(1, image, None, layer=layer), ReadRequest())
    assert result.text_source == "mixed"
    assert result.markdown.split() == ["The", "quick", "brown", "f0x", "jumps", "over"]


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


def word_boxes(line, image, height):
    """The boxes of the words of `picture`'s first line, in shares of the image's sides."""
    font, (width, tall) = ImageFont.load_default(height), image.size
    boxes, before = [], ""
    for word in line.split():
        x0, x1 = (60 + font.getlength(text) for text in (before, before + word))
        boxes.append((x0 / width, 60 / tall, x1 / width, (60 + 1.2 * height) / tall))
        before += word + " "
    return boxes


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


PROSE = (
    "The library keeps about forty maps.\nVisitors who arrive before noon may leave\ntheir bicycles in the courtyard.\n"
    "Each valve is closed by hand and sealed."
)


def written(text, ink=(0, 0, 0)):
    """A page in a font that has Cyrillic and Greek letters."""
    image = Image.new("RGB", (1100, 420), "white")
    ImageDraw.Draw(image).text((60, 60), text, ink, font=font("prose", 34), spacing=22)
    return image


def verdict(reader, image):
    result = reader.read(Raster(1, image, None), ReadRequest())
    return result.verdict, " ".join(result.warnings)


@pytest.mark.parametrize("text", [PROSE, "Room 12"])
@pytest.mark.parametrize("ink", [(0, 0, 0), (225, 225, 225)])
def test_clean_text_is_ok_however_pale_or_short_it_is(reader, text, ink):
    image = written(text, ink)
    assert verdict(reader, image) == ("ok", "")
    assert not is_blank(image)


def test_a_page_too_blurred_to_read_is_suspect(reader):
    image = written(PROSE).filter(ImageFilter.GaussianBlur(6))
    assert verdict(reader, image)[0] in ("suspect", "unreadable")


def test_a_page_cut_through_its_lines_is_suspect(reader):
    said, why = verdict(reader, written(PROSE).crop((0, 0, 560, 420)))
    assert said == "suspect"
    assert "cut off" in why


def test_a_page_in_a_script_that_nobody_can_read_is_suspect(reader, monkeypatch):
    monkeypatch.setattr(reader, "_scripts", None)  # without Tesseract
    text = (
        "Библиотека хранит около сорока карт.\nПосетители оставляют велосипеды\nво внутреннем дворе здания."
    )
    assert verdict(reader, written(text))[0] in ("suspect", "unreadable")


def test_its_digest_names_its_weights_and_its_options_are_checked(reader):
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", reader.digest)
    assert PpOcr().digest == reader.digest
    with pytest.raises(InvalidOptions):
        reader.check(ReadRequest(task="deep"))
    with pytest.raises(InvalidOptions):
        reader.check(ReadRequest(prompt="x"))
