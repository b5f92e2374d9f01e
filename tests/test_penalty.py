"""Penalties: against loops, against autograd's Jacobian, and what they do to codes."""

import math

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import BaseEstimator
from sklearn.datasets import load_digits, load_iris
from sklearn.model_selection import GridSearchCV
from torch import nn
from torch.autograd.functional import jacobian

from skae import AutoencoderTransformer
from skae._seeding import torch_generator
from skae.activation import TopK
from skae.metrics import pairwise_distance_correlation
from skae.nn import (
    ACTIVATIONS,
    Activation,
    Encoder,
    PenalizedBatch,
    SkipConnection,
    Standardize,
    linear,
    mlp,
)
from skae.penalty import (
    PENALTIES,
    Contraction,
    DistancePreservation,
    KLSparsity,
    L1Sparsity,
    NeighborPreservation,
)

N_ROWS, N_FEATURES, N_CODES = 7, 5, 3


def small(**parameters):
    defaults = {"hidden_layer_sizes": 8, "max_iter": 3, "early_stopping": False}
    return AutoencoderTransformer(**defaults | {"random_state": 0} | parameters)


def batch(encode=None, code=None, weight=None):
    rows = torch.randn(N_ROWS, N_FEATURES, generator=torch_generator(0))
    if code is None:
        code = torch.randn(N_ROWS, N_CODES, generator=torch_generator(1))
    weight = torch.ones(N_ROWS) if weight is None else weight
    return PenalizedBatch(code, rows, rows, weight, encode)


def encoder(body, activation=None):
    standardize = Standardize(torch.zeros(N_FEATURES), torch.tensor(1.0))
    return Encoder(standardize, body, activation or nn.Identity())


def single_layer(name):
    layer = linear(N_FEATURES, N_CODES, generator=torch_generator(2))
    return encoder(nn.Sequential(layer), ACTIVATIONS[name]())


def deep(name):
    return encoder(mlp((N_FEATURES, 6, 4, N_CODES), name, generator=torch_generator(2)))


def with_linear_path(name):
    path = linear(N_FEATURES, N_CODES, generator=torch_generator(3))
    body = mlp((N_FEATURES, 6, N_CODES), name, generator=torch_generator(2))
    return encoder(SkipConnection(path, body), ACTIVATIONS["logistic"]())


def top_k(name):
    layer = linear(N_FEATURES, N_CODES, generator=torch_generator(2))
    return encoder(nn.Sequential(layer, ACTIVATIONS[name]()), Activation(TopK(2)))


def layer_norm(name):
    return encoder(
        mlp((N_FEATURES, 6, N_CODES), name, generator=torch_generator(2), normalization="layer")
    )


@pytest.mark.parametrize("kind", [single_layer, deep, with_linear_path, top_k, layer_norm])
@pytest.mark.parametrize("name", ["silu", "logistic", "tanh", "relu", "gelu"])
def test_contraction_is_the_squared_norm_of_the_jacobian_of_autograd(kind, name):
    network = kind(name)
    given = batch(network.from_standardized)
    expected = [
        jacobian(lambda row: network.from_standardized(row[None])[0], row).square().sum()
        for row in given.rows
    ]
    result = Contraction(0.5).penalize(given)
    torch.testing.assert_close(result, 0.5 * torch.stack(expected), rtol=1e-5, atol=1e-6)


def gradients(network):
    """Return copies of the gradients; the norm does not depend on the last bias, which has none."""
    return [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in network.parameters()]


@pytest.mark.parametrize("kind", [single_layer, deep, with_linear_path])
def test_the_gradient_of_the_contraction_is_that_of_autograds_jacobian(kind):
    network = kind("tanh")
    given = batch(network.from_standardized)
    Contraction(1.0).penalize(given).sum().backward()
    ours = gradients(network)
    network.zero_grad()
    for row in given.rows:
        matrix = jacobian(lambda z: network.from_standardized(z[None])[0], row, create_graph=True)
        matrix.square().sum().backward()
    for mine, expected in zip(ours, gradients(network), strict=True):
        torch.testing.assert_close(mine, expected, rtol=1e-4, atol=1e-6)


def test_contraction_takes_a_users_encoder_that_is_a_mere_function():
    given = batch(lambda rows: rows[:, :2] ** 2)
    expected = 4 * given.rows[:, :2].square().sum(dim=1)
    torch.testing.assert_close(Contraction(1.0).penalize(given), expected)


def test_contraction_needs_no_gradient_where_none_is_kept():
    with torch.no_grad():
        result = Contraction(1.0).penalize(batch(deep("silu").from_standardized))
    assert not result.requires_grad


def test_l1_is_the_sum_of_absolute_codes():
    given = batch()
    expected = [sum(abs(float(value)) for value in code) for code in given.code]
    np.testing.assert_allclose(L1Sparsity(1.0).penalize(given), expected, rtol=1e-6)


def test_kl_is_the_divergence_of_coins():
    code = torch.rand(N_ROWS, N_CODES, generator=torch_generator(1))
    weight = torch.rand(N_ROWS, generator=torch_generator(2))
    mean = np.average(code.numpy(), axis=0, weights=weight.numpy())
    target = 0.1
    expected = sum(
        torch.distributions.kl_divergence(
            torch.distributions.Bernoulli(torch.tensor(target)),
            torch.distributions.Bernoulli(torch.tensor(float(p))),
        ).item()
        for p in mean
    )
    result = KLSparsity(target, weight=2.0).penalize(batch(code=code, weight=weight))
    assert result.item() == pytest.approx(2 * expected, rel=1e-5)


def test_kl_of_codes_that_are_never_active_is_finite_and_wakes_them():
    code = torch.full((N_ROWS, N_CODES), 1e-9, requires_grad=True)
    result = KLSparsity(0.1).penalize(batch(code=code))
    result.backward()
    assert torch.isfinite(result)
    assert (code.grad < -1).all()


def loop_of_neighbors(code, partner, weight, repulsion):
    """The definition, row by row."""
    both, counts = [*code, *partner], [*weight, *weight]

    def nearness(a, b):
        return 1 / (1 + ((a - b) ** 2).sum())

    result = []
    for i in range(len(code)):
        own = {i, i + len(code)}
        others = [k for k in range(len(both)) if k not in own]
        total = sum(counts[k] for k in others)
        losses = [
            torch.log(
                1
                + repulsion
                * sum(counts[k] * nearness(both[a], both[k]) for k in others)
                / total
                / nearness(both[i], both[i + len(code)])
            )
            for a in own
        ]
        result.append(sum(losses) / 2)
    return torch.stack(result)


@pytest.mark.parametrize("is_weighted", [False, True])
def test_neighbors_are_drawn_together_and_others_apart_as_the_loop_says(is_weighted):
    network = with_linear_path("tanh")
    given = batch(network.from_standardized)
    partners = torch.randn(N_ROWS, N_FEATURES, generator=torch_generator(5))
    weight = torch.rand(N_ROWS, generator=torch_generator(2)) if is_weighted else given.weight
    results = {}
    for name in ("ours", "loop"):
        network.zero_grad()
        code, partner = network.from_standardized(given.rows), network.from_standardized(partners)
        if name == "ours":
            whole = given._replace(code=code, partners=partners, weight=weight)
            losses = NeighborPreservation(0.7, repulsion=3.0).penalize(whole)
        else:
            losses = 0.7 * loop_of_neighbors(code, partner, weight, 3.0)
        losses.sum().backward()
        results[name] = losses.detach(), *gradients(network)
    for ours, expected in zip(*results.values(), strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-6)


def test_codes_are_drawn_to_the_layout_at_first_and_then_to_their_neighbors():
    network = with_linear_path("tanh")
    partners = torch.randn(N_ROWS, N_FEATURES, generator=torch_generator(5))
    aim = 9 * torch.randn(N_ROWS, N_CODES, generator=torch_generator(6))
    given = batch(network.from_standardized)
    given = given._replace(partners=partners, aim=aim)
    part = NeighborPreservation(0.7)
    spread = np.sqrt(np.mean((aim.numpy() - aim.numpy().mean(axis=0)) ** 2))
    apart = [np.linalg.norm(a - b) for a, b in zip(given.code.numpy(), aim.numpy(), strict=True)]
    found = part.penalize(given._replace(progress=0.05)).numpy()
    np.testing.assert_allclose(found, 0.7 * np.array(apart) / spread, rtol=1e-5)
    later = part.penalize(given._replace(progress=0.9))
    torch.testing.assert_close(later, part.penalize(given._replace(aim=None)))


def test_codes_at_their_places_have_a_gradient():
    aim = torch.zeros(N_ROWS, N_CODES)
    code = aim.clone().requires_grad_()
    given = batch(code=code)._replace(aim=aim, progress=0.0)
    NeighborPreservation().penalize(given).sum().backward()
    assert code.grad.isfinite().all()


def test_codes_far_away_from_zero_lose_no_digits_of_their_distances():
    code = torch.randn(N_ROWS, N_CODES, generator=torch_generator(1))
    near, far = (
        NeighborPreservation().penalize(
            batch(lambda rows, at=at: at + rows[:, :N_CODES], code=code + at)._replace(
                partners=torch.randn(N_ROWS, N_FEATURES, generator=torch_generator(5))
            )
        )
        for at in (0, 1000)
    )
    torch.testing.assert_close(near, far, rtol=1e-3, atol=1e-4)


def test_a_row_alone_has_no_others_to_leave():
    code = torch.zeros(1, 2, requires_grad=True)
    given = batch(lambda rows: rows[:, :2])._replace(
        code=code, weight=torch.ones(1), partners=torch.ones(1, N_FEATURES)
    )
    result = NeighborPreservation().penalize(given)
    result.sum().backward()
    assert result.item() == 0
    assert code.grad.isfinite().all()


def of_distances(rows, code, weight):
    return PenalizedBatch(code, rows, rows, weight, lambda rows: rows)


@pytest.mark.parametrize("is_weighted", [False, True])
def test_distances_are_correlated_as_the_loop_says(is_weighted):
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(7, 4, generator=generator, dtype=torch.float64)
    code = torch.randn(7, 2, generator=generator, dtype=torch.float64)
    weight = torch.tensor([1.0, 0.0, 2.0, 1.0, 3.0, 0.5, 1.0]) if is_weighted else torch.ones(7)
    weight = weight.double()
    pairs, counts = [], []
    for i in range(7):
        for j in range(7):
            if i != j:
                pairs.append([math.dist(rows[i], rows[j]), math.dist(code[i], code[j])])
                counts.append(float(weight[i] * weight[j]))
    covariance = np.cov(np.transpose(pairs), aweights=counts, bias=True)
    correlation = covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])
    of_rows = DistancePreservation(0.5).penalize(of_distances(rows, code, weight))
    assert of_rows.shape == (7,)
    mean = (weight * of_rows).sum() / weight.sum()
    assert mean.item() == pytest.approx(0.5 * (1 - correlation))


def test_the_gradient_of_distances_is_that_of_differences():
    generator = torch.Generator().manual_seed(0)
    rows, weight = (
        torch.randn(6, 3, generator=generator, dtype=torch.float64),
        torch.ones(6).double(),
    )
    code = torch.randn(6, 2, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda code: DistancePreservation().penalize(of_distances(rows, code, weight)), code
    )


def test_distances_do_not_depend_on_the_units_of_codes_and_bear_equal_ones():
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(5, 3, generator=generator)
    penalty, weight = DistancePreservation(), torch.ones(5)
    small = penalty.penalize(of_distances(rows, rows * 1e-3 + 5.0, weight))
    assert small.mean().item() == pytest.approx(0, abs=1e-3)
    for code in (torch.zeros(5, 2), torch.zeros(1, 2), rows[[0, 0, 1, 1, 2]]):
        code = code.clone().requires_grad_()
        some = of_distances(rows[: len(code)], code, weight[: len(code)])
        penalty.penalize(some).sum().backward()
        assert code.grad.isfinite().all()


def test_networks_side_by_side_have_the_distances_of_each():
    generator = torch.Generator().manual_seed(0)
    rows, code = (torch.randn(3, 5, n, generator=generator) for n in (4, 2))
    weight = torch.rand(3, 5, generator=generator)
    together = DistancePreservation().penalize(of_distances(rows, code, weight))
    for number, found in enumerate(together):
        alone = of_distances(rows[number], code[number], weight[number])
        torch.testing.assert_close(found, DistancePreservation().penalize(alone))


def test_distances_of_new_rows_are_kept_better_with_the_penalty():
    X = load_digits().data[::6]
    found = []
    for penalty in (None, "distances"):
        estimator = small(penalty=penalty, hidden_layer_sizes=16, max_iter=15)
        found.append(
            pairwise_distance_correlation(X[1::2], estimator.fit(X[::2]).transform(X[1::2]))
        )
    assert found[1] > found[0] + 0.02


@pytest.mark.parametrize("name", sorted(PENALTIES))
def test_a_name_stands_for_the_part_with_its_defaults(name):
    X = load_iris().data
    latent = {"latent_activation": "logistic"} if name == "kl" else {}
    fits = [
        small(penalty=penalty, **latent).fit(X) for penalty in (name, PENALTIES[name](), [name])
    ]
    for other in fits[1:]:
        np.testing.assert_array_equal(fits[0].transform(X), other.transform(X))
    assert not np.array_equal(fits[0].transform(X), small(**latent).fit(X).transform(X))


def test_penalties_add_up():
    X = load_iris().data
    curves = {}
    start = {"max_iter": 1, "learning_rate_init": 1e-12}
    for penalty in (None, L1Sparsity(0.1), Contraction(0.2), [L1Sparsity(0.1), Contraction(0.2)]):
        curves[repr(penalty)] = small(penalty=penalty, **start).fit(X).loss_curve_[0]
    plain, l1, contraction, both = curves.values()
    assert both - plain == pytest.approx((l1 - plain) + (contraction - plain), rel=1e-4)
    assert contraction - plain == pytest.approx(0.2 * 2, rel=1e-3)  # PCA: norm 1 for each code


@pytest.mark.slow
def test_penalties_reach_what_they_are_for():
    X = load_digits().data / 16
    settings = {"n_components": 16, "max_iter": 20, "hidden_layer_sizes": 32}
    plain = small(**settings).fit(X)
    sparse = small(penalty=L1Sparsity(0.03), **settings).fit(X)
    assert np.abs(sparse.transform(X)).sum() < 0.5 * np.abs(plain.transform(X)).sum()
    flat = small(penalty=Contraction(0.1), **settings).fit(X)
    moved = [np.square(m.transform(X + 0.01) - m.transform(X)).sum() for m in (plain, flat)]
    assert moved[1] < 0.5 * moved[0]
    seldom = small(
        penalty=KLSparsity(0.1, weight=0.3), latent_activation="logistic", **settings
    ).fit(X)
    assert seldom.transform(X).mean() < 0.25


def test_rows_held_out_are_penalized_too():
    X = load_iris().data
    settings = {"early_stopping": True, "validation_fraction": 0.2}
    plain, penalized = (
        small(penalty=penalty, **settings).fit(X) for penalty in (None, L1Sparsity(0.5))
    )
    assert penalized.validation_loss_curve_[0] > plain.validation_loss_curve_[0] + 0.1


class Correlation(BaseEstimator):
    """A user's own penalty: a class with one method."""

    def __init__(self, weight=0.1):
        self.weight = weight

    def penalize(self, batch):
        code = batch.code - batch.code.mean(dim=0)
        covariance = code.T @ code / len(code)
        return self.weight * (covariance - covariance.diag().diag()).square().sum()


def test_an_own_penalty_and_its_weight_in_a_grid_search():
    X = load_iris().data
    grid = {"penalty__weight": [0.1, 10.0]}
    search = GridSearchCV(small(penalty=Correlation()), grid, cv=2, error_score="raise").fit(X)
    assert set(search.cv_results_["param_penalty__weight"]) == {0.1, 10.0}


class Wrong(BaseEstimator):
    def penalize(self, batch):
        return batch.code


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"penalty": L1Sparsity(0.0)}, "weight"),
        ({"penalty": KLSparsity(1.0)}, "target"),
        ({"penalty": "l2"}, "penalty"),
        ({"penalty": ["l1", "l2"]}, "'l2' is not known; expected one of"),
        ({"penalty": ["l1", 3]}, "no method penalize"),
        ({"penalty": KLSparsity()}, r"codes in \[0, 1\].*latent_activation='logistic'"),
        ({"penalty": NeighborPreservation(metric="cosin")}, "metric"),
        ({"penalty": NeighborPreservation(supervised=2)}, "supervised"),
        ({"penalty": NeighborPreservation(supervised=0.5)}, "needs labels, but y has none"),
        (
            {"penalty": NeighborPreservation(graph=sp.csr_array(sp.eye(9)))},
            r"graph has shape \(9, 9\)",
        ),
        ({"penalty": Wrong()}, r"Wrong\(\) returned Tensor of shape \(\d+, 2\)"),
        ({"penalty": [L1Sparsity]}, r"L1Sparsity is a class"),
        ({"penalty": "contraction", "normalization": "batch"}, "batch normalization"),
    ],
)
def test_penalties_that_make_no_sense_are_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        small(**parameters).fit(load_iris().data)
