"""What is measured of a row in each view, and how improbable that is."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose

from skae import _views
from skae._views import CodeNeighbors, ColumnDeviations, NearestRow, Tail


def normal(*shape, seed=0):
    return np.random.RandomState(seed).normal(size=shape)


# Codes


@pytest.mark.parametrize("values", [60, 2**20])  # of distances at one time
def test_a_code_is_as_far_as_the_farthest_of_its_nearest_neighbors(values, monkeypatch):
    monkeypatch.setattr(_views, "_DISTANCES", values)
    codes, new = normal(600, 3) + normal(600, 1, seed=1), normal(7, 3, seed=2)
    neighbors = CodeNeighbors.of(codes, np.ones(600))
    inverse = np.linalg.inv(np.cov(codes.T, bias=True))
    away = new[:, None] - codes
    distances = np.sqrt(np.einsum("nij,jk,nik->ni", away, inverse, away))
    assert_allclose(neighbors.distance(new), np.sort(distances, axis=1)[:, 11])  # a fiftieth


def test_of_few_codes_ten_are_neighbors_and_of_fewer_all():
    codes = normal(30, 2)
    space = CodeNeighbors.of(codes, np.ones(30)).space
    for n_codes, n_neighbors in ((30, 10), (7, 7)):
        neighbors = CodeNeighbors.of(codes[:n_codes], np.ones(n_codes))
        space = neighbors.space
        apart = space.whitened(codes[:1]) - space.whitened(codes[:n_codes])
        expected = np.sort(np.linalg.norm(apart, axis=1))[n_neighbors - 1]
        assert_allclose(neighbors.distance(codes[:1]), [expected])


def test_a_weight_of_two_is_the_code_twice():
    codes, new = normal(500, 2), normal(9, 2, seed=1)
    weight = 1.0 + (np.arange(500) % 3 == 0)
    twice = np.repeat(codes, weight.astype(int), axis=0)
    wanted = CodeNeighbors.of(codes, weight).wanted
    repeated = CodeNeighbors.of(twice, np.ones(len(twice)))._replace(wanted=wanted)
    assert_allclose(CodeNeighbors.of(codes, weight).distance(new), repeated.distance(new))


def test_a_thousand_codes_stand_for_more():
    neighbors = CodeNeighbors.of(normal(5000, 2), np.ones(5000))
    assert len(neighbors.references) == 1024
    assert neighbors.wanted == pytest.approx(0.02 * 1024)


def holes(X, seed=3):
    hole = np.random.RandomState(seed).uniform(size=X.shape) < 0.2
    hole[:, 0] = False  # no row is without any value
    return np.where(hole, np.nan, X)


# Rows


@pytest.mark.parametrize("values", [60, 2**20])  # of distances at one time
@pytest.mark.parametrize("has_holes", [False, True])
def test_a_row_is_as_far_as_the_nearest_one_by_the_values_that_are_known(
    values, has_holes, monkeypatch
):
    monkeypatch.setattr(_views, "_DISTANCES", values)
    X, new, middle = 50 + normal(90, 4), 50 + normal(11, 4, seed=1), np.full(4, 50.0)
    if has_holes:
        X, new = holes(X), holes(new, seed=4)
    nearest = NearestRow.of(X, middle)
    away = new[:, None] - np.where(np.isnan(X), middle, X)
    squares = 4 * np.nanmean(away**2, axis=2)
    assert_allclose(nearest.distance(new), np.sqrt(squares.min(axis=1)))
    parts = np.nan_to_num(away[np.arange(11), squares.argmin(axis=1)] ** 2)
    assert_allclose(nearest.squares_by_value(new), parts, atol=1e-12)


@pytest.mark.parametrize("columns", [2, 2048])  # beyond which sparse references stay sparse
def test_sparse_rows_are_as_far_as_dense_ones_whatever_the_others_are(columns, monkeypatch):
    monkeypatch.setattr(_views, "_DENSE_COLUMNS", columns)
    X, new = (3 + normal(60, 5, seed=i) * (normal(60, 5, seed=2 + i) > 0) for i in (0, 1))
    expected = np.linalg.norm(new[:, None] - X, axis=2).min(axis=1)
    for known in (X, sp.csr_array(X)):
        nearest = NearestRow.of(known, np.median(X, axis=0))
        assert sp.issparse(nearest.references) == (sp.issparse(known) and columns < 5)
        for rows in (new, sp.csr_array(new)):
            assert_allclose(nearest.distance(rows), expected)
        assert_allclose(nearest.squares_by_value(new).sum(axis=1), expected**2)
        assert np.isfinite(nearest.distance(holes(new))).all()


def test_rows_far_from_the_middle_are_told_apart():
    X = normal(300, 3)
    X[:100] += 1e8
    new = X[:20] + 0.3
    expected = np.linalg.norm(new[:, None] - X, axis=2).min(axis=1)
    assert_allclose(NearestRow.of(X, np.median(X, axis=0)).distance(new), expected, rtol=1e-6)


def test_five_hundred_rows_stand_for_more():
    assert len(NearestRow.of(normal(5000, 2), np.zeros(2)).references) == 512


# Columns, of which some values are missing


@pytest.mark.parametrize("values", [60, 2**20])
def test_values_are_measured_in_median_deviations_from_the_median(values, monkeypatch):
    monkeypatch.setattr(_views, "_DISTANCES", values)
    X = holes(normal(101, 4) * [1, 2, 3, 4])
    columns = ColumnDeviations.of(X, np.ones(101))
    for j, column in enumerate(X.T):
        known = np.sort(column[~np.isnan(column)])
        middle = known[(len(known) - 1) // 2]
        apart = np.sort(np.abs(known - middle))
        assert columns.middle[j] == middle
        assert columns.spread[j] == apart[(len(known) - 1) // 2]
    far = np.log1p(np.abs(X - columns.middle) / columns.spread)
    assert_allclose(columns.total(X, ~np.isnan(X)), 4 * np.nanmean(far, axis=1))


def test_where_most_values_are_the_same_the_mean_deviation_counts():
    X = np.zeros((100, 2))
    X[:10, 0], X[:, 1] = 5.0, np.arange(100)
    assert ColumnDeviations.of(X, np.ones(100)).spread[0] == pytest.approx(0.5)


def test_a_constant_column_has_a_hundredth_of_the_mean_deviation():
    X = np.column_stack([np.zeros(101), np.arange(101.0)])
    assert ColumnDeviations.of(X, np.ones(101)).spread.tolist() == [0.125, 25.0]
    assert ColumnDeviations.of(np.zeros((5, 2)), np.ones(5)).spread.tolist() == [1.0, 1.0]


def test_sparse_rows_are_measured_as_dense_ones_are():
    X = normal(80, 5) * (normal(80, 5, seed=1) > 0.5)
    dense, sparse = (ColumnDeviations.of(one, np.ones(80)) for one in (X, sp.csr_array(X)))
    assert_allclose(dense.middle, sparse.middle)
    assert_allclose(dense.spread, sparse.spread)
    known = np.ones(X.shape, dtype=bool)
    assert_allclose(sparse.total(sp.csr_array(X), known), dense.total(X, known))


def test_weighted_rows_are_measured_as_repeated_ones_are():
    X, weight = holes(normal(60, 3)), 1.0 + (np.arange(60) % 4 == 0)
    weighted = ColumnDeviations.of(X, weight)
    repeated = ColumnDeviations.of(np.repeat(X, weight.astype(int), axis=0), np.ones(75))
    assert_allclose(weighted.middle, repeated.middle)
    assert_allclose(weighted.spread, repeated.spread)


# Probabilities


def test_equal_distances_that_differ_by_rounding_are_one():
    # As those of two rows are, of which each is the nearest of the other.
    distance = np.repeat(np.exp(normal(200)), 2) * np.tile([1.0, 1 + 1e-12], 200)
    tail = Tail.of(distance, np.ones(400))
    assert np.diff(tail.knots).min() > 1e-6
    assert_allclose(tail(distance[::2]), tail(distance[1::2]), rtol=1e-6, atol=1e-9)


def test_probabilities_of_typical_rows_are_uniform():
    tail = Tail.of(np.exp(normal(5000)), np.ones(5000))
    probability = np.sort(np.exp(tail(np.exp(normal(5000, seed=1)))))
    assert np.abs(probability - (np.arange(5000) + 0.5) / 5000).max() < 0.03


@pytest.mark.parametrize("exponent", [1.0, 4.0])
def test_beyond_the_upper_tenth_they_fall_as_a_power(exponent):
    measured = np.random.RandomState(0).pareto(exponent, size=20_000) + 1
    tail = Tail.of(measured, np.ones(20_000))
    far = np.array([10.0, 1000.0]) ** (1 / exponent) * 2
    assert_allclose(tail(far), -exponent * np.log(far), rtol=0.06)


measures = arrays(np.float64, st.integers(2, 30), elements=st.floats(0, 1e9))


@given(measures, measures)
def test_what_is_more_unusual_is_never_more_probable(learnt, new):
    tail = Tail.of(learnt, np.ones(len(learnt)))
    probabilities = tail(np.sort(new))
    assert np.isfinite(probabilities).all()
    assert (probabilities <= 0).all()
    assert (np.diff(probabilities) <= 1e-12).all()


def test_weighted_rows_are_as_probable_as_repeated_ones():
    measured, weight = np.exp(normal(60)), 1.0 + (np.arange(60) % 4 == 0)
    weighted = Tail.of(measured, weight)
    repeated = Tail.of(np.repeat(measured, weight.astype(int)), np.ones(75))
    new = np.exp(normal(50, seed=1))
    assert_allclose(weighted(new), repeated(new))
