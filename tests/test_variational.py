"""VariationalAutoencoderTransformer: probabilistic PCA's promises, densities, and conditions."""

import io
import pickle
import warnings
from itertools import product

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, make_moons
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning, NotFittedError, UndefinedMetricWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from skorch.callbacks import Callback

from skae import AutoencoderOutlierDetector, VariationalAutoencoderTransformer, _variational
from skae.metrics import reconstruction_r2


def quick(n_components=2, **parameters):
    """Return a small transformer that trains for a moment, on all rows."""
    defaults = {"hidden_layer_sizes": (8,), "max_iter": 3, "early_stopping": False}
    defaults["random_state"] = 0
    return VariationalAutoencoderTransformer(n_components, **defaults | parameters)


def untrained(n_components=2, **parameters):
    """Return a transformer that moves by next to nothing from its start."""
    return quick(n_components, max_iter=1, learning_rate_init=1e-12, **parameters)


CHECKED = [
    VariationalAutoencoderTransformer(max_iter=5),
    VariationalAutoencoderTransformer(max_iter=3, hidden_layer_sizes=8, warm_up=0.5),
    quick(3, init="random", activation="tanh", beta=4.0, alpha=0.01, missing="mask"),
    quick(1, hidden_layer_sizes=(), learning_rate="cosine", solver="nadam"),
    quick(normalization="batch", dropout=0.1, decoder_layer_sizes=(5, 4), beta=0.5, batch_size=8),
    quick(
        init="random",
        conditional=True,
        normalization="layer",
        precision="bfloat16",
        solver="sgd",
        learning_rate="adaptive",
        learning_rate_init=1e-5,
        tol=0.1,
    ),
]


@parametrize_with_checks(CHECKED)
def test_passes_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def digits():
    return load_digits().data[::4]


@pytest.fixture(scope="module")
def labels():
    return load_digits().target[::4]


@pytest.fixture(scope="module")
def iris():
    return load_iris().data


def fitted_ppca(X, n_components):
    """Return scikit-learn's probabilistic PCA with the variances that maximize the likelihood."""
    pca = PCA(n_components).fit(X)
    share = (len(X) - 1) / len(X)
    pca.explained_variance_ *= share
    pca.noise_variance_ *= share
    return pca


# The start at probabilistic PCA


@pytest.mark.parametrize("n_components", [1, 3])
@pytest.mark.parametrize("hidden_layer_sizes", [(), (16,)])
def test_the_start_is_probabilistic_pca(iris, n_components, hidden_layer_sizes):
    ppca = fitted_ppca(iris, n_components)
    start = untrained(n_components, hidden_layer_sizes=hidden_layer_sizes).fit(iris)
    np.testing.assert_allclose(start.score_samples(iris), ppca.score_samples(iris), atol=1e-3)
    assert start.noise_variance_ == pytest.approx(ppca.noise_variance_, rel=1e-4)


def test_the_lower_bound_of_the_start_is_the_log_likelihood(digits):
    expected = fitted_ppca(digits, 5).score(digits)
    start = untrained(5).fit(digits)
    bounds = start.evidence_lower_bound(digits, n_draws=1024)
    assert bounds.mean() == pytest.approx(expected, abs=0.02)
    assert start.score_samples(digits, n_draws=1).mean() == pytest.approx(expected, abs=1e-3)
    # The loss is that of rows in units of scale_, with one draw of each code.
    loss = start.loss_curve_[0] + digits.shape[1] * np.log(start.scale_)
    assert -loss == pytest.approx(expected, abs=0.5)


def test_codes_are_those_of_probabilistic_pca(digits):
    ppca = fitted_ppca(digits, 4)
    noise = ppca.noise_variance_
    loadings = ppca.components_.T * np.sqrt(ppca.explained_variance_ - noise)
    precision = loadings.T @ loadings + noise * np.eye(4)  # Tipping & Bishop, equation 12
    expected = (digits - ppca.mean_) @ loadings @ np.linalg.inv(precision)
    codes, deviations = untrained(4).fit(digits).transform(digits, return_std=True)
    signs = np.sign((codes * expected).sum(axis=0))
    np.testing.assert_allclose(codes * signs, expected, atol=1e-4)
    variances = np.diag(noise * np.linalg.inv(precision))
    np.testing.assert_allclose(deviations, np.tile(np.sqrt(variances), (len(digits), 1)), rtol=1e-4)


def test_the_start_is_probabilistic_pca_of_weighted_rows(iris):
    weight = np.random.RandomState(0).randint(0, 4, len(iris))
    start = untrained(2).fit(iris, sample_weight=weight)
    ppca = fitted_ppca(np.repeat(iris, weight, axis=0), 2)
    np.testing.assert_allclose(start.score_samples(iris), ppca.score_samples(iris), atol=1e-3)


@pytest.mark.parametrize("beta", [0.3, 1.0, 2.0])
def test_a_linear_network_can_not_get_better_than_its_start(digits, beta):
    start = untrained(4, hidden_layer_sizes=(), beta=beta).fit(digits)
    network = start.module_.double()
    network.zero_grad()
    Z = torch.from_numpy((digits - start.mean_) / start.scale_)
    mean, log_variance = network.encoder.posterior(Z)
    path, variance = network.decoder.body.linear_path, network.likelihood.variance()
    # The expectation over codes of a linear decoder's squared errors.
    squares = (Z - path(mean)).square().sum(dim=1) + log_variance.exp() @ path.weight.square().sum(
        0
    )
    divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1)
    loss = 0.5 * (squares / variance + Z.shape[1] * variance.log()) + beta * divergence
    loss.mean().backward()
    assert network.encoder.body.linear_path.weight.abs().max() > 0.01  # codes are used
    for parameter in network.parameters():
        assert parameter.grad.abs().max() < 1e-3


@pytest.mark.slow
def test_a_linear_network_finds_probabilistic_pca_from_a_random_start():
    random = np.random.RandomState(0)
    X = random.normal(size=(600, 2)) @ random.normal(size=(2, 6)) + random.normal(size=(600, 6)) / 2
    fitted = quick(
        2, hidden_layer_sizes=(), init="random", max_iter=150, learning_rate_init=0.02
    ).fit(X)
    ppca = fitted_ppca(X, 2)
    assert fitted.score_samples(X, n_draws=1024).mean() == pytest.approx(ppca.score(X), abs=0.05)
    assert fitted.noise_variance_ == pytest.approx(ppca.noise_variance_, rel=0.1)


def test_a_fit_that_keeps_epoch_zero_is_probabilistic_pca_on_all_rows():
    noise = np.random.RandomState(0).normal(size=(60, 5)) * [5, 4, 3, 2, 1]
    fitted = VariationalAutoencoderTransformer(2, random_state=0, max_iter=20).fit(noise)
    assert fitted.best_iter_ == 0
    expected = fitted_ppca(noise, 2).score_samples(noise)
    np.testing.assert_allclose(fitted.score_samples(noise), expected, atol=1e-3)


def test_finds_curved_rows_likelier_than_probabilistic_pca():
    random = np.random.RandomState(0)
    t = random.normal(size=(800, 1))
    X = np.hstack([3 * t, t**2]) + 0.1 * random.normal(size=(800, 2))
    train, test = X[:600], X[600:]
    fitted = VariationalAutoencoderTransformer(
        1,
        hidden_layer_sizes=(32, 32),
        max_iter=40,
        learning_rate_init=0.01,
        validation_fraction=0.3,
        random_state=0,
    ).fit(train)
    assert fitted.best_iter_ > 0
    assert fitted.score_samples(test).mean() > PCA(1).fit(train).score(test) + 0.5
    assert fitted.score(test) > PCA(1).fit(train).explained_variance_ratio_.sum() + 0.05


@pytest.mark.parametrize("n_components", [4, 9])
def test_as_many_codes_as_columns_start_as_the_full_normal_distribution(iris, n_components):
    start = untrained(n_components).fit(iris)
    full = fitted_ppca(iris, 4)
    np.testing.assert_allclose(start.score_samples(iris), full.score_samples(iris), atol=0.01)
    assert start.score(iris) == pytest.approx(1, abs=1e-4)
    codes, deviations = start.transform(iris, return_std=True)
    np.testing.assert_allclose(codes[:, 4:], 0, atol=1e-6)
    np.testing.assert_allclose(deviations[:, 4:], 1, atol=1e-6)


def test_codes_that_do_not_pay_for_their_divergence_are_not_used(digits):
    few, none = (untrained(6, beta=beta).fit(digits) for beta in (6.0, 1e4))
    used = few.transform(digits, return_std=True)[1].mean(axis=0) < 0.99
    assert 0 < used.sum() < 6
    codes, deviations = none.transform(digits, return_std=True)
    np.testing.assert_allclose(codes, 0, atol=1e-6)
    np.testing.assert_allclose(deviations, 1, atol=1e-6)


@pytest.mark.parametrize("binarize", [False, True])
def test_probabilities_start_near_pca(digits, binarize):
    X = digits / 16
    start = untrained(5, likelihood="bernoulli", binarize=binarize).fit(X)
    random = untrained(5, likelihood="bernoulli", binarize=binarize, init="random").fit(X)
    assert start.loss_curve_[0] < random.loss_curve_[0] - 1
    assert start.score(X) > 0.75 * PCA(5).fit(X).explained_variance_ratio_.sum()
    np.testing.assert_allclose(random.sample(200).mean(axis=0), X.mean(axis=0), atol=0.1)


# Densities


def two_columns(n_rows=200):
    return make_moons(n_rows, noise=0.1, random_state=0)[0] * [3.0, 0.5] + [1.0, -2.0]


@pytest.mark.slow
@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("init", ["pca", "random"])
def test_the_density_integrates_to_one(conditional, init):
    X = two_columns()
    y = X[:, 0] > 1
    fitted = quick(1, conditional=conditional, init=init, max_iter=20, learning_rate_init=0.01)
    fitted.fit(X, y)
    margin = 5 * fitted.scale_
    sides = [np.linspace(column.min() - margin, column.max() + margin, 100) for column in X.T]
    grid = np.array(list(product(*sides)))
    volume = np.prod([side[1] - side[0] for side in sides])
    for label in (None, True, False) if conditional else (None,):
        y = None if label is None else np.full(len(grid), label)
        density = np.exp(fitted.score_samples(grid, y, n_draws=128))
        assert density.sum() * volume == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("conditional", [False, True])
def test_probabilities_sum_to_one(conditional):
    random = np.random.RandomState(0)
    X = (random.uniform(size=(200, 1)) < 0.5) ^ (random.uniform(size=(200, 5)) < 0.2)
    fitted = quick(
        2, likelihood="bernoulli", conditional=conditional, max_iter=20, learning_rate_init=0.01
    ).fit(X.astype(float), np.where(X[:, 0], "a", "b"))
    everything = np.array(list(product([0.0, 1.0], repeat=5)))
    for label in (None, "a", "b") if conditional else (None,):
        y = None if label is None else [label] * len(everything)
        probabilities = np.exp(fitted.score_samples(everything, y, n_draws=512))
        assert probabilities.sum() == pytest.approx(1, abs=0.02)


def test_the_density_of_labels_is_averaged_by_their_frequency(iris):
    y = np.array(["a"] * 100 + ["b"] * 50)
    fitted = quick(conditional=True).fit(iris, y)
    parts = [
        fitted.score_samples(iris, [label] * 150) + np.log(share)
        for label, share in (("a", 2 / 3), ("b", 1 / 3))
    ]
    np.testing.assert_allclose(fitted.score_samples(iris), logsumexp(parts, axis=0))


def test_unknown_labels_are_averaged_over_or_drawn_by_their_frequency(iris):
    y = np.array([True] * 100 + [False] * 50)
    fitted = quick(conditional=True, max_iter=20).fit(iris, y)
    codes = fitted.transform(iris)
    expected = sum(
        share * fitted.inverse_transform(codes, [label] * 150)
        for label, share in ((True, 2 / 3), (False, 1 / 3))
    )
    np.testing.assert_allclose(fitted.inverse_transform(codes), expected)
    assert fitted.inverse_transform(codes.astype(np.float32)).dtype == np.float32
    mixed = fitted.sample(5000, random_state=0).mean(axis=0)
    parts = [fitted.sample(5000, y=label, random_state=0).mean(axis=0) for label in (True, False)]
    np.testing.assert_allclose(mixed, 2 / 3 * parts[0] + 1 / 3 * parts[1], atol=0.05)


@pytest.mark.slow
def test_more_draws_raise_the_estimate_from_the_lower_bound(digits):
    fitted = quick(4, max_iter=30, learning_rate_init=0.01).fit(digits)
    bound = fitted.evidence_lower_bound(digits, n_draws=512).mean()
    few, many = (fitted.score_samples(digits, n_draws=n).mean() for n in (8, 512))
    assert bound < few < many


def test_the_estimate_is_that_of_a_loop(iris):
    fitted = quick(2, likelihood="gaussian", max_iter=10).fit(iris)
    codes, deviations = fitted.transform(iris, return_std=True)
    random = np.random.RandomState(0)
    variance = fitted.noise_variance_
    for i in (0, 70, 140):
        drawn = codes[i] + deviations[i] * random.normal(size=(20_000, 2))
        errors = np.square(iris[i] - fitted.inverse_transform(drawn)).sum(axis=1)
        given_code = -0.5 * (errors / variance + 4 * np.log(2 * np.pi * variance))
        prior = -0.5 * np.square(drawn).sum(axis=1)
        posterior = -0.5 * np.square((drawn - codes[i]) / deviations[i]).sum(axis=1)
        posterior -= np.log(deviations[i]).sum()
        weights = given_code + prior - posterior
        expected = logsumexp(weights) - np.log(len(weights))
        found = fitted.score_samples(iris[i : i + 1], n_draws=4096)
        assert found[0] == pytest.approx(expected, abs=0.05)


def test_estimates_are_the_same_in_every_call_and_in_pieces(iris, monkeypatch):
    fitted = quick(random_state=None).fit(iris)
    expected = fitted.score_samples(iris, n_draws=50), fitted.evidence_lower_bound(iris)
    np.testing.assert_array_equal(fitted.score_samples(iris, n_draws=50), expected[0])
    monkeypatch.setattr(_variational, "_DECODED_VALUES", 60)
    np.testing.assert_allclose(fitted.score_samples(iris, n_draws=50), expected[0])
    np.testing.assert_allclose(fitted.evidence_lower_bound(iris), expected[1])
    restored = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_allclose(restored.score_samples(iris, n_draws=50), expected[0])


def test_the_density_has_the_units_of_the_rows(iris):
    near, far = untrained().fit(iris), untrained().fit(1000 * iris + 1e6)
    expected = near.score_samples(iris) - 4 * np.log(1000)
    np.testing.assert_allclose(far.score_samples(1000 * iris + 1e6), expected, atol=1e-3)


@pytest.mark.parametrize("n_draws", [0, -1, 2.5])
def test_a_number_of_draws_that_is_none_is_refused(iris, n_draws):
    fitted = quick().fit(iris)
    with pytest.raises(ValueError, match=f"n_draws={n_draws} must be a positive integer"):
        fitted.score_samples(iris, n_draws=n_draws)


# New rows


def test_new_rows_have_the_covariance_of_probabilistic_pca(iris):
    start, ppca = untrained(2).fit(iris), fitted_ppca(iris, 2)
    noisy = start.sample(100_000, noise=True, random_state=0)
    plain = start.sample(100_000, random_state=0)
    noise = ppca.noise_variance_ * np.eye(4)
    np.testing.assert_allclose(noisy.mean(axis=0), iris.mean(axis=0), atol=0.03)
    np.testing.assert_allclose(np.cov(noisy.T), ppca.get_covariance(), atol=0.05)
    np.testing.assert_allclose(np.cov(plain.T), ppca.get_covariance() - noise, atol=0.05)


def test_new_rows_of_probabilities_are_bounded_and_with_noise_zeros_and_ones(digits):
    fitted = quick(3, likelihood="bernoulli", binarize=True).fit(digits / 16)
    plain = fitted.sample(50, random_state=0)
    assert ((plain >= 0) & (plain <= 1)).all()
    assert np.unique(fitted.sample(50, noise=True, random_state=0)).tolist() == [0, 1]


def test_new_rows_follow_the_random_state_and_leave_global_ones_alone(iris):
    fitted = quick().fit(iris)
    np.random.seed(3)  # noqa: NPY002
    torch.manual_seed(3)
    numpy_before, torch_before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    np.testing.assert_array_equal(
        fitted.sample(5, random_state=1), fitted.sample(5, random_state=1)
    )
    assert not np.array_equal(fitted.sample(5), fitted.sample(5))
    fitted.sample(5, noise=True)
    fitted.score_samples(iris)
    fitted.evidence_lower_bound(iris)
    fitted.module_(torch.zeros(1, 4))  # of which the generator is the training's
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_before)  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), torch_before)
    random = np.random.RandomState(0)
    assert not np.array_equal(
        fitted.sample(5, random_state=random), fitted.sample(5, random_state=random)
    )
    assert fitted.sample().shape == (1, 4)


@pytest.mark.parametrize("n_samples", [0, 1.5, "3"])
def test_a_number_of_rows_that_is_none_is_refused(iris, n_samples):
    fitted = quick().fit(iris)
    with pytest.raises(ValueError, match="must be a positive integer"):
        fitted.sample(n_samples)


# Training


class Watch(Callback):
    """Note the weight of the divergence at the end of each epoch, and what the network saw."""

    def __init__(self):
        self.betas = []
        self.seen = []

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        if training and net.criterion_.progress == 0:
            self.betas.append(net.criterion_.beta_now())

    def on_epoch_end(self, net, **kwargs):
        self.betas.append(net.criterion_.beta_now())


@pytest.mark.parametrize("warm_up", [0.25, 0.99])
def test_the_warm_up_rises_from_zero_and_reaches_beta(digits, warm_up):
    watch = Watch()
    quick(2, beta=3.0, warm_up=warm_up, max_iter=20, callbacks=[watch]).fit(digits)
    n_warming = round(20 * warm_up)
    assert watch.betas[0] == 0
    assert (np.diff(watch.betas[:n_warming]) > 0).all()
    assert watch.betas[n_warming + 1 :] == [3.0] * (20 - n_warming)


def test_rows_held_out_see_the_full_weight_and_the_patience_lasts_beyond_the_warm_up():
    noise = np.random.RandomState(0).normal(size=(100, 4))
    model = quick(2, early_stopping=True, n_iter_no_change=3, max_iter=40)
    model.set_params(validation_fraction=0.3)
    plain, warmed = model.fit(noise), clone(model).set_params(warm_up=0.5).fit(noise)
    assert plain.validation_loss_curve_[0] == warmed.validation_loss_curve_[0]
    assert plain.n_iter_ < 20
    assert warmed.n_iter_ >= 23


def test_rows_held_out_are_drawn_once(digits):
    model = untrained(2, likelihood="bernoulli", binarize=True, init="random", early_stopping=True)
    model.set_params(max_iter=2)
    curve = model.fit(digits / 16).validation_loss_curve_
    assert curve == pytest.approx([curve[0]] * 3, abs=1e-6)


def test_binarized_rows_are_what_the_network_is_trained_on():
    # Values of one half tell nothing of their draws, so the bound is at most the noise's entropy.
    X = np.full((400, 6), 0.5) + np.random.RandomState(0).uniform(-0.01, 0.01, (400, 6))
    grey, drawn = (
        quick(1, likelihood="bernoulli", binarize=binarize, max_iter=20).fit(X)
        for binarize in (False, True)
    )
    assert drawn.loss_curve_[-1] == pytest.approx(6 * np.log(2), abs=0.1)
    assert grey.loss_curve_[-1] == pytest.approx(6 * np.log(2), abs=0.1)
    seen = []

    class Spy(Callback):
        def on_train_begin(self, net, **kwargs):
            net.module_.binarize.register_forward_hook(lambda *args: seen.append(args[-1]))

    model = quick(1, likelihood="bernoulli", binarize=True, callbacks=[Spy()]).fit(X)
    values = torch.cat(seen) * model.scale_ + torch.from_numpy(model.mean_)
    torch.testing.assert_close(values, values.round(), atol=1e-4, rtol=0)
    assert values.mean().item() == pytest.approx(0.5, abs=0.03)


@pytest.mark.slow
def test_a_weight_of_the_divergence_trades_the_error_for_codes_that_say_less(digits):
    sharp, plain, vague = (
        quick(4, beta=beta, max_iter=30).fit(digits) for beta in (0.1, 1.0, 10.0)
    )
    assert sharp.score(digits) > plain.score(digits) > vague.score(digits)
    deviations = [
        model.transform(digits, return_std=True)[1].mean() for model in (sharp, plain, vague)
    ]
    assert deviations == sorted(deviations)


def test_the_variance_of_the_noise_does_not_decay(digits):
    plain, decayed = (
        quick(2, alpha=alpha, max_iter=20, hidden_layer_sizes=()).fit(digits)
        for alpha in (0.0, 100.0)
    )
    assert decayed.noise_variance_ == plain.noise_variance_


def test_training_raises_the_likelihood_of_rows_held_out(digits):
    fitted = VariationalAutoencoderTransformer(
        4, hidden_layer_sizes=(64,), max_iter=20, validation_fraction=0.2, random_state=0
    ).fit(digits)
    assert fitted.best_iter_ == np.argmin(fitted.validation_loss_curve_) > 0
    assert len(fitted.loss_curve_) == fitted.n_iter_ == len(fitted.validation_loss_curve_) - 1
    assert fitted.score_samples(digits).mean() > fitted_ppca(digits, 4).score(digits) + 3


def test_warm_start_goes_on(digits):
    model = quick(2, warm_start=True, max_iter=5).fit(digits)
    first = model.score_samples(digits).mean()
    assert model.fit(digits).score_samples(digits).mean() > first


def test_a_warm_start_keeps_the_classes(iris):
    y = load_iris(as_frame=True).frame.target.map(dict(enumerate("abc"))).to_numpy()
    model = quick(conditional=True, warm_start=True).fit(iris, y)
    model.fit(iris[:100], y[:100])
    assert list(model.classes_) == list("abc")
    with pytest.raises(ValueError, match=r"labels \['d'\], which were not there"):
        model.fit(iris, np.full(150, "d"))


def test_a_warm_start_does_not_change_the_kind_of_the_network(digits, labels):
    X = digits / 16
    model = quick(warm_start=True, likelihood="bernoulli").fit(X)
    assert model.set_params(binarize=True).fit(X).module_.binarize is not None
    assert model.set_params(binarize=False).fit(X).module_.binarize is None
    with pytest.raises(ValueError, match="likelihood was 'bernoulli' when the network was built"):
        model.set_params(likelihood="gaussian").fit(X)
    with pytest.raises(ValueError, match="conditional was False when the network was built"):
        model.set_params(likelihood="bernoulli", conditional=True).fit(X, labels)


def test_divergence_is_told(iris):
    model = quick(solver="sgd", learning_rate="constant", learning_rate_init=1e30)
    with pytest.raises(ValueError, match="diverged with learning_rate_init=1e\\+30"):
        model.fit(iris)
    with pytest.raises(NotFittedError):
        model.transform(iris)
    with pytest.warns(ConvergenceWarning, match="diverged"):
        model.set_params(early_stopping=True).fit(iris)
    assert model.best_iter_ == 0
    assert np.isfinite(model.score_samples(iris)).all()


# Conditions


@pytest.mark.slow
@pytest.mark.parametrize(
    "names",
    [list("abcdefghij"), list(range(10)), [f"{i}"[:1] for i in range(10)]],
    ids=["letters", "integers", "strings"],
)
def test_new_rows_of_a_label_look_like_it(digits, labels, names):
    y = np.array(names)[labels]
    fitted = quick(
        2, conditional=True, max_iter=60, learning_rate_init=0.01, hidden_layer_sizes=(32,)
    ).fit(digits, y)
    assert list(fitted.classes_) == sorted(names)
    probe = LogisticRegression(max_iter=200).fit(digits / 16, y)
    drawn = np.repeat(fitted.classes_, 20)
    rows = fitted.sample(len(drawn), y=drawn, random_state=0)
    assert probe.score(rows / 16, drawn) > 0.8
    one = fitted.sample(20, y=fitted.classes_[3], random_state=0)
    assert (probe.predict(one / 16) == fitted.classes_[3]).mean() > 0.7


@pytest.mark.slow
def test_codes_need_not_tell_what_the_condition_tells(digits, labels):
    plain, conditional = (
        quick(2, conditional=conditional, max_iter=60, hidden_layer_sizes=(32,)).fit(digits, labels)
        for conditional in (False, True)
    )
    probes = [
        LogisticRegression().fit(codes, labels).score(codes, labels)
        for codes in (plain.transform(digits), conditional.transform(digits))
    ]
    assert probes[1] < probes[0] - 0.1
    told = conditional.score_samples(digits, labels).mean()
    assert told > plain.score_samples(digits).mean() + 3


@pytest.mark.slow
def test_the_label_of_a_row_is_found_by_its_likelihood(digits, labels):
    fitted = quick(2, conditional=True, max_iter=60, hidden_layer_sizes=(32,)).fit(digits, labels)
    given = np.column_stack(
        [fitted.score_samples(digits, np.full(len(digits), label)) for label in fitted.classes_]
    )
    assert (fitted.classes_[given.argmax(axis=1)] == labels).mean() > 0.8


@pytest.mark.slow
@pytest.mark.parametrize("n_columns", [None, 2])
def test_numbers_are_conditions_of_their_own(n_columns):
    random = np.random.RandomState(0)
    y = random.normal(size=(400, n_columns or 1)) * 5 + 100
    X = np.hstack([y, -y, random.normal(size=(400, 2))]) + random.normal(size=(400, 1)) / 10
    y = y[:, 0] if n_columns is None else y
    fitted = quick(1, conditional=True, max_iter=100, learning_rate_init=0.01).fit(X, y)
    assert not hasattr(fitted, "classes_")
    rebuilt = fitted.inverse_transform(fitted.transform(X), y=y)
    np.testing.assert_allclose(rebuilt[:, 0], X[:, 0], atol=3)
    assert np.corrcoef(rebuilt[:, 0], y.reshape(400, -1)[:, 0])[0, 1] > 0.95
    at_100 = fitted.sample(300, y=100.0 if n_columns != 2 else [100.0, 100.0], random_state=0)
    assert at_100[:, 0].mean() == pytest.approx(100, abs=2)
    each = fitted.sample(400, y=y, random_state=0)
    assert np.corrcoef(each[:, 0], X[:, 0])[0, 1] > 0.9


def test_the_start_ignores_the_condition(iris):
    start = untrained(2, conditional=True).fit(iris, load_iris().target)
    expected = fitted_ppca(iris, 2).score_samples(iris)
    for label in start.classes_:
        found = start.score_samples(iris, np.full(150, label))
        np.testing.assert_allclose(found, expected, atol=1e-3)


def test_equal_rows_of_different_labels_stay_different():
    X = np.repeat([[0.0, 0.0], [1.0, 2.0]], 20, axis=0)
    y = np.tile(["left", "right"], 20)
    fitted = quick(1, conditional=True, max_iter=1).fit(X, y)
    assert list(fitted.classes_) == ["left", "right"]
    np.testing.assert_allclose(fitted._condition.shares, 0.5)
    weighted = quick(1, conditional=True, max_iter=1).fit(
        np.repeat(X[::20], 2, axis=0), ["left", "right"] * 2, sample_weight=[10] * 4
    )
    np.testing.assert_array_equal(weighted.transform(X), fitted.transform(X))


def test_rows_without_weight_need_not_be_probabilities(digits):
    X = np.vstack([digits / 16, digits[:3] + 2])
    weight = np.arange(len(X)) < len(digits)
    fitted = quick(likelihood="bernoulli").fit(X, sample_weight=weight)
    expected = quick(likelihood="bernoulli").fit(digits / 16)
    np.testing.assert_array_equal(fitted.transform(digits), expected.transform(digits))


def test_fits_where_no_gradients_are_wanted(iris):
    with torch.inference_mode():
        fitted = quick().fit(iris)
    np.testing.assert_array_equal(fitted.transform(iris), quick().fit(iris).transform(iris))


def test_labels_of_rows_without_weight_are_not_classes(iris):
    y = np.repeat(["a", "b", "c"], 50)
    fitted = quick(conditional=True).fit(iris, y, sample_weight=(y != "c").astype(float))
    assert list(fitted.classes_) == ["a", "b"]


def test_sparse_rows_have_conditions_too(digits, labels):
    model = quick(3, conditional=True)
    dense = clone(model).fit(digits, labels)
    sparse = clone(model).fit(sp.csr_array(digits), labels)
    rows = sp.csr_array(digits)
    np.testing.assert_allclose(sparse.transform(rows), dense.transform(digits), atol=1e-12)
    assert sparse.score(rows, labels) == pytest.approx(dense.score(digits, labels))
    np.testing.assert_allclose(
        sparse.score_samples(rows, labels), dense.score_samples(digits, labels)
    )


def test_a_condition_that_is_missing_unknown_or_idle_is_refused(iris):
    y = load_iris().target
    conditional, plain = quick(conditional=True).fit(iris, y), quick().fit(iris, y)
    numbers = quick(conditional=True).fit(iris, iris[:, :2])
    codes = conditional.transform(iris)
    for fitted, method, argument in (
        (conditional, "score", iris),
        (conditional, "reconstruction_error", iris),
        (conditional, "evidence_lower_bound", iris),
        (numbers, "inverse_transform", codes),
        (numbers, "sample", 5),
        (numbers, "score_samples", iris),
    ):
        with pytest.raises(ValueError, match=r"y is None, but .* conditional=True: give the label"):
            getattr(fitted, method)(argument)
    with pytest.raises(ValueError, match=r"labels \[7\], which were not there in fit; expected"):
        conditional.sample(5, y=7)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        conditional.inverse_transform(codes, y=y[:5])
    with pytest.raises(ValueError, match="y=1 has no effect"):
        plain.sample(5, y=1)
    with pytest.raises(ValueError, match=r"has no effect, because .* conditional=False"):
        plain.inverse_transform(codes, y=y)
    assert plain.score(iris, y) == plain.score(iris)
    with pytest.raises(ValueError, match="requires y to be passed, but the target y is None"):
        quick(conditional=True).fit(iris)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        quick(conditional=True).fit(iris, y[:10])
    with pytest.raises(ValueError, match="labels of several types"):
        quick(conditional=True).fit(iris, np.array([1, "a", None] * 50, dtype=object))
    with pytest.raises(ValueError, match="NaN"):
        quick(conditional=True).fit(iris, np.full(150, np.nan))
    with pytest.raises(ValueError, match="y has 3 columns, but 2 were there in fit"):
        numbers.sample(5, y=iris[:5, :3])


# What scikit-learn's users expect


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes_are_kept(iris, dtype):
    X = iris.astype(dtype)
    fitted = quick(conditional=True).fit(X, load_iris().target)
    codes, deviations = fitted.transform(X, return_std=True)
    assert codes.dtype == deviations.dtype == dtype
    assert fitted.inverse_transform(codes, load_iris().target).dtype == dtype
    assert fitted.score_samples(X).dtype == dtype
    assert all(parameter.dtype == torch.float32 for parameter in fitted.module_.parameters())


def test_far_from_zero_nothing_is_lost(iris):
    near, far = untrained().fit(iris), untrained().fit(iris + 1e9)
    codes = near.transform(iris)
    found = far.transform(iris + 1e9)
    np.testing.assert_allclose(np.abs(found), np.abs(codes), atol=1e-4)
    restored = far.inverse_transform(found) - 1e9
    assert reconstruction_r2(iris, restored) == pytest.approx(near.score(iris), abs=1e-5)


def test_same_seed_same_bits_and_another_seed_another_result(iris):
    fits = [quick(random_state=seed).fit(iris) for seed in (0, 0, 1, None)]
    codes = [fitted.transform(iris) for fitted in fits]
    np.testing.assert_array_equal(codes[0], codes[1])
    assert not np.array_equal(codes[0], codes[2])
    assert not np.array_equal(codes[0], codes[3])
    np.testing.assert_array_equal(fits[0].score_samples(iris), fits[1].score_samples(iris))


@pytest.mark.parametrize("random_state", [None, 0])
def test_global_state_is_left_as_found(random_state):
    X = load_digits().data[:60] / 16
    np.random.seed(3)  # noqa: NPY002
    torch.manual_seed(3)
    numpy_before, torch_before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    threads = torch.get_num_threads()
    for parameters in ({"dropout": 0.1}, {"early_stopping": True, "callbacks": [Watch()]}):
        model = quick(likelihood="bernoulli", binarize=True, **parameters)
        model.set_params(random_state=random_state).fit(X).score(X)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_before)  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), torch_before)
    assert torch.get_num_threads() == threads


def test_the_order_of_rows_does_not_matter(iris):
    y = load_iris().target
    order = np.random.RandomState(0).permutation(len(iris))
    model = quick(conditional=True)
    in_order, mixed = clone(model).fit(iris, y), clone(model).fit(iris[order], y[order])
    np.testing.assert_array_equal(in_order.transform(iris), mixed.transform(iris))


@pytest.mark.parametrize("conditional", [False, True])
def test_a_weight_of_two_is_the_row_twice(iris, conditional):
    y = load_iris().target
    weight = np.random.RandomState(0).randint(0, 3, len(iris))
    model = VariationalAutoencoderTransformer(
        2, max_iter=5, hidden_layer_sizes=8, conditional=conditional, random_state=0
    )
    weighted = clone(model).fit(iris, y, sample_weight=weight)
    repeated = clone(model).fit(np.repeat(iris, weight, axis=0), np.repeat(y, weight))
    np.testing.assert_array_equal(weighted.transform(iris), repeated.transform(iris))
    np.testing.assert_allclose(weighted.score_samples(iris), repeated.score_samples(iris))
    assert weighted.score(iris, y, sample_weight=weight) == pytest.approx(
        repeated.score(np.repeat(iris, weight, axis=0), np.repeat(y, weight))
    )


@pytest.mark.parametrize("container", [sp.csr_array, sp.csc_matrix])
@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
def test_sparse_rows_give_the_dense_result(digits, container, likelihood):
    X = digits / 16
    model = quick(3, likelihood=likelihood)
    dense, sparse = clone(model).fit(X), clone(model).fit(container(X))
    np.testing.assert_allclose(sparse.transform(container(X)), dense.transform(X), atol=1e-12)
    np.testing.assert_allclose(sparse.score_samples(container(X)), dense.score_samples(X))
    assert sparse.score(container(X)) == pytest.approx(dense.score(X))


@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
def test_score_is_the_reconstruction_r2(digits, likelihood):
    X = digits / 16
    fitted = quick(likelihood=likelihood).fit(X)
    reconstruction = fitted.inverse_transform(fitted.transform(X))
    weight = np.random.RandomState(0).uniform(size=len(X))
    for sample_weight in (None, weight):
        assert fitted.score(X, sample_weight=sample_weight) == pytest.approx(
            reconstruction_r2(X, reconstruction, sample_weight=sample_weight)
        )
    errors = (X - reconstruction) ** 2
    np.testing.assert_allclose(fitted.reconstruction_error(X), errors.sum(axis=1), rtol=1e-5)
    per_feature = fitted.reconstruction_error(X, per_feature=True)
    np.testing.assert_allclose(per_feature, errors, atol=1e-6)


def test_constant_columns_constant_data_and_single_rows(iris):
    X = np.column_stack([iris, np.full(len(iris), 7.0)])
    fitted = quick().fit(X)
    np.testing.assert_allclose(fitted.inverse_transform(fitted.transform(X))[:, 4], 7, atol=0.2)
    constant = np.full((10, 3), 1e9)
    fitted = quick().fit(constant)
    assert fitted.scale_ == 1
    assert fitted.score(constant) == 1
    assert np.isfinite(fitted.score_samples(constant)).all()
    with pytest.warns(UndefinedMetricWarning, match="single row"):
        assert np.isnan(fitted.score(constant[:1]))


def test_data_too_small_for_single_precision_counts_as_constant():
    X = np.array([[1e-45, 0.0], [0.0, 0.0], [0.0, 0.0]])
    fitted = quick().fit(X)
    assert fitted.scale_ == 1
    assert np.isfinite(fitted.score_samples(X)).all()
    assert np.isfinite(fitted.sample(3, noise=True)).all()


def test_output_containers_and_names():
    frame = load_iris(as_frame=True).data
    fitted = quick().set_output(transform="pandas").fit(frame)
    codes, deviations = fitted.transform(frame, return_std=True)
    assert isinstance(codes, pd.DataFrame)
    name = "variationalautoencodertransformer"
    assert list(codes.columns) == [f"{name}0", f"{name}1"]
    assert deviations.shape == codes.shape


def test_takes_the_place_of_pca_in_pipelines_and_grid_searches(iris):
    y = load_iris().target
    for conditional in (False, True):
        steps = StandardScaler(), quick(conditional=conditional), LogisticRegression()
        assert cross_val_score(make_pipeline(*steps), iris, y, cv=3).mean() > 0.7
    search = GridSearchCV(quick(), {"n_components": [1, 3], "beta": [0.5, 1.0]}, cv=3).fit(iris)
    assert search.best_params_ == {"n_components": 3, "beta": 0.5}


def test_a_pickle_works_the_same_and_carries_the_network_alone(iris):
    fitted = quick(conditional=True).fit(iris, load_iris().target)
    restored = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(restored.transform(iris), fitted.transform(iris))
    np.testing.assert_array_equal(restored.score_samples(iris), fitted.score_samples(iris))
    buffer = io.BytesIO()
    torch.save(fitted.module_.state_dict(), buffer)
    assert len(pickle.dumps(fitted)) < 1.5 * buffer.tell() + 10_000
    assert "skorch" not in pickle.dumps(fitted).decode("latin-1")


def test_encoder_and_decoder_are_modules_in_units_of_X(digits):
    fitted = quick(3, max_iter=5).fit(digits)
    with torch.no_grad():
        codes = fitted.module_.encoder(torch.from_numpy(digits).float())
        rows = fitted.module_.decoder(codes).numpy()
    np.testing.assert_allclose(codes, fitted.transform(digits), atol=1e-4)
    np.testing.assert_allclose(rows, fitted.inverse_transform(codes.numpy()), atol=1e-3)


def test_a_random_start_is_the_textbook_network(digits):
    fitted = quick(2, init="random", hidden_layer_sizes=(32, 16), max_iter=1).fit(digits)
    layers = [m for m in fitted.module_.modules() if isinstance(m, torch.nn.Linear)]
    sizes = [(layer.in_features, layer.out_features) for layer in layers]
    assert sizes == [(64, 32), (32, 16), (16, 4), (2, 16), (16, 32), (32, 64)]


def test_codes_of_another_number_are_refused(iris):
    with pytest.raises(ValueError, match=r"X has 3 features, but .* expects codes with 2"):
        quick().fit(iris).inverse_transform(iris[:, :3])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_components": 0}, "n_components"),
        ({"n_components": 0.5}, "n_components"),
        ({"hidden_layer_sizes": (4, 0)}, "positive integers"),
        ({"likelihood": "poisson"}, "likelihood"),
        ({"likelihood": "bernoulli"}, r"values from 0.1 to 7.9, but likelihood='bernoulli'"),
        ({"binarize": True}, "binarize=True can't be had, because likelihood='gaussian'"),
        ({"beta": 0.0}, "beta"),
        ({"warm_up": 1.0}, "warm_up"),
        ({"warm_up": 0.5, "learning_rate": "adaptive"}, "warm_up=0.5 does not go with"),
        ({"net_params": {"lr": 0.1}}, "learning_rate_init"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(iris, parameters, message):
    with pytest.raises(ValueError, match=message):
        quick(**parameters).fit(iris)


def test_a_fit_that_fails_leaves_the_old_model(iris):
    model = quick(conditional=True).fit(iris, load_iris().target)
    before = model.transform(iris)
    with pytest.raises(ValueError, match="can't be had"):
        model.set_params(binarize=True).fit(iris[:, :2], iris[:, 0])
    np.testing.assert_array_equal(model.transform(iris), before)
    assert list(model.classes_) == [0, 1, 2]


def test_a_fit_forgets_what_another_one_set(iris):
    model = quick(conditional=True).fit(iris, load_iris().target)
    model.set_params(conditional=False, likelihood="bernoulli").fit(
        MinMaxScaler().fit_transform(iris).clip(0, 1)
    )
    assert not hasattr(model, "classes_")
    assert not hasattr(model, "noise_variance_")


# Any data, any combination


VALUES = st.floats(-1e6, 1e6, width=32, allow_subnormal=False) | st.sampled_from([0.0, 1.0])


@st.composite
def combinations(draw):
    """Draw a transformer and small data that it takes."""
    n_rows, n_features = draw(st.integers(2, 12)), draw(st.integers(1, 5))
    X = draw(arrays(np.float32, (n_rows, n_features), elements=VALUES)).astype(
        draw(st.sampled_from([np.float32, np.float64]))
    )
    likelihood = draw(st.sampled_from(["gaussian", "bernoulli"]))
    parameters = {}
    if likelihood == "bernoulli":
        X = MinMaxScaler(clip=True).fit_transform(X)
        parameters["binarize"] = draw(st.booleans())
    conditional = draw(st.sampled_from([None, "labels", "numbers"]))
    y = np.arange(n_rows) % draw(st.integers(1, 4))
    y = y / 7 if conditional == "numbers" else y.astype(str)
    sizes = draw(st.sampled_from([(), (4,), (3, 2)]))
    if sizes:
        parameters["normalization"] = draw(st.sampled_from([None, "batch", "layer"]))
        parameters["dropout"] = draw(st.sampled_from([0.0, 0.3]))
        parameters["activation"] = draw(st.sampled_from(["silu", "tanh", "relu"]))
        parameters["decoder_layer_sizes"] = draw(st.sampled_from([None, (), 5]))
    parameters["learning_rate"] = draw(st.sampled_from(["one_cycle", "constant", "adaptive"]))
    if parameters["learning_rate"] != "adaptive":
        parameters["warm_up"] = draw(st.sampled_from([0.0, 0.5]))
    return (
        X,
        y,
        VariationalAutoencoderTransformer(
            draw(st.integers(1, 6)),
            likelihood=likelihood,
            hidden_layer_sizes=sizes,
            beta=draw(st.sampled_from([0.1, 1.0, 5.0])),
            init=draw(st.sampled_from(["pca", "random"])),
            conditional=conditional is not None,
            early_stopping=draw(st.booleans()),
            max_iter=2,
            random_state=draw(st.integers(0, 9)),
            **parameters,
        ),
    )


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(combinations())
def test_any_combination_fits_small_data(combination):
    X, y, model = combination
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        model.fit(X, y)
    given = {"y": y} if model.conditional else {}
    codes, deviations = model.transform(X, return_std=True)
    rows = model.inverse_transform(codes, **given)
    density = model.score_samples(X, n_draws=8, **given)
    new = model.sample(len(X), noise=True, random_state=0, **given)
    assert codes.shape == deviations.shape == (len(X), model.n_components)
    assert rows.shape == new.shape == X.shape
    for array in (codes, deviations, rows, density, new, model.loss_curve_):
        assert np.isfinite(array).all()
    assert (deviations > 0).all()
    restored = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(restored.transform(X), codes)
    np.testing.assert_array_equal(restored.inverse_transform(codes, **given), rows)


# Missing values


def holes_in(X, share=0.2, seed=0):
    return np.where(np.random.RandomState(seed).uniform(size=X.shape) < share, np.nan, X)


def test_without_holes_nothing_changes(iris):
    expected = quick(2).fit(iris)
    model = quick(2, missing="mask").fit(iris)
    np.testing.assert_array_equal(model.transform(iris), expected.transform(iris))
    np.testing.assert_array_equal(model.score_samples(iris), expected.score_samples(iris))


def test_the_likelihood_of_a_row_with_holes_is_that_of_its_known_values():
    # A linear decoder with normal noise: rows are normal, and so is what is known of them.
    X = load_iris().data
    model = VariationalAutoencoderTransformer(
        2, hidden_layer_sizes=(), missing="mask", learning_rate_init=1e-9, max_iter=1
    )
    model.set_params(early_stopping=False, random_state=0).fit(X)
    with torch.no_grad():
        loadings = model.module_.decoder.body.linear_path.weight.double().numpy() * model.scale_
    covariance = loadings @ loadings.T + model.noise_variance_ * np.eye(4)
    holes = holes_in(X, 0.4)
    holes = holes[~np.isnan(holes).all(axis=1)]
    expected = []
    for row in holes:
        known = np.flatnonzero(~np.isnan(row))
        mean, part = model.mean_[known], covariance[np.ix_(known, known)]
        expected.append(multivariate_normal(mean, part).logpdf(row[known]))
    np.testing.assert_allclose(model.score_samples(holes, n_draws=4000), expected, atol=0.15)


@pytest.mark.slow
@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
def test_holes_are_filled_better_than_by_means(likelihood):
    X = load_digits().data / 16
    holes = holes_in(X)
    model = VariationalAutoencoderTransformer(
        16, missing="mask", likelihood=likelihood, max_iter=15, validation_fraction=0.1
    )
    filled = model.set_params(random_state=0).fit(holes).impute(holes)
    missing = np.isnan(holes)
    np.testing.assert_array_equal(filled[~missing], holes[~missing])
    error = np.square(filled - X)[missing].mean()
    assert error < 0.7 * np.square(X.mean(axis=0) - X)[missing].mean()
    for scores in (model.score_samples(holes, n_draws=5), model.evidence_lower_bound(holes)):
        assert np.isfinite(scores).all()
    errors = model.reconstruction_error(holes, per_feature=True)
    assert (errors[missing] == 0).all()
    assert np.isfinite(model.transform(holes)).all()


def test_drawn_values_of_zero_and_one_leave_holes_as_they_are(iris):
    unit = MinMaxScaler().fit_transform(iris)
    model = quick(2, likelihood="bernoulli", binarize=True, missing="mask").fit(holes_in(unit))
    assert np.isfinite(model.loss_curve_).all()


def test_who_does_not_ask_for_it_has_no_missing_values(iris):
    with pytest.raises(ValueError, match="missing='mask'"):
        quick(2).fit(holes_in(iris))
    with pytest.raises(ValueError, match="missing='error', but impute needs"):
        quick(2).fit(iris).impute(iris)


# Streams


@pytest.mark.slow
def test_batches_one_by_one_learn_what_a_fit_does():
    X = load_digits().data / 16
    how = {"hidden_layer_sizes": (64, 32), "random_state": 0}
    model = VariationalAutoencoderTransformer(8, learning_rate_init=0.002, **how)
    scores = []
    for _ in range(15):
        for start in range(0, 1500, 500):
            model.partial_fit(X[start : start + 500])
        scores.append(model.score_samples(X[1500:], n_draws=10).mean())
    assert model.n_iter_ == 45
    assert scores[-1] > scores[0] + 5
    fitted = VariationalAutoencoderTransformer(8, max_iter=15, early_stopping=False, **how)
    assert scores[-1] > fitted.fit(X[:1500]).score_samples(X[1500:], n_draws=10).mean() - 5


@pytest.mark.parametrize("parameters", [{}, {"normalization": "batch"}, {"missing": "mask"}])
def test_batches_of_one_row_are_welcome_after_the_first(iris, parameters):
    model = quick(2, **parameters).partial_fit(iris)
    for row in iris[:3]:
        model.partial_fit(row[None])
    assert np.isfinite(model.transform(iris)).all()


def test_labels_of_a_stream_are_those_of_the_first_batch_or_those_given(iris):
    y = load_iris().target
    model = quick(2, conditional=True).partial_fit(iris[:100], y[:100])
    with pytest.raises(ValueError, match=r"labels \[2\], which were not there in fit"):
        model.partial_fit(iris[100:], y[100:])
    model = quick(2, conditional=True).partial_fit(iris[:100], y[:100], classes=[0, 1, 2])
    model.partial_fit(iris[100:], y[100:])
    assert list(model.classes_) == [0, 1, 2]
    drawn = model.sample(300, random_state=0)
    assert drawn.shape == (300, 4)
    np.testing.assert_allclose(model._condition.shares, 1 / 3)


def test_a_stream_and_a_pickle_go_on(iris):
    model = quick(2).partial_fit(iris)
    restored = pickle.loads(pickle.dumps(model)).partial_fit(iris)
    assert restored.n_iter_ == 2
    assert model.n_iter_ == 1


# Rows of a condition


def test_rows_that_are_drawn_of_a_rare_class_are_of_that_class():
    X, y = load_breast_cancer(return_X_y=True)
    X, y = StandardScaler().fit_transform(X), np.where(y, "benign", "malignant")
    judge = LogisticRegression(max_iter=1000).fit(X, y)
    rare = np.r_[np.flatnonzero(y == "benign"), np.flatnonzero(y == "malignant")[:15]]
    model = VariationalAutoencoderTransformer(
        5, conditional=True, validation_fraction=0.1, random_state=0
    ).fit(X[rare], y[rare])
    for label in ("benign", "malignant"):
        for noise in (False, True):
            drawn = model.sample(500, y=label, noise=noise, random_state=0)
            assert (judge.predict(drawn) == label).mean() > 0.9


@pytest.mark.slow
def test_rows_that_are_drawn_for_numbers_follow_them():
    random = np.random.RandomState(0)
    y = random.normal(size=600)
    X = np.outer(y, [1.0, -2.0, 0.5, 3.0]) + 0.3 * random.normal(size=(600, 4))
    model = VariationalAutoencoderTransformer(
        1, conditional=True, max_iter=60, validation_fraction=0.1, random_state=0
    ).fit(X, y)
    for value in (-1.5, 0.0, 1.5):
        drawn = model.sample(400, y=value, random_state=0).mean(axis=0)
        np.testing.assert_allclose(drawn, value * np.array([1.0, -2.0, 0.5, 3.0]), atol=0.2)


def test_a_given_set_has_its_conditions(iris):
    y = load_iris().target
    held_out = np.arange(150) % 3 == 0
    model = quick(2, conditional=True, early_stopping=True)
    model.set_params(validation_fraction=(iris[held_out], y[held_out]))
    model.fit(iris[~held_out], y[~held_out])
    np.testing.assert_allclose(model.mean_, iris[~held_out].mean(axis=0))
    model.set_params(validation_fraction=iris[held_out])
    with pytest.raises(ValueError, match="rows without their condition"):
        model.fit(iris[~held_out], y[~held_out])


def test_clean_targets_are_refused(iris):
    with pytest.raises(ValueError, match="does not learn from pairs"):
        quick(2).fit(iris + 1, iris)
    quick(2).fit(iris, iris)


# Losses below zero, and values outside [0, 1]


@pytest.mark.slow
def test_training_goes_on_below_a_loss_of_zero():
    random = np.random.RandomState(0)
    Z = random.normal(size=(800, 3))
    X = np.hstack([Z @ random.normal(size=(3, 10)), np.tanh(Z)])
    X += 0.05 * random.normal(size=X.shape)
    model = VariationalAutoencoderTransformer(3, validation_fraction=0.1, random_state=0).fit(X)
    assert model.loss_curve_[0] < 0
    assert model.n_iter_ > 30
    losses = model.validation_loss_curve_
    assert losses[model.best_iter_] < losses[1] - 3  # it went on to something much better


@pytest.mark.slow
def test_rows_are_the_less_likely_the_farther_they_are_outside():
    X = load_digits().data[:700] / 16
    model = VariationalAutoencoderTransformer(
        8, likelihood="bernoulli", max_iter=20, validation_fraction=0.1, random_state=0
    ).fit(X[:500])
    scores = [model.score_samples(X[500:] * factor).mean() for factor in (1, 1.2, 2, 10)]
    assert np.isfinite(scores).all()
    assert (np.diff(scores) < 0).all()
    assert scores[-1] < scores[0] - 1000
    detector = AutoencoderOutlierDetector(
        model, criterion="log_likelihood", n_folds=2, random_state=0
    )
    detector.fit(X[:500])
    assert (detector.predict(X[500:] * 10) == -1).all()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_scaled_columns_are_within_the_unit_interval(dtype):
    X = MinMaxScaler().fit_transform(load_breast_cancer().data[::2].astype(dtype))
    X[0, 0] = np.nextafter(dtype(1), dtype(2))
    model = VariationalAutoencoderTransformer(
        2, likelihood="bernoulli", max_iter=2, early_stopping=False, random_state=0
    )
    model.fit(X)
    X[0, 0] = 1.5
    with pytest.raises(ValueError, match=r"to 1\.5, but likelihood='bernoulli'"):
        model.fit(X)
