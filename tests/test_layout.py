"""Layouts: against autograd of the loss as a loop says it, and beside t-SNE."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.manifold import TSNE
from sklearn.neighbors import kneighbors_graph

from skae._layout import _gradients, laid_out
from skae._seeding import torch_generator
from skae.metrics import knn_accuracy, trustworthiness


def among(choices):
    """Return what draws neighbors of rows from arrays of numbers, one for each row."""
    generator = torch_generator(7)

    def draw(rows, n_drawn):
        drawn = []
        for row in rows.tolist():
            some = torch.as_tensor(choices[row])
            drawn.append(some[torch.randint(len(some), (n_drawn,), generator=generator)])
        return torch.stack(drawn)

    return draw


def place(choices, n_components=2, weight=None, repulsion=10.0, seed=0):
    weight = torch.ones(len(choices)) if weight is None else weight
    how = {"repulsion": repulsion, "generator": torch_generator(seed)}
    return laid_out(among(choices), weight, n_components, **how)


def loss_of_loop(code, neighbors, weight, repulsion):
    """Return the weighted sum over rows of the mean over neighbors, as the docstring says it."""
    total, n_rows = 0.0, len(code)
    for i in range(n_rows):
        others = [k for k in range(n_rows) if k != i]
        apart = [1 + (code[i] - code[k]).square().sum() for k in others]
        mean = sum(weight[k] / d for k, d in zip(others, apart, strict=True))
        mean = mean / sum(weight[k] for k in others)
        losses = [
            torch.log(1 + repulsion * mean * (1 + (code[i] - code[j]).square().sum()))
            for j in neighbors[i]
        ]
        total = total + weight[i] * sum(losses) / len(losses)
    return total


@pytest.mark.parametrize("repulsion", [0.5, 20.0])
def test_gradients_are_those_of_the_loss(repulsion):
    generator = torch_generator(1)
    code = torch.randn(6, 3, generator=generator, dtype=torch.float64).requires_grad_()
    weight = torch.rand(6, generator=generator, dtype=torch.float64) + 0.5
    neighbors = torch.tensor([[1, 2], [0, 3], [3, 4], [5, 4], [2, 1], [0, 0]])
    loss_of_loop(code, neighbors, weight, repulsion).backward()
    with torch.no_grad():
        own, theirs = _gradients(code, torch.arange(6), neighbors, weight, repulsion)
        own = own.index_add(0, neighbors.flatten(), theirs)
    # Each row's is for one unit of its weight.
    torch.testing.assert_close(own * weight[:, None], code.grad)


def test_a_layout_of_digits_is_nearly_as_good_as_that_of_t_sne():
    X, y = load_digits(return_X_y=True)
    X, y = X[:900], y[:900]
    choices = kneighbors_graph(X, 15).indices.reshape(-1, 15)
    codes = place(choices).numpy(), TSNE(random_state=0).fit_transform(X)
    accuracy, of_tsne = (knn_accuracy(some[::2], y[::2], some[1::2], y[1::2]) for some in codes)
    assert accuracy > of_tsne - 0.02
    kept, of_tsne = (trustworthiness(X, some) for some in codes)
    assert kept > of_tsne - 0.02


@pytest.mark.parametrize("n_components", [2, 3])
def test_groups_that_nothing_connects_lie_apart(n_components):
    choices = [[j for j in range(i // 20 * 20, i // 20 * 20 + 20) if j != i] for i in range(80)]
    code = place(choices, n_components).numpy()
    assert code.shape == (80, n_components)
    assert code.dtype == np.float32
    groups = np.arange(80) // 20
    distance = np.linalg.norm(code[:, None] - code, axis=2) + np.diag([np.inf] * 80)
    assert (groups[distance.argmin(axis=1)] == groups).all()


def test_it_is_the_same_each_time_and_draws_from_its_own_generator():
    choices = [[(i + 1) % 30, (i - 1) % 30] for i in range(30)]
    before = torch.get_rng_state()
    first = place(choices)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, place(choices))
    assert not torch.equal(first, place(choices, seed=1))


@pytest.mark.parametrize("n_rows", [1, 2, 3, 40])
def test_rows_without_neighbors_have_places_too(n_rows):
    weight = torch.ones(n_rows)
    weight[0] = 0.0 if n_rows > 2 else 1.0
    code = place([[i] for i in range(n_rows)], weight=weight)
    assert code.shape == (n_rows, 2)
    assert code.isfinite().all()
    torch.testing.assert_close(
        (code * weight[:, None]).sum(dim=0), torch.zeros(2), atol=1e-3, rtol=0
    )
