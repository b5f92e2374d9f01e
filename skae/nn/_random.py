"""Layers that draw random numbers, each from the generator of its training."""

from collections.abc import Callable, Iterator
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
    # Of a batch that several processes share: the first of the rows here, and how many all have.
    share: tuple[int, int] | None = None

    def _drawn(self, X: Tensor, draw: Callable[[Tensor], Tensor]) -> Tensor:
        """Return what is drawn for each number of a tensor, by a function that fills an empty one.

        Networks side by side are of one seed, and have the same.
        """
        of_one = X[0] if self.side_by_side else X
        if self.share is None:
            return draw(torch.empty_like(of_one))
        start, n_rows = self.share
        return draw(of_one.new_empty(n_rows, *of_one.shape[1:])).narrow(0, start, len(of_one))

    def __getstate__(self) -> dict[str, Any]:
        kept = vars(self).items()
        return {name: value for name, value in kept if name not in ("generator", "share")}


def random_layers(network: nn.Module) -> list[RandomLayer]:
    """Return the layers of a network that draw random numbers."""
    return [layer for layer in network.modules() if isinstance(layer, RandomLayer)]


def seed_layers(network: nn.Module, seed: int, device: str = "cpu") -> None:
    """Give all layers of a network that draw random numbers one generator with this seed."""
    layers = random_layers(network)
    if layers:
        generator = Generator(device)
        generator.manual_seed(seed)
        for layer in layers:
            layer.generator = generator


@contextmanager
def fixed_draws(network: nn.Module, seed: int, device: str = "cpu") -> Iterator[None]:
    """Let the layers of a network draw from this seed in a block, and go on after it."""
    layers = random_layers(network)
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
        kept = self._drawn(X, lambda room: room.bernoulli_(1 - self.rate, generator=self.generator))
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
        n_components = code.shape[-1]
        draw = self._drawn(
            code[..., :1].float(),
            lambda room: room.uniform_(0, 2 * n_components, generator=self.generator),
        )
        return code * (torch.arange(n_components, device=code.device) <= draw)


class PrefixDropout(RandomLayer):
    """Keep the first numbers of a code, each length being as likely, in a judgement too.

    Rows that are not trained on take turns: so their mean loss is that of all lengths.
    """

    def forward(self, code: Tensor) -> Tensor:
        n_rows, n_components = code.shape[-2:]
        order = torch.arange(n_components, device=code.device)
        if self.training:
            last = self._drawn(
                code[..., :1].float(),
                lambda room: room.uniform_(0, n_components, generator=self.generator),
            )
        else:
            last = torch.arange(n_rows, device=code.device)[:, None] % n_components
        return code * (order <= last)
