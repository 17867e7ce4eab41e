"""The golden page: sane readers read it, others do not serve."""

import shutil

import numpy as np
import pytest
from support import scrambled_weights
from tiny_checkpoint import make

from fovea.errors import PageError
from fovea.pages.documents import open_document
from fovea.readers import golden
from fovea.readers.deepseek_ocr import DeepseekOcr
from fovea.readers.fovea_nano import WEIGHTS, FoveaNano
from fovea.result.page_result import PageResult
from fovea.vision.modes import DEEPSEEK_OCR, DEEPSEEK_OCR_2, UNLIMITED_OCR

TEXT = (golden.FOLDER / "page.md").read_text()


class Says:
    """A reader that answers every page with a text, or fails."""

    def __init__(self, answer):
        self.answer = answer

    def read(self, raster, request):
        assert raster.image.mode == "RGB" and (request.mode, request.task) == ("base", "markdown")
        if isinstance(self.answer, PageError):
            raise self.answer
        return PageResult(
            page=1, width=1, height=1, dpi=None, model="says", model_digest="", markdown=self.answer
        )


def test_the_page_is_its_text_as_the_renderer_draws_it():
    drawn = open_document(TEXT.encode(), 50_000_000, "text/markdown", golden.MODE)
    assert drawn.page_count == 1
    pixels = [np.asarray(raster.image, dtype=int) for raster in (drawn.raster(1, 144), golden.page())]
    assert np.abs(pixels[0] - pixels[1]).mean() < 0.5


def test_a_reader_may_miss_a_word_in_ten():
    golden.check({"says": Says(TEXT)})
    golden.check({"says": Says(TEXT.upper().replace("29.60", "29,60"))})
    few = " ".join(sorted(golden.words(TEXT))[:-4])
    with pytest.raises(golden.GoldenPageError, match=r"says does not read .* 4 of 33 .*does not serve"):
        golden.check({"says": Says(few)})


@pytest.mark.parametrize("answer", ["", "word " * 1000, PageError("internal", "The server is gone.")])
def test_nonsense_and_failures_are_refused(answer):
    with pytest.raises(golden.GoldenPageError, match="says"):
        golden.check({"fine": Says(TEXT), "says": Says(answer)})


@pytest.mark.parametrize("layout", [DEEPSEEK_OCR, DEEPSEEK_OCR_2, UNLIMITED_OCR])
def test_every_model_has_its_mode(layout):
    assert golden.MODE in layout.modes


def test_a_reader_without_weights_is_not_asked():
    golden.check({"draws": Says("")}, without_weights=["draws"])


def test_fovea_nano_reads_it_and_with_broken_weights_does_not(tmp_path):
    sane = FoveaNano()
    golden.check({"fovea-nano": sane})
    sane.engine.close()
    shutil.copytree(WEIGHTS, tmp_path / "broken")
    scrambled_weights(tmp_path / "broken")
    broken = FoveaNano(tmp_path / "broken")
    with pytest.raises(golden.GoldenPageError, match="fovea-nano does not read the golden page"):
        golden.check({"fovea-nano": broken})
    broken.engine.close()


@pytest.mark.slow
def test_random_weights_of_the_official_make_do_not_serve(tmp_path, monkeypatch):
    monkeypatch.setenv("FOVEA_DEEPSEEK_DIR", str(make(tmp_path)))
    monkeypatch.setenv("FOVEA_MAX_NEW_TOKENS", "40")
    reader = DeepseekOcr()
    with pytest.raises(golden.GoldenPageError, match="FOVEA_GOLDEN_PAGE=off"):
        golden.check({"deepseek-ocr": reader})
    reader.engine.close()
