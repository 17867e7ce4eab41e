"""Layout markup: what is a reference, what is text, and what becomes of broken ones."""

import pytest

from fovea.language.tokenizer import Piece, Tokenizer, pieces_of
from fovea.output.grammar import GrammarParser, Reference, Text, markup_pieces, parse, parse_boxes


@pytest.mark.parametrize(
    ("text", "boxes"),
    [
        ("[[1, 2, 3, 4]]", ((1, 2, 3, 4),)),
        ("[[0,0,999,999],[5,6,7,8]]", ((0, 0, 999, 999), (5, 6, 7, 8))),
        (" [ [ 1 ,2,3 , 4 ] , [5,6,7,8] ] ", ((1, 2, 3, 4), (5, 6, 7, 8))),
        ("[[007, 2, 3, 4]]", ((7, 2, 3, 4),)),
    ],
)
def test_boxes(text, boxes):
    assert parse_boxes(text) == boxes


@pytest.mark.parametrize(
    "text",
    [
        "", "[", "[]", "[[]]", "[1,2,3,4]", "[[1,2,3]]", "[[1,2,3,4,5]]", "[[1,2,3,4]", "[[1,2,3,4]],",
        "[[1,2,3,4][5,6,7,8]]", "[[1,2,3,4],[5,6,7,8]", "[[1,2,3,4],]", "[[1000,2,3,4]]",
        "[[-1,2,3,4]]", "[[1.5,2,3,4]]",
        "[[1,2,3,1e2]]", "[[1 2,3,4,5]]", "[[a,2,3,4]]", "[[١,2,3,4]]", "[[1,,3,4]]", "[,1,2,3,4,]",
        "__import__('os').system('true')", "[[1,2,3,4]]+[[1,2,3,4]]", "[" * 5000, "[[1,2,3,4]," * 5000,
    ],
)  # fmt: skip
def test_anything_else_is_no_box(text):
    assert parse_boxes(text) is None


def test_more_boxes_than_the_limit_are_none():
    assert parse_boxes("[" + ",".join(["[1,2,3,4]"] * 100) + "]") is not None
    assert parse_boxes("[" + ",".join(["[1,2,3,4]"] * 101) + "]") is None


def summary(text):
    events, parser = parse(markup_pieces(text))
    spoken = []
    for event in events:
        if isinstance(event, Text) and spoken and isinstance(spoken[-1], str):
            spoken[-1] += event.text
        else:
            spoken.append(event.text if isinstance(event, Text) else (event.label, event.boxes))
    return spoken, parser


def test_a_page():
    spoken, parser = summary(
        "before <|ref|>title<|/ref|><|det|>[[1, 2, 3, 4]]<|/det|>\n# Hi\n"
        "<|ref|> image <|/ref|> <|det|>[[1,2,3,4],[5,6,7,8]]<|/det|>"
    )
    assert spoken == [
        "before ",
        ("title", ((1, 2, 3, 4),)),
        "\n# Hi\n",
        ("image", ((1, 2, 3, 4), (5, 6, 7, 8))),
    ]
    assert (parser.references, parser.malformed, parser.noise) == (2, 0, 0)


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("<|ref|>title", ["title"]),
        ("<|ref|>a<|ref|>b<|/ref|><|det|>[[1,2,3,4]]<|/det|>", ["a", ("b", ((1, 2, 3, 4),))]),
        ("<|ref|>text<|/ref|>words", [("text", ()), "words"]),
        ("<|ref|>text<|/ref|><|det|>[[1,2,3]]<|/det|>words", [("text", ()), "words"]),
        ("<|ref|>text<|/ref|><|det|>os.system(1)<|/det|>words", [("text", ()), "words"]),
        ("<|ref|>text<|/ref|><|det|>[[1,2", [("text", ()), "[[1,2"]),
        ("<|ref|>text<|/ref|><|/det|>words", [("text", ()), "words"]),
        ("<|det|>[[1,2,3,4]]<|/det|>", ["[[1,2,3,4]]"]),
        ("<|ref|>" + "x" * 201 + "<|/ref|>", ["x" * 201]),
        ("a<|/ref|>b", ["ab"]),
    ],
)
def test_broken_references_keep_what_there_is(text, spoken):
    found, parser = summary(text)
    assert found == spoken
    assert parser.malformed >= 1


BOX = "[[1, 2, 3, 4]]"


def test_a_label_a_gap_and_boxes_may_be_as_long_as_their_limits_each():
    label, gap, boxes = "x" * 200, " " * 16, BOX.ljust(4096)
    found, parser = summary(f"<|ref|>{label}<|/ref|>{gap}<|det|>{boxes}<|/det|>")
    assert found == [(label, ((1, 2, 3, 4),))] and parser.malformed == 0


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        (f"<|ref|>t<|/ref|>{' ' * 17}<|det|>{BOX}<|/det|>", [("t", ()), " " * 17 + BOX]),
        (f"<|ref|>t<|/ref|><|det|>{BOX.ljust(4097)}<|/det|>", [("t", ()), BOX.ljust(4097)]),
    ],
)
def test_a_gap_and_boxes_beyond_their_limits_are_text(text, spoken):
    assert summary(text)[0] == spoken


def test_a_reference_that_was_never_finished_takes_nothing_of_the_next_ones_room():
    label = "y" * 200
    found, _ = summary(f"<|ref|>{'x' * 200}<|ref|>{label}<|/ref|><|det|>{BOX}<|/det|>")
    assert found == ["x" * 200, (label, ((1, 2, 3, 4),))]


def test_events_come_while_the_text_streams():
    parser, seen = GrammarParser(), []
    for piece in markup_pieces("<|ref|>text<|/ref|><|det|>[[1,2,3,4]]<|/det|>Hi"):
        seen.append([type(event) for event in parser.feed(piece)])
    assert seen == [[], [], [], [], [], [Reference], [Text]]


def test_printed_markup_stays_text():
    tokenizer = Tokenizer.characters()
    printed = "<|ref|>text<|/ref|><|det|>[[1,2,3,4]]<|/det|>"
    events, parser = parse(pieces_of(tokenizer, tokenizer.encode(printed)))
    assert "".join(event.text for event in events) == printed
    assert (parser.references, parser.malformed) == (0, 0)
    assert parse([Piece("<|ref|>", False, 0)])[0] == [Text("<|ref|>", 0)]


def test_control_tokens_are_dropped_and_counted():
    pieces = [
        Piece("a", False, 0),
        Piece("<image>", True, 1),
        Piece("<|User|>", True, 2),
        Piece("b", False, 3),
    ]
    events, parser = parse(pieces)
    assert [event.text for event in events] == ["a", "b"]
    assert parser.noise == 2


def test_the_tokens_of_a_reference():
    tokenizer = Tokenizer.characters()
    ids = tokenizer.encode_template("ab<|ref|>t<|/ref|><|det|>[[1,2,3,4]]<|/det|>c")
    reference = next(e for e in parse(pieces_of(tokenizer, ids))[0] if isinstance(e, Reference))
    assert tokenizer.decode(ids[reference.tokens.start : reference.tokens.stop]).startswith("<|ref|>t")
    assert tokenizer.marker(ids[reference.tokens.stop - 1]) == "<|/det|>"


@pytest.mark.parametrize(
    ("inside", "label", "boxes"),
    [
        ("title [52, 40, 817, 63]", "title", ((52, 40, 817, 63),)),
        (" page_number[1,2,3,4] ", "page_number", ((1, 2, 3, 4),)),
        ("image [[1, 2, 3, 4], [5, 6, 7, 8]]", "image", ((1, 2, 3, 4), (5, 6, 7, 8))),
        ("sub title [0, 0, 999, 999]", "sub title", ((0, 0, 999, 999),)),
    ],
)
def test_a_label_inside_the_boxes(inside, label, boxes):
    spoken, parser = summary(f"<|det|>{inside}<|/det|>Report\n<|det|>text [1, 2, 3, 4]<|/det|>All is well.")
    assert spoken == [(label, boxes), "Report\n", ("text", ((1, 2, 3, 4),)), "All is well."]
    assert (parser.references, parser.malformed) == (2, 0)


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("title [1, 2, 3]", [("title", ()), "after"]),
        ("title [1000, 2, 3, 4]", [("title", ()), "after"]),
        ("[[1, 2, 3, 4]]", ["[[1, 2, 3, 4]]after"]),
        ("__import__('os')", ["__import__('os')after"]),
        ("", ["after"]),
        ("a" * 300 + " [1, 2, 3, 4]", ["a" * 300 + " [1, 2, 3, 4]after"]),
    ],
)
def test_broken_boxes_with_a_label_inside(inside, expected):
    spoken, parser = summary(f"<|det|>{inside}<|/det|>after")
    assert spoken == expected
    assert parser.malformed == 1


def test_an_unfinished_box_does_not_swallow_the_next_one():
    spoken, parser = summary("<|det|>text [1, 2<|det|>text [1, 2, 3, 4]<|/det|>words<|det|>text [5")
    assert spoken == ["text [1, 2", ("text", ((1, 2, 3, 4),)), "wordstext [5"]
    assert parser.malformed == 2
