"""Rows and small networks that are trained in the tests of `_training` and of `_racing`."""

import numpy as np
import torch
from sklearn.datasets import load_iris
from torch import nn

from skae._racing import Candidate, Contest, train_with_validation
from skae._rows import StandardizedRows, mean_and_scale
from skae._seeding import torch_generator
from skae._training import TrainingSettings
from skae.nn import (
    AutoencoderNetwork,
    CallableLoss,
    Decoder,
    Encoder,
    SkipConnection,
    SquaredError,
    Standardize,
    linear,
    mlp,
)

X = load_iris().data

SETTINGS = TrainingSettings(
    solver="adam",
    learning_rate="constant",
    learning_rate_init=0.01,
    alpha=0.0,
    batch_size=30,
    max_iter=4,
    n_iter_no_change=100,
    tol=0.0,
    shuffle=True,
    device="cpu",
    precision="float32",
    verbose=False,
    seed=0,
)


def rows_of(X, indices=None, like=None, weight=None):
    """Return rows standardized by themselves, or as other rows are."""
    indices = np.arange(len(X)) if indices is None else indices
    weight = np.ones(len(indices)) if weight is None else weight
    mean, scale = mean_and_scale(X, indices, weight) if like is None else (like.mean, like.scale)
    return StandardizedRows(X, indices, weight, mean, scale)


def network_of(rows, seed=0, width=16, n_components=2):
    """Return a network of a linear path and a correction, both at random."""
    n_features = len(rows.mean)
    standardize = Standardize(
        torch.tensor(rows.mean, dtype=torch.float32), torch.tensor(rows.scale, dtype=torch.float32)
    )
    generator = torch_generator(seed)

    def body(*sizes):
        path = linear(sizes[0], sizes[-1], generator=generator)
        return SkipConnection(path, mlp(sizes, "tanh", generator=generator))

    encoder = Encoder(standardize, body(n_features, width, n_components), nn.Identity())
    return AutoencoderNetwork(encoder, Decoder(standardize, body(n_components, width, n_features)))


def part_of(X, indices=None, loss=None, seed=0):
    """Return a network, its loss and its rows."""
    rows = rows_of(X, indices)
    network = network_of(rows, seed)
    standardize = network.encoder.standardize
    return network, CallableLoss(standardize, loss) if loss else SquaredError(standardize), rows


def loss_of(network, rows):
    """Return the mean squared error of standardized rows, each times its weight."""
    with torch.no_grad():
        Z, (_, weight) = rows[:]
        errors = (network.eval()(Z).reconstruction - Z).square().mean(dim=1)
    return float((errors * weight).mean())


def validate(parts, held_out, settings, **how):
    """Train networks with validation, where there is nothing to choose."""
    contest = Contest([Candidate(parts, held_out)], how.pop("groups", None))
    [(chosen, (result,))] = train_with_validation([contest], settings, **how)
    assert chosen == 0
    return result


def weights_of(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def folds_of(n_folds):
    order = np.random.RandomState(0).permutation(len(X))
    return [(np.setdiff1d(order, part), part) for part in np.array_split(order, n_folds)]


def validated_parts(n_folds=1, seed=0):
    """Return parts and rows held out: folds, or one part with a third of the rows."""
    folds = folds_of(n_folds) if n_folds > 1 else folds_of(3)[:1]
    parts = [part_of(X, training, seed=seed) for training, _ in folds]
    held_out = [
        rows_of(X, validation, like=part[2])
        for part, (_, validation) in zip(parts, folds, strict=True)
    ]
    return parts, held_out
