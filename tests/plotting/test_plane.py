"""Data in the plane: what is in it, and how it lies under a curve or a field."""

import numpy as np
import pytest

from skae.plotting._plane import draw_points, two_columns


def test_two_columns_are_in_the_plane_and_others_are_not():
    X = np.ones((4, 2))
    assert two_columns(X, "ThisDisplay") is X
    with pytest.raises(ValueError, match="X has 3 columns, but ThisDisplay draws"):
        two_columns(np.ones((4, 3)), "ThisDisplay")


def test_points_lie_where_the_data_does_and_under_all_else(subplots):
    X = np.random.RandomState(0).normal(size=(30, 2))
    _, ax = subplots()
    draw_points(ax, X)
    (points,) = ax.collections
    np.testing.assert_array_equal(points.get_offsets(), X)
    assert points.get_zorder() == 0
