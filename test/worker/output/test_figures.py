"""SMILES and plane geometry: strict grammars, so nothing in an answer is ever run."""

import pytest

from fovea.output.shapes import read_shapes
from fovea.output.smiles import is_smiles


@pytest.mark.parametrize(
    "text",
    [
        "CCO", "c1ccccc1", "CC(=O)Oc1ccccc1C(=O)O", "CN1C=NC2=C1C(=O)N(C(=O)N2C)C", "[Na+].[Cl-]",
        "C[C@@H](N)C(=O)O", "F/C=C/F", "C#N", "[13CH4]", "C%12CCCCC%12", "[Cu+2]",
        "OC(=O)CC(O)(C(=O)O)CC(=O)O",
    ],
)  # fmt: skip
def test_smiles(text):
    assert is_smiles(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "hello", "spoon", "cocoon", "Soon", "C(", "C)", "C1CC", "=C", "C==C", "C=", "(C)C", "C()C", ".C",
        "C.", "[Xx",
        "C C", "CCO\n", "H2O", "[]", "Total: 12", "C" * 1001, "(" * 900, "eval('C')",
    ],
)  # fmt: skip
def test_not_smiles(text):
    assert not is_smiles(text)


ANSWER = """{
 'Line': {
  'line': ['(0.0, 1.5) -- (3, -2.25)', '(0,0)--(1,1)'],
  'line_type': ['--', '-'],
  'line_endpoint': ['A: (0.0, 1.5)', "B': (3, -2.25)"]
 },
 'Circle': {'circle_center': ['O: (0, 0)'], 'radius': [2.5]}
}"""


def test_shapes():
    assert read_shapes(ANSWER) == {
        "lines": [
            {"from": [0.0, 1.5], "to": [3.0, -2.25], "style": "--"},
            {"from": [0.0, 0.0], "to": [1.0, 1.0], "style": "-"},
        ],
        "points": [{"name": "A", "at": [0.0, 1.5]}, {"name": "B'", "at": [3.0, -2.25]}],
        "circles": [{"center": [0.0, 0.0], "radius": 2.5}],
    }


@pytest.mark.parametrize(
    "text",
    [
        "", "{}", "[]", "line", "{'Line': {}}", "{'Line': {'line': 'x'}}", "{'Line': {'line': ['(1,2)']}}",
        "{'Line': {'line': ['(1,2) -- (3,4)']}} or 1", "{'Line': {'line': [open('x')]}}",
        "__import__('os').system('true')", "{'Line': {'line': ['(1,2) -- (3,4)'], 'line_type': ['rm']}}",
        "{'Other': 1, 'Line': {'line': ['(1,2) -- (3,4)']}}", "{" * 9000, "[" * 9000, "{'a':" * 5000,
        "{'Circle': {'circle_center': ['O: (0,0)'], 'radius': [-1]}}",
        "{'Circle': {'circle_center': ['O: (0,0)'], 'radius': []}}", "{'Line': {'line': ['" + "9" * 40_000,
    ],
)  # fmt: skip
def test_not_shapes(text):
    assert read_shapes(text) is None
