"""Scores to a threshold: the share below it, and rows with holes on the scale of the others."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from skae._calibration import CodeSpace, HoleCalibration, TypicalScores, threshold


@settings(max_examples=30, deadline=None)
@given(
    scores=st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=30, unique=True),
    share=st.floats(0.001, 0.5),
    data=st.data(),
)
def test_the_threshold_has_the_share_of_the_weight_below_it(scores, share, data):
    weight = data.draw(
        st.lists(st.floats(0.1, 10), min_size=len(scores), max_size=len(scores)).map(np.array)
    )
    scores = np.array(scores)
    below = scores < threshold(scores, weight, share)
    if not below.any():  # two scores without a number between them
        return
    missed = abs(weight[below].sum() / weight.sum() - share)
    for other in np.sort(scores)[1:]:
        assert missed <= abs(weight[scores < other].sum() / weight.sum() - share) + 1e-12


def test_the_distance_of_codes_is_that_of_mahalanobis():
    random = np.random.RandomState(0)
    codes = random.normal(size=(500, 3)) @ (np.eye(3) + 0.2) + 5
    space = CodeSpace.of(codes, np.ones(500))
    inverse = np.linalg.inv(np.cov(codes.T, bias=True))
    centered = codes - codes.mean(axis=0)
    expected = np.einsum("ni,ij,nj->n", centered, inverse, centered)
    np.testing.assert_allclose(space.squared_distance(codes), expected)


def mean_of_known(rows, known):
    """Return scores that scatter the more, the fewer values are known, and lie elsewhere."""
    return np.where(known, rows, 0).sum(axis=1) / known.sum(axis=1) - 3 * known.mean(axis=1)


@pytest.mark.parametrize("n_missing", [0, 5, 10, 16])
def test_the_same_share_of_rows_is_below_a_threshold_however_many_values_are_known(n_missing):
    random = np.random.RandomState(0)
    X = random.normal(size=(4000, 20))
    calibration = HoleCalibration.of(mean_of_known, X, X, 0.1, seed=0)
    new = random.normal(size=(4000, 20))
    known = random.uniform(size=new.shape).argsort(axis=1) >= n_missing
    scores = mean_of_known(new, known)
    comparable = calibration.comparable(scores, known.mean(axis=1))
    limit = norm.ppf(0.1) / np.sqrt(20) - 3  # of rows without holes
    assert (comparable < limit).mean() == pytest.approx(0.1, abs=0.02)
    if n_missing == 0:
        np.testing.assert_array_equal(comparable, scores)


def test_holes_are_filled_for_the_levels_that_rows_do_not_reach():
    random = np.random.RandomState(0)
    X = random.normal(size=(4000, 20))
    holes = np.where(random.uniform(size=X.shape) < 0.2, np.nan, X)
    seen = []

    def score(rows, known):
        seen.append((np.isnan(rows).sum(axis=1), known & ~np.isnan(rows), known))
        return mean_of_known(rows, known)

    HoleCalibration.of(score, holes, np.where(np.isnan(holes), 0.0, holes), 0.1, seed=0)
    for missing, shown, known in seen:
        assert len(set(missing)) == 1  # each level has one number of values that are known
        np.testing.assert_array_equal(shown, known)
    n_known = (~np.isnan(holes)).sum(axis=1)
    assert all((known.sum(axis=1) <= n_known).all() for *_, known in seen)


@pytest.mark.parametrize("n_rows", [19, 25, 100, 399])
def test_automatic_thresholds_keep_their_promise_for_any_distribution(n_rows):
    # The promise is of the mean over many fits, of whatever is exchangeable with their rows.
    random = np.random.RandomState(n_rows)
    alarms = []
    for _ in range(2000):
        scores = -np.exp(random.laplace(size=n_rows + 1))
        alarms.append(scores[-1] < threshold(scores[:-1], np.ones(n_rows), "auto"))
    most = np.floor(0.05 * (n_rows + 1)) / (n_rows + 1)
    assert most <= 0.05
    assert np.mean(alarms) == pytest.approx(most, abs=3 * np.sqrt(most / 2000))


@settings(max_examples=30, deadline=None)
@given(
    scores=st.lists(st.integers(-20, 20), min_size=19, max_size=80),
    new=st.lists(st.integers(-30, 30), min_size=1, max_size=9),
    data=st.data(),
)
def test_what_is_below_an_automatic_threshold_has_a_small_p_value(scores, new, data):
    integers = st.lists(st.integers(1, 3), min_size=len(scores), max_size=len(scores))
    weight, scores, new = (np.array(one, dtype=float) for one in (data.draw(integers), scores, new))
    typical = TypicalScores.of(scores, weight)
    below = new < threshold(scores, weight, "auto")
    if typical.share[0] <= 0.05:
        np.testing.assert_array_equal(below, typical.p_values(new) <= 0.05)


def test_of_few_rows_the_lowest_is_the_automatic_threshold():
    assert threshold(np.array([-1.0, -5.0, -2.0]), np.ones(3), "auto") == -5


def test_a_row_of_weight_two_counts_twice_for_automatic_thresholds():
    scores, weight = -np.exp(np.random.RandomState(0).normal(size=80)), np.arange(80) % 2 + 1.0
    repeated = np.repeat(scores, weight.astype(int))
    typical = TypicalScores.of(scores, weight)
    expected = [(repeated <= score).sum() + 1.5 for score in scores]  # one more row, on average
    np.testing.assert_allclose(typical.p_values(scores), np.array(expected) / 121.5)
