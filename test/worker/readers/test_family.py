"""The successors from pixels to page results, with small random models in the official file layout."""

import asyncio
import base64
import io
import json

import pytest
from PIL import Image, ImageDraw
from tiny_checkpoint import make

from fovea.engine import self_test
from fovea.model import CheckpointError, ModelConfig
from fovea.pages.documents import Raster
from fovea.readers import load_readers
from fovea.readers.base import InvalidOptions, ReadRequest
from fovea.readers.deepseek_ocr_2 import DeepseekOcr2
from fovea.readers.unlimited_ocr import UnlimitedOcr
from fovea.service.shard import ShardRequest, run_shard
from fovea.settings import Settings

pytestmark = pytest.mark.slow

MODELS = {
    "deepseek-ocr-2": ("FOVEA_DEEPSEEK_2_DIR", DeepseekOcr2, ModelConfig.tiny_2),
    "unlimited-ocr": ("FOVEA_UNLIMITED_DIR", UnlimitedOcr, ModelConfig.tiny_unlimited),
}
POSITIONS = {
    "deepseek-ocr-2": {"base": 257, "gundam": 257 + 6 * 144},
    "unlimited-ocr": {"base": 273, "gundam": 903},
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {name: make(tmp_path_factory.mktemp(name), tiny) for name, (*_, tiny) in MODELS.items()}


@pytest.fixture
def readers(folders, monkeypatch):
    for name, (variable, *_) in MODELS.items():
        monkeypatch.setenv(variable, str(folders[name]))
    monkeypatch.setenv("FOVEA_MAX_NEW_TOKENS", "30")
    loaded = load_readers(tuple(MODELS))
    yield loaded
    for name in MODELS:
        loaded[name].engine.close()


def page(number=1):
    image = Image.new("RGB", (827, 1169), "white")
    ImageDraw.Draw(image).text((50, 50), f"Invoice {number}\nTotal 12.50", fill="black", font_size=40)
    return Raster(number, image, 100.0)


def test_both_are_served_side_by_side(readers):
    digests = set()
    for name, positions in POSITIONS.items():
        reader = readers[name]
        digests.add(reader.digest)
        for mode, count in positions.items():
            body = json.loads(json.dumps(reader.read(page(), ReadRequest(mode=mode)).to_json()))
            assert (body["model"], body["model_digest"], body["mode"]) == (name, reader.digest, mode)
            assert body["vision_tokens"]["positions"] == count
            assert body["verdict"] == "suspect" and body["expected_precision"] is None
        result = reader.read(page(), ReadRequest())
        assert [attempt.mode for attempt in result.attempts] == ["gundam", "base"]
        with pytest.raises(InvalidOptions, match="auto, base, gundam"):
            reader.check(ReadRequest(mode="large"))
        with pytest.raises(InvalidOptions, match="has the tasks markdown"):
            reader.check(ReadRequest(task="figure"))
        reader.check(ReadRequest(task="encode"))
        assert reader.spread([], 100) == []
    assert len(digests) == 2


def test_vision_tokens_are_kept_and_read_again(readers):
    for name in MODELS:
        reader = readers[name]
        first = reader.read(page(), ReadRequest(mode="gundam", task="encode"))
        stored = first.attachments["tokens"]
        request = ReadRequest(mode="gundam", recall=lambda mode, stored=stored: stored)
        result = reader.read(page(), request)
        assert result.attempts[0].encoded == "stored"
        assert result.markdown == reader.read(page(), ReadRequest(mode="gundam")).markdown


def test_unlimited_ocr_has_the_guards_of_its_official_code(readers, folders, monkeypatch):
    """(n, window): of images, of pages of a PDF, of several pages. Settings replace them all."""
    reader = readers["unlimited-ocr"]
    guard = reader.engine._rules.guard
    assert (guard.n, guard.window) == reader._pdf_ngram == (35, 128)
    assert reader._document_ngram == (35, 1024)
    monkeypatch.setenv("FOVEA_NGRAM_GUARD", "35,128")
    own = UnlimitedOcr()
    own.engine.close()
    assert (own._pdf_ngram, own._document_ngram) == ((35, 128), None)
    assert own.digest != reader.digest  # documents differ


def test_a_document_of_random_words_is_a_suspect_result_for_each_page(readers):
    """Through a shard, as the edge asks for it. Page 2 is blank."""
    pages = [page(1).image, Image.new("RGB", (827, 1169), "white"), page(3).image]
    file = io.BytesIO()
    pages[0].save(file, "PDF", save_all=True, append_images=pages[1:])
    request = ShardRequest(
        document="data:;base64," + base64.b64encode(file.getvalue()).decode(),
        pages="2,3",
        model="unlimited-ocr",
        sequence_pages="1,2,3",
    )
    receipt = asyncio.run(run_shard(request, readers, Settings()))
    assert receipt["error"] is None
    blank, read = receipt["pages"]
    assert (blank["page"], blank["verdict"]) == (2, "blank")
    assert (read["page"], read["verdict"]) == (3, "suspect") and read["warnings"]
    assert "read alone" in read["warnings"][-1]


@pytest.mark.parametrize("name", MODELS)
def test_a_folder_is_needed_and_another_models_checkpoint_is_refused(name, folders, tmp_path, monkeypatch):
    variable, reader, tiny = MODELS[name]
    monkeypatch.delenv(variable, raising=False)
    with pytest.raises(ValueError, match=variable):
        reader()
    other = folders["unlimited-ocr" if name == "deepseek-ocr-2" else "deepseek-ocr-2"]
    for file in other.iterdir():
        (tmp_path / file.name).symlink_to(file)
    (tmp_path / "sizes.json").unlink()
    (tmp_path / "sizes.json").write_text(json.dumps(tiny(vocab=288, context=1400).to_json()))
    monkeypatch.setenv(variable, str(tmp_path))
    with pytest.raises(CheckpointError, match=r"qwen2_model"):
        reader()


def test_the_self_test_uses_a_mode_of_the_model(readers, folders, tmp_path):
    reader = readers["deepseek-ocr-2"]
    path = self_test.write(tmp_path, reader.precision, reader.engine, reader.tokenizer)
    assert json.loads(path.read_text())["answers"][reader.precision]["mode"] == "base"
