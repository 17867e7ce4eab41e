import pytest

from fovea.recognition.blocks import tangled
from fovea.result.page_result import Block


def block(kind, *box):
    return Block(1, kind, box, "text")


@pytest.mark.parametrize(
    ("others", "pairs"),
    [
        ([("text", 0, 100, 400, 200)], 0),
        ([("text", 0, 85, 400, 200)], 0),
        ([("text", 20, 20, 180, 80)], 1),
        ([("text", 20, 20, 180, 80), ("table", 200, 20, 300, 60)], 2),
        ([("image", 20, 20, 180, 80)], 0),
        ([("title", 20, 20, 180, 80)], 0),
    ],
)
def test_texts_that_lie_in_each_other_are_tangled(others, pairs):
    assert tangled([block("text", 0, 0, 400, 100), *(block(*other) for other in others)]) == pairs
