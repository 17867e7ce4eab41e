import asyncio
import base64
import io

import numpy as np
import pytest
from PIL import Image
from support import EchoReader, EdgeStub, encoded, picture

from fovea.pages.documents import Raster, open_document
from fovea.readers import InvalidOptions, ReadRequest, load_readers
from fovea.readers.fovea_render import FoveaRender, encode_png
from fovea.result.page_result import MAX_IMAGE_BYTES
from fovea.service.shard import ShardRequest, run_shard, text_digest
from fovea.settings import Settings
from fovea.vision.views import make_views

pytestmark = pytest.mark.slow

TEXT = "# Notes\n\n" + "Seven words that stand on a page. " * 40


@pytest.fixture(scope="module")
def reader():
    return FoveaRender()


def shown(result) -> Image.Image:
    return Image.open(io.BytesIO(result.attachments["image"]))


def drawn(text=TEXT, mode="auto"):
    return open_document(text.encode(), 10**8, "text/markdown", mode).raster(1, 144)


@pytest.mark.parametrize("mode", ["tiny", "small", "base", "large", "gundam"])
@pytest.mark.parametrize("size", [(800, 600), (500, 1400), (640, 320)])
def test_a_view_of_the_image_has_the_pixels_of_a_view_of_the_page(reader, mode, size):
    noise = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    page = Image.fromarray(noise)
    result = reader.read(Raster(1, page, None), ReadRequest(mode=mode))
    image = shown(result)
    assert (result.width, result.height, result.mode) == (*image.size, mode)
    before, after = make_views(page, mode), make_views(image.convert("RGB"), mode)
    assert [tile.tobytes() for tile in after.tiles] == [tile.tobytes() for tile in before.tiles]
    if not before.tiles:
        assert after.whole.tobytes() == before.whole.tobytes()
    counts = result.vision_tokens
    seen = (counts["positions"], counts["patches"], counts["valid"])
    assert seen == (before.positions, before.patches, before.valid)
    assert counts.get("tiles") == ([before.columns, before.rows] if before.tiles else None)


def test_without_a_mode_the_image_is_the_page_itself(reader):
    page = picture("Red", (300, 200))
    page.putpixel((10, 10), (255, 0, 0))
    result = reader.read(Raster(1, page, None), ReadRequest())
    assert (result.mode, result.vision_tokens, result.markdown) == ("native", None, "")
    assert (result.text_tokens, result.compression, result.expected_precision) == (None, None, None)
    assert shown(result).convert("RGB").tobytes() == page.tobytes()
    assert shown(result).mode == "RGB"
    assert shown(reader.read(Raster(1, picture("Grey"), None), ReadRequest())).mode == "L"


def test_a_page_of_a_text_says_what_stands_on_it_and_how_well_it_can_be_read(reader):
    raster = drawn(mode="tiny")
    result = reader.read(raster, ReadRequest(mode="tiny"))
    assert result.markdown == raster.source
    assert result.compression == result.text_tokens / result.vision_tokens["valid"]
    assert result.expected_precision[0] > 0.5
    assert any("estimate" in warning for warning in result.warnings)
    assert reader.read(drawn(), ReadRequest()).mode == "base"


def test_pages_of_a_text_are_not_resampled(reader):
    for mode in ("tiny", "small", "base", "large", "gundam"):
        raster = drawn(mode=mode)
        result = reader.read(raster, ReadRequest(mode=mode))
        assert shown(result).convert("RGB").tobytes() == raster.image.tobytes()


def test_a_blank_page_has_an_image_too(reader):
    result = reader.read(Raster(1, Image.new("RGB", (600, 800), "white"), None), ReadRequest(mode="tiny"))
    assert (result.verdict, result.finish_reason) == ("blank", "blank")
    assert shown(result).size == (512, 512)


def test_a_blank_page_of_a_document_is_given_to_it(reader):
    blank = base64.b64encode(encoded(Image.new("RGB", (300, 300), "white"))).decode()
    [page] = run(f"data:;base64,{blank}", reader)["pages"]
    assert page["verdict"] == "blank"
    assert page["image"].startswith("data:image/png")


def test_an_image_that_would_be_too_large_is_made_smaller_and_says_so(reader):
    noise = np.random.default_rng(1).integers(0, 256, (2200, 2000, 3), dtype=np.uint8)
    result = reader.read(Raster(1, Image.fromarray(noise), None), ReadRequest())
    assert len(result.attachments["image"]) <= MAX_IMAGE_BYTES
    assert result.warnings == [
        f"The image was too large to store and was reduced to {result.width} × {result.height} pixels from 2000 × 2200."
    ]
    assert encode_png(picture("small"))[1] is None


@pytest.mark.parametrize(
    "options", [{"mode": "huge"}, {"task": "figure"}, {"prompt": "draw"}, {"witness": True}]
)
def test_what_it_cannot_do_is_refused(reader, options):
    with pytest.raises(InvalidOptions, match="fovea-render"):
        reader.check(ReadRequest(**options))


def test_it_is_loaded_beside_the_others():
    assert list(load_readers(())) == ["fovea-render"]


def run(document, reader, push_url=None, origin="", mode="auto"):
    settings = Settings(allowed_origins=frozenset({origin} - {""}))
    request = ShardRequest(document, model=reader.name, options=ReadRequest(mode=mode), push_url=push_url)
    return asyncio.run(run_shard(request, {reader.name: reader}, settings))


def text_url(text: str) -> str:
    return "data:text/markdown;charset=utf-8;base64," + base64.b64encode(text.encode()).decode()


def test_images_are_pushed_before_their_pages(reader):
    with EdgeStub() as edge:
        receipt = run(text_url(TEXT * 30), reader, edge.push_url, edge.origin, "tiny")
        count = receipt["page_count"]
        assert count > 3
        paths = [path for path, _ in edge.pushes]
        expected = [f"/pages/{n}{end}" for n in range(1, count + 1) for end in ("/image", "")]
        assert paths == ["/document", *expected]
        bodies = dict(edge.pushes)
        assert bodies["/document"]["media_type"] == "text/markdown"
        assert Image.open(io.BytesIO(bodies["/pages/2/image"])).size == (512, 512)
        texts = [bodies[f"/pages/{n}"]["markdown"] for n in range(1, count + 1)]
        assert "".join(texts) == TEXT * 30
        assert {*edge.digests} == {bodies["/pages/1"]["model_digest"]}
        assert "image" not in bodies["/pages/1"]


def test_a_page_whose_image_was_refused_fails(reader):
    with EdgeStub() as edge:
        edge.answers["/pages/1/image"] = [413]
        run(text_url(TEXT), reader, edge.push_url, edge.origin)
        [(_, page)] = [push for push in edge.pushes if push[0] == "/pages/1"]
        assert (page["verdict"], page["error"]["code"]) == ("failed", "not_kept")


def test_without_a_push_address_the_image_is_in_the_page(reader):
    [page] = run(text_url(TEXT), reader)["pages"]
    head, _, data = page["image"].partition(",")
    assert head == "data:image/png;base64"
    assert Image.open(io.BytesIO(base64.b64decode(data))).width == page["width"]


def test_any_reader_reads_a_text_with_a_digest_that_the_layout_is_part_of():
    echo = EchoReader()
    receipt = run(text_url("One word."), echo)
    [page] = receipt["pages"]
    assert (page["width"], page["dpi"]) == (1024, None)
    assert page["model_digest"] == receipt["model_digest"] == text_digest(echo) != echo.digest
    image = "data:;base64," + base64.b64encode(encoded(picture("x"))).decode()
    assert run(image, echo)["model_digest"] == echo.digest


def test_characters_that_no_font_has_are_named():
    [page] = run(text_url("A word and \U0001d2ff\U000e0fff."), EchoReader())["pages"]
    assert any("\U000e0fff" in warning for warning in page["warnings"])
