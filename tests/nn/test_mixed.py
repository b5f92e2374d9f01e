"""Outputs and losses of numbers beside categories, against explicit loops."""

import numpy as np
import pytest
import torch

from skae.nn import (
    AutoencoderOutput,
    Category,
    MixedLikelihood,
    MixedLoss,
    MixedOutput,
    Standardize,
    likeness,
    side_by_side,
)

# Columns 0 and 3 are numbers, 1 and 2 a category of two levels, 4, 5 and 6 one of three.
FREQUENCY = [np.array([0.25, 0.75]), np.array([0.5, 0.3, 0.2])]
COLUMNS = [[1, 2], [4, 5, 6]]
WEIGHT = [1.0, 2.0]
NUMBERS = [0, 3]


def categories():
    return [
        Category(
            torch.tensor(columns),
            torch.from_numpy(frequency).float(),
            torch.from_numpy(np.sqrt(weight / frequency)).float(),
            weight,
        )
        for columns, frequency, weight in zip(COLUMNS, FREQUENCY, WEIGHT, strict=True)
    ]


def standardize(scale=1.5):
    return Standardize(torch.linspace(-1, 1, 7), torch.tensor(scale))


def mixed_loss():
    return MixedLoss(standardize(), 7, categories(), weight=2 + sum(WEIGHT))


def rows(levels, numbers):
    """Return rows in the units of X: levels by their places, one pair a row."""
    X = np.zeros((len(levels), 7))
    X[:, NUMBERS] = numbers
    for i, columns in enumerate(COLUMNS):
        indicator = np.eye(len(columns))[[pair[i] for pair in levels]]
        X[:, columns] = (indicator - FREQUENCY[i]) * np.sqrt(WEIGHT[i] / FREQUENCY[i])
    return torch.from_numpy(X).float()


X = rows([(0, 1), (1, 2), (1, 0)], np.random.RandomState(0).normal(size=(3, 2)))
LEVELS = [(0, 1), (1, 2), (1, 0)]


def softmax(arguments):
    return np.exp(arguments) / np.exp(arguments).sum()


def test_the_output_is_numbers_as_they_are_and_a_softmax_for_each_category():
    arguments = torch.from_numpy(np.random.RandomState(1).normal(size=(3, 7))).float()
    result = MixedOutput(7, categories())(arguments).numpy()
    np.testing.assert_array_equal(result[:, NUMBERS], arguments.numpy()[:, NUMBERS])
    for row in range(3):
        for columns, frequency, weight in zip(COLUMNS, FREQUENCY, WEIGHT, strict=True):
            shares = softmax(arguments[row, columns].double().numpy())
            expected = (shares - frequency) * np.sqrt(weight / frequency)
            np.testing.assert_allclose(result[row, columns], expected, rtol=1e-5, atol=1e-6)


def test_the_loss_is_that_of_an_explicit_loop():
    random = np.random.RandomState(2)
    arguments = torch.from_numpy(random.normal(size=(3, 7))).float()
    rebuilt = MixedOutput(7, categories())(arguments)
    output = AutoencoderOutput(standardize()(rebuilt), torch.zeros(3, 1), arguments)
    losses = mixed_loss().rows(output, standardize()(X)).double().numpy()
    for row in range(3):
        total = sum((arguments[row, i] - X[row, i]).item() ** 2 for i in NUMBERS)
        for i, (columns, frequency) in enumerate(zip(COLUMNS, FREQUENCY, strict=True)):
            shares = softmax(arguments[row, columns].double().numpy())
            entropy = -(frequency * np.log(frequency)).sum()
            total += WEIGHT[i] * -np.log(shares[LEVELS[row][i]]) / entropy
        assert losses[row] == pytest.approx(total / 5, rel=1e-5)


def test_the_best_constant_has_a_loss_of_one():
    levels = [(int(i % 4 > 0), [0, 0, 0, 0, 0, 1, 1, 1, 2, 2][i % 10]) for i in range(20)]
    numbers = np.random.RandomState(0).normal(size=(20, 2))
    numbers = (numbers - numbers.mean(axis=0)) / numbers.std(axis=0)
    arguments = torch.zeros(20, 7)
    for columns, frequency in zip(COLUMNS, FREQUENCY, strict=True):
        arguments[:, columns] = torch.from_numpy(np.log(frequency)).float()
    rebuilt = standardize()(MixedOutput(7, categories())(arguments))
    output = AutoencoderOutput(rebuilt, torch.zeros(20, 1), arguments)
    losses = mixed_loss().rows(output, standardize()(rows(levels, numbers)))
    assert losses.mean().item() == pytest.approx(1, rel=1e-5)


def test_networks_side_by_side_have_the_losses_that_they_have_alone():
    losses = [mixed_loss() for _ in range(3)]
    outputs = [MixedOutput(7, categories()) for _ in range(3)]
    assert likeness(losses[0]) is not None
    assert likeness(losses[0]) == likeness(losses[1])
    assert likeness(outputs[0]) == likeness(outputs[1]) is not None
    arguments = torch.from_numpy(np.random.RandomState(3).normal(size=(3, 3, 7))).float()
    rebuilt = standardize()(side_by_side(outputs)(arguments))
    output = AutoencoderOutput(rebuilt, torch.zeros(3, 3, 1), arguments)
    together = side_by_side(losses).rows(output, standardize()(X).expand(3, 3, 7))
    for i, (loss, activation) in enumerate(zip(losses, outputs, strict=True)):
        alone = AutoencoderOutput(
            standardize()(activation(arguments[i])), torch.zeros(3, 1), arguments[i]
        )
        torch.testing.assert_close(together[i], loss.rows(alone, standardize()(X)))


LEAST = torch.tensor([1e-3, *[torch.nan] * 2, 0.5, *[torch.nan] * 3])


def mixed_likelihood():
    likelihood = MixedLikelihood(standardize(), 7, categories(), LEAST)
    likelihood.set_variance(torch.tensor([0.25, 1.0, 1.0, 0.1, 1.0, 1.0, 1.0]))
    return likelihood


def test_the_likelihood_is_that_of_an_explicit_loop():
    arguments = torch.from_numpy(np.random.RandomState(3).normal(size=(3, 7))).float()
    likelihood = mixed_likelihood()
    found = likelihood(arguments, standardize()(X)).detach().double().numpy()
    for row in range(3):
        total = 0.0
        for i, variance in zip(NUMBERS, [0.25, 1.0], strict=True):  # no less than twice the least
            square = (arguments[row, i] - X[row, i]).item() ** 2
            total -= 0.5 * (square / variance + np.log(2 * np.pi * variance))
        for columns, level in zip(COLUMNS, LEVELS[row], strict=True):
            total += np.log(softmax(arguments[row, columns].double().numpy())[level])
        np.testing.assert_allclose(found[row], total, rtol=1e-4)


def test_a_hole_adds_nothing_to_the_likelihood():
    arguments = torch.from_numpy(np.random.RandomState(3).normal(size=(3, 7))).float()
    Z, likelihood = standardize()(X), mixed_likelihood()
    holes = Z.clone()
    holes[0, 0] = holes[1, 4:] = torch.nan
    values = likelihood.values(arguments, Z)
    values[0, 0] = values[1, 4:] = 0.0
    torch.testing.assert_close(likelihood(arguments, holes), values.sum(dim=1))


def test_draws_have_the_variances_and_the_shares():
    arguments = torch.from_numpy(np.random.RandomState(4).normal(size=(1, 7)))
    likelihood = mixed_likelihood()
    rows = likelihood.output()(arguments).expand(20_000, -1)
    drawn = likelihood.draw(rows, 1.5, torch.Generator().manual_seed(0)).numpy()
    np.testing.assert_allclose(drawn[:, NUMBERS].var(axis=0), [0.25, 1.0], rtol=0.05)
    np.testing.assert_allclose(drawn[:, NUMBERS].mean(axis=0), arguments[0, NUMBERS], atol=0.03)
    for columns, frequency, weight in zip(COLUMNS, FREQUENCY, WEIGHT, strict=True):
        indicators = drawn[:, columns] * np.sqrt(frequency / weight) + frequency
        np.testing.assert_allclose(indicators.max(axis=1), 1, atol=1e-6)
        np.testing.assert_allclose(indicators.sum(axis=1), 1, atol=1e-6)
        shares = softmax(arguments[0, columns].numpy())
        np.testing.assert_allclose(indicators.mean(axis=0), shares, atol=0.02)


def test_likelihoods_side_by_side_are_those_of_each():
    likelihoods = [mixed_likelihood(), mixed_likelihood()]
    likelihoods[1].set_variance(torch.full((7,), 3.0))
    assert likeness(likelihoods[0]) == likeness(likelihoods[1])
    arguments = torch.from_numpy(np.random.RandomState(5).normal(size=(2, 3, 7))).float()
    together = side_by_side(likelihoods)(arguments, standardize()(X).expand(2, -1, -1))
    apart = [one(some, standardize()(X)) for one, some in zip(likelihoods, arguments, strict=True)]
    torch.testing.assert_close(together, torch.stack(apart))


def test_numbers_alone_and_categories_alone_have_a_likelihood_with_a_gradient():
    arguments = torch.from_numpy(np.random.RandomState(3).normal(size=(3, 7))).float()
    arguments.requires_grad_()
    for some, least in (([], torch.ones(7)), (categories(), torch.full((7,), torch.nan))):
        likelihood = MixedLikelihood(standardize(), 7, some, least)
        likelihood(arguments, standardize()(X)).sum().backward()
        assert torch.isfinite(arguments.grad).all()
        drawn = likelihood.draw(X.double(), 1.0, torch.Generator().manual_seed(0))
        assert torch.isfinite(drawn).all()


def test_the_loss_of_categories_asks_for_no_reconstruction():
    def never():
        raise AssertionError("softmaxes are computed that nobody needs")

    arguments, Z = torch.randn(3, 7, generator=torch.Generator().manual_seed(0)), standardize()(X)
    lazy = AutoencoderOutput(never, torch.zeros(3, 1), arguments)
    given = AutoencoderOutput(arguments, torch.zeros(3, 1), arguments)
    assert torch.equal(mixed_loss().rows(lazy, Z), mixed_loss().rows(given, Z))
