"""Classifiers: what they freeze, and their losses beside scikit-learn's."""

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss
from torch import nn

from skae._seeding import torch_generator
from skae.nn import (
    ClassifierNetwork,
    ClassifierOutput,
    CrossEntropy,
    Encoder,
    ErrorRate,
    Logistic,
    Softmax,
    Standardize,
    hidden_layers,
    linear,
)


def network():
    generator = torch_generator(0)
    body = hidden_layers((4, 5, 3), "relu", generator=generator, normalization="batch", dropout=0.5)
    encoder = Encoder(Standardize(torch.zeros(4), torch.tensor(1.0)), body, nn.Identity())
    return ClassifierNetwork(encoder, linear(3, 2, generator=generator))


def test_the_losses_are_those_of_scikit_learn():
    random = np.random.RandomState(0)
    logits, labels = random.normal(size=(20, 3)), random.randint(0, 3, 20)
    output = ClassifierOutput(torch.from_numpy(logits))
    target = torch.from_numpy(labels)
    probability = output.logits.softmax(dim=1).numpy()
    rows = CrossEntropy(Softmax()).rows(output, target)
    assert rows.mean().item() == pytest.approx(log_loss(labels, probability))
    wrong = ErrorRate(Softmax()).rows(output, target)
    assert wrong.mean().item() == pytest.approx(1 - accuracy_score(labels, logits.argmax(1)))


def test_weights_multiply_the_losses_of_rows():
    output = ClassifierOutput(torch.tensor([[0.0, 1.0], [2.0, 0.0]]))
    labels, weight = torch.tensor([0, 0]), torch.tensor([3.0, 0.0])
    loss = CrossEntropy(Softmax())
    expected = 3 * loss.rows(output, labels)[0] / 2
    torch.testing.assert_close(loss(output, [labels, weight]), expected)


def test_smooth_labels_are_mixed_with_the_uniform_distribution():
    output = ClassifierOutput(torch.tensor([[0.0, 1.0, 3.0]]))
    log_probability = output.logits.log_softmax(dim=1)[0]
    expected = -(0.7 * log_probability[1] + 0.3 * log_probability.mean())
    torch.testing.assert_close(
        CrossEntropy(Softmax(), 0.3).rows(output, torch.tensor([1]))[0], expected
    )


def several_labels():
    """Return logits and indicators of three labels."""
    random = np.random.RandomState(0)
    return torch.from_numpy(random.normal(size=(20, 3))), torch.from_numpy(
        random.randint(0, 2, (20, 3)).astype(np.float64)
    )


def test_the_losses_of_indicators_are_those_of_scikit_learn():
    logits, labels = several_labels()
    outputs, output = Logistic(torch.ones(2, 3)), ClassifierOutput(logits)
    probability = outputs.probabilities(logits).numpy()
    expected = sum(log_loss(labels[:, j], probability[:, j], labels=[0, 1]) for j in range(3))
    rows = CrossEntropy(outputs).rows(output, labels)
    assert rows.mean().item() == pytest.approx(expected)
    wrong = ErrorRate(outputs).rows(output, labels)
    decided = outputs.decide(outputs.probabilities(logits)).numpy()
    assert wrong.mean().item() == pytest.approx(1 - accuracy_score(labels.numpy(), decided))
    torch.testing.assert_close(
        outputs.log_probabilities(logits), outputs.probabilities(logits).log()
    )


def test_weights_of_labels_are_those_of_absence_and_presence():
    logits, labels = several_labels()
    weight = torch.tensor([[1.0, 2.0, 0.0], [3.0, 0.5, 0.0]])
    probability = logits.sigmoid()
    expected = torch.where(
        labels == 1, -weight[1] * probability.log(), -weight[0] * (1 - probability).log()
    ).sum(dim=1)
    rows = CrossEntropy(Logistic(weight)).rows(ClassifierOutput(logits), labels)
    torch.testing.assert_close(rows, expected)


def test_smooth_indicators_are_mixed_with_a_half():
    output = ClassifierOutput(torch.tensor([[2.0, -1.0]]))
    probability = output.logits.sigmoid()[0]
    aim = torch.tensor([0.9, 0.1])
    expected = -(aim * probability.log() + (1 - aim) * (1 - probability).log()).sum()
    loss = CrossEntropy(Logistic(torch.ones(2, 2)), 0.2)
    torch.testing.assert_close(loss.rows(output, torch.tensor([[1.0, 0.0]]))[0], expected)


def test_a_frozen_encoder_gets_no_gradient_and_keeps_its_statistics():
    model, rows = network(), torch.randn(8, 4, generator=torch_generator(1))
    model.freeze(True)
    model.eval()
    before = model(rows).logits
    model.train()
    torch.testing.assert_close(model(rows).logits, before)  # no dropout, no batch statistics
    model(rows).logits.sum().backward()
    assert all(weight.grad is None for weight in model.encoder.parameters())
    assert model.head.weight.grad is not None
    assert not model.encoder.training
    model.freeze(False)
    model.eval().train()
    assert model.encoder.training
    model(rows).logits.sum().backward()
    assert all(weight.grad is not None for weight in model.encoder.parameters())


def test_the_layers_are_in_the_mode_of_the_network_whatever_they_were_in():
    model = network()
    model.encoder.eval()  # as pretraining leaves it
    assert model.train().encoder.training
    model.encoder.eval()
    model.freeze(True)
    assert not model.train().encoder.training
    model.eval()
    assert not model.head.training
