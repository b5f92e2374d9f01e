"""Losses: against loops in numpy, and against torch's own."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from skae.nn import (
    AbsoluteError,
    AutoencoderOutput,
    CallableLoss,
    ColumnLosses,
    Huber,
    LogLoss,
    ObservedLoss,
    PenalizedLoss,
    SquaredError,
    Standardize,
)

N_ROWS, N_FEATURES = 6, 4


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def standardize():
    return Standardize(torch.tensor([0.1, 0.4, 0.2, 0.3]), torch.tensor(0.25))


@pytest.fixture
def X():
    return torch.rand(N_ROWS, N_FEATURES, generator=generator())


@pytest.fixture
def weight():
    return torch.tensor([0.5, 1.0, 2.0, 0.25, 1.25, 1.0])


@pytest.fixture
def output():
    preactivation = 3 * torch.randn(N_ROWS, N_FEATURES, generator=generator(1))
    code = torch.randn(N_ROWS, 2, generator=generator(2))
    return AutoencoderOutput(preactivation / 2, code, preactivation)


def huber(error):
    return 0.5 * error**2 if abs(error) <= 1 else abs(error) - 0.5


VALUE_LOSSES = {
    SquaredError: lambda error: error**2,
    AbsoluteError: abs,
    Huber: huber,
}


@pytest.mark.parametrize("loss", VALUE_LOSSES)
def test_the_loss_of_a_row_is_the_mean_over_columns(loss, standardize, output, X):
    Z = standardize(X)
    result = loss(standardize).rows(output, Z)
    reconstruction, target = output.reconstruction.numpy(), Z.numpy()
    expected = [
        np.mean([VALUE_LOSSES[loss](reconstruction[i, j] - target[i, j]) for j in range(4)])
        for i in range(N_ROWS)
    ]
    np.testing.assert_allclose(result, expected, rtol=1e-5)


@pytest.mark.parametrize("loss", [*VALUE_LOSSES, LogLoss])
def test_the_loss_of_a_batch_is_the_mean_of_weighted_rows(loss, standardize, output, X, weight):
    Z = standardize(X)
    part = loss(standardize)
    expected = sum(w * row for w, row in zip(weight, part.rows(output, Z), strict=True)) / N_ROWS
    torch.testing.assert_close(part(output, [Z, weight]), expected)


@pytest.mark.parametrize(
    ("loss", "function"),
    [(SquaredError, F.mse_loss), (AbsoluteError, F.l1_loss), (Huber, F.huber_loss)],
)
def test_with_equal_weights_the_loss_is_torchs(loss, function, standardize, output, X):
    Z = standardize(X)
    expected = function(output.reconstruction, Z)
    torch.testing.assert_close(loss(standardize)(output, [Z, torch.ones(N_ROWS)]), expected)


def test_the_squared_error_of_the_mean_is_one_and_of_another_network_its_unexplained_share(X):
    standardize = Standardize(X.mean(dim=0), X.var(dim=0, unbiased=False).mean().sqrt())
    Z = standardize(X)
    ones = torch.ones(N_ROWS)
    nothing = AutoencoderOutput(torch.zeros_like(Z), Z, Z)
    assert SquaredError(standardize)(nothing, [Z, ones]).item() == pytest.approx(1, abs=1e-5)
    half = AutoencoderOutput(Z / 2, Z, Z)
    assert SquaredError(standardize)(half, [Z, ones]).item() == pytest.approx(0.25, abs=1e-5)


def test_the_log_loss_is_the_cross_entropy_of_probabilities_in_units_of_X(standardize, output, X):
    probability = torch.sigmoid(output.preactivation).double().numpy()
    target = X.double().numpy()
    expected = [
        -np.mean(
            [
                target[i, j] * np.log(probability[i, j])
                + (1 - target[i, j]) * np.log(1 - probability[i, j])
                for j in range(N_FEATURES)
            ]
        )
        for i in range(N_ROWS)
    ]
    result = LogLoss(standardize).rows(output, standardize(X))
    np.testing.assert_allclose(result, expected, rtol=1e-4)


def test_the_log_loss_of_sure_logits_is_finite_with_a_gradient(standardize):
    logits = torch.tensor([[200.0, -200.0, 200.0, -200.0]], requires_grad=True)
    X = torch.tensor([[0.0, 1.0, 1.0, 0.0]])
    record = AutoencoderOutput(torch.sigmoid(logits), logits, logits)
    loss = LogLoss(standardize).rows(record, standardize(X)).sum()
    loss.backward()
    assert loss.item() == pytest.approx(100, rel=1e-5)
    torch.testing.assert_close(logits.grad, torch.tensor([[0.25, -0.25, 0.0, 0.0]]))


@given(st.lists(st.integers(1, 4), min_size=2, max_size=8), st.sampled_from([*VALUE_LOSSES]))
@settings(max_examples=30)
def test_a_weight_of_two_is_the_row_twice(repeats, loss):
    n = len(repeats)
    repeats = torch.tensor(repeats)
    Z = torch.randn(n, 3, generator=generator(3))
    record = AutoencoderOutput(torch.randn(n, 3, generator=generator(4)), Z, Z)
    repeated = AutoencoderOutput(*(part.repeat_interleave(repeats, dim=0) for part in record))
    part = loss(Standardize(torch.zeros(3), torch.tensor(1.0)))
    weighted = part(record, [Z, repeats / repeats.float().mean()])
    total = int(repeats.sum())
    torch.testing.assert_close(weighted, part(repeated, [repeated.code, torch.ones(total)]))


# A user's own loss, of one number a value, a row or a batch


def elementwise(reconstruction, X):
    return (reconstruction - X).abs() ** 1.5


FORMS = {
    "value": elementwise,
    "row": lambda reconstruction, X: elementwise(reconstruction, X).mean(dim=1),
    "column vector": lambda reconstruction, X: elementwise(reconstruction, X).mean(1, True),
    "batch": lambda reconstruction, X: elementwise(reconstruction, X).mean(),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("equal", [True, False])
def test_a_callable_may_return_a_number_a_value_a_row_or_a_batch(
    form, equal, standardize, output, X, weight
):
    Z = standardize(X)
    weight = torch.full((N_ROWS,), 1.5) if equal else weight
    reconstruction = standardize.inverse(output.reconstruction).numpy()
    rows = (np.abs(reconstruction - X.numpy()) ** 1.5).mean(axis=1)
    part = CallableLoss(standardize, FORMS[form])
    np.testing.assert_allclose(part.rows(output, Z), rows, rtol=1e-4)
    expected = np.mean(weight.numpy() * rows)
    assert part(output, [Z, weight]).item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("form", FORMS)
def test_a_callable_loss_has_the_gradient_of_its_batch(form, standardize, output, X):
    Z, ones = standardize(X), torch.ones(N_ROWS)
    leaf = output.reconstruction.clone().requires_grad_()
    record = AutoencoderOutput(leaf, output.code, output.preactivation)
    CallableLoss(standardize, FORMS[form])(record, [Z, ones])
    gradients = []
    for loss in (FORMS[form], FORMS["batch"]):
        leaf = output.reconstruction.clone().requires_grad_()
        record = AutoencoderOutput(leaf, output.code, output.preactivation)
        CallableLoss(standardize, loss)(record, [Z, ones]).backward()
        gradients.append(leaf.grad)
    torch.testing.assert_close(*gradients)


def test_a_callable_sees_rows_in_their_own_units(standardize, output, X):
    seen = []

    def loss(reconstruction, rows):
        seen.append((reconstruction, rows))
        return reconstruction - rows

    CallableLoss(standardize, loss).rows(output, standardize(X))
    reconstruction, rows = seen[0]
    torch.testing.assert_close(rows, X)
    torch.testing.assert_close(reconstruction, standardize.inverse(output.reconstruction))


@pytest.mark.parametrize("form", ["value", "row"])
def test_a_callable_is_called_once_for_a_batch(form, standardize, output, X, weight):
    calls = []

    def loss(reconstruction, rows):
        calls.append(len(rows))
        return FORMS[form](reconstruction, rows)

    CallableLoss(standardize, loss)(output, [standardize(X), weight])
    assert calls == [N_ROWS]


# Losses by column, of what is observed, and with penalties


@pytest.mark.parametrize("columns", [([2, 0], [1, 3]), ([0, 1, 2, 3], []), ([3], [2, 1, 0])])
def test_each_column_has_the_loss_of_its_group(columns, standardize, output, X):
    first, second = (torch.tensor(which, dtype=torch.long) for which in columns)
    mixed = ColumnLosses(standardize, [(LogLoss, first), (AbsoluteError, second)])
    Z = standardize(X)
    expected = AbsoluteError(standardize).values(output, Z)
    expected[:, first] = LogLoss(standardize).values(output, Z)[:, first]
    torch.testing.assert_close(mixed.values(output, Z), expected)
    torch.testing.assert_close(mixed.rows(output, Z), expected.mean(dim=1))


@pytest.mark.parametrize("loss", [*VALUE_LOSSES, LogLoss])
def test_a_missing_value_adds_nothing_and_has_no_gradient(loss, standardize, output, X):
    Z = standardize(X)
    missing = torch.rand(Z.shape, generator=generator(5)) < 0.4
    expected = loss(standardize).values(output, Z) * ~missing
    holes = Z.masked_fill(missing, torch.nan)
    leaf = output.preactivation.clone().requires_grad_()
    record = AutoencoderOutput(leaf / 2, output.code, leaf)
    result = ObservedLoss(loss(standardize)).values(record, holes)
    torch.testing.assert_close(result, expected)
    result.sum().backward()
    assert (leaf.grad[missing] == 0).all()
    assert (leaf.grad[~missing] != 0).any()


def test_a_loss_of_rows_knows_nothing_of_single_values(standardize, output, X):
    part = ObservedLoss(CallableLoss(standardize, FORMS["row"]))
    with pytest.raises(ValueError, match="must return a number for each value"):
        part.rows(output, standardize(X))


class OfRows:
    def penalize(self, batch):
        return batch.code.square().sum(dim=1)


class OfBatch:
    def penalize(self, batch):
        return batch.encode(batch.rows).abs().max()


def test_penalties_are_added_row_by_row_with_the_rows_weights(standardize, output, X, weight):
    Z = standardize(X)
    plain = SquaredError(standardize)
    part = PenalizedLoss(plain, [OfRows(), OfBatch()], lambda rows: 2 * rows)
    of_batch = 2 * Z.abs().max()
    rows = plain.rows(output, Z) + output.code.square().sum(dim=1) + of_batch
    torch.testing.assert_close(part.rows(output, Z), rows)
    torch.testing.assert_close(part(output, [Z, weight]), (rows * weight).mean())


def test_a_penalized_loss_does_not_own_the_networks_parameters(standardize):
    network = torch.nn.Linear(4, 2)
    assert list(PenalizedLoss(SquaredError(standardize), [OfRows()], network).parameters()) == []
