import pytest
from lines import line

from fovea.layout.equations import is_equation
from fovea.layout.line import Marks, Page, Region
from fovea.layout.page import lay_out

BOX = (300.0, 100.0, 700.0, 130.0)
SEEN = [Region("equation", 0.9, (280, 90, 720, 140))]


@pytest.mark.parametrize(
    "text",
    ["E = mc (3)", "∑ x = n", "y = α + βx", "f(x) = sin x + log x (A.2)", "p(y|x) ≈ exp(−d/2) / Z"],
)
def test_formulas(text):
    assert is_equation(text, BOX, [])


@pytest.mark.parametrize(
    "text",
    [
        "x = 3",
        "Total = 120 EUR",
        "the α of the model = 0.05 in all cases (3)",
        "(12)",
        "a > b",
        "Chapter (3)",
    ],
)
def test_other_texts(text):
    assert not is_equation(text, BOX, [])


def test_the_layout_model_may_know_a_formula():
    assert is_equation("x = 3", BOX, SEEN)
    assert not is_equation("See the table below", BOX, SEEN)


def test_a_large_formula_is_no_heading():
    prose = [
        line("The energy of a body at rest follows from its mass alone.", 100, y) for y in (100, 130, 160)
    ]
    formula = line("E = mc² (3)", 320, 230, height=40)
    blocks = lay_out(Page([*prose, formula], 900, 1200, Marks(), []))
    assert [block.type for block in blocks] == ["text", "equation"]
