import itertools
import threading
from dataclasses import replace
from random import Random

import numpy as np
import pytest
import torch
from PIL import ImageFont
from train_support import MATERIAL, make_material

from fovea.language.tokenizer import Tokenizer
from fovea.nano.places import Place
from fovea.train import fonts, pack, packed_data, texts
from fovea.train.batches import CELL, IGNORED, PATCH, Stream, again, collate, strip_prompt
from fovea.train.evaluate import can_evaluate
from fovea.train.strips import Strip, Style, make_strip
from fovea.train.texts import ALPHABET

pytestmark = pytest.mark.slow

PLAIN = Style(smallest=20, largest=30, clean=1, packed=0, empty=0, data=MATERIAL)
PACKED = replace(PLAIN, packed=1)


def test_every_cut_of_a_design_is_on_the_same_side():
    for families in (
        ("DejaVu Sans", "DejaVu Sans Mono", "Hack", "Bitstream Vera Sans"),
        ("Liberation Serif", "Tinos", "Arimo", "Cousine"),
        ("Nimbus Roman", "TeX Gyre Termes", "C059", "P052", "FreeSerif"),
        ("STIX", "STIXGeneral"),
        ("Linux Libertine O", "Linux Biolinum O"),
    ):
        assert len({fonts.design(family) for family in families}) == 1
        assert len({fonts.held_out(family) for family in families}) == 1


def test_some_designs_are_held_out_and_most_are_not():
    assert fonts.held_out("Cabin") and fonts.held_out("Linux Libertine O") and fonts.held_out("Go Mono")
    assert not fonts.held_out("DejaVu Sans") and not fonts.held_out("Liberation Serif")
    names = ["".join(letters) for letters in itertools.product("abcdefghij", repeat=3)]
    assert 0.05 < np.mean([fonts.held_out(name) for name in names]) < 0.2


def test_a_face_is_in_one_split_only():
    trained_on, kept = fonts.faces(False, MATERIAL), fonts.faces(True, MATERIAL)
    assert trained_on and not any(fonts.held_out(face.family) for face in trained_on)
    assert kept and all(fonts.held_out(face.family) for face in kept)


def test_texts_of_the_two_splits_have_no_paragraph_in_common():
    train, kept = texts.words(False, MATERIAL), texts.words(True, MATERIAL)
    runs = {train[i : i + 8] for i in range(len(train) - 8)}
    shared = sum(kept[i : i + 8] in runs for i in range(len(kept) - 8))
    assert shared < 0.002 * len(kept)  # runs from one paragraph into the next may meet by chance
    assert len(train) > 5 * len(kept)


@pytest.mark.parametrize("style", [PLAIN, PACKED, Style(data=MATERIAL)], ids=["page", "packed", "worn"])
def test_a_strip_is_the_same_for_the_same_seed_and_another_for_another(style):
    one, same, other = (make_strip(seed, 512, style) for seed in (7, 7, 8))
    assert one.text == same.text and one.image.tobytes() == same.image.tobytes()
    assert (one.places == same.places).all()
    assert one.image.tobytes() != other.image.tobytes()


@pytest.mark.parametrize("style", [PLAIN, PACKED], ids=["page", "packed"])
def test_every_character_has_ink_at_its_place(style):
    seen = 0
    for seed in range(6):
        strip = make_strip(seed, 512, style)
        assert len(strip.places) == len(strip.text)
        grey = np.asarray(strip.image.convert("L"), dtype=np.int16)
        reach = round(0.7 * strip.size)
        for character, (x, y) in zip(strip.text, strip.places.astype(int), strict=True):
            if character.isalnum():
                around = grey[max(0, y - reach) : y + reach, max(0, x - 3) : x + 4]
                assert np.ptp(around) > 40, (seed, character, x, y)
                seen += 1
    assert seen > 150


def test_accented_letters_are_shown_where_a_font_has_them_and_told_byte_by_byte():
    tokenizer = Tokenizer.characters()
    style = Style(foreign=1, prose=1, clean=1, empty=0, data=MATERIAL)
    strips = [make_strip(seed, 512, style) for seed in range(12)]
    accented = [strip for strip in strips if not strip.text.isascii()]
    assert all(set(strip.text) <= set(ALPHABET) | {"\n"} for strip in strips)
    strip = accented[0]
    at = next(i for i, character in enumerate(strip.text) if not character.isascii())
    batch = collate([strip], tokenizer)
    x, y = strip.places[at].astype(int)
    seen = batch.patches[0, min(max(y, 0), 127) // 16, min(max(x, 0), 511) // 16].tolist()
    assert 1 + ALPHABET.index(strip.text[at]) in seen
    told = batch.targets[0][batch.targets[0] != IGNORED].tolist()
    assert tokenizer.decode(told[:-1]) == strip.text


def test_words_stay_in_the_alphabet_in_capitals_too(tmp_path):
    words = "İSTANBUL µm straße fıkra"
    make_material(tmp_path, [], [f"{words} {number}" for number in range(20)])
    assert set(texts.foreign_words(False, tmp_path)).issuperset(words.split())
    for seed in range(200):
        writer = texts.Writer(Random(seed), False, prose=0, foreign=1, data=tmp_path)
        assert set(ALPHABET).issuperset(writer.word())


def test_a_font_draws_what_it_has():
    font = ImageFont.load_default(20)
    assert fonts.draws(font, "a") and not fonts.draws(font, "\u4e2d")


def test_batches_are_seen_again_while_no_new_ones_are_ready():
    go_on = threading.Event()

    def slow():
        yield "first"
        go_on.wait(10)
        yield "second"
        raise RuntimeError("broken")

    seen = again(slow(), Random(0))
    assert [next(seen) for _ in range(3)] == ["first"] * 3
    go_on.set()
    with pytest.raises(RuntimeError, match="broken"):
        for _ in range(1_000_000):
            next(seen)


def test_material_packed_on_one_machine_is_what_another_trains_on(tmp_path, monkeypatch):
    pack.pack(tmp_path, font_bytes=200_000, text_bytes=200_000, pdf_bytes=0, data=MATERIAL)
    faces = fonts.faces(False, tmp_path)
    assert all(face.path.startswith(str(tmp_path)) for face in faces)
    assert len(faces) > 1 and not can_evaluate(tmp_path)
    packed = texts.words(False, tmp_path)
    assert len(packed) > 1000 and set(texts.words(False, MATERIAL)).issuperset(packed)
    assert make_strip(3, 512, replace(PLAIN, data=tmp_path)).text
    monkeypatch.setenv("FOVEA_TRAIN_DATA", str(tmp_path))
    assert packed_data.folder(None) == tmp_path


def test_an_empty_strip_has_no_text():
    strip = make_strip(1, 512, Style(empty=1, data=MATERIAL))
    assert strip.text == "" and len(strip.places) == 0
    batch = collate([strip], Tokenizer.characters())
    known = batch.targets[0][batch.targets[0] != IGNORED]
    assert known.tolist() == [Tokenizer.characters().eos]


def test_targets_name_the_next_place_or_character_and_the_vision_token_that_shows_it():
    tokenizer = Tokenizer.characters()
    strips = [make_strip(seed, 512, PLAIN) for seed in (3, 4)]
    batch = collate(strips, tokenizer)
    prompt = strip_prompt(tokenizer, 512, 128)
    assert prompt.count(tokenizer.image) == 2 * (8 + 1) + 1
    first = prompt.index(tokenizer.image)
    for row, strip in enumerate(strips):
        number, place = 0, None
        for at in range(len(prompt) - 1, batch.targets.shape[1]):
            target = int(batch.targets[row, at])
            if target == tokenizer.eos:
                break
            assert batch.ids[row, at + 1] == target
            x, y = strip.places[number]
            if told := Place.of(target):
                place = told
                assert place == Place.at(x, y)
            else:
                assert target == tokenizer.encode(strip.text[number])[0]
                assert strip.text[number] == "\n" or place.column == int(x) // CELL
                number += 1
            cell = int(batch.cells[row, at]) - first
            assert (cell // 9, cell % 9) == divmod(place.cell, 8)
        assert number == len(strip.text)
    assert (batch.cells == IGNORED).equal(batch.rows == IGNORED)


def test_patches_name_their_characters_in_reading_order():
    strip = Strip(
        make_strip(0, 512, Style(empty=1, data=MATERIAL)).image, "ab c", np.zeros((4, 2), np.float32), 20
    )
    strip.places = np.array([[17, 33], [30, 34], [36, 33], [50, 33]], np.float32)
    patches = collate([strip], Tokenizer.characters()).patches[0]
    assert patches[33 // PATCH, 1].tolist() == [ord("a") - 31, ord("b") - 31, 0, 0]
    assert patches[33 // PATCH, 2].tolist() == [1, 0, 0, 0]  # a blank is seen, too
    assert patches[33 // PATCH, 3].tolist() == [ord("c") - 31, 0, 0, 0]
    assert int((patches > 0).sum()) == 4


def test_a_pool_is_the_same_for_the_same_number_and_its_batches_hold_texts_of_like_length():
    tokenizer, stream = Tokenizer.characters(), Stream(Style(smallest=20, data=MATERIAL), count=2, seed=5)
    pool, same = stream.pool(11, tokenizer), stream.pool(11, tokenizer)
    for a, b in zip(pool, same, strict=True):
        assert torch.equal(a.pixels, b.pixels) and torch.equal(a.ids, b.ids)
    lengths = [batch.ids.shape[1] for batch in pool]
    assert lengths == sorted(lengths) and lengths[0] < lengths[-1]
    assert not torch.equal(pool[0].pixels, stream.pool(12, tokenizer)[0].pixels)
