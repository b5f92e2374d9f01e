"""Rows colored by a column."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from skae._table_values import Values
from skae.reporting._colors import N_COLORS, N_STEPS, Scale, Swatch, coloring_of, level_colors


def category(numbers, n_levels):
    return Values("a", "category", np.array(numbers, float), [f"l{i}" for i in range(n_levels)])


def number(numbers):
    return Values("a", "number", np.array(numbers, float))


def test_each_level_has_its_color_and_a_hole_has_none():
    coloring = coloring_of(category([2, 0, np.nan, 2], 4))
    assert coloring.scale == "k"
    assert coloring.places.tolist() == [1, 0, -1, 1]
    assert coloring.legend == [Swatch("k0", "l0"), Swatch("k1", "l2")]
    assert coloring.n_holes == 1


def test_rare_levels_share_the_last_color():
    numbers = np.repeat(np.arange(15), np.arange(15, 0, -1))
    coloring = coloring_of(category(numbers, 15))
    last = N_COLORS - 1
    assert coloring.places.tolist() == np.minimum(numbers, last).tolist()
    assert coloring.legend[-1] == Swatch(f"k{last}", "6 other levels")
    assert len(coloring.legend) == N_COLORS
    assert level_colors(category(numbers, 15)).numbers.tolist() == [*range(9), *[9] * 6]


def test_few_different_numbers_are_told_apart_one_by_one():
    coloring = coloring_of(number([3, 1, 2, 3]))
    assert coloring.places.tolist() == [N_STEPS - 1, 0, 8, N_STEPS - 1]
    assert [swatch.text for swatch in coloring.legend] == ["1", "2", "3"]


def test_a_scale_is_linear_where_numbers_spread():
    numbers = np.linspace(0, 160, 801)
    coloring = coloring_of(number(numbers))
    step = (numbers - 3.2) / (153.6 / N_STEPS)  # from the 2nd to the 98th percentile
    inside = np.abs(step - np.rint(step)) > 1e-6
    expected = np.floor(step).clip(0, N_STEPS - 1)
    np.testing.assert_array_equal(coloring.places[inside], expected[inside])
    assert coloring.legend == Scale(["≤ 3.2", "80", "≥ 156.8"], "")


def test_a_scale_has_equal_numbers_of_rows_where_they_crowd():
    numbers = np.exp(np.linspace(0, 12, 1600))
    coloring = coloring_of(number(numbers))
    assert np.bincount(coloring.places).tolist() == [100] * N_STEPS
    assert isinstance(coloring.legend, Scale)
    assert coloring.legend.remark


SOME = st.one_of(st.just(np.nan), st.floats(-1e9, 1e9, width=32))


@given(
    arrays(
        float,
        st.integers(0, 40),
        elements=SOME,
    )
)
def test_any_numbers_have_steps_in_their_order(numbers):
    coloring = coloring_of(number(numbers))
    known = ~np.isnan(numbers)
    assert (coloring.places[~known] == -1).all()
    places = coloring.places[known][np.argsort(numbers[known])]
    assert (np.diff(places) >= 0).all()
    assert ((places >= 0) & (places < N_STEPS)).all()
