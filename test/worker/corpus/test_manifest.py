"""A manifest's lines, and the plan that is made of them."""

import json

import pytest

from fovea.corpus.manifest import PlannedDocument, plan_documents, read_manifest
from fovea.corpus.options import InputError


def plan(folder, *lines):
    file = folder / "set.txt"
    file.write_text("\n".join(lines))
    return list(plan_documents(read_manifest(str(file))[1], str(file)))


def test_lines_are_paths_globs_addresses_and_objects(tmp_path):
    (tmp_path / "scans").mkdir()
    for name in ("b.pdf", "a.pdf", "c.png"):
        (tmp_path / "scans" / name).touch()
    found = plan(
        tmp_path,
        "scans/*.pdf",
        "# a comment",
        "",
        "https://example.com/report.pdf",
        json.dumps({"path": "scans/c.png", "pages": "1-3", "custom_id": "c", "metadata": {"k": "v"}}),
    )
    here = f"file://{tmp_path}/scans"
    assert found == [
        PlannedDocument(1, f"{here}/a.pdf"),
        PlannedDocument(2, f"{here}/b.pdf"),
        PlannedDocument(3, "https://example.com/report.pdf"),
        PlannedDocument(4, f"{here}/c.png", "1-3", "c", {"k": "v"}),
    ]
    assert [PlannedDocument.from_line(document.to_line()) for document in found] == found


def test_one_place_has_one_name(tmp_path):
    (tmp_path / "a.pdf").touch()
    assert (
        len({document.url for document in plan(tmp_path, "a.pdf", "./a.pdf", f"{tmp_path}/x/../a.pdf")}) == 1
    )


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("{", "not JSON"),
        ('{"pages": "1"}', "no path"),
        ('{"path": "a", "page": "1"}', "unknown: page"),
        ('{"path": "a", "pages": "x"}', "pages: "),
        ('{"path": 3}', "path is a string"),
        ('{"path": "a", "metadata": {"k": 1}}', "metadata is an object of strings"),
        ('{"path": "a", "custom_id": ""}', "custom_id has 1 to"),
        ("x" * 40_000, "longer than 32 KiB"),
    ],
)
def test_faults_name_their_lines(tmp_path, line, fault):
    with pytest.raises(InputError, match=f"(?s)line 2: .*{fault}"):
        plan(tmp_path, "a.pdf", line)


def test_all_faults_are_listed_up_to_a_limit(tmp_path):
    with pytest.raises(InputError, match=r"(?s)line 1.*line 20:.*… and 5 more"):
        plan(tmp_path, *["{"] * 25)


def test_what_cannot_be_found_is_said(tmp_path):
    with pytest.raises(InputError, match="names no document"):
        plan(tmp_path, "# nothing")
    with pytest.raises(InputError, match="matches no file"):
        plan(tmp_path, "*.pdf")
    with pytest.raises(InputError, match="There is no manifest"):
        read_manifest(str(tmp_path / "none.txt"))
    with pytest.raises(InputError, match="nowhere"):
        plan(tmp_path, "nowhere://bucket/a.pdf")
