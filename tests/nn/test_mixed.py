"""Outputs and losses of numbers beside categories, against explicit loops."""

import numpy as np
import pytest
import torch

from skae.nn import (
    AutoencoderOutput,
    Category,
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
