"""Rows held out find the best epoch of the best candidate."""

import copy
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_rel
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback
from torch import nn

from skae._racing import Candidate, Contest, _is_better, train_with_validation
from skae._rows import Batches
from skae._seeding import global_torch_seed
from skae._training import SOLVERS, train
from skae.nn import RowLoss
from skae.noise import GaussianNoise
from small_networks import (
    SETTINGS,
    X,
    folds_of,
    loss_of,
    part_of,
    rows_of,
    validate,
    validated_parts,
    weights_of,
)


class Spoil(Callback):
    """Ruin the weights before the sixth epoch."""

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == 6:
            for parameter in net.module_.parameters():
                parameter.data.fill_(3.0)


@pytest.mark.parametrize("n_folds", [1, 3])
def test_the_networks_end_at_the_epoch_of_the_lowest_validation_loss(n_folds):
    parts, held_out = validated_parts(n_folds)
    untrained = np.mean(
        [loss_of(part[0], rows) for part, rows in zip(parts, held_out, strict=True)]
    )
    settings = replace(SETTINGS, max_iter=8, callbacks=[Spoil()])
    result = validate(parts, held_out, settings)
    curve = result.validation_loss_curve
    assert len(result.loss_curve) == 8
    assert len(curve) == 9
    assert curve[0] == pytest.approx(untrained, rel=1e-5)
    assert result.best_iter == np.argmin(curve)
    assert 0 < result.best_iter < 8
    losses = [loss_of(part[0], rows) for part, rows in zip(parts, held_out, strict=True)]
    assert np.mean(losses) == pytest.approx(min(curve), rel=1e-5)


def test_networks_side_by_side_are_those_one_after_the_other():
    together, held_out = validated_parts(3)
    validate(together, held_out, SETTINGS)
    apart, held_out = validated_parts(3)
    for part, rows in zip(apart, held_out, strict=True):
        validate([part], [rows], SETTINGS)
    for (first, *_), (second, *_) in zip(together, apart, strict=True):
        for name, value in weights_of(first).items():
            torch.testing.assert_close(value, second.state_dict()[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("solver", SOLVERS)
def test_networks_that_leave_change_nothing_for_those_that_stay(solver, monkeypatch):
    """Three candidates, of which two leave, against the best one alone."""
    settings = replace(
        SETTINGS, solver=solver, max_iter=12, learning_rate="averaged",
        learning_rate_init={"sgd": 0.02, "adagrad": 0.05}.get(solver, 0.01), n_iter_no_change=12,
    )  # fmt: skip
    noises = [GaussianNoise(3.0), None, GaussianNoise(10.0)]
    candidates = [Candidate(*validated_parts(2), noise) for noise in noises]
    [(chosen, results)] = train_with_validation([Contest(candidates)], settings)
    assert chosen == 1
    n_iter = [len(result.loss_curve) for result in results]
    assert n_iter == [math.ceil(12 * share) for share in (0.45, 1.0, 0.3)]
    alone = validate(*validated_parts(2), settings)
    np.testing.assert_allclose(
        results[1].validation_loss_curve, alone.validation_loss_curve, rtol=1e-4
    )
    np.testing.assert_allclose(results[1].loss_curve, alone.loss_curve, rtol=1e-4)
    assert results[1].best_iter == alone.best_iter


def test_the_chosen_networks_have_the_weights_of_their_best_epoch():
    settings = replace(SETTINGS, max_iter=10, learning_rate_init=0.05)
    candidates = [Candidate(*validated_parts(3), noise) for noise in (GaussianNoise(2.0), None)]
    [(chosen, results)] = train_with_validation([Contest(candidates)], settings)
    parts, held_out, *_ = candidates[chosen]
    losses = [loss_of(part[0], rows) for part, rows in zip(parts, held_out, strict=True)]
    assert np.mean(losses) == pytest.approx(min(results[chosen].validation_loss_curve), rel=1e-4)


@pytest.mark.parametrize(("n_rows", "leaves"), [(29, False), (30, True)])
def test_less_than_thirty_rows_prove_nothing(n_rows, leaves):
    part = part_of(X, np.arange(n_rows, len(X)))
    settings = replace(SETTINGS, learning_rate_init=0.05)
    result = validate([part], [rows_of(X, np.arange(n_rows), like=part[2])], settings)
    assert (result.best_iter > 0) == leaves
    assert min(result.validation_loss_curve) < 0.5 * result.validation_loss_curve[0]


def test_several_candidates_have_to_be_better_by_more():
    gain = np.random.RandomState(7).normal(0.25, 1.0, size=100)  # p is 0.006
    assert _is_better(gain, np.ones(100))
    assert not _is_better(gain, np.ones(100), level=0.01 / 4)


def test_validation_does_not_change_training():
    parts, held_out = validated_parts()
    alone = copy.deepcopy(parts[0])
    validated = validate(parts, held_out, SETTINGS)
    assert train(*alone, SETTINGS).loss_curve == validated.loss_curve


def test_validation_is_in_evaluation_mode_and_training_is_not():
    modes = []

    class Noise(nn.Dropout):
        def forward(self, Z):
            modes.append(self.training)
            return super().forward(Z)

    parts, held_out = validated_parts()
    network = parts[0][0]
    network.encoder.body.correction.append(Noise(0.5))
    expected = loss_of(network, held_out[0])
    modes.clear()
    with global_torch_seed(0):
        result = validate(parts, held_out, replace(SETTINGS, max_iter=2))
    assert result.validation_loss_curve[0] == pytest.approx(expected, rel=1e-5)
    n_batches = len(Batches(parts[0][2], SETTINGS.batch_size))
    assert modes == [False, *2 * [*n_batches * [True], False]]


def test_training_ends_when_the_validation_loss_no_longer_falls_by_tol():
    settings = replace(SETTINGS, tol=1e9, n_iter_no_change=3, max_iter=20)
    assert len(validate(*validated_parts(), settings).loss_curve) == 3


def test_adaptive_rates_follow_the_validation_loss():
    class Worse(Callback):
        def on_epoch_end(self, net, **kwargs):
            seen.append((net.history[-1, "valid_loss"], net.optimizer_.param_groups[0]["lr"]))

    seen = []
    settings = replace(
        SETTINGS, learning_rate="adaptive", learning_rate_init=0.1, max_iter=20, callbacks=[Worse()]
    )
    result = validate(*validated_parts(), settings)
    losses, rates = np.array(seen).T
    np.testing.assert_allclose(losses, result.validation_loss_curve[1:], rtol=1e-6)
    goal, waited, rate = np.inf, 0, 0.1
    for loss, used in zip(losses, rates, strict=True):
        assert used == pytest.approx(rate)
        goal, waited = (loss, 0) if loss < goal else (goal, waited + 1)
        if waited == 2:
            rate, waited = rate / 5, 0
    assert rates[-1] < 0.1


def test_epoch_zero_is_kept_where_no_epoch_is_better():
    parts, held_out = validated_parts()
    network, loss, _ = parts[0]
    train(network, loss, held_out[0], replace(SETTINGS, max_iter=50))
    before = weights_of(network)
    result = validate(parts, held_out, replace(SETTINGS, learning_rate_init=0.5))
    assert result.best_iter == 0
    assert len(result.loss_curve) == SETTINGS.max_iter
    for name, value in weights_of(network).items():
        assert torch.equal(value, before[name])


def test_epoch_zero_is_kept_where_two_rows_are_too_few_to_tell():
    part = part_of(X, np.arange(2, len(X)))
    settings = replace(SETTINGS, learning_rate_init=1e-3)
    result = validate([part], [rows_of(X, np.array([0, 149]), like=part[2])], settings)
    assert min(result.validation_loss_curve) < result.validation_loss_curve[0]
    assert result.best_iter == 0


def test_divergence_ends_training_with_a_warning_and_the_best_weights():
    parts, held_out = validated_parts()
    settings = replace(SETTINGS, solver="sgd", learning_rate_init=1e12, max_iter=50)
    with pytest.warns(ConvergenceWarning, match="epoch 0 is kept"):
        result = validate(parts, held_out, settings)
    assert result.best_iter == 0
    assert len(result.loss_curve) < 50
    assert all(value.isfinite().all() for value in weights_of(parts[0][0]).values())


def test_a_heavy_row_counts_as_much_in_a_fold_as_in_a_hold_out():
    weight = np.where(np.arange(len(X)) == folds_of(3)[0][1][0], 1000.0, 1.0)
    parts, held_out = [], []
    for training, validation in folds_of(3):
        parts.append(part_of(X, training))
        like = parts[-1][2]
        held_out.append(rows_of(X, validation, like=like, weight=weight[validation]))
    losses = [loss_of(part[0], rows) for part, rows in zip(parts, held_out, strict=True)]
    total = [weight[validation].sum() for _, validation in folds_of(3)]
    result = validate(parts, held_out, replace(SETTINGS, max_iter=1))
    assert result.validation_loss_curve[0] == pytest.approx(np.average(losses, weights=total))


# Whether an epoch is better than none


@given(
    st.lists(st.floats(-1, 1, allow_subnormal=False), min_size=2, max_size=40),
    st.floats(-0.5, 0.5),
    st.sampled_from([0.01, 0.05, 0.3]),
)
@settings(max_examples=200)
def test_better_is_what_a_paired_t_test_calls_better(gain, shift, level):
    gain = np.round(np.array(gain) + shift, 6)
    if np.ptp(gain) < 1e-3:
        return
    p = ttest_rel(gain, np.zeros(len(gain)), alternative="greater").pvalue
    if abs(p - level) < 1e-9:
        return
    assert _is_better(gain, np.ones(len(gain), dtype=np.float32), level=level) == (p < level)


@given(st.integers(0, 2**31 - 1), st.floats(1e-3, 1e3))
def test_the_unit_of_gains_and_weights_does_not_matter(seed, unit):
    random = np.random.RandomState(seed)
    gain, weight = random.normal(0.3, 1, size=30), random.uniform(size=30)
    expected = _is_better(gain, weight)
    assert _is_better(unit * gain, weight) == expected
    assert _is_better(gain, unit * weight) == expected


def test_equal_gains_are_better_and_no_gain_is_not():
    assert _is_better(np.full(5, 0.25), np.ones(5))
    assert not _is_better(np.zeros(5), np.ones(5))
    assert not _is_better(np.full(5, -0.25), np.ones(5))


def test_one_row_proves_nothing_and_neither_do_many_of_which_one_counts():
    assert not _is_better(np.array([9.0]), np.ones(1))
    gain = np.full(50, 1.0) + np.random.RandomState(0).normal(size=50) * 0.01
    assert _is_better(gain, np.ones(50))
    assert not _is_better(gain, np.r_[1e6, np.ones(49)])


class CleanError(RowLoss):
    """A judge that keeps what it is shown."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def rows(self, output, Z):
        self.seen.append(Z)
        return (output.reconstruction - Z).square().mean(dim=1)


def test_a_judge_decides_which_epoch_is_kept_on_rows_without_noise():
    parts, held_out = validated_parts()
    judge = CleanError()
    settings = replace(SETTINGS, noise=GaussianNoise(0.5))
    result = validate(parts, held_out, settings, judge=judge, label="judged")
    assert result.best_iter == int(np.argmin(result.validation_loss_curve))
    Z = held_out[0][:][0]
    assert all(torch.equal(Z, seen) for seen in judge.seen)
    with torch.no_grad():
        expected = judge.rows(parts[0][0](Z), Z).mean().item()
    assert min(result.validation_loss_curve) == pytest.approx(expected, rel=1e-4)
