"""Layers that draw random numbers, each from the generator of its training."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Generator, Tensor, nn


class RandomLayer(nn.Module):
    """A layer that draws from its own generator, which it is given for a training.

    torch's own layers draw from the global generator, which belongs to the caller.
    """

    generator: Generator | None = None
    side_by_side = False  # whether it belongs to several networks

    def _of_one(self, X: Tensor) -> Tensor:
        """Return what one network has of a tensor: generators of one seed draw the same for all."""
        return X[0] if self.side_by_side else X

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "generator"}


def seed_layers(network: nn.Module, seed: int, device: str = "cpu") -> None:
    """Give all layers of a network that draw random numbers one generator with this seed."""
    layers = [layer for layer in network.modules() if isinstance(layer, RandomLayer)]
    if layers:
        generator = Generator(device)
        generator.manual_seed(seed)
        for layer in layers:
            layer.generator = generator


@contextmanager
def fixed_draws(network: nn.Module, seed: int, device: str = "cpu") -> Iterator[None]:
    """Let the layers of a network draw from this seed in a block, and go on after it."""
    layers = [layer for layer in network.modules() if isinstance(layer, RandomLayer)]
    generators = [layer.generator for layer in layers]
    seed_layers(network, seed, device)
    try:
        yield
    finally:
        for layer, generator in zip(layers, generators, strict=True):
            layer.generator = generator


class Dropout(RandomLayer):
    """Zero a random share of the values while training, and enlarge the others to make up.

    Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, X: Tensor) -> Tensor:
        if not self.training:
            return X
        kept = torch.empty_like(self._of_one(X)).bernoulli_(1 - self.rate, generator=self.generator)
        return X * kept / (1 - self.rate)

    def extra_repr(self) -> str:
        return f"rate={self.rate}"


class NestedDropout(RandomLayer):
    """Keep the first numbers of a code while training, how many being drawn for each row.

    Each length is equally likely, and the whole code as likely as all others together: so
    each code learns to add the most to those before it, and the last ones are trained too.
    Rippel et al. 2014, arXiv:1402.0915, draw the length from a geometric distribution.
    """

    def forward(self, code: Tensor) -> Tensor:
        if not self.training:
            return code
        n_rows, n_components = self._of_one(code).shape
        draw = torch.empty(n_rows, 1, dtype=torch.float32, device=code.device)
        draw.uniform_(0, 2 * n_components, generator=self.generator)
        return code * (torch.arange(n_components, device=code.device) <= draw)
