"""The reader `deepseek-ocr` on vLLM, as a worker starts it."""

from contextlib import closing

from fovea.pages.documents import Raster
from fovea.readers.base import ReadRequest
from fovea.readers.deepseek_ocr import DeepseekOcr
from fovea.settings import Settings


def test_a_page_is_the_same_on_both_engines(folder, page):
    results = []
    for engine in ("vllm", "native"):
        settings = Settings(
            engine=engine, deepseek_dir=folder, kv_bytes=256 << 20, batch=8, threads=1, max_new_tokens=40
        )
        reader = DeepseekOcr(settings)
        with closing(reader.engine):
            assert reader.engine.name == engine
            if engine == "vllm":  # the decoder is vLLM's only
                assert all(parameter.is_meta for parameter in reader_model(reader).model.layers.parameters())
            results.append(reader.read(Raster(1, page, 100.0), ReadRequest(mode="tiny", task="free")))
    ours, native = results
    assert ours.text_tokens == native.text_tokens > 0
    assert (ours.markdown, ours.finish_reason, ours.verdict) == (
        native.markdown,
        native.finish_reason,
        native.verdict,
    )
    assert ours.model_digest == native.model_digest


def reader_model(reader):
    return reader.engine._encoder._queue._model
