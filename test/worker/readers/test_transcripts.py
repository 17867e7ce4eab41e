"""Token counts, prompts, parser and Markdown against answers of the official checkpoints (`test/worker/gold`)."""

import html
import json
import re
from dataclasses import replace
from pathlib import Path

import download_weights
import pytest

from fovea.language.tasks import TASKS
from fovea.output.blocks import read_blocks
from fovea.output.grammar import markup_pieces
from fovea.output.markdown import write_markdown
from fovea.readers.deepseek_ocr import DeepseekOcr
from fovea.readers.deepseek_ocr_2 import DeepseekOcr2
from fovea.readers.unlimited_ocr import UnlimitedOcr
from fovea.vision import modes

GOLD = json.loads((Path(__file__).parents[1] / "gold/transcripts.json").read_text())["models"]
# The Hub's code of DeepSeek-OCR allows 9 tiles.
LAYOUTS = {
    "deepseek-ocr": replace(modes.DEEPSEEK_OCR, max_tiles=9),
    "deepseek-ocr-2": modes.DEEPSEEK_OCR_2,
}
PAGES = [
    pytest.param(model, page, id=f"{model} {page['name']}")
    for model, gold in GOLD.items()
    for page in gold["pages"]
]


@pytest.mark.parametrize(("model", "page"), PAGES)
def test_tiles_and_image_tokens_are_the_official_ones(model, page):
    layout, size = LAYOUTS[model], tuple(page["size"])
    tiles = modes.tiling(size, "gundam", layout)
    assert list(tiles or (1, 1)) == page["tiles"]
    assert modes.positions("gundam", tiles, layout) == page["image_tokens"]
    if "valid" in page:
        assert modes.valid_tokens(size, "gundam", layout) == page["valid"]


@pytest.mark.parametrize("model", GOLD)
def test_prompts_are_the_official_ones(model):
    prompts = GOLD[model]["prompts"]
    # The official code strips them before they are tokenized.
    assert TASKS["free"].template == prompts["free_ocr"].strip()
    assert TASKS["markdown"].template == prompts["grounding_markdown"].strip()


def words(text: str) -> list[str]:
    text = re.sub(r"!\[\]\([^)]*\)|<[^>]*>", " ", html.unescape(text))
    return re.findall(r"[^\W_]+", text)


@pytest.mark.parametrize(("model", "page"), [case for case in PAGES if "answer" in case.values[1]])
def test_answers_are_parsed_and_have_the_words_of_the_official_markdown(model, page):
    answer = page["answer"]
    reading = read_blocks(markup_pieces(answer))
    assert len(reading.blocks) >= answer.count("<|/ref|>") and reading.noise == 0
    broken_off = answer.count("<|det|>") > answer.count("<|/det|>")
    assert reading.malformed == broken_off
    expected = words(page["markdown"].replace("<|ref|>text<|/ref|>", ""))
    assert words(write_markdown(reading.blocks, 1)) == expected


def test_the_download_is_pinned_to_what_was_recorded_and_names_the_setting_of_the_reader():
    for reader in (DeepseekOcr, DeepseekOcr2, UnlimitedOcr):
        release = reader.release
        _, revision, setting = download_weights.MODELS[release.name]
        assert setting == release.folder
        assert revision == GOLD.get(release.name, {"revision": revision})["revision"]
