"""Where displays draw: new figures, axes that are given, and axes that are divided."""

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import pyplot as plt

from skae._drawing import PlottingError
from skae.plotting._canvas import HEIGHTS, one_axes, panels, size_in_points, spread_over


@pytest.fixture
def ours(figures):
    """Return a function that notes the figures made since as expected."""
    return lambda: figures.update(plt.get_fignums())


def test_without_axes_there_is_a_new_figure_of_that_size(ours):
    ax = one_axes(None, (5, 3))
    ours()
    np.testing.assert_allclose(ax.figure.get_size_inches(), (5, 3))
    assert ax.figure.axes == [ax]
    assert one_axes(None, projection="3d").name == "3d"
    ours()


@pytest.mark.parametrize(("height", "expected"), [(0.1, HEIGHTS[0]), (400.0, HEIGHTS[1])])
def test_no_figure_is_too_flat_for_its_labels_or_too_tall_for_a_page(ours, height, expected):
    assert one_axes(None, (7, height)).figure.get_size_inches()[1] == pytest.approx(expected)
    ours()


def test_axes_that_are_given_are_taken_as_they_are(subplots):
    _, ax = subplots()
    assert one_axes(ax, (5, 3)) is ax


def test_panels_without_axes_are_a_new_figure(ours):
    axes = panels(None, 2, 3, figsize=(6, 4), width_ratios=(1, 2, 3))
    ours()
    assert axes.shape == (2, 3)
    assert axes[0, 0].figure.axes == list(axes.ravel())
    assert panels(None, 1, 1, figsize=(6, 4)).shape == (1, 1)
    ours()


@pytest.mark.parametrize("layout", [None, "constrained"])
def test_panels_lie_in_the_place_of_the_axes_and_leave_the_others(subplots, layout):
    figure, (left, right) = subplots(1, 2, layout=layout)
    place, other = left.get_position(), right.get_position().bounds
    axes = panels(left, 2, 2, figsize=(9, 9), width_ratios=(1, 3))
    assert not left.axison
    assert right.axison
    assert right.get_position().bounds == other
    assert set(figure.axes) == {left, right, *axes.ravel()}
    for ax in axes.ravel():
        box = ax.get_position()
        assert place.x0 - 1e-9 <= box.x0 < box.x1 <= place.x1 + 1e-9
        assert place.y0 - 1e-9 <= box.y0 < box.y1 <= place.y1 + 1e-9
    assert axes[0, 1].get_position().width == pytest.approx(3 * axes[0, 0].get_position().width)


def test_panels_share_their_axes_only_where_asked_to(subplots):
    _, (one, two) = subplots(1, 2)
    shared = panels(one, 1, 2, figsize=(1, 1), sharex=True, sharey=True)[0]
    shared[0].set(xlim=(3, 4), ylim=(5, 6))
    assert (shared[1].get_xlim(), shared[1].get_ylim()) == ((3, 4), (5, 6))
    alone = panels(two, 1, 2, figsize=(1, 1))[0]
    alone[0].set(xlim=(3, 4), ylim=(5, 6))
    assert alone[1].get_xlim() != (3, 4)


def test_axes_are_divided_once(subplots):
    _, ax = subplots()
    panels(ax, 1, 2, figsize=(1, 1))
    with pytest.raises(ValueError, match="ax has been divided by another display"):
        panels(ax, 1, 2, figsize=(1, 1))


def test_panels_can_be_divided_again(subplots):
    _, ax = subplots()
    outer = panels(ax, 1, 2, figsize=(1, 1))[0, 1]
    inner = panels(outer, 2, 1, figsize=(1, 1))
    assert inner[0, 0].get_position().x0 == pytest.approx(outer.get_position().x0)


def test_axes_without_a_place_in_a_grid_cannot_be_divided(subplots):
    figure, _ = subplots()
    free = figure.add_axes((0.1, 0.1, 0.5, 0.5))
    with pytest.raises(ValueError, match=r"no place in a grid.*plt\.subplots or Figure\.subplots"):
        panels(free, 1, 2, figsize=(1, 1))
    assert free.axison


def test_axes_are_measured_in_points_in_figures_and_in_parts_of_them(subplots):
    figure, ax = subplots(figsize=(5, 4), dpi=50)
    box = ax.get_position()
    np.testing.assert_allclose(size_in_points(ax), [5 * 72 * box.width, 4 * 72 * box.height])
    half = figure.subfigures(1, 2)[0].subplots()
    box = half.get_position()
    np.testing.assert_allclose(size_in_points(half), [2.5 * 72 * box.width, 4 * 72 * box.height])


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    for how in (lambda: one_axes(None), lambda: panels(None, 1, 1, figsize=(1, 1))):
        with pytest.raises(PlottingError, match=r"pip install 'skae\[plot\]'"):
            how()


@given(st.integers(1, 500), st.integers(1, 40))
def test_items_are_spread_from_the_first_to_the_last(n_items, n_places):
    places = spread_over(n_items, n_places)
    assert len(set(places.tolist())) == min(n_items, n_places)
    assert places[0] == 0
    if n_places > 1:
        assert places[-1] == n_items - 1
        steps = np.diff(places)
        assert len(steps) == 0 or steps.max() - steps.min() <= 1
