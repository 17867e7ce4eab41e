"""The models that packages ship, under both runtimes."""

import importlib
import importlib.util
import socket
from pathlib import Path

import numpy as np
import pytest
from support import picture

from fovea.pages.documents import open_document
from fovea.readers.pp_ocr import PpOcr
from fovea.recognition.detect import find_lines
from fovea.recognition.engine import BUCKET, TextEngine, crop, models_digest
from fovea.recognition.languages import PP_OCR
from fovea.recognition.network import ONNXRUNTIME, OPENVINO, Network, installed_runtime
from fovea.recognition.regions import LayoutModel
from fovea.settings import Settings

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
has_openvino = pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None, reason="OpenVINO has no wheel for this system"
)


@has_openvino
def test_openvino_is_taken_where_it_can_be_imported():
    assert installed_runtime() == OPENVINO


def test_onnxruntime_is_taken_where_openvino_is_installed_and_cannot_be_imported(monkeypatch):
    def fail(name):
        raise ImportError(f"{name}: version `GLIBC_2.35' not found")

    monkeypatch.setattr(importlib, "import_module", fail)
    assert installed_runtime() == ONNXRUNTIME


def test_the_runtime_is_part_of_the_digest():
    assert models_digest(OPENVINO) != models_digest(ONNXRUNTIME)


@pytest.fixture
def offline(monkeypatch):
    def refuse(*_):
        raise AssertionError("a connection to download something")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def raster(name):
    document = open_document((EXAMPLES / name).read_bytes(), 50_000_000)
    try:
        return np.ascontiguousarray(np.asarray(document.raster(1, 144).image)[:, :, ::-1])
    finally:
        document.close()


@pytest.mark.slow
@has_openvino
def test_both_runtimes_read_the_same_lines(offline):
    image = raster("invoice.pdf")
    found = []
    for runtime in (OPENVINO, ONNXRUNTIME):
        engine = TextEngine(1, runtime)
        quads = find_lines(image, engine)
        found.append((quads, engine.recognize([crop(image, quad) for quad in quads])))
    (quads, texts), (others, again) = found
    assert len(quads) > 10
    assert np.abs(quads - others).max() <= 1
    assert [text.text for text in texts] == [text.text for text in again]
    for one, other in zip(texts, again, strict=True):
        assert one.confidence == pytest.approx(other.confidence, abs=0.01)


LETTERS = {
    "cs": "áčďéěíňóřšťúůýž",
    "cy": "ŵŷ",
    "da": "æøå",
    "de": "äöüß",
    "es": "áéíñóúü",
    "et": "äõöüšž",
    "fr": "àâæçéèêëîïôœùûüÿ",
    "hr": "čćđšž",
    "hu": "áéíóöőúüű",
    "is": "áðéíóúýþæö",
    "ja": "あア",
    "lt": "ąčęėįšųūž",
    "lv": "āčēģīķļņšūž",
    "mt": "ċġħż",
    "pl": "ąćęłńóśźż",
    "pt": "ãáàâçéêíóôõúü",
    "ro": "ăâîșț",
    "sk": "áäčďéíĺľňóôŕšťúýž",
    "sq": "çë",
    "tr": "çğıöşüİ",
}
"""Letters beside those of English."""


@pytest.mark.slow
def test_the_recognizer_has_the_letters_of_the_languages_that_it_lists_and_not_of_others():
    alphabet = TextEngine(1, ONNXRUNTIME).alphabet
    assert set(LETTERS) <= set(PP_OCR)
    assert {tag for tag, letters in LETTERS.items() if not set(letters) <= alphabet} == set()
    assert not set("джёάέאبกन한ạế") & alphabet


@pytest.mark.slow
def test_a_reader_loads_each_model_once(monkeypatch):
    loaded, load = [], Network.__init__

    def spy(self, path, *arguments):
        loaded.append(path.name)
        load(self, path, *arguments)

    monkeypatch.setattr(Network, "__init__", spy)
    PpOcr(Settings(threads=1))
    assert sorted(loaded) == ["PP-OCRv6_det_small.onnx", "PP-OCRv6_rec_small.onnx", "layout_cdla.onnx"]


@pytest.mark.slow
def test_the_recognizer_sees_few_shapes_and_a_line_reads_the_same_alone(monkeypatch):
    engine = TextEngine(1)
    shapes, network = set(), engine._recognizer
    monkeypatch.setattr(engine, "_recognizer", lambda batch: shapes.add(batch.shape) or network(batch))
    crops = [np.asarray(picture("Harbour 42 " * n, (60 + 180 * n, 140), 30))[40:110, 40:] for n in (1, 2, 3)]
    texts = engine.recognize(crops)
    assert [text.text for text in texts] == [("Harbour 42 " * n).strip() for n in (1, 2, 3)]
    assert all(len(text.places) == len(text.text.replace(" ", "")) for text in texts)
    assert all(shape[3] % BUCKET == 0 for shape in shapes)
    assert engine.recognize(crops[1:2]) == texts[1:2]


@pytest.mark.slow
@pytest.mark.parametrize("runtime", [ONNXRUNTIME, pytest.param(OPENVINO, marks=has_openvino)])
def test_the_layout_model_sees_the_parts_of_a_paper(runtime, offline):
    image = raster("paper.pdf")
    regions = LayoutModel(1, runtime).regions(image)
    assert {"title", "text"} <= {region.kind for region in regions}
    height, width = image.shape[:2]
    for region in regions:
        x0, y0, x1, y1 = region.box
        assert -5 <= x0 < x1 <= width + 5 and -5 <= y0 < y1 <= height + 5


def test_without_its_package_the_layout_model_finds_nothing(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    model = LayoutModel(1, ONNXRUNTIME)
    assert model.regions(np.full((64, 64, 3), 255, np.uint8)) == []
    assert model.digest == b""
