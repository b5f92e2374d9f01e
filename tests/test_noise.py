"""Noise: how much is changed, into what, and only in training."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, clone
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV

from skae import AutoencoderTransformer
from skae._seeding import torch_generator
from skae.noise import (
    NOISES,
    GaussianNoise,
    MaskingNoise,
    SaltAndPepperNoise,
    SwapNoise,
    corrupted,
)

SHARES = [MaskingNoise, SaltAndPepperNoise, SwapNoise]


def rows(n_rows=400, n_features=50):
    return torch.randn(n_rows, n_features, generator=torch_generator(0))


def small(**parameters):
    defaults = {"hidden_layer_sizes": 8, "max_iter": 3, "early_stopping": False}
    return AutoencoderTransformer(**defaults | {"random_state": 0} | parameters)


def test_gaussian_noise_has_the_standard_deviation_of_its_level():
    noise = GaussianNoise(0.4).corrupt(rows(), torch_generator(1)) - rows()
    assert noise.std().item() == pytest.approx(0.4, rel=0.02)
    assert abs(noise.mean().item()) < 0.01


@pytest.mark.parametrize("part", SHARES)
@pytest.mark.parametrize("level", [0.1, 0.6])
def test_the_level_is_the_share_of_values_that_change(part, level):
    changed = part(level).corrupt(rows(), torch_generator(1)) != rows()
    assert changed.float().mean().item() == pytest.approx(level, abs=0.01)


def test_masked_values_are_the_mean_and_the_others_are_not_enlarged():
    Z = rows()
    masked = MaskingNoise(0.3).corrupt(Z, torch_generator(1))
    assert ((masked == 0) | (masked == Z)).all()


def test_salt_and_pepper_takes_the_extremes_of_the_column_alike():
    Z = rows()
    corrupted = SaltAndPepperNoise(0.5).corrupt(Z, torch_generator(1))
    low, high = Z.aminmax(dim=0)
    is_low, is_high = corrupted == low, corrupted == high
    assert ((corrupted == Z) | is_low | is_high).all()
    assert is_low.float().mean().item() == pytest.approx(0.25, abs=0.02)
    assert is_high.float().mean().item() == pytest.approx(0.25, abs=0.02)


def test_swapped_values_come_from_another_row_of_the_same_column():
    Z = torch.arange(60.0).reshape(20, 3)  # all different
    swapped = SwapNoise(0.5).corrupt(Z, torch_generator(1))
    for column in range(3):
        assert torch.isin(swapped[:, column], Z[:, column]).all()
    everything = SwapNoise(0.999999).corrupt(Z, torch_generator(1))
    assert (everything != Z).all()


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(sorted(NOISES)),
    n_rows=st.integers(1, 9),
    n_features=st.integers(1, 5),
    seed=st.integers(0, 100),
)
def test_every_noise_keeps_the_shape_the_rows_and_the_seed(name, n_rows, n_features, seed):
    Z = rows(n_rows, n_features)
    before = Z.clone()
    part = NOISES[name]()
    first, second = (part.corrupt(Z, torch_generator(seed)) for _ in range(2))
    assert first.shape == Z.shape
    assert torch.isfinite(first).all()
    assert torch.equal(first, second)
    assert torch.equal(Z, before)


@pytest.mark.parametrize("name", sorted(NOISES))
def test_a_name_stands_for_the_part_with_its_defaults(name):
    X = load_iris().data
    by_name, by_part = (small(noise=noise).fit(X) for noise in (name, NOISES[name]()))
    np.testing.assert_array_equal(by_name.transform(X), by_part.transform(X))
    assert not np.array_equal(by_name.transform(X), small().fit(X).transform(X))


class Recorder(BaseEstimator):
    """A user's own noise: a class with one method."""

    seen: list = []  # noqa: RUF012

    def __init__(self, shift=1.0):
        self.shift = shift

    def corrupt(self, rows, generator):
        self.seen.append(len(rows))
        return rows + self.shift * torch.rand(rows.shape, generator=generator)


def test_noise_is_for_the_fit_only_and_the_clean_row_is_the_target():
    X = load_iris().data
    Recorder.seen.clear()
    how = {"init": "pca", "early_stopping": True, "validation_fraction": 0.2}
    model = small(noise=Recorder(0.0), **how).fit(X)
    n_rows = len(np.unique(X, axis=0))
    n_held_out = round(0.2 * n_rows)
    # Those held out are judged before the first epoch, too.
    assert sum(Recorder.seen) == n_rows * model.n_iter_ + n_held_out
    before = len(Recorder.seen)
    model.transform(X)
    model.score(X)
    assert len(Recorder.seen) == before
    plain = small(noise=None, **how).fit(X)
    np.testing.assert_array_equal(model.transform(X), plain.transform(X))


@pytest.mark.parametrize("shuffle", [True, False])
def test_noise_that_works_in_place_does_not_reach_the_target(shuffle):
    class InPlace(BaseEstimator):
        def corrupt(self, rows, generator):
            return rows.zero_()

    model = small(noise=InPlace(), shuffle=shuffle).fit(load_iris().data)
    assert model.loss_curve_[-1] > 0.5


@pytest.mark.slow
def test_rows_held_out_are_judged_by_what_is_learnt_to_undo_noise():
    X = load_digits().data / 16
    noisy = X + np.random.RandomState(0).normal(scale=0.4, size=X.shape)
    model = AutoencoderTransformer(
        16, noise=GaussianNoise(1.5), validation_fraction=0.2, max_iter=60, random_state=0
    ).fit(X[:1200])
    assert model.best_iter_ > 0
    pca = PCA(16).fit(X[:1200])
    errors = [
        np.square(m.inverse_transform(m.transform(noisy[1200:])) - X[1200:]).mean()
        for m in (model, pca)
    ]
    assert errors[0] < 0.8 * errors[1]


@pytest.mark.slow
def test_denoising_rebuilds_the_clean_row_better_than_the_same_network_without():
    X = load_digits().data / 16
    noisy = np.clip(X + np.random.RandomState(0).normal(scale=0.3, size=X.shape), 0, 1)
    errors = {}
    for noise in (None, GaussianNoise(1.0)):
        model = small(n_components=32, hidden_layer_sizes=64, max_iter=40, noise=noise).fit(
            X[:1200]
        )
        rebuilt = model.inverse_transform(model.transform(noisy[1200:]))
        errors[noise is not None] = np.square(rebuilt - X[1200:]).mean()
    assert errors[True] < 0.8 * errors[False]


def test_the_level_is_a_key_of_a_grid_search():
    X = load_iris().data
    search = GridSearchCV(
        small(noise=MaskingNoise()), {"noise__level": [0.1, 0.5], "noise": [MaskingNoise()]}, cv=2
    ).fit(X)
    assert search.best_params_["noise__level"] in (0.1, 0.5)
    assert clone(small(noise=MaskingNoise(0.2))).noise.level == 0.2


@pytest.mark.parametrize(
    ("noise", "message"),
    [
        (MaskingNoise(1.0), "level"),
        (SwapNoise(-0.1), "level"),
        (GaussianNoise(0.0), "level"),
        ("pepper", "noise"),
        (0.3, "noise"),
        (MaskingNoise, r"MaskingNoise is a class; give an instance of it: MaskingNoise\(\)"),
    ],
)
def test_noise_that_makes_no_sense_is_refused(noise, message):
    with pytest.raises(ValueError, match=message):
        small(noise=noise).fit(load_iris().data)


class Wrong:
    def __repr__(self):
        return "Wrong()"

    def corrupt(self, rows, generator):
        return rows[:1]


def test_an_own_noise_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"Wrong\(\) turned a batch of shape"):
        small(noise=Wrong()).fit(load_iris().data)


# Columns that go together


@pytest.mark.parametrize("kind", [MaskingNoise, SwapNoise])
def test_columns_of_a_group_are_replaced_together(kind):
    rows = torch.arange(1.0, 1201.0).reshape(200, 6)
    groups = ["a", "b", "a", "c", "c", "a"]
    noise = kind(0.3, groups=groups)
    corrupted = noise.corrupt(rows, torch.Generator().manual_seed(0))
    hit = corrupted != rows
    for name in "abc":
        of_group = hit[:, [group == name for group in groups]]
        assert (of_group == of_group[:, :1]).all()
        assert of_group[:, 0].float().mean() == pytest.approx(0.3, abs=0.1)
    assert not (hit[:, 0] == hit[:, 1]).all()
    if kind is SwapNoise:  # all columns of a group from the same row
        source = corrupted[:, [0, 2, 5]] - rows[0, [0, 2, 5]]
        assert (source == source[:, :1]).all()


@pytest.mark.parametrize("kind", [MaskingNoise, SwapNoise])
def test_each_column_alone_is_a_group_of_one(kind):
    rows = torch.rand(50, 4, generator=torch.Generator().manual_seed(1))
    alone, grouped = (
        kind(0.3, groups=groups).corrupt(rows, torch.Generator().manual_seed(0))
        for groups in (None, range(4))
    )
    assert torch.equal(alone, grouped)


def test_groups_are_given_for_each_column():
    with pytest.raises(ValueError, match="groups has 2 values for 3 columns"):
        MaskingNoise(groups=[0, 1]).corrupt(torch.ones(5, 3), torch.Generator())


def test_what_masking_hides_is_a_hole_for_a_network_that_knows_of_holes():
    rows = torch.randn(50, 4, generator=torch.Generator().manual_seed(1))
    rows[::7, 2] = torch.nan
    noise = MaskingNoise(0.4, groups=["a", "b", "b", "c"])
    hidden = noise.hide(rows, torch.Generator().manual_seed(0))
    masked = noise.corrupt(rows, torch.Generator().manual_seed(0))
    assert torch.equal(hidden.isnan(), (masked == 0) | rows.isnan())
    assert torch.equal(hidden[~hidden.isnan()], rows[~hidden.isnan()])


@pytest.mark.parametrize("noise", NOISES.values())
def test_holes_that_are_shown_stay_holes(noise):
    rows = torch.randn(50, 4, generator=torch.Generator().manual_seed(1))
    rows[::3, 1] = torch.nan
    result = corrupted(noise(), rows, torch.Generator().manual_seed(0), shows_holes=True)
    assert result[rows.isnan()].isnan().all()
    if noise is not MaskingNoise:
        assert torch.equal(result.isnan(), rows.isnan())
