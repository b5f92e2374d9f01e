"""Categories of many levels as points: what tells them apart, and the way back."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skae import TableEncoder
from skae._level_embedding import EmbeddedColumn
from skae._table_values import Values

N_LEVELS = 80


def rows(n_rows=400, seed=0):
    """Return places of levels, and numbers that are about where the level is."""
    random = np.random.RandomState(seed)
    where = random.normal(size=(N_LEVELS, 2))
    place = np.concatenate([np.arange(N_LEVELS), random.randint(0, N_LEVELS, n_rows - N_LEVELS)])
    return place, where[place] + random.normal(size=(n_rows, 2)) / 10, where


def column(weight=None, say=1.0, others=None):
    place, numbers, _ = rows()
    values = Values("town", "category", place.astype(float), [f"t{i:02}" for i in range(N_LEVELS)])
    weight = np.ones(len(place)) if weight is None else weight
    others = numbers - numbers.mean(axis=0) if others is None else others
    return values, EmbeddedColumn(values, weight, say, others)


def table():
    place, numbers, _ = rows()
    return pd.DataFrame(
        {"town": [f"t{i:02}" for i in place], "x": numbers[:, 0], "y": numbers[:, 1]}
    )


def test_levels_are_linear_in_where_their_rows_are():
    _, _, where = rows()
    points = column()[1].points  # (n_levels, 2)
    design = np.column_stack([np.ones(N_LEVELS), where])
    fitted = design @ np.linalg.lstsq(design, points, rcond=None)[0]
    assert 1 - np.var(points - fitted) / np.var(points) > 0.95


@pytest.mark.parametrize("say", [1.0, 2.0])
def test_columns_have_the_mean_0_and_a_variance_that_is_the_weight_of_the_column(say):
    values, one = column(say=say)
    matrix = one.encode(values)
    assert matrix.shape[1] == one.width == 2
    assert_allclose(matrix.mean(axis=0), 0, atol=1e-12)
    assert_allclose(np.cov(matrix.T, bias=True), np.eye(2) * say / 2, atol=1e-12)
    assert_allclose(one.errors(matrix, np.zeros_like(matrix)).mean(), 1)


def test_a_weight_of_two_is_the_row_twice():
    place, numbers, _ = rows()
    weight = 1.0 + (np.arange(len(place)) % 3 == 0)
    centered = numbers - weight @ numbers / weight.sum()
    weighted = column(weight, others=centered)[1]
    twice = np.repeat(np.arange(len(place)), weight.astype(int))
    values = Values("town", "category", place[twice].astype(float), weighted.levels)
    repeated = EmbeddedColumn(values, np.ones(len(twice)), 1.0, centered[twice])
    assert_allclose(weighted.points, repeated.points)
    assert_allclose(weighted.frequency, repeated.frequency)


def test_the_mean_of_a_rare_level_is_drawn_to_that_of_all_rows():
    random = np.random.RandomState(0)
    place = np.repeat([0, 1, 2, 3], [100, 100, 100, 1])
    others = np.array([-1.0, 0.0, 1.0, 1.0])[place] + random.normal(size=len(place))
    others[-1] = 1.0
    others = (others - others.mean())[:, None]
    values = Values("town", "category", place.astype(float), [*"abcd"])
    points = EmbeddedColumn(values, np.ones(len(place)), 1.0, others).points[:, 0]
    assert 0 < np.sign(points[2]) * points[3] < 0.7 * abs(points[2])


def test_a_table_of_them_comes_back():
    encoder = TableEncoder().fit(table())
    matrix = encoder.transform(table())
    assert matrix.shape == (400, 4)
    assert list(encoder.get_feature_names_out()) == ["town (1)", "town (2)", "x", "y"]
    pd.testing.assert_frame_equal(encoder.inverse_transform(matrix), table())


def test_points_between_levels_are_decoded_as_the_nearest():
    _, one = column()
    points = one.points + np.random.RandomState(1).normal(size=one.points.shape) / 20
    distances = np.linalg.norm(points[:, None] - one.points, axis=2)
    assert_array_equal(one.decode(points), distances.argmin(axis=1))


def test_levels_that_nothing_tells_apart_are_decoded_as_the_most_frequent_of_them():
    place = np.repeat([0, 1, 2], [2, 3, 5])
    others = np.where(place == 2, 1.0, -1.0)[:, None]
    values = Values("town", "category", place.astype(float), [*"abc"])
    one = EmbeddedColumn(values, np.ones(10), 1.0, others)
    # Their means differ a little, as the one of a rarer level is drawn to that of all rows.
    middle = one.points[:2].mean(axis=0, keepdims=True)
    assert one.points[0] == pytest.approx(one.points[1])
    assert_array_equal(one.decode(middle), [1])


def test_where_the_other_columns_tell_nothing_levels_are_still_told_apart():
    random = np.random.RandomState(0)
    towns = pd.DataFrame(
        {"town": [f"t{i:02}" for i in [*range(80)] * 4], "x": random.normal(size=320)}
    )
    encoder = TableEncoder().fit(towns)
    matrix = encoder.transform(towns)
    assert np.isfinite(matrix).all()
    pd.testing.assert_frame_equal(encoder.inverse_transform(matrix), towns)


def test_a_category_alone_has_a_column_for_each_level():
    towns = table()[["town"]]
    encoder = TableEncoder().fit(towns)
    assert encoder.transform(towns).shape == (400, N_LEVELS)


def test_holes_and_unknown_levels_are_missing():
    encoder = TableEncoder().fit(table())
    other = table()[:3]
    other["town"] = ["t00", None, "elsewhere"]
    with pytest.warns(match="elsewhere"):
        matrix = encoder.transform(other)
    assert_array_equal(np.isnan(matrix[:, :2]).all(axis=1), [False, True, True])
    assert_array_equal(
        np.isnan(encoder.column_errors(matrix, np.zeros_like(matrix))[:, 0]), [0, 1, 1]
    )
