"""Layer-wise pretraining: each layer is an autoencoder of the codes below."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from torch import nn

from skae import AutoencoderTransformer
from skae._pretraining import blocks, levels_of, pretrain
from skae._rows import StandardizedRows
from skae._seeding import torch_generator
from skae._training import TrainingSettings, train
from skae.nn import (
    AutoencoderNetwork,
    Decoder,
    Encoder,
    SquaredError,
    Standardize,
    mlp,
    transposed_mlp,
)


@pytest.fixture(scope="module")
def digits():
    return load_digits().data[::3] / 16


def settings(**changes):
    defaults = {
        "solver": "adam",
        "learning_rate": "constant",
        "learning_rate_init": 0.003,
        "alpha": 0.0,
        "batch_size": 32,
        "max_iter": 3,
        "n_iter_no_change": 10,
        "tol": 0.0,
        "shuffle": True,
        "device": "cpu",
        "precision": "float32",
        "verbose": False,
        "seed": 0,
    }
    return TrainingSettings(**defaults | changes)


def small(**parameters):
    defaults = {"hidden_layer_sizes": (32, 16), "max_iter": 4, "early_stopping": False}
    return AutoencoderTransformer(4, **defaults | {"random_state": 0} | parameters)


def untrained(**parameters):
    return small(max_iter=1, learning_rate_init=1e-12, **parameters)


@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
def test_blocks_are_the_layers_with_what_follows_them(normalization):
    layers = mlp(
        (9, 8, 7, 6), "relu", generator=torch_generator(0), normalization=normalization, dropout=0.1
    )
    for stack in (layers, transposed_mlp(layers, "relu", normalization=normalization)):
        parts = blocks(stack)
        assert [layer for part in parts for layer in part] == list(stack)
        assert len(parts) == 3
        assert len(parts[-1]) == 1


def test_each_level_learns_the_codes_of_the_level_below(digits):
    """The same as training the first layer, encoding all rows, and training the second."""

    def levels():
        encode = mlp((64, 32, 16, 4), "tanh", generator=torch_generator(0))
        decode = mlp((4, 16, 32, 64), "tanh", generator=torch_generator(1))
        standardize = Standardize(torch.zeros(64), torch.tensor(1.0))
        network = AutoencoderNetwork(
            Encoder(standardize, encode, nn.Identity()), Decoder(standardize, decode)
        )
        into, out_of = blocks(encode)[:2], blocks(decode)[::-1][:2]
        return levels_of(network, SquaredError(standardize), into, out_of)

    X = digits.astype(np.float32)
    everyone, ones = np.arange(len(X)), np.ones(len(X))
    rows = StandardizedRows(X, everyone, ones, np.zeros(64), 1.0)
    together = levels()
    curves = [level.loss_curve for level in pretrain(together, rows, [settings()] * 2)]

    one_by_one = levels()
    expected = [train(*one_by_one[0], rows, settings()).loss_curve]
    with torch.no_grad():
        codes = one_by_one[0].network.encoder(torch.from_numpy(X)).numpy()
    rows = StandardizedRows(codes, everyone, ones, np.zeros(32), 1.0)
    expected.append(train(*one_by_one[1], rows, settings()).loss_curve)

    np.testing.assert_allclose(curves, expected, rtol=1e-4)
    for ours, theirs in zip(together, one_by_one, strict=True):
        for a, b in zip(ours.network.parameters(), theirs.network.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"tied_weights": True},
        {"normalization": "batch", "dropout": 0.1},
        {"tied_weights": True, "activation": "logistic"},
        {"missing": "mask", "noise": "masking"},
    ],
)
def test_beside_a_linear_path_the_start_still_is_pca(digits, parameters):
    model = untrained(pretrain=True, **parameters).fit(digits)
    ratio = PCA(4).fit(digits).explained_variance_ratio_.sum()
    assert model.score(digits) == pytest.approx(ratio, abs=1e-5)
    assert [len(curve) for curve in model.pretraining_loss_curves_] == [1, 1]


@pytest.mark.slow
def test_a_pretrained_network_is_ahead_after_one_epoch(digits):
    pretrained, random = (
        small(init="random", pretrain=pretrain, max_iter=20).fit(digits).loss_curve_[0]
        for pretrain in (True, False)
    )
    assert pretrained < 0.75 * random


def test_all_layers_are_pretrained_without_a_linear_path(digits):
    model = small(init="random", pretrain=True).fit(digits)
    assert len(model.pretraining_loss_curves_) == 3
    assert all(len(curve) == 4 for curve in model.pretraining_loss_curves_)


def test_dropout_and_normalization_are_active_after_pretraining(digits):
    model = small(pretrain=True, normalization="batch", max_iter=2)
    model.fit(digits)
    norms = [m for m in model.module_.modules() if isinstance(m, nn.BatchNorm1d)]
    # 2 epochs of pretraining and 2 of training have moved the running means.
    n_batches = -(-len(np.unique(digits, axis=0)) // 32)
    assert norms[0].num_batches_tracked.item() == 4 * n_batches


def test_pretraining_again_without_it_forgets_its_curves(digits):
    model = small(pretrain=True).fit(digits)
    model.set_params(pretrain=False).fit(digits)
    assert not hasattr(model, "pretraining_loss_curves_")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"decoder_layer_sizes": (8,)}, "decoder_layer_sizes.*mirror image"),
        ({"encoder": nn.Linear}, "pretrain=True can't be had"),
    ],
)
def test_what_can_not_be_pretrained_is_refused(digits, parameters, message):
    with pytest.raises(ValueError, match=message):
        small(pretrain=True, **parameters).fit(digits)


class Images:
    """A user's own noise, that knows rows of 64 pixels only."""

    shapes: list = []  # noqa: RUF012

    def corrupt(self, rows, generator):
        self.shapes.append(rows.shape[1])
        return rows.reshape(-1, 8, 8).flip(2).reshape(rows.shape)


def test_an_own_noise_is_for_rows_and_those_of_skae_for_the_codes_of_each_layer_too(digits):
    small(pretrain=True, noise=Images()).fit(digits)
    assert set(Images.shapes) == {64}
    curves = {}
    for noise in ("masking", None):
        model = small(pretrain=True, noise=noise, init="random").fit(digits)
        curves[noise] = model.pretraining_loss_curves_
    assert all(a != b for a, b in zip(*curves.values(), strict=True))
