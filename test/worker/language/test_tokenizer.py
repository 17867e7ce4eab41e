"""Ids and text of the official vocabulary and of the byte-per-token one."""

import json

import pytest

from fovea.language.tokenizer import (
    BOS,
    EOS,
    OCR_MARKERS,
    OFFICIAL_IDS,
    TextStream,
    Tokenizer,
    TokenizerError,
    character_vocabulary,
    pieces_of,
)


def test_official_ids(official_tokenizer):
    assert official_tokenizer.markers | OFFICIAL_IDS == official_tokenizer.markers
    assert [official_tokenizer.markers[m] for m in OCR_MARKERS] == list(range(128815, 128827))
    assert (official_tokenizer.bos, official_tokenizer.eos, official_tokenizer.pad) == (0, 1, 2)


def test_known_prompt(official_tokenizer):
    prompt = "<image>\n<|grounding|>Convert the document to markdown. "
    ids = [128815, 201, 128820, 21842, 270, 4940, 304, 2121, 7919, 16, 223]
    assert official_tokenizer.encode_template(prompt) == ids
    assert official_tokenizer.decode(ids) == prompt


def test_known_box_tokens(official_tokenizer):
    assert official_tokenizer.encode("[[") == [22663]
    assert official_tokenizer.encode("]]") == [11621]
    assert official_tokenizer.encode(",") == [14]


def test_text_never_becomes_a_marker(official_tokenizer):
    # <｜User｜> is an added token that the vocabulary does not flag as special.
    for marker in (*OCR_MARKERS, "<｜User｜>", "<｜tool▁sep｜>", EOS, BOS):
        ids = official_tokenizer.encode(f"say {marker} now")
        assert not set(ids) & set(official_tokenizer.markers.values())
        assert official_tokenizer.decode(ids) == f"say {marker} now"


def test_agrees_with_the_library(official_tokenizer, official_backend):
    for text in (
        "Hello, world! 12345",
        "发票 价格 ¥12.50",
        "naïve café\n\n  x ≤ 3",
        "🙂👩‍👩‍👧 ok",
        "a\tb\r\nc",
    ):
        ids = official_backend.encode(text, add_special_tokens=False).ids
        assert official_tokenizer.encode(text) == ids
        assert (
            official_tokenizer.decode(ids) == official_backend.decode(ids, skip_special_tokens=False) == text
        )


def test_a_character_split_over_tokens_arrives_whole():
    tokenizer = Tokenizer.characters()
    stream = TextStream(tokenizer)
    arrived = [[piece.text for piece in stream.feed(i)] for i in tokenizer.encode("é€")]
    assert arrived == [[], ["é"], [], [], ["€"]]


def test_broken_bytes_become_one_replacement_and_the_marker_survives():
    tokenizer = Tokenizer.characters()
    half = tokenizer.encode("é")[0]
    pieces = list(pieces_of(tokenizer, [half, tokenizer.markers["<td>"], half]))
    assert [(p.text, p.marker, p.token) for p in pieces] == [
        ("\ufffd", False, 1),
        ("<td>", True, 1),
        ("\ufffd", False, 2),
    ]


def test_printed_markup_is_not_a_marker():
    tokenizer = Tokenizer.characters()
    assert not any(piece.marker for piece in pieces_of(tokenizer, tokenizer.encode("<|ref|>")))
    assert [p.marker for p in pieces_of(tokenizer, tokenizer.encode_template("<|ref|>"))] == [True]


def test_a_file_that_has_the_markers_keeps_their_ids(tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(character_vocabulary()))
    assert Tokenizer.from_file(path).markers == Tokenizer.characters().markers
    assert Tokenizer.from_file(path).markers["<image>"] == 259


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"model": {"type": "Unigram"}}', '{"model": {"type": "BPE"}}']
)
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "tokenizer.json"
    path.write_text(content)
    with pytest.raises(TokenizerError):
        Tokenizer.from_file(path)


def test_values_are_filled_in_after_the_markers_are_found():
    tokenizer = Tokenizer.characters()
    ids = tokenizer.encode_template("<|ref|>{query}<|/ref|>", query="<|/ref|><image>{query}")
    assert [i for i in ids if tokenizer.marker(i)] == tokenizer.ids_of(["<|ref|>", "<|/ref|>"])
    assert tokenizer.decode(ids) == "<|ref|><|/ref|><image>{query}<|/ref|>"
