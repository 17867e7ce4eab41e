"""What becomes training data, and what does not."""

import json
import random

import corpus_support as corpus
import pytest

from fovea.corpus.filters import confidence, note
from fovea.corpus.options import Filters, Reading
from fovea.corpus.sampling import choose
from fovea.corpus.selecting import select, write_selection
from fovea.corpus.signatures import MOST_BITS, Kept, duplicates, signature
from fovea.corpus.store import Store

RNG = random.Random(3)
VOCABULARY = ["".join(RNG.choices("abcdefghijklmnop", k=6)) for _ in range(2000)]


def text(words: int, rng: random.Random) -> str:
    return " ".join(rng.choices(VOCABULARY, k=words))


def result(markdown="Some text.", verdict="ok", blocks=((0.9, "Some text."),)):
    return {
        "verdict": verdict,
        "markdown": markdown,
        "blocks": [{"confidence": sure, "text": words} for sure, words in blocks],
    }


def test_a_page_is_left_out_for_its_first_reason():
    strict = Filters(verdicts=("ok",), min_confidence=0.8)
    assert note(result(), strict).reason == ""
    assert note(result(verdict="suspect"), strict).reason == "verdict_suspect"
    assert note(result(blocks=[(0.5, "x" * 30), (1.0, "y" * 10)]), strict).reason == "low_confidence"


def test_confidence_is_weighted_by_text_and_unknown_for_text_layers():
    assert confidence(result(blocks=[(0.5, "x" * 30), (1.0, "y" * 10)])) == pytest.approx(0.625)
    assert confidence(result(blocks=[(None, "x"), (0.5, "")])) is None
    assert note(result(blocks=[(None, "x")]), Filters(min_confidence=1)).reason == ""


def test_languages_are_told_from_the_text():
    pytest.importorskip("py3langid", reason="of the Python group corpus")
    german = "Das ist ein kurzer Text in deutscher Sprache, der von einem Haus und einem Garten handelt."
    english = "This is a short text in the English language, about a house and its garden."
    only = Filters(languages=("de",))
    assert note(result(german), only).reason == ""
    assert note(result(english), only).reason == "other_language"
    assert note(result("12 34"), only).reason == "other_language"


def test_near_duplicates_are_few_bits_apart_and_other_pages_are_not():
    rng = random.Random(1)
    for _ in range(50):
        page = text(400, rng).split()
        changed = [*page[:200], "changed", *page[201:]]
        assert (signature(" ".join(page)) ^ signature(" ".join(changed))).bit_count() <= 8
        assert (signature(" ".join(page)) ^ signature(text(400, rng))).bit_count() > 8
    assert signature("Total 5") != signature("Total 6")
    assert signature("Total, 5") == signature("total\n5")
    assert signature("漢字 漢字") is not None
    assert signature(" -- ") is None


def test_kept_pages_are_found_as_by_comparing_all_pairs():
    rng = random.Random(2)
    values = [rng.getrandbits(64) for _ in range(300)]
    values += [value ^ (1 << rng.randrange(64)) ^ (1 << rng.randrange(64)) for value in values[:150]]
    values += [value & ~0xFFFF for value in values[:60]]  # a full bucket
    rng.shuffle(values)
    kept, plain = Kept(), []
    for value in values:
        near = any((other ^ value).bit_count() <= MOST_BITS for other in plain)
        assert kept.add(value) is not near
        if not near:
            plain.append(value)
    assert 300 <= len(plain) < len(values)


def test_the_first_page_of_the_plan_is_kept():
    assert duplicates([(1, 1, 7), (1, 2, 0xFFFF), (2, 1, 7), (3, 1, 6)]) == {(2, 1), (3, 1)}


def test_the_sample_depends_on_the_document_and_the_seed_alone():
    pages = list(range(1, 1001))
    some, left_out = choose(pages, "ab", Reading("m", sample=0.3, seed=1))
    assert left_out == {"not_in_sample": 1000 - len(some)}
    assert 240 < len(some) < 360
    assert choose(pages[::-1], "ab", Reading("m", sample=0.3, seed=1))[0][::-1] == some
    assert choose(pages, "ab", Reading("m", sample=0.3, seed=2))[0] != some
    more, _ = choose(pages, "ab", Reading("m", sample=0.5, seed=1))
    assert set(some) < set(more)
    few, left_out = choose(pages, "ab", Reading("m", pages_per_document=10, seed=1))
    assert (len(few), left_out) == (10, {"over_share": 990})
    assert few == sorted(few)


@pytest.fixture
def out(tmp_path, monkeypatch):
    """Pages of equal size say the same."""
    corpus.use(monkeypatch)
    corpus.read(corpus.documents(tmp_path / "documents"), tmp_path / "kept")
    wanted = corpus.options(Filters(keep_near_duplicates=False))
    corpus.read(tmp_path / "documents" / "manifest.txt", tmp_path / "out", wanted)
    return tmp_path / "out"


def test_near_duplicates_are_dropped_over_all_shards(out):
    listed = json.loads((out / "manifest.json").read_text())
    assert listed["dropped"] == {"near_duplicate": 6}
    assert listed["training_data"]["records"] == 7
    texts = [
        json.loads(line)["text"]
        for shard in listed["training_data"]["shards"]
        for line in (out / shard["path"]).read_text().splitlines()
    ]
    assert len(set(texts)) == len(texts) == 7


def test_parquet_has_the_same_records(out):
    parquet = pytest.importorskip("pyarrow.parquet", reason="of the Python group corpus")
    for number, chosen, _ in select(Store(str(out)), [1, 2]):
        plain = write_selection(str(out), number, chosen, "jsonl")
        packed = write_selection(str(out), number, chosen, "parquet")
        again = write_selection(str(out), number, chosen, "parquet")
        assert again["sha256"] == packed["sha256"]
        records = [json.loads(line) for line in (out / plain["path"]).read_text().splitlines()]
        rows = parquet.read_table(out / packed["path"]).to_pylist()
        assert [row["id"] for row in rows] == [record["id"] for record in records]
        assert [row["text"] for row in rows] == [record["text"] for record in records]
        for row, record in zip(rows, records, strict=True):
            assert json.loads(row["metadata"]) == record["metadata"]
            assert {k: v for k, v in row["image"].items() if v is not None} == {
                k: v for k, v in record["image"].items() if v is not None
            }
            assert [box["bbox"] for box in row["boxes"]] == [box["bbox"] for box in record["boxes"]]
            assert row["provenance"]["model_digest"] == record["provenance"]["model_digest"]
