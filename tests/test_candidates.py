"""What a default fit chooses, and that what it chooses is what it says."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris, load_wine, make_moons
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback

from skae import AutoencoderTransformer
from skae._candidates import choices, widths
from skae.noise import GaussianNoise, MaskingNoise

IRIS = load_iris().data
DIABETES = load_diabetes().data


def chosen_by(n_rows=100, n_features=5, **parameters):
    """Return the pairs of start and noise that a fit chooses from."""
    estimator = AutoencoderTransformer(**{"n_components": 2} | parameters)
    found = choices(estimator, n_rows, n_features)
    return [(choice["init"], choice["noise"] and choice["noise"].level) for choice in found]


def test_by_default_both_starts_with_and_without_noise_and_pca_first():
    assert chosen_by() == [("pca", None), ("pca", 0.4), ("random", None), ("random", 0.4)]


def test_what_is_set_is_not_chosen():
    assert chosen_by(init="random") == [("random", None), ("random", 0.4)]
    assert chosen_by(noise=None) == [("pca", None), ("random", None)]
    assert chosen_by(noise=MaskingNoise(0.1), init="pca") == [("pca", 0.1)]


@pytest.mark.parametrize(
    "parameters",
    [
        {"early_stopping": False},
        {"callbacks": [Callback()]},
        {"n_rows": 10_001},
        {"n_rows": None},
        {"n_rows": 6000, "n_features": 40_000},
    ],
)
def test_without_a_choice_it_is_pca_without_noise(parameters):
    assert chosen_by(**parameters) == [("pca", None)]
    assert chosen_by(init="random", noise=MaskingNoise(0.1), **parameters) == [("random", 0.1)]


def test_a_share_of_variance_is_one_that_pca_is_asked_for():
    assert {init for init, _ in chosen_by(n_components=0.9)} == {"pca"}


def test_wider_layers_for_more_rows():
    found = [widths(n_rows) for n_rows in (2, 499, 500, 4999, 5000, 10**6)]
    assert found == [(64, 32)] * 2 + [(128, 64)] * 2 + [(256, 128)] * 2
    assert widths(None) == widths(10**6)
    (choice,) = choices(AutoencoderTransformer(hidden_layer_sizes=7, early_stopping=False), 10, 5)
    assert choice["hidden_layer_sizes"] == 7


@pytest.fixture(scope="module")
def fitted():
    return AutoencoderTransformer(2, max_iter=60, random_state=0).fit(DIABETES)


def test_a_fit_tells_how_its_candidates_did(fitted):
    table = pd.DataFrame(fitted.candidates_)
    assert len(table) == 4
    assert (table.n_iter + 1 == table.validation_loss_curve.map(len)).all()
    assert_array_equal(table.validation_loss, table.validation_loss_curve.map(min))
    assert_array_equal(
        table.validation_loss,
        [curve[i] for curve, i in zip(table.validation_loss_curve, table.best_iter, strict=True)],
    )
    assert sorted(set(table.n_iter)) != [60]  # the worst have left
    best = table.loc[table.validation_loss.idxmin()]
    assert (best.param_init, best.param_noise) == (fitted.init_, fitted.noise_)
    assert best.best_iter == fitted.best_iter_ > 0
    assert best.validation_loss_curve == fitted.validation_loss_curve_
    assert fitted.hidden_layer_sizes_ == (64, 32)


def test_a_verbose_fit_says_what_it_has_chosen(capfd):
    autoencoder = AutoencoderTransformer(2, max_iter=3, verbose=True, random_state=0).fit(IRIS)
    *_, last = capfd.readouterr().err.splitlines()
    assert last == (
        f"chosen: init={autoencoder.init_!r}, noise={autoencoder.noise_!r}, "
        f"hidden_layer_sizes=(64, 32), {autoencoder.best_iter_} epochs"
    )


def test_all_candidates_start_from_what_is_not_trained(fitted):
    curves = fitted.candidates_["validation_loss_curve"]
    assert curves[0][0] == pytest.approx(curves[1][0])  # PCA, whose rows held out have no noise
    assert curves[2][0] == pytest.approx(curves[3][0])


def test_what_is_chosen_can_be_asked_for(fitted):
    again = clone(fitted).set_params(
        init=fitted.init_,
        noise=fitted.noise_,
        hidden_layer_sizes=fitted.hidden_layer_sizes_,
        early_stopping=False,
        max_iter=fitted.best_iter_,
        # Where rows are held out, squares of gradients are averaged as solvers do by themselves.
        net_params={"optimizer__betas": (0.9, 0.999)},
    )
    again.fit(DIABETES)
    assert_array_equal(again.transform(DIABETES), fitted.transform(DIABETES))
    assert again.candidates_ is None


def test_noise_is_chosen_where_it_helps_and_only_there():
    # Few rows of many columns are learnt by heart.
    X = StandardScaler().fit_transform(load_wine().data)
    noisy = AutoencoderTransformer(2, max_iter=100, random_state=0).fit(X)
    assert isinstance(noisy.noise_, GaussianNoise)
    assert noisy.best_iter_ > 0
    X, _ = make_moons(400, noise=0.02, random_state=0)
    curved = AutoencoderTransformer(1, random_state=0).fit(X)
    assert curved.noise_ is None
    assert curved.best_iter_ > 0


def test_pca_is_kept_where_nothing_is_better():
    X = np.random.RandomState(0).normal(size=(60, 5))
    fitted = AutoencoderTransformer(2, max_iter=30, random_state=0).fit(X)
    assert (fitted.init_, fitted.noise_, fitted.best_iter_) == ("pca", None, 0)
    pca = PCA(2).fit(X)
    np.testing.assert_allclose(
        fitted.inverse_transform(fitted.transform(X)),
        pca.inverse_transform(pca.transform(X)),
        atol=1e-4,
    )


@pytest.mark.parametrize("max_iter", [1, 2, 3])
def test_few_epochs_are_enough_to_choose(max_iter):
    fitted = AutoencoderTransformer(2, max_iter=max_iter, random_state=0).fit(IRIS)
    assert len(fitted.loss_curve_) == max_iter


def test_with_many_rows_the_network_that_was_judged_is_kept():
    X, _ = make_moons(2200, noise=0.02, random_state=0)
    fitted = AutoencoderTransformer(1, max_iter=8, random_state=0).fit(X)
    parameters = {"init": fitted.init_, "noise": fitted.noise_, "max_iter": 8, "random_state": 0}
    alone = AutoencoderTransformer(1, **parameters).fit(X)
    assert fitted.best_iter_ > 0
    if fitted.noise_ is None:  # which corrupts the rows held out where it is asked for
        # Side by side is alone to rounding, which grows over some five hundred steps.
        curves = np.array([fitted.validation_loss_curve_, alone.validation_loss_curve_])
        np.testing.assert_allclose(*curves[:, :2], rtol=1e-3)
        np.testing.assert_allclose(*curves, rtol=0.05)
        np.testing.assert_allclose(fitted.transform(X), alone.transform(X), atol=0.1)
    names = [name for name, _ in fitted.module_.named_parameters()]
    assert any("linear_path" in name for name in names) == (fitted.init_ == "pca")


def test_a_fit_that_goes_on_keeps_its_choice():
    autoencoder = AutoencoderTransformer(2, max_iter=15, warm_start=True, random_state=0)
    before = autoencoder.fit(DIABETES).init_, autoencoder.noise_
    after = autoencoder.fit(DIABETES).init_, autoencoder.noise_
    assert before == after
    assert autoencoder.candidates_ is None
    autoencoder.partial_fit(DIABETES)
    assert (autoencoder.init_, autoencoder.noise_) == before


def test_a_stream_has_the_widest_layers():
    autoencoder = AutoencoderTransformer(2, random_state=0).partial_fit(IRIS)
    assert autoencoder.hidden_layer_sizes_ == (256, 128)
    assert (autoencoder.init_, autoencoder.noise_) == ("pca", None)


def test_networks_that_can_not_be_stacked_are_chosen_from_as_well():
    class Doubled(torch.nn.Module):
        """What no table of layers knows."""

        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(2, 10)

        def forward(self, code):
            return 2 * self.layer(code)

    autoencoder = AutoencoderTransformer(2, decoder=Doubled(), max_iter=5, random_state=0)
    assert len(autoencoder.fit(DIABETES).candidates_["n_iter"]) == 4
