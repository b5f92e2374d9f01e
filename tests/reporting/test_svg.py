"""Pictures as text."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skae.reporting import _svg

NASTY = '</svg><script>alert("1")</script>&\''
X = np.linspace(-1, 2, 5)


@pytest.mark.parametrize(
    "picture",
    [
        _svg.bars([3, 0, 1], label=NASTY),
        _svg.bars([], label=NASTY),
        _svg.histogram(np.random.RandomState(0).standard_cauchy(300), label=NASTY),
        _svg.share_bar(-0.5, label=NASTY),
        _svg.line(X, X**2, label=NASTY, texts=(NASTY, "b", "c", "d")),
        _svg.line(X, np.zeros(5), label=NASTY, texts=("a", "b", "c", "d")),
        _svg.stack(X, np.full((5, 2), 0.5), ["k0", "k1"], label=NASTY, ends=(NASTY, "b")),
        _svg.color_bar([NASTY, "1", "2"]),
        _svg.swatch("k0"),
    ],
)
def test_a_picture_is_well_formed_whatever_its_texts(picture):
    root = ElementTree.fromstring(picture)
    assert root.tag == "svg"
    assert "script" not in {element.tag for element in root.iter()}
    assert "nan" not in picture


def test_bars_are_as_high_as_their_counts():
    picture = _svg.bars([4, 1, 2], label="")
    heights = [float(number) for number in re.findall(r"v-([\d.]+)", picture)]
    assert heights == [30.0, 7.5, 15.0]


def test_a_histogram_counts_every_number():
    numbers = np.concatenate([np.random.RandomState(0).normal(size=500), [1e6]])
    picture = _svg.histogram(numbers, label="")
    assert picture.count("v-") > 10  # one far out leaves the others apart


def test_marks_of_a_color_bar_are_as_many_as_there_is_room_for():
    def marks(*texts):
        return re.findall(r">([^<]+)</text>", _svg.color_bar(texts))

    assert marks("0", "1", "2", "3", "4") == ["0", "1", "2", "3", "4"]
    assert marks(*["2000-01-01"] * 5) == ["2000-01-01"] * 3 == marks(*["2000-01-01"] * 3)
    assert marks("2000-01-01 10:00", "b", "2000-01-01 11:00")[1:] == ["2000-01-01 11:00"]


def test_points_keep_their_places():
    points = np.array([[0.0, 10.0], [5.0, 20.0], [10.0, 30.0]])
    places = _svg.Frame(points, 100, 50).place(points)
    np.testing.assert_allclose(places, [[4, 46], [50, 25], [96, 4]])


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_are_few_round_and_inside(low, reach):
    high = low + reach
    ticks = _svg.ticks(low, high)
    assert 1 <= len(ticks) <= 7
    assert ticks.min() >= low - 1e-9 * reach
    assert ticks.max() <= high + 1e-9 * reach
