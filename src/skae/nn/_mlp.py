"""Stacks of dense layers: their activations and their starting weights."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Generator, nn

ACTIVATIONS = {
    "identity": nn.Identity,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "logistic": nn.Sigmoid,
    "softplus": nn.Softplus,
}


def linear(
    in_features: int, out_features: int, *, generator: Generator, zero: bool = False
) -> nn.Linear:
    """Return a linear layer with torch's starting weights, or with zeros; its bias is zero.

    Weights are uniform up to ``1 / sqrt(in_features)``. Larger ones, which keep the variance
    of a signal from layer to layer, fit as fast and generalize worse: see the architecture.
    """
    # skip_init: the constructor of nn.Linear draws from torch's global generator.
    layer = nn.utils.skip_init(nn.Linear, in_features, out_features, dtype=torch.float32)
    with torch.no_grad():
        bound = 0.0 if zero else 1 / math.sqrt(in_features)
        layer.weight.uniform_(-bound, bound, generator=generator)
        layer.bias.zero_()
    return layer


def mlp(
    layer_sizes: Sequence[int], activation: str, *, generator: Generator, zero_last: bool = False
) -> nn.Sequential:
    """Return dense layers of the given sizes with an activation between each two of them.

    The last layer is linear; with ``zero_last`` it starts at zero, so that the whole
    stack does.
    """
    *inner, last = pairwise(layer_sizes)
    layers: list[nn.Module] = []
    for sizes in inner:
        layers.append(linear(*sizes, generator=generator))
        layers.append(ACTIVATIONS[activation]())
    layers.append(linear(*last, generator=generator, zero=zero_last))
    return nn.Sequential(*layers)
