"""The ladder network beside a plain reading of its paper."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from skae._seeding import torch_generator
from skae.nn import (
    LadderLoss,
    LadderNetwork,
    LadderOutput,
    Logistic,
    Softmax,
    Standardize,
    seed_layers,
)

WEIGHTS = (10.0, 1.0, 0.5, 0.1)


def network(sizes=(4, 6, 5, 3), noise=0.3, weights=WEIGHTS, activation="relu", outputs=None):
    standardize = Standardize(torch.zeros(sizes[0]), torch.tensor(1.0))
    ladder = LadderNetwork(
        standardize,
        sizes,
        activation,
        noise=[noise] * len(sizes),
        weights=weights,
        outputs=outputs or Softmax(),
        generator=torch_generator(0),
    )
    with torch.no_grad():  # away from the start, where estimates are zero
        for parameter in ladder.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch_generator(1)) * 0.1)
    seed_layers(ladder, 0)
    return ladder.train()


def rows(n_rows, n_features=4, seed=2):
    return torch.randn(n_rows, n_features, generator=torch_generator(seed))


def none_extra(Z):
    return torch.zeros(len(Z), dtype=torch.bool)


def batch_norm(z):
    return (z - z.mean(dim=0)) / (z.var(dim=0, correction=0) + 1e-5).sqrt()


def by_hand(ladder, Z, generator, *, missing=None, probabilities=None):
    """Algorithm 1 of Rasmus et al., with loops over layers and columns."""
    layers = [*ladder.encoder.body, ladder.head]

    def path(noisy):
        level = ladder.noise if noisy else [0.0] * len(ladder.noise)

        def add(z, sigma):
            return z + sigma * torch.empty_like(z).normal_(generator=generator) if sigma else z

        h = add(Z, level[0])
        zs, means, deviations = [h], [torch.zeros(Z.shape[1])], [torch.ones(Z.shape[1])]
        for layer, sigma in zip(layers, level[1:], strict=True):
            pre = h @ layer.linear.weight.T
            means.append(pre.mean(dim=0))
            deviations.append((pre.var(dim=0, correction=0) + 1e-5).sqrt())
            zs.append(add(batch_norm(pre), sigma))
            h = layer.activation((zs[-1] + layer.shift) * layer.gain)
        return zs, means, deviations, h

    noisy, _, _, logits = path(True)
    clean, means, deviations, _ = path(False)
    u = batch_norm(logits.softmax(dim=1) if probabilities is None else probabilities(logits))
    cost = torch.zeros(len(Z))
    for depth in range(len(layers), -1, -1):
        curves = ladder.combinators[depth].curves
        estimate = torch.empty_like(noisy[depth])
        for j in range(estimate.shape[1]):
            mean, weight = (
                a[0] * torch.sigmoid(a[1] * u[:, j] + a[2]) + a[3] * u[:, j] + a[4]
                for a in curves[:, :, 0, j]
            )
            estimate[:, j] = (noisy[depth][:, j] - mean) * weight + mean
        error = (estimate - means[depth]) / deviations[depth] - clean[depth]
        if depth == 0 and missing is not None:
            error = torch.where(missing, 0.0, error)
        cost += ladder.weights[depth] * error.square().mean(dim=1)
        if depth:
            u = batch_norm(estimate @ ladder.down[depth - 1].weight.T)
    return logits, cost


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_the_forward_pass_is_the_algorithm_of_the_paper(activation):
    ladder = network(activation=activation)
    Z = rows(20)
    output = ladder([Z, none_extra(Z)])
    logits, cost = by_hand(ladder, Z, torch_generator(0))
    torch.testing.assert_close(output.logits, logits, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(output.denoising, cost, rtol=1e-4, atol=1e-5)


def test_labels_of_which_a_row_has_several_go_down_as_probabilities_of_their_own():
    ladder = network(outputs=Logistic(torch.ones(2, 3)))
    Z = rows(20)
    output = ladder([Z, none_extra(Z)])
    logits, cost = by_hand(ladder, Z, torch_generator(0), probabilities=torch.sigmoid)
    torch.testing.assert_close(output.logits, logits, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(output.denoising, cost, rtol=1e-4, atol=1e-5)


def test_a_missing_value_is_the_mean_and_costs_nothing():
    ladder = network()
    missing = torch.rand(20, 4, generator=torch_generator(3)) < 0.3
    Z = rows(20).masked_fill(missing, 0.0)
    output = ladder([Z.masked_fill(missing, torch.nan), none_extra(Z)])
    logits, cost = by_hand(ladder, Z, torch_generator(0), missing=missing)
    torch.testing.assert_close(output.logits, logits, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(output.denoising, cost, rtol=1e-4, atol=1e-5)
    (output.logits.sum() + output.denoising.sum()).backward()
    assert all(parameter.grad.isfinite().all() for parameter in ladder.parameters())


def test_gradients_are_those_of_the_algorithm():
    ladder = network()
    Z = rows(20)
    output = ladder([Z, none_extra(Z)])
    (output.logits.square().sum() + output.denoising.sum()).backward()
    ours = [parameter.grad.clone() for parameter in ladder.parameters()]
    ladder.zero_grad()
    logits, cost = by_hand(ladder, Z, torch_generator(0))
    (logits.square().sum() + cost.sum()).backward()
    for parameter, gradient in zip(ladder.parameters(), ours, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-3, atol=1e-4)


def test_without_noise_the_twin_is_the_encoder():
    ladder = network(noise=0.0)
    Z = rows(30)
    for layer in [*ladder.encoder.body, ladder.head]:
        layer.normalize.momentum = 1.0  # the running statistics are those of the last batch
    trained = ladder([Z, none_extra(Z)]).logits
    n = len(Z)
    for layer in [*ladder.encoder.body, ladder.head]:  # torch keeps the unbiased variance
        layer.normalize.running_var *= (n - 1) / n
    ladder.eval()
    torch.testing.assert_close(ladder(Z).logits, trained, rtol=1e-3, atol=1e-4)
    assert not ladder(Z).denoising.any()


def test_rows_there_for_their_labels_have_statistics_of_their_own():
    """They change neither the others' outputs nor the running statistics."""
    ladder = network(noise=0.0)
    Z, extra = rows(20), 5 + rows(8, seed=3)
    mask = torch.arange(28) >= 20
    both = ladder([torch.cat([Z, extra]), mask])
    after = [layer.normalize.running_mean.clone() for layer in ladder.encoder.body]
    fresh = network(noise=0.0)
    alone = fresh([Z, none_extra(Z)])
    torch.testing.assert_close(both.logits[:20], alone.logits)
    torch.testing.assert_close(both.denoising[:20], alone.denoising)
    assert not both.denoising[20:].any()
    for layer, mean in zip(fresh.encoder.body, after, strict=True):
        torch.testing.assert_close(layer.normalize.running_mean, mean)
    for_labels = network(noise=0.0)([extra, none_extra(extra)])
    torch.testing.assert_close(both.logits[20:], for_labels.logits)


def test_layers_of_no_weight_at_the_bottom_are_not_decoded():
    full, top = network(weights=(0.0, 0.0, 1.0, 2.0)), network()
    assert [layer.weight.shape for layer in full.down] == [(5, 3)]
    assert len(full.combinators) == 2
    assert len(top.combinators) == 4
    Z = rows(10)
    assert (full([Z, none_extra(Z)]).denoising > 0).all()
    nothing = network(weights=(0.0, 0.0, 0.0, 0.0))
    before = nothing.encoder.body[0].normalize.running_mean.clone()
    assert not nothing([Z, none_extra(Z)]).denoising.any()
    assert not torch.equal(before, nothing.encoder.body[0].normalize.running_mean)


def test_a_single_row_is_normalized_by_the_running_statistics():
    ladder = network(noise=0.0)
    Z = rows(50)
    for _ in range(100):  # the running statistics are those of these rows
        ladder([Z, none_extra(Z)])
    among = ladder([Z, none_extra(Z)])
    alone = ladder([Z[:1], none_extra(Z[:1])])
    torch.testing.assert_close(alone.logits, among.logits[:1], rtol=0.1, atol=0.1)
    assert 0 < alone.denoising.item() < 20 * among.denoising.max().item()


def test_the_loss_averages_labels_and_denoising_over_the_rows_that_count():
    logits = torch.tensor([[0.0, 1.0], [2.0, 0.0], [1.0, 1.0]])
    output = LadderOutput(logits, torch.tensor([3.0, 5.0, 0.0]))
    labels = torch.tensor([-1, 0, 1])
    label_weight, weight = torch.tensor([0.0, 0.0, 1.0]), torch.tensor([1.0, 1.0, 0.0])
    expected = F.cross_entropy(logits[2:], labels[2:]) + 4.0
    torch.testing.assert_close(
        LadderLoss(Softmax())(output, [labels, label_weight, weight]), expected
    )
    nothing = torch.zeros(3)
    torch.testing.assert_close(
        LadderLoss(Softmax())(output, [labels, nothing, weight]), torch.tensor(4.0)
    )


def test_it_learns_a_curve_from_two_labels():
    """Two arcs with one label each: only the rows without a label show where the arcs go on."""
    random = np.random.RandomState(0)
    angle = random.uniform(0, np.pi, 400)
    upper = random.uniform(size=400) < 0.5
    X = np.where(upper, 1.0, -1.0)[:, None] * np.c_[np.cos(angle) - 0.0, np.sin(angle) + 0.5]
    Z = torch.from_numpy(X + 0.05 * random.normal(size=X.shape)).float()
    ladder = LadderNetwork(
        Standardize(torch.zeros(2), torch.tensor(1.0)),
        (2, 40, 40, 2),
        "relu",
        noise=(0.3, 0.3, 0.3, 0.3),
        weights=(10.0, 1.0, 0.1, 0.1),
        outputs=Softmax(),
        generator=torch_generator(0),
    )
    seed_layers(ladder, 0)
    first = [int(np.flatnonzero(upper)[0]), int(np.flatnonzero(~upper)[0])]
    index = torch.cat([torch.arange(400), torch.tensor(first * 20)])
    mask = torch.arange(len(index)) >= 400
    labels = torch.tensor([1, 0] * 20)
    solver = torch.optim.Adam(ladder.parameters(), lr=0.01)
    ladder.train()
    for _ in range(150):
        output = ladder([Z[index], mask])
        loss = F.cross_entropy(output.logits[400:], labels) + output.denoising[:400].mean()
        solver.zero_grad()
        loss.backward()
        solver.step()
    told = ladder.eval()(Z).logits.argmax(dim=1).numpy()
    assert (told == upper).mean() > 0.95


def test_modules_keep_no_generator_in_a_pickle():
    ladder = network()
    assert "generator" not in ladder.__getstate__()
    assert isinstance(ladder.head.linear, nn.Linear)
    assert ladder.head.linear.bias is None
