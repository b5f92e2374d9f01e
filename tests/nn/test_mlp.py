"""Dense layers: their shapes, their activations and their starting weights."""

import copy
import math
import pickle
from itertools import pairwise

import pytest
import torch
from torch import nn

from skae.nn import ACTIVATIONS, NORMALIZATIONS, Dropout, linear, mlp, transposed_mlp


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("sizes", [(5, 2), (7, 4, 2), (3, 9, 8, 6)])
def test_an_mlp_is_linear_layers_with_an_activation_between_each_two(activation, sizes):
    layers = list(mlp(sizes, activation, generator=generator()))
    assert len(layers) == 2 * (len(sizes) - 1) - 1
    shapes = [(layer.in_features, layer.out_features) for layer in layers[::2]]
    assert shapes == list(pairwise(sizes))
    assert all(type(layer) is ACTIVATIONS[activation] for layer in layers[1::2])


def test_an_mlp_is_the_product_of_its_matrices():
    body = mlp((4, 6, 3), "tanh", generator=generator())
    first, last = body[0], body[2]
    X = torch.randn(10, 4, generator=generator(1))
    with torch.no_grad():
        first.bias.uniform_(-1, 1, generator=generator(2))
        expected = torch.tanh(X @ first.weight.T + first.bias) @ last.weight.T + last.bias
        torch.testing.assert_close(body(X), expected)


def test_weights_are_uniform_as_those_of_torch_and_biases_zero():
    layer, of_torch = linear(200, 300, generator=generator()), nn.Linear(200, 300)
    bound = 1 / math.sqrt(200)
    assert 0.99 * bound < layer.weight.abs().max().item() <= bound
    assert layer.weight.std().item() == pytest.approx(of_torch.weight.std().item(), rel=0.02)
    assert not layer.bias.any()


@pytest.mark.parametrize("sizes", [(5, 2), (5, 8, 2)])
def test_a_last_layer_of_zeros_gives_zeros_and_learns(sizes):
    body = mlp(sizes, "silu", generator=generator(), zero_last=True)
    out = body(torch.randn(10, 5, generator=generator(1)))
    assert not out.any()
    out.sum().backward()
    assert body[-1].weight.grad.any()


def test_a_seed_decides_the_weights_and_the_global_generator_is_not_moved():
    before = torch.get_rng_state()
    one, same, other = (
        mlp((5, 8, 2), "relu", generator=generator(seed)).state_dict() for seed in (0, 0, 1)
    )
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["0.weight"], other["0.weight"])


def test_weights_are_learned():
    assert all(p.requires_grad for p in mlp((5, 8, 2), "relu", generator=generator()).parameters())
    assert isinstance(mlp((5, 2), "relu", generator=generator()), nn.Sequential)


def test_weights_are_single_whatever_the_default_dtype():
    found = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        layer = linear(3, 2, generator=generator())
    finally:
        torch.set_default_dtype(found)
    assert layer.weight.dtype == torch.float32


@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_a_hidden_layer_is_linear_normalization_activation_dropout(normalization, dropout):
    layers = mlp(
        (5, 4, 3, 2), "relu", generator=generator(), normalization=normalization, dropout=dropout
    )
    norms = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}
    hidden = [nn.Linear, norms.get(normalization), nn.ReLU, Dropout if dropout else None]
    kinds = [kind for kind in hidden if kind is not None]
    pairs = zip(layers, [*kinds, *kinds, nn.Linear], strict=True)
    assert all(isinstance(layer, kind) for layer, kind in pairs)


@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
def test_a_transposed_decoder_is_an_explicit_transpose(normalization):
    encode = mlp((5, 4, 3), "tanh", generator=generator(), normalization=normalization)
    decode = transposed_mlp(encode, "tanh", normalization=normalization)
    code = torch.randn(7, 3, generator=generator())
    first, last = (layer for layer in encode if isinstance(layer, nn.Linear))
    hidden = code @ last.weight
    if normalization == "batch":
        hidden = (hidden - hidden.mean(dim=0)) / (hidden.var(dim=0, correction=0) + 1e-5).sqrt()
    if normalization == "layer":
        hidden = nn.functional.layer_norm(hidden, (4,))
    torch.testing.assert_close(decode(code), hidden.tanh() @ first.weight)


def test_gradients_of_tied_weights_are_the_sum_of_both_uses():
    encode = mlp((5, 3), "tanh", generator=generator())
    decode = transposed_mlp(encode, "tanh")
    X = torch.randn(7, 5, generator=generator())
    (decode(encode(X)) - X).square().mean().backward()
    weight = encode[0].weight.detach()
    into, out_of = weight.clone().requires_grad_(), weight.t().clone().requires_grad_()
    (X @ into.T @ out_of.T - X).square().mean().backward()
    torch.testing.assert_close(encode[0].weight.grad, into.grad + out_of.grad.T)


def test_tied_weights_stay_tied_in_copies_and_other_types():
    encode = mlp((5, 4, 3), "tanh", generator=generator())
    network = nn.ModuleDict({"encode": encode, "decode": transposed_mlp(encode, "tanh")})
    for other in (copy.deepcopy(network), pickle.loads(pickle.dumps(network)), network.double()):
        assert other["encode"][0].weight is other["decode"][-1].weight
        assert other["encode"][-1].weight is other["decode"][0].weight
    n_weights = sum(p.numel() for p in network.parameters() if p.ndim == 2)
    assert n_weights == 5 * 4 + 4 * 3


def test_batch_normalization_of_a_single_row_goes_by_the_running_statistics():
    layer = NORMALIZATIONS["batch"](3)
    layer(torch.randn(50, 3, generator=generator()) * 4 + 2)
    row = torch.randn(1, 3, generator=generator())
    expected = (row - layer.running_mean) / (layer.running_var + layer.eps).sqrt()
    torch.testing.assert_close(layer(row), expected)
