import pytest
from train_support import MATERIAL

from fovea.train.evaluate import Report, distance, size_range
from fovea.train.strips import Style, make_strip


@pytest.mark.parametrize(
    ("a", "b", "steps"),
    [
        ("", "", 0),
        ("", "abc", 3),
        ("abc", "", 3),
        ("kitten", "sitting", 3),
        ("flaw", "lawn", 2),
        ("añb", "anb", 1),
    ],
)
def test_distance(a, b, steps):
    assert distance(a, b) == distance(b, a) == steps


def test_a_report_counts_by_size_and_is_never_below_nothing():
    strip = make_strip(1, 512, Style(smallest=22, largest=22, packed=0, empty=0, data=MATERIAL))
    report = Report()
    report.add(strip, strip.text)
    assert report.row() == {"20 px": 1.0, "all": 1.0}
    report.add(strip, strip.text * 4)
    assert report.accuracy() == 0.0
    assert [size_range(size) for size in (10, 14, 19, 20, 40)] == [
        "under 14 px",
        "14 px",
        "14 px",
        "20 px",
        "28 px",
    ]
