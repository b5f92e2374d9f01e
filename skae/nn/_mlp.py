"""Stacks of dense layers: their activations, their starting weights, and their transposes."""

import math
from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import pairwise
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from ._random import Dropout

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
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


class BatchNorm(nn.BatchNorm1d):
    """Batch normalization that takes a batch of one row, by the running statistics."""

    def forward(self, X: Tensor) -> Tensor:
        if self.training and len(X) == 1:
            return F.batch_norm(
                X, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(X)


# What follows a hidden layer of some width, before its activation.
NORMALIZATIONS: dict[str, Callable[[int], nn.Module]] = {
    "batch": partial(BatchNorm, dtype=torch.float32),
    "layer": partial(nn.LayerNorm, dtype=torch.float32),
}


def without_start(layer: Any, *args, **settings) -> Any:
    """Return a layer of torch whose numbers are any, until they are set.

    Its constructor would draw them from torch's global generator. `torch.nn.utils.skip_init` keeps
    it from that, too, by a detour that takes ten times as long as the layer itself.
    """
    result = _unset(layer)(*args, dtype=torch.float32, **settings)
    result.__class__ = layer
    return result


@cache
def _unset(layer: Any) -> Callable[..., Any]:
    return type(layer.__name__, (layer,), {"reset_parameters": lambda self: None})


def linear(
    in_features: int,
    out_features: int,
    *,
    generator: Generator,
    zero: bool = False,
    bias: bool = True,
) -> nn.Linear:
    """Return a linear layer with torch's starting weights, or with zeros; its bias is zero.

    Weights are uniform up to ``1 / sqrt(in_features)``. Larger ones, which keep the variance
    of a signal from layer to layer, fit as fast and generalize worse: see the architecture.
    """
    layer = without_start(nn.Linear, in_features, out_features, bias=bias)
    with torch.no_grad():
        bound = 0.0 if zero else 1 / math.sqrt(in_features)
        layer.weight.uniform_(-bound, bound, generator=generator)
        if bias:
            layer.bias.zero_()
    return layer


class TransposedLinear(nn.Module):
    """A linear layer whose weights are the transposes of another's, and stay so.

    Its bias is its own.
    """

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.weight = layer.weight  # one parameter in two layers
        self.bias = nn.Parameter(torch.zeros(layer.in_features, dtype=torch.float32))

    def forward(self, X: Tensor) -> Tensor:
        return F.linear(X, self.weight.t(), self.bias)

    def extra_repr(self) -> str:
        out_features, in_features = self.weight.shape
        return f"in_features={out_features}, out_features={in_features}"


def hidden_layer(
    layer: nn.Module, width: int, activation: str, normalization: str | None, dropout: float
) -> list[nn.Module]:
    """Return a layer followed by its normalization, its activation and its dropout."""
    layers = [layer]
    if normalization is not None:
        layers.append(NORMALIZATIONS[normalization](width))
    layers.append(ACTIVATIONS[activation]())
    if dropout:
        layers.append(Dropout(dropout))
    return layers


def hidden_layers(
    layer_sizes: Sequence[int],
    activation: str,
    *,
    generator: Generator,
    normalization: str | None = None,
    dropout: float = 0.0,
) -> nn.Sequential:
    """Return dense layers of the given sizes, each with all that follows a hidden layer."""
    layers: list[nn.Module] = []
    for sizes in pairwise(layer_sizes):
        layer = linear(*sizes, generator=generator)
        layers += hidden_layer(layer, sizes[1], activation, normalization, dropout)
    return nn.Sequential(*layers)


def mlp(
    layer_sizes: Sequence[int],
    activation: str,
    *,
    generator: Generator,
    zero_last: bool = False,
    normalization: str | None = None,
    dropout: float = 0.0,
) -> nn.Sequential:
    """Return dense layers of the given sizes with an activation between each two of them.

    The last layer is linear; with ``zero_last`` it starts at zero, so that the whole
    stack does.
    """
    hidden = hidden_layers(
        layer_sizes[:-1],
        activation,
        generator=generator,
        normalization=normalization,
        dropout=dropout,
    )
    last = linear(*layer_sizes[-2:], generator=generator, zero=zero_last)
    return nn.Sequential(*hidden, last)


def transposed_mlp(
    encoder: nn.Sequential,
    activation: str,
    *,
    normalization: str | None = None,
    dropout: float = 0.0,
) -> nn.Sequential:
    """Return the decoder whose weights are the transposes of those of an `mlp`."""
    *inner, last = [layer for layer in reversed(encoder) if isinstance(layer, nn.Linear)]
    layers: list[nn.Module] = []
    for layer in inner:
        transposed = TransposedLinear(layer)
        layers += hidden_layer(transposed, layer.in_features, activation, normalization, dropout)
    layers.append(TransposedLinear(last))
    return nn.Sequential(*layers)
