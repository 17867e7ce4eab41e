"""The records have the schemas of the service's output, and are the same for the same page."""

import json
from pathlib import Path

import pytest

from fovea.contract import schema_fault
from fovea.corpus.manifest import PlannedDocument
from fovea.corpus.options import Reading
from fovea.corpus.records import (
    line_record,
    page_record,
    reading_id,
    selection_text,
    shown,
    training_record,
)

RECORDS = json.loads((Path(__file__).parents[2] / "contract" / "records.json").read_text())
VALID = Path(__file__).parents[2] / "contract" / "valid"
SHA = "ab" * 32


@pytest.mark.parametrize("example", RECORDS["readings"], ids=lambda example: example["why"])
def test_readings_have_the_ids_of_the_service(example):
    options = {**example["options"], "languages": tuple(example["options"].get("languages", ()))}
    assert reading_id(example["document_sha256"], Reading(**options), example["page"]) == example["id"]


def test_a_page_is_shown_as_the_service_shows_it():
    assert shown(RECORDS["pushed"]) == {
        **RECORDS["shown"],
        "timings_ms": dict.fromkeys(RECORDS["pushed"]["timings_ms"], 0),
    }


def test_training_data_are_what_the_service_makes_of_the_same_records():
    assert training_record(RECORDS["line"], RECORDS["page"]) == RECORDS["training"]


@pytest.mark.parametrize("file", sorted(VALID.glob("page*.json")), ids=lambda file: file.stem)
def test_records_have_the_schemas_of_the_contract(file):
    result = json.loads(file.read_text())["body"]
    if result["error"] is not None:
        pytest.skip("a failed page has no record")
    reading = Reading("pp-ocr")
    document = PlannedDocument(3, "s3://bucket/a.pdf", "", "c", {"k": "v"})
    failed = [(9, {"code": "page_unreadable", "message": "The page cannot be rendered."})]
    line = line_record(
        document, reading, error=None, document_sha256=SHA, selection="1-", done=1, failed=failed
    )
    page = page_record(3, "c", SHA, reading, result)
    assert schema_fault("OutputLine", line) is None
    assert schema_fault("OutputPage", page) is None
    assert schema_fault("TrainingRecord", training_record(line, page)) is None
    assert line["state"] == "partial"


def test_a_record_that_lacks_a_field_breaks_the_contract():
    reading = Reading("pp-ocr")
    page = page_record(1, None, SHA, reading, RECORDS["pushed"])
    del page["reading"]
    assert schema_fault("OutputPage", page)


def test_pages_are_written_as_ranges():
    assert selection_text([1, 2, 3, 7, 9, 10]) == "1-3,7,9-10"
    assert selection_text([]) == ""
