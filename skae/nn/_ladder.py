"""The ladder network: an encoder, a noisy twin, and a decoder that is told what the twin saw.

Rasmus et al. 2015, arXiv:1507.02672; what its parts are worth: Pezeshki et al. 2016,
arXiv:1511.06430.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from ._classifier import CrossEntropy, Outputs
from ._losses import RowLoss
from ._mlp import ACTIVATIONS, BatchNorm, linear
from ._network import Encoder, Standardize
from ._random import RandomLayer

_EPSILON = 1e-5  # of a variance that is divided by


class LadderOutput(NamedTuple):
    """What a forward pass produces: in training, of the noisy twin, and what denoising costs."""

    logits: Tensor  # (batch, n_classes)
    denoising: Tensor  # (batch,), zero for rows that are not denoised, and in evaluation


class LadderLayer(nn.Module):
    """A dense layer that is normalized by the batch, shifted, scaled and activated."""

    def __init__(self, n_in: int, n_out: int, activation: str, *, generator: Generator) -> None:
        super().__init__()
        self.linear = linear(n_in, n_out, generator=generator, bias=False)
        self.normalize = BatchNorm(n_out, affine=False, dtype=torch.float32)
        self.shift = nn.Parameter(torch.zeros(n_out, dtype=torch.float32))
        self.gain = nn.Parameter(torch.ones(n_out, dtype=torch.float32))
        self.activation = ACTIVATIONS[activation]()

    def forward(self, X: Tensor) -> Tensor:
        return self.activate(self.normalize(self.linear(X)))

    def activate(self, z: Tensor) -> Tensor:
        """Return what the next layer sees of a normalized preactivation."""
        return self.activation((z + self.shift) * self.gain)


class Combinator(nn.Module):
    """Estimate a clean value from the noisy one and from what the layer above expects.

    The best estimate were all Gaussian: a weighted mean of the two, whose weight and whose mean
    are curves of the expectation, for each unit its own.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        start = torch.zeros(2, 5, 1, width, dtype=torch.float32)
        start[:, 1] = 1.0
        self.curves = nn.Parameter(start)  # of the mean and of the weight

    def forward(self, noisy: Tensor, expected: Tensor) -> Tensor:
        mean, weight = self.mean(expected), self._curve(1, expected)
        return torch.addcmul(mean, noisy - mean, weight)

    def mean(self, expected: Tensor) -> Tensor:
        """Return the estimate of one who has not seen the noisy value."""
        return self._curve(0, expected)

    def _curve(self, which: int, u: Tensor) -> Tensor:
        height, slope, place, incline, level = self.curves[which]
        bend = torch.sigmoid(torch.addcmul(place, u, slope))
        return torch.addcmul(torch.addcmul(level, u, incline), bend, height)


class LadderNetwork(RandomLayer):
    """A classifier whose layers learn to denoise one another.

    Parameters
    ----------
    standardize : Standardize
    layer_sizes : sequence of int
        From the columns to the classes.
    activation : str
    noise : sequence of float
        Standard deviation of the noise on the rows and on each layer, of unit variance.
    weights : sequence of float
        What the denoising of the rows and of each layer counts.
    outputs : Outputs
        What the logits stand for.
    generator : torch.Generator
    """

    def __init__(
        self,
        standardize: Standardize,
        layer_sizes: Sequence[int],
        activation: str,
        *,
        noise: Sequence[float],
        weights: Sequence[float],
        outputs: Outputs,
        generator: Generator,
    ) -> None:
        super().__init__()
        *hidden, top = pairwise(layer_sizes)
        body = [LadderLayer(*sizes, activation, generator=generator) for sizes in hidden]
        self.encoder = Encoder(standardize, nn.Sequential(*body), nn.Identity())
        self.head = LadderLayer(*top, "identity", generator=generator)
        self.noise, self.weights, self.outputs = tuple(noise), tuple(weights), outputs
        # Below the lowest layer that is denoised, nothing has to be decoded.
        self.lowest = next((i for i, weight in enumerate(weights) if weight), len(weights))
        decoded = range(self.lowest, len(layer_sizes) - 1)
        self.down = nn.ModuleList(
            linear(layer_sizes[i + 1], layer_sizes[i], generator=generator, bias=False)
            for i in decoded
        )
        self.combinators = nn.ModuleList(Combinator(width) for width in layer_sizes[self.lowest :])

    def train(self, mode: bool = True) -> "LadderNetwork":
        return self if mode == self.training else super().train(mode)

    def forward(self, inputs: Tensor | list[Tensor]) -> LadderOutput:
        """Classify rows, or train on rows and a mask of those there for their labels only.

        Those come last, and have batch statistics of their own, as they may come often. NaN is
        the mean on its way in, and in what denoising costs nothing.
        """
        if isinstance(inputs, Tensor):
            logits = self.head(self.encoder.from_standardized(inputs.nan_to_num(0.0)))
            return LadderOutput(logits, torch.zeros_like(logits[:, 0]))
        Z, supervised = inputs
        missing, Z = Z.isnan(), Z.nan_to_num(0.0)
        n_rows = len(Z) - int(supervised.sum())
        noisy, logits = self._corrupted(Z, n_rows)
        denoising = torch.zeros_like(logits[:, 0])
        if n_rows and self.lowest < len(self.weights):
            noisy = [z[:n_rows] for z in noisy]
            costs = self._denoise(Z[:n_rows], missing[:n_rows], noisy, logits[:n_rows])
            denoising[:n_rows] = costs
        elif n_rows:
            self._clean(Z[:n_rows])  # which moves the running statistics
        return LadderOutput(logits, denoising)

    def _layers(self) -> list[LadderLayer]:
        return [*self.encoder.body, self.head]  # type: ignore[misc]

    def _corrupted(self, Z: Tensor, n_rows: int) -> tuple[list[Tensor], Tensor]:
        """Return the noisy values of each layer, (batch, width), and the logits."""
        h = self._with_noise(Z, self.noise[0])
        noisy = [h]
        for layer, level in zip(self._layers(), self.noise[1:], strict=True):
            z = layer.linear(h)
            parts = [z[:n_rows], z[n_rows:]] if 0 < n_rows < len(z) else [z]
            z = torch.cat([_normalized(part, layer.normalize) for part in parts])
            noisy.append(self._with_noise(z, level))
            h = layer.activate(noisy[-1])
        return noisy, h

    def _with_noise(self, z: Tensor, level: float) -> Tensor:
        if not level:
            return z
        return z + torch.empty_like(z).normal_(std=level, generator=self.generator)

    def _clean(self, Z: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Return each layer's clean values, (batch, width), and their mean and deviation before.

        The rows' own mean and deviation are 0 and 1: they are standardized.
        """
        values = [(Z, torch.zeros_like(Z[0]), torch.ones_like(Z[0]))]
        h = Z
        for layer in self._layers():
            z = layer.linear(h)
            variance, mean = _statistics(z, layer.normalize)
            z = layer.normalize(z)
            values.append((z, mean, (variance + _EPSILON).sqrt()))
            h = layer.activate(z)
        return values

    def _denoise(self, Z: Tensor, missing: Tensor, noisy: list[Tensor], logits: Tensor) -> Tensor:
        """Return what denoising costs for each row, (batch,): missing values of it nothing."""
        clean = self._clean(Z)
        u = _normalized(self.outputs.probabilities(logits), None)
        costs = []
        for depth in range(len(noisy) - 1, self.lowest - 1, -1):
            estimate = self.combinators[depth - self.lowest](noisy[depth], u)
            z, mean, deviation = clean[depth]
            if self.weights[depth]:
                error = (estimate - mean) / deviation - z
                error = error if depth else error.masked_fill(missing, 0.0)
                costs.append(self.weights[depth] * error.square().mean(dim=1))
            if depth > self.lowest:
                u = _normalized(self.down[depth - self.lowest - 1](estimate), None)
        return torch.stack(costs).sum(dim=0)


class LadderLoss(RowLoss):
    """The cross-entropy of rows that have a label, plus the denoising of all rows."""

    def __init__(self, outputs: Outputs, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.outputs = outputs
        self.supervised = CrossEntropy(outputs, label_smoothing)

    def forward(self, output: LadderOutput, target: list[Tensor]) -> Tensor:
        labels, label_weight, weight = target  # (batch, ...), (batch,), (batch,)
        losses = self.rows(output, labels.clamp(min=0)) * label_weight
        denoising = output.denoising * weight
        n_labeled, n_rows = (label_weight > 0).sum(), (weight > 0).sum()
        return losses.sum() / n_labeled.clamp(min=1) + denoising.sum() / n_rows.clamp(min=1)

    def rows(self, output: LadderOutput, labels: Tensor) -> Tensor:
        return self.supervised.rows(output, labels)


def _statistics(z: Tensor, running: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    """Return the variance and the mean that columns are normalized by."""
    if len(z) > 1:
        return torch.var_mean(z, dim=0, correction=0)
    assert running.running_var is not None
    assert running.running_mean is not None
    return running.running_var.clone(), running.running_mean.clone()


def _normalized(z: Tensor, running: nn.BatchNorm1d | None) -> Tensor:
    """Return columns of zero mean and unit variance, which do not count for any statistics."""
    if len(z) > 1:
        return F.batch_norm(z, None, None, training=True, eps=_EPSILON)
    if running is None:
        return z
    return F.batch_norm(z, running.running_mean, running.running_var, eps=_EPSILON)
