"""DeepSeek-OCR 2 and Unlimited-OCR: vLLM decodes what Fovea embeds, and every answer is the native engine's."""

import json
import os
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import torch
from checkpoint import WINDOW, make
from conftest import MAX_NEW, THREADS, compare
from flex import use_flex_attention

from fovea.engine import EngineConfig, NativeEngine
from fovea.engine.vllm_engine import VllmConfig, VllmEngine
from fovea.language.tasks import PAGES, TASKS, Prompt
from fovea.model import ModelConfig, OcrModel, load_checkpoint
from fovea.readers.unlimited_ocr import joined
from fovea.vision.modes import DEEPSEEK_OCR_2, UNLIMITED_OCR

CLOSE = 1e-3  # of log-probabilities, in fp32
LAYOUTS = {"deepseek-ocr-2": DEEPSEEK_OCR_2, "unlimited-ocr": UNLIMITED_OCR}


@contextmanager
def engines(release, rules):
    """vLLM with 80 blocks of 32 positions, and the native engine, with a small model of the release."""
    folder = make(Path(os.environ["FOVEA_VLLM_CHECKPOINT"]) / release, torch.float32, release)
    with torch.device("meta"):
        model = OcrModel(ModelConfig.from_json(json.loads((folder / "sizes.json").read_text())))
    load_checkpoint(model, folder)
    model.eval()
    config = VllmConfig(max_batch=16, max_new=MAX_NEW, prefill_tokens=256, threads=THREADS)
    own = EngineConfig(max_batch=16, kv_bytes=512 << 20, max_new=MAX_NEW, threads=THREADS)
    options = {"block_size": 32, "num_gpu_blocks_override": 80}
    layout = LAYOUTS[release]
    with (
        closing(VllmEngine(model, folder, rules, config, layout=layout, **options)) as vllm,
        closing(NativeEngine(model, rules, own, layout=layout)) as native,
    ):
        yield vllm, native


@contextmanager
def watched(engine):
    """Pairs for each decode step: the blocks that vLLM's cache has in use, and those that the engine counted."""
    pool = engine._vllm.engine_core.engine_core.scheduler.kv_cache_manager.block_pool
    step, pairs = engine._step, []

    def watch():
        before, counted = dict(engine._running), engine._used()
        decodes = all(sequence.first_at for sequence in before.values())
        step()
        if decodes and engine._running.keys() == before.keys():
            pairs.append((engine._blocks - pool.get_num_free_blocks(), counted))

    engine._step = watch
    yield pairs
    del engine._step


def answers(engine, count, length, **options):
    generator = torch.Generator().manual_seed(2)
    prompts = [torch.randn(20 + 7 * n, 1280, generator=generator) for n in range(count)]
    handles = [
        engine.submit(prompt, max_new=length, owner=str(n % 3), **options) for n, prompt in enumerate(prompts)
    ]
    return [handle.result(600) for handle in handles]


def about(engine, tokenizer, pages, prompt):
    """An answer about one page or several, from the images on."""
    tokens = joined([engine.encode(page, "base") for page in pages])
    ids = Prompt(prompt).ids(tokenizer, tokens.positions)
    return [engine.decode(tokens, ids, tokenizer.image, max_new=60).result(600)]


def test_deepseek_ocr_2(rules, tokenizer, page):
    with engines("deepseek-ocr-2", rules) as pair:
        compare(*(answers(one, 6, 90) for one in pair), CLOSE)
        compare(*(about(one, tokenizer, [page], TASKS["markdown"]) for one in pair), CLOSE)


def test_unlimited_ocr_with_answers_longer_than_its_window(rules, tokenizer, page):
    with pytest.MonkeyPatch.context() as patch:
        use_flex_attention(patch)
        with engines("unlimited-ocr", rules) as pair:
            with watched(pair[0]) as blocks:
                compare(*(answers(one, 6, 4 * WINDOW) for one in pair), CLOSE)
            assert len(blocks) > 2 * WINDOW
            assert all(used == counted for used, counted in blocks)
            compare(*(answers(one, 2, 3 * WINDOW, ngram=(3, 40)) for one in pair), CLOSE)
            compare(*(about(one, tokenizer, [page, page.rotate(180)], PAGES) for one in pair), CLOSE)
