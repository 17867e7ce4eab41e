"""The page result against the examples that the edge tests against too."""

import json
from pathlib import Path

import pytest
from support import DIGEST

from fovea.contract import schema_fault
from fovea.result.page_result import (
    PARTS,
    Block,
    LineBox,
    PageResult,
    TableCell,
    WordBox,
    encode,
    failed_page,
    page_faults,
    without,
)

CONTRACT = Path(__file__).parents[2] / "contract"


def examples(folder, kind):
    return [
        pytest.param(json.loads(path.read_text())["body"], id=path.stem)
        for path in sorted((CONTRACT / folder).glob(f"{kind}*.json"))
    ]


@pytest.mark.parametrize("body", examples("valid", "page"))
def test_valid_examples_pass(body):
    assert page_faults(body) == []


@pytest.mark.parametrize("body", examples("invalid", "page"))
def test_invalid_examples_are_named(body):
    assert page_faults(body)


@pytest.mark.parametrize("body", examples("valid", "document"))
def test_valid_reports_of_a_document_pass(body):
    assert schema_fault("DocumentReport", body) is None


@pytest.mark.parametrize("body", examples("invalid", "document"))
def test_invalid_reports_of_a_document_are_named(body):
    assert schema_fault("DocumentReport", body)


@pytest.mark.parametrize("value", ["\ud83d", "\ude80 x", float("nan"), float("inf")])
def test_what_json_in_utf_8_cannot_hold_is_not_encoded(value):
    with pytest.raises(ValueError):
        encode({"value": value})


def test_a_result_that_breaks_the_protocol_is_not_written():
    result = PageResult(1, 10, 10, 144, "m", DIGEST, verdict="failed")
    with pytest.raises(ValueError, match="error"):
        result.to_json()


def test_a_failed_page_is_valid_and_says_why():
    body = failed_page(7, "m", DIGEST, {"code": "internal", "message": "x"}, task="free").to_json()
    assert (body["page"], body["verdict"], body["finish_reason"]) == (7, "failed", "error")


def detailed():
    box = (0.1, 0.2, 0.3, 1.000001)
    words = [WordBox("a", box, 0.98765), WordBox("b", box)]
    table = Block(1, "table", box, "a b", 0.5, "<table></table>", lines=[LineBox("a b", box, 0.9, words)])
    table.cells = [TableCell(0, 0, 1, 2, "a b", box), TableCell(1, 0, 1, 1, "")]
    return PageResult(1, 10, 10, 144, "m", DIGEST, blocks=[table, Block(2, "text", box, "c")])


def test_lines_words_and_cells_are_in_the_result():
    table, text = detailed().to_json()["blocks"]
    assert table["lines"][0]["words"][0] == {"text": "a", "bbox": [0.1, 0.2, 0.3, 1], "confidence": 0.9877}
    assert table["cells"][1] == {
        "row": 1, "column": 0, "rowspan": 1, "colspan": 1, "text": "", "bbox": None
    }  # fmt: skip
    assert set(text) == {"id", "type", "bbox", "text", "confidence"}


def test_the_finest_parts_of_a_result_can_be_left_out():
    result = detailed()
    assert [without(result, part) for part in PARTS] == [True, True, True]
    assert [without(result, part) for part in PARTS] == [False, False, False]
    assert not {"lines", "cells"} & set(result.to_json()["blocks"][0])
