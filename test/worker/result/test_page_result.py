"""The page result against the examples that the edge tests against too."""

import json
from pathlib import Path

import pytest
from support import DIGEST

from fovea.result.page_result import PageResult, failed_page, page_faults

CONTRACT = Path(__file__).parents[2] / "contract"


def examples(folder):
    return [
        pytest.param(json.loads(path.read_text())["body"], id=path.stem)
        for path in sorted((CONTRACT / folder).glob("page*.json"))
    ]


@pytest.mark.parametrize("body", examples("valid"))
def test_valid_examples_pass(body):
    assert page_faults(body) == []


@pytest.mark.parametrize("body", examples("invalid"))
def test_invalid_examples_are_named(body):
    assert page_faults(body)


def test_a_result_that_breaks_the_protocol_is_not_written():
    result = PageResult(1, 10, 10, 144, "m", DIGEST, verdict="failed")
    with pytest.raises(ValueError, match="error"):
        result.to_json()


def test_a_failed_page_is_valid_and_says_why():
    body = failed_page(7, "m", DIGEST, {"code": "internal", "message": "x"}, task="free").to_json()
    assert (body["page"], body["verdict"], body["finish_reason"]) == (7, "failed", "error")
