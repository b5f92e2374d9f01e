"""Scores to a threshold: the share below it, and rows with holes on the scale of the others."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from skae._calibration import CodeSpace, HoleCalibration, threshold


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
    below = scores < threshold(scores, weight, share, power=0)
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


@pytest.mark.parametrize("share", [0.0, 0.1, 0.2])
@pytest.mark.parametrize("power", [0, 0.5, 1])
def test_a_twentieth_of_typical_rows_is_below_whatever_the_outliers(share, power):
    random = np.random.RandomState(0)
    typical, strange = random.normal(size=20_000), random.normal(8, 1, size=int(share * 20_000))
    unusual = np.concatenate([typical, strange])
    scores = -{0: np.exp, 0.5: lambda root: (root + 9) ** 2, 1: np.positive}[power](unusual)
    limit = threshold(scores, np.ones(len(scores)), "auto", power=power)
    alarms = (scores[:20_000] < limit).mean()
    assert alarms == pytest.approx(0.05, abs=0.005) if share == 0 else alarms < 0.05
    assert (scores[20_000:] < limit).all()


def test_a_row_of_weight_two_counts_twice():
    scores, weight = -np.exp(np.random.RandomState(0).normal(size=50)), np.arange(50) % 3 + 1.0
    once = threshold(np.repeat(scores, weight.astype(int)), np.ones(100)[:99], "auto", power=0)
    assert threshold(scores, weight, "auto", power=0) == pytest.approx(once, rel=0.03)
    assert threshold(np.full(9, -2.0), np.ones(9), "auto", power=0) == pytest.approx(-2)
