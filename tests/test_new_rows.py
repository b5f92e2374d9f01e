"""New rows of tables: codes from where codes lie, numbers by their ranks."""

import numpy as np
import pytest
import torch

from skae._new_rows import CodeMixture, Ranks


def generator():
    return torch.Generator().manual_seed(0)


def test_a_mixture_draws_from_where_codes_lie_of_each_class():
    random = np.random.RandomState(0)
    place = random.randint(3, size=3000)
    centers = np.array([[-4.0, 0], [0, 4], [4, 0]])
    codes = centers[place] + 0.3 * random.normal(size=(3000, 2))
    mixture = CodeMixture(codes, np.eye(4)[place], 100, 0)  # the last class has no rows
    drawn = mixture.draw(np.eye(4)[[0] * 500 + [2] * 500], generator())
    np.testing.assert_allclose(drawn[:500].mean(axis=0), centers[0], atol=0.1)
    np.testing.assert_allclose(drawn[500:].mean(axis=0), centers[2], atol=0.1)
    np.testing.assert_allclose(drawn[:500].std(axis=0), 0.3, rtol=0.2)
    others = mixture.draw(np.eye(4)[[3] * 2000], generator())
    near = np.square(others[:, None] - centers).sum(axis=2).argmin(axis=1)
    np.testing.assert_allclose(np.bincount(near) / 2000, np.bincount(place) / 3000, atol=0.05)


def test_numbers_by_their_ranks_have_the_distribution_of_those_seen():
    random = np.random.RandomState(0)
    seen = np.where(random.uniform(size=500) < 0.7, 0.0, random.randint(1, 40, 500))
    ranks = Ranks(random.normal(size=5000), seen, np.ones(500))
    given = ranks.of(random.normal(size=20_000))
    assert set(given) <= set(seen)
    assert (given == 0).mean() == pytest.approx((seen == 0).mean(), abs=0.02)
    smooth = np.exp(random.normal(size=500))
    ranks = Ranks(random.normal(size=5000), smooth, np.ones(500))
    given = ranks.of(random.normal(size=20_000))
    shares = [0.1, 0.5, 0.9]
    np.testing.assert_allclose(np.quantile(given, shares), np.quantile(smooth, shares), rtol=0.1)
    assert smooth.min() <= given.min() < given.max() <= smooth.max()
    assert (np.diff(ranks.of(np.linspace(-5, 5, 100))) >= 0).all()


def test_a_weight_is_that_many_numbers():
    drawn = np.random.RandomState(0).normal(size=1000)
    seen, weight = np.array([1.0, 2.0, 5.0] * 10), np.array([1, 3, 6] * 10)
    one, other = Ranks(drawn, seen, weight), Ranks(drawn, np.repeat(seen, weight), np.ones(100))
    values = np.linspace(-2, 2, 50)
    np.testing.assert_array_equal(one.repeats, other.repeats)
    close = one.of(values) == other.of(values)
    assert close.mean() > 0.9
