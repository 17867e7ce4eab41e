"""vLLM's own DeepSeek-OCR, from the image on, beside vLLM with Fovea's vision tokens."""

import os

import pytest
import torch

from fovea.language.tasks import TASKS, Prompt
from fovea.model.pixels import to_pixels
from fovea.vision.views import make_views

CLOSE = 5e-3  # of log-probabilities, in fp32, after two implementations of the encoder


@pytest.fixture(scope="module")
def whole(folder):
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    from vllm import LLM

    return LLM(
        str(folder),
        dtype="float32",
        enable_prompt_embeds=True,
        enforce_eager=True,
        limit_mm_per_prompt={"image": 1},
        max_model_len=1408,
        max_num_seqs=4,
        mm_processor_cache_gb=0,
        skip_mm_profiling=True,
        kv_cache_memory_bytes=256 << 20,
    )


def test_embeddings_and_images_give_the_same_answers(whole, model, tokenizer, page):
    from vllm import SamplingParams

    # vLLM reads an image of at most 640 px as one view of 1024 px, and so does the mode gundam.
    views = make_views(page, "gundam")
    assert views.tiling is None
    with torch.inference_mode():
        tokens = model.encode_page(to_pixels([views.whole])[0])
        ids = Prompt(TASKS["free"]).ids(tokenizer, len(tokens))
        embeddings = model.embed(torch.tensor(ids)).clone()
        embeddings[[i for i, token in enumerate(ids) if token == tokenizer.image]] = tokens
    parameters = SamplingParams(temperature=0.0, max_tokens=60, ignore_eos=True, logprobs=0, detokenize=False)
    text = "<｜begin▁of▁sentence｜><image>\nFree OCR."
    ours, theirs = whole.generate(
        [
            {"prompt_embeds": embeddings},
            {"prompt": text, "multi_modal_data": {"image": page}},
        ],
        parameters,
        use_tqdm=False,
    )
    assert list(theirs.prompt_token_ids) == ids
    a, b = ours.outputs[0], theirs.outputs[0]
    difference = max(
        abs(x[i].logprob - y[i].logprob) for i, x, y in zip(a.token_ids, a.logprobs, b.logprobs, strict=True)
    )
    print(f"\n    {len(a.token_ids)} tokens of vLLM's own model: log-probabilities within {difference:.1e}")
    assert list(a.token_ids) == list(b.token_ids)
    assert difference < CLOSE
