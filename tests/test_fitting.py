"""What all fits share: folds, the best epoch, measuring on rows held out, and what is undone."""

import re

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.datasets import load_digits
from skorch.callbacks import Callback

from skae import (
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    ConvolutionalAutoencoderTransformer,
    StackedAutoencoderClassifier,
    TableEncoder,
    VariationalAutoencoderTransformer,
    _fitting,
)
from skae._fitting import (
    Fit,
    Start,
    Way,
    carry_out,
    checked_part,
    fit_each,
    of_one_call,
    or_as_before,
    part_of,
    penalties_of,
    training_settings,
)
from skae._holding_out import FitRows
from skae._rows import StandardizedRows, mean_and_scale
from skae._seeding import torch_generator
from skae.nn import (
    AutoencoderNetwork,
    Decoder,
    Encoder,
    SquaredError,
    Standardize,
    mlp,
)
from skae.noise import NOISES, MaskingNoise
from skae.penalty import Contraction, L1Sparsity

X = load_digits().data[:400]


class Counting(Callback):
    n_epochs = 0

    def on_epoch_end(self, net, **kwargs):
        self.n_epochs += 1


def start(indices, weight):
    mean, scale = mean_and_scale(X, indices, weight)
    standardize = Standardize(torch.from_numpy(mean).float(), torch.tensor(scale).float())
    encode = mlp((64, 16, 2), "tanh", generator=torch_generator(0))
    decode = mlp((2, 16, 64), "tanh", generator=torch_generator(1))
    encoder = Encoder(standardize, encode, torch.nn.Identity())
    network = AutoencoderNetwork(encoder, Decoder(standardize, decode))
    rows = StandardizedRows(X, indices, weight, mean, scale)
    return Start(network, SquaredError(standardize), rows)


def fit(measure=None, **options):
    resumed = options.pop("resumed", False)
    estimator = AutoencoderTransformer(max_iter=6, random_state=0, **options)
    rows = FitRows(X, np.ones(len(X)), shuffle=True)
    settings = training_settings(estimator, len(X))
    kept = []

    def keep(estimator, fitted):
        kept.append(fitted)

    carry_out([Fit(estimator, [Way(start)], rows, settings, keep, resumed, measure)])
    return kept[0]


@pytest.mark.parametrize(
    ("options", "share"),
    [
        ({}, 0.8),
        ({"validation_fraction": 0.25}, 0.25),
        ({"resumed": True}, 0.1),
        ({"early_stopping": False}, 1.0),
    ],
)
def test_each_row_is_measured_once_in_a_cross_validation_or_if_held_out(options, share):
    counts = fit(lambda network, rows: np.bincount(rows.indices, minlength=len(X)), **options)
    assert set(counts.measured) <= {0, 1}
    assert counts.measured.mean() == pytest.approx(share)


def test_what_is_measured_is_the_network_of_the_best_epoch_on_rows_not_trained_on():
    def loss(network, rows):
        Z, (target, _) = rows[slice(None)]
        with torch.no_grad():
            network.eval()
            return (network(Z).reconstruction - target).square().mean(dim=1).sum().item()

    fitted = fit(loss)
    assert fitted.best_iter > 0
    best = fitted.validation_loss_curve[fitted.best_iter]
    n_held_out = 0.8 * len(X)  # four folds of five are enough
    assert fitted.measured / n_held_out == pytest.approx(best, rel=1e-5)


def test_a_block_that_fails_changes_nothing():
    estimator = AutoencoderTransformer(3)
    estimator.fitted_ = [1]

    def fail():
        estimator.fitted_ = [2]
        estimator.other_ = 3
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), or_as_before(estimator):
        fail()
    assert estimator.fitted_ == [1]
    assert not hasattr(estimator, "other_")


class WithoutConstraints(BaseEstimator):
    def corrupt(self, rows, generator):
        return rows


def test_parts_by_name_and_as_they_are():
    assert part_of("masking", NOISES, "noise").level == MaskingNoise().level
    own = WithoutConstraints()
    assert part_of(own, NOISES, "noise") is own
    with pytest.raises(ValueError, match="noise='snow' is not known; expected one of"):
        part_of("snow", NOISES, "noise")
    with pytest.raises(ValueError, match="'level' parameter of MaskingNoise"):
        checked_part(MaskingNoise(2))


def test_penalties_are_none_one_or_several():
    assert penalties_of(None) == []
    l1 = L1Sparsity()
    assert penalties_of(l1) == [l1]
    kinds = [type(part) for part in penalties_of(["contraction", l1])]
    assert kinds == [Contraction, L1Sparsity]


@pytest.mark.parametrize(
    "estimator",
    [
        AutoencoderTransformer(max_iter=1, early_stopping=False),
        VariationalAutoencoderTransformer(max_iter=1, early_stopping=False),
        ConvolutionalAutoencoderTransformer(max_iter=1, early_stopping=False),
        StackedAutoencoderClassifier(max_iter=1, early_stopping=False),
        AutoencoderOutlierDetector(
            AutoencoderTransformer(max_iter=1, early_stopping=False), n_folds=2
        ),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_arrays_that_are_no_tables_are_told_how_to_be_one(estimator):
    images, y = X[:20].reshape(20, 8, 8), np.arange(20) % 2
    message = (
        r"(?s)Found array with dim 3.*X has shape \(20, 8, 8\); make each of its "
        r"20 samples a row: X.reshape\(len\(X\), -1\)"
    )
    with pytest.raises(ValueError, match=message):
        estimator.fit(images, y)
    fitted = estimator.fit(images.reshape(len(images), -1), y)
    for method in ("transform", "inverse_transform", "predict", "score_samples"):
        if hasattr(fitted, method):
            with pytest.raises(ValueError, match=message):
                getattr(fitted, method)(images)


@pytest.mark.parametrize(
    ("shape", "advice"),
    [
        (
            (8, 9),
            "image_shape={'height': 8, 'width': 9} for images of 8 by 9 pixels, {'leng",
        ),
        ((50, 2), "{'length': 50, 'channels': 2} for series of 50 times, or {'channels': 50, "),
        ((8, 9, 3), "set image_shape=(8, 9, 3)."),
        ((3, 8, 9), "set image_shape=(3, 8, 9)."),
        ((3, 9, 3), "image_shape={'channels': 3, 'height': 9, 'width': 3} or image_shape={'hei"),
        ((8, 9, 2), "or image_shape={'height': 8, 'width': 9, 'channels': 2}."),
        ((2, 2, 2, 2), "set image_shape to channels, height and width"),
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", [np.asarray, np.ndarray.tolist])
def test_arrays_of_images_and_series_are_told_their_shape(shape, advice, kind):
    with pytest.raises(ValueError, match=re.escape(advice)):
        ConvolutionalAutoencoderTransformer().fit(kind(np.zeros((5, *shape))))


@pytest.mark.slow
@pytest.mark.parametrize(
    "estimator",
    [
        AutoencoderTransformer(2),
        AutoencoderTransformer(2, dropout=0.3, tied_weights=True, init="random"),
        AutoencoderTransformer(3, ordered=True, noise="masking"),
        AutoencoderTransformer(2, loss={"huber": [0], "squared_error": slice(1, None)}),
        AutoencoderTransformer(2, normalization="layer", penalty=["l1", "contraction"]),
        AutoencoderTransformer(2, latent_activation="logistic", penalty="kl"),
        VariationalAutoencoderTransformer(2, dropout=0.3),
    ],
    ids=[
        *("default", "tied, with dropout", "ordered", "losses by column"),
        *("layer normalization, penalties", "penalty of a batch", "variational"),
    ],
)
def test_networks_trained_as_one_are_those_trained_one_after_the_other(estimator, monkeypatch):
    estimator.set_params(max_iter=6, random_state=0)
    together = clone(estimator).fit(X[:200])
    monkeypatch.setattr("skae._training.likeness", lambda module: None)
    apart = clone(estimator).fit(X[:200])
    np.testing.assert_allclose(
        together.validation_loss_curve_, apart.validation_loss_curve_, rtol=1e-4
    )
    assert together.best_iter_ == apart.best_iter_
    assert getattr(together, "init_", None) == getattr(apart, "init_", None)
    np.testing.assert_allclose(together.transform(X), apart.transform(X), rtol=1e-3, atol=1e-3)


class OwnNoise:
    def corrupt(self, rows, generator):
        return rows + torch.randn(rows.shape, generator=generator)


@pytest.mark.parametrize(
    ("template", "as_one"),
    [
        (AutoencoderTransformer(2, validation_fraction=0.1), True),
        (AutoencoderTransformer(2), True),
        (AutoencoderTransformer(3, ordered=True, early_stopping=False), True),
        (VariationalAutoencoderTransformer(2), True),
        (AutoencoderTransformer(2, noise=OwnNoise()), False),
        (AutoencoderTransformer(2, callbacks=[Counting()]), False),
    ],
    ids=["hold-out", "folds", "none held out", "variational", "own noise", "callbacks"],
)
def test_estimators_fitted_at_once_are_those_fitted_one_by_one(template, as_one, monkeypatch):
    template.set_params(max_iter=4, random_state=0)
    given = [{"X": X[:120]}, {"X": X[120:240], "sample_weight": np.ones(120)}]
    n_runs = []
    carry = _fitting.carry_out
    monkeypatch.setattr(_fitting, "carry_out", lambda fits: n_runs.append(len(fits)) or carry(fits))
    at_once, one_by_one = [[clone(template) for _ in given] for _ in range(2)]
    fit_each(at_once, given, "fold")
    assert (n_runs == [2]) == as_one
    for several, alone, arguments in zip(at_once, one_by_one, given, strict=True):
        alone.fit(**arguments)
        assert several.best_iter_ == alone.best_iter_
        np.testing.assert_allclose(several.loss_curve_, alone.loss_curve_, rtol=1e-4)
        np.testing.assert_allclose(several.transform(X), alone.transform(X), rtol=1e-3, atol=1e-3)
        if template.callbacks:
            assert several.callbacks[0].n_epochs == alone.callbacks[0].n_epochs == 4


def test_folds_that_differ_by_a_row_are_trained_as_one():
    template = AutoencoderTransformer(2, validation_fraction=0.1, max_iter=4, random_state=0)
    at_once = [clone(template) for _ in range(2)]
    fit_each(at_once, [{"X": X[:120]}, {"X": X[120:241]}], "fold")
    alone = clone(template).fit(X[120:241])
    np.testing.assert_allclose(at_once[1].loss_curve_, alone.loss_curve_, rtol=1e-4)


def test_the_step_follows_from_the_rows_unless_it_is_given():
    estimator = AutoencoderTransformer()
    assert training_settings(estimator, 10_000).learning_rate_init == 0.008
    assert training_settings(estimator, 10_001).learning_rate_init == 0.004
    estimator.set_params(learning_rate="cosine")
    assert training_settings(estimator, 100).learning_rate_init == 0.003


@pytest.mark.parametrize(
    ("n_rows", "least", "epochs"), [(100, 64, 250), (2000, 200, 60), (4000, 256, 60)]
)
def test_levels_are_learnt_in_half_the_steps_if_rows_are_held_out(n_rows, least, epochs):
    table = pd.DataFrame({"a": [*range(8)], "b": [*"uuvvwwxx"]})
    estimator = AutoencoderTransformer(2, loss=TableEncoder().fit(table).loss())
    settings = training_settings(estimator, n_rows)
    assert (settings.batch_size, settings.max_iter) == (least, epochs)
    plain = training_settings(AutoencoderTransformer(2), n_rows)
    assert (plain.batch_size, plain.max_iter) == (max(32, n_rows // 20), epochs)
    estimator.set_params(early_stopping=False)
    assert training_settings(estimator, n_rows).batch_size == plain.batch_size
    estimator.set_params(early_stopping=True, batch_size=48)
    assert training_settings(estimator, n_rows).batch_size == 48
    estimator.set_params(learning_rate_init=0.1)
    assert training_settings(estimator, 100).learning_rate_init == 0.1


@pytest.mark.parametrize(
    ("parameters", "n_rows", "decay"),
    [
        ({"early_stopping": False}, 10_000, 1 - 256 / 10_000),
        ({"early_stopping": False}, 10_000_000, 0.999),
        ({"early_stopping": False}, 60, 0.95),
        ({"early_stopping": False, "batch_size": 50}, 2000, 0.975),
        ({"early_stopping": False, "learning_rate": "one_cycle"}, 2000, 0.999),
        ({}, 2000, 0.999),
    ],
)
def test_squares_are_averaged_over_an_epoch_where_a_large_step_is_not_judged(
    parameters, n_rows, decay
):
    settings = training_settings(AutoencoderTransformer(**parameters), n_rows)
    assert settings.squares_decay == pytest.approx(decay)
    assert of_one_call(settings, 0.01).squares_decay == 0.999
