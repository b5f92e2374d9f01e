"""From layers to a network: where it starts, and what its outputs are."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
from torch import nn

from skae import AutoencoderTransformer
from skae.nn import TransposedLinear


@pytest.fixture(scope="module")
def digits():
    return load_digits().data[::3] / 16


@pytest.fixture(scope="module")
def table():
    """Two columns of 0 and 1 beside numeric ones."""
    X = StandardScaler().fit_transform(load_wine().data)
    return np.column_stack([X[:, 0] > 0, X[:, 1:5], X[:, 12] > 0.5]).astype(float)


def untrained(n_components=3, **parameters):
    return AutoencoderTransformer(
        n_components,
        **{"hidden_layer_sizes": (16, 8), "max_iter": 1, "learning_rate_init": 1e-12}
        | {"early_stopping": False, "random_state": 0}
        | parameters,
    )


def weights(module):
    return [m.weight for m in module.modules() if isinstance(m, nn.Linear | TransposedLinear)]


@pytest.mark.parametrize("init", ["pca", "random"])
@pytest.mark.parametrize("sizes", [(), (16,), (16, 8)])
def test_tied_weights_are_transposes_and_half_as_many(digits, init, sizes):
    shape = {"hidden_layer_sizes": sizes, "init": init, "max_iter": 3, "learning_rate_init": 0.01}
    tied = untrained(tied_weights=True, **shape).fit(digits).module_
    free = untrained(**shape).fit(digits).module_
    n_linear = len(sizes) + 1
    path = int(init == "pca" and len(sizes) > 0)
    into, out_of = weights(tied.encoder), weights(tied.decoder)
    assert len(into) == len(out_of) == n_linear + path
    pairs = [*zip(into[:path], out_of[:path], strict=True)]
    pairs += zip(into[path:], reversed(out_of[path:]), strict=True)
    assert all(a is b for a, b in pairs)

    def n_weights(module):
        return sum(p.numel() for p in module.parameters() if p.ndim == 2)

    assert 2 * n_weights(tied) == n_weights(free)
    assert all(torch.isfinite(p).all() for p in tied.parameters())


@pytest.mark.parametrize("activation", ["silu", "tanh", "logistic", "softplus"])
@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
def test_a_tied_network_starts_at_pca_whatever_follows_its_layers(
    digits, activation, normalization
):
    model = untrained(tied_weights=True, activation=activation, normalization=normalization)
    ratio = PCA(3).fit(digits).explained_variance_ratio_.sum()
    # The one epoch moves the running means of a batch normalization.
    assert model.fit(digits).score(digits) == pytest.approx(ratio, abs=1e-3)


@pytest.mark.parametrize(
    ("parameters", "share"),
    [
        ({"loss": "log_loss"}, 0.6),
        # Transposed weights leave one number to fit, or none: a rougher start.
        ({"output_activation": "softplus"}, 0.2),
        ({"latent_activation": "tanh"}, 0.2),
    ],
)
def test_a_tied_network_starts_near_pca_behind_an_activation(digits, parameters, share):
    model = untrained(3, tied_weights=True, **parameters).fit(digits)
    ratio = PCA(3).fit(digits).explained_variance_ratio_.sum()
    assert share * ratio < model.score(digits) < ratio + 0.05


@pytest.mark.parametrize(
    "parameters",
    [{"dropout": 0.3}, {"normalization": "batch"}, {"normalization": "layer"}, {"ordered": True}],
)
def test_the_start_is_pca_beside_any_hidden_layers(digits, parameters):
    ratio = PCA(3).fit(digits).explained_variance_ratio_.sum()
    assert untrained(**parameters).fit(digits).score(digits) == pytest.approx(ratio, abs=1e-5)


def test_columns_of_the_log_loss_are_probabilities_and_the_others_are_free(table):
    loss = {"log_loss": [0, 5], "squared_error": slice(1, 5)}
    model = untrained(2, loss=loss, max_iter=30, learning_rate_init=0.003).fit(table)
    rebuilt = model.inverse_transform(5 * model.transform(table))
    assert ((rebuilt[:, [0, 5]] >= 0) & (rebuilt[:, [0, 5]] <= 1)).all()
    assert rebuilt[:, 1:5].min() < -1
    assert rebuilt[:, 1:5].max() > 1


def test_a_mapping_starts_at_pca_in_its_numeric_columns_and_near_it_in_the_others(table):
    loss = {"log_loss": [0, 5], "squared_error": slice(1, 5)}
    model = untrained(2, loss=loss).fit(table)
    pca = PCA(2).fit(table)
    expected = pca.inverse_transform(pca.transform(table))
    rebuilt = model.inverse_transform(model.transform(table))
    np.testing.assert_allclose(rebuilt[:, 1:5], expected[:, 1:5], atol=1e-4)
    for column in (0, 5):
        assert np.corrcoef(rebuilt[:, column], expected[:, column])[0, 1] > 0.95


def test_a_mapping_to_one_loss_is_that_loss(digits):
    for loss in ("log_loss", "squared_error", "huber"):
        settings = {"max_iter": 3, "learning_rate_init": 0.003, "loss": loss}
        one = untrained(**settings).fit(digits)
        mapped = untrained(**settings | {"loss": {loss: slice(None)}}).fit(digits)
        np.testing.assert_allclose(mapped.loss_curve_, one.loss_curve_, rtol=0.05)
        np.testing.assert_allclose(mapped.score(digits), one.score(digits), atol=0.02)


def test_a_start_from_rows_with_holes_is_pca_of_rows_filled_with_means(digits):
    holes = np.where(np.random.RandomState(0).uniform(size=digits.shape) < 0.2, np.nan, digits)
    model = untrained(3, missing="mask").fit(holes)
    filled = np.where(np.isnan(holes), np.nanmean(holes, axis=0), holes)
    pca = PCA(3).fit(filled)
    expected = pca.inverse_transform(pca.transform(filled))
    np.testing.assert_allclose(model.inverse_transform(model.transform(holes)), expected, atol=1e-4)
