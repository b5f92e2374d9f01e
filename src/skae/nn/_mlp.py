"""Stacks of dense layers: their activations and their starting weights."""

import math
from collections.abc import Sequence
from functools import partial
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

# The standard deviation of the weights, times sqrt(fan_in), that keeps the variance of
# a signal about constant from layer to layer (He et al. 2015, arXiv:1502.01852).
_GAINS = {
    "identity": 1.0,
    "relu": math.sqrt(2.0),
    "leaky_relu": math.sqrt(2.0),
    "elu": 1.25,
    "gelu": 1.5,
    "silu": 1.65,
    "tanh": 5.0 / 3.0,
    "logistic": 1.0,
    "softplus": 1.0,
}


def linear(in_features: int, out_features: int, *, gain: float, generator: Generator) -> nn.Linear:
    """Return a linear layer with uniform weights of the given gain and no bias at the start."""
    # skip_init: the constructor of nn.Linear draws from torch's global generator.
    layer = nn.utils.skip_init(nn.Linear, in_features, out_features)
    with torch.no_grad():
        bound = gain * math.sqrt(3.0 / in_features)
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
    make = partial(linear, generator=generator)
    *inner, last = pairwise(layer_sizes)
    layers: list[nn.Module] = []
    for in_features, out_features in inner:
        layers.append(make(in_features, out_features, gain=_GAINS[activation]))
        layers.append(ACTIVATIONS[activation]())
    layers.append(make(*last, gain=0.0 if zero_last else 1.0))
    return nn.Sequential(*layers)
