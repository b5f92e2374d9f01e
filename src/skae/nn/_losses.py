"""Reconstruction losses: the record of a forward pass and standardized rows in, numbers out.

A loss is measured in standardized units, where the squared error of the best constant
is 1 and that of a network is its share of variance not explained. The log loss and a
user's own loss see rows in their own units.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ._network import AutoencoderOutput, Standardize


class RowLoss(nn.Module):
    """The mean over a batch of one number a row, each times the row's weight."""

    def __init__(self, standardize: Standardize) -> None:
        super().__init__()
        self.standardize = standardize

    def train(self, mode: bool = True) -> "RowLoss":
        return self if mode == self.training else super().train(mode)

    def forward(self, output: AutoencoderOutput, target: list[Tensor]) -> Tensor:
        Z, weight = target  # (batch, n_features), (batch,)
        return (self.rows(output, Z) * weight).mean()

    def rows(self, output: AutoencoderOutput, Z: Tensor) -> Tensor:
        """Return the loss of each row, (batch,)."""
        raise NotImplementedError


class SquaredError(RowLoss):
    """The mean over columns of the squared error."""

    def rows(self, output: AutoencoderOutput, Z: Tensor) -> Tensor:
        return F.mse_loss(output.reconstruction, Z, reduction="none").mean(dim=1)


class AbsoluteError(RowLoss):
    """The mean over columns of the absolute error."""

    def rows(self, output: AutoencoderOutput, Z: Tensor) -> Tensor:
        return F.l1_loss(output.reconstruction, Z, reduction="none").mean(dim=1)


class Huber(RowLoss):
    """The mean over columns of Huber's loss: quadratic up to one unit, then linear."""

    def rows(self, output: AutoencoderOutput, Z: Tensor) -> Tensor:
        return F.huber_loss(output.reconstruction, Z, reduction="none").mean(dim=1)


class LogLoss(RowLoss):
    """The mean over columns of the cross-entropy of values in [0, 1], from logits."""

    def rows(self, output: AutoencoderOutput, Z: Tensor) -> Tensor:
        X = self.standardize.inverse(Z)
        return F.binary_cross_entropy_with_logits(output.preactivation, X, reduction="none").mean(
            dim=1
        )


class CallableLoss(RowLoss):
    """A user's ``loss(reconstruction, X)`` of rows in their own units.

    It may return one number a value, one a row, or one for the whole batch, their mean; the last is
    evaluated row by row where single rows count.
    """

    def __init__(self, standardize: Standardize, loss: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__(standardize)
        self.loss = loss

    def forward(self, output: AutoencoderOutput, target: list[Tensor]) -> Tensor:
        Z, weight = target
        losses = self._values(output, Z)
        if losses.ndim == 0 and (weight == weight[0]).all():
            return losses * weight[0]
        return (self._by_row(losses, output, Z) * weight).mean()

    def rows(self, output: AutoencoderOutput, Z: Tensor) -> Tensor:
        return self._by_row(self._values(output, Z), output, Z)

    def _by_row(self, losses: Tensor, output: AutoencoderOutput, Z: Tensor) -> Tensor:
        if losses.ndim == 0:
            rows = zip(*(part.split(1) for part in (*output, Z)), strict=True)
            losses = torch.stack([self._values(AutoencoderOutput(*row), z) for *row, z in rows])
        if len(losses) != len(Z):
            raise ValueError(
                f"loss returned a tensor of shape {tuple(losses.shape)} for {len(Z)} rows; it must "
                "return a number for each value, for each row, or one for the batch."
            )
        return losses.reshape(len(Z), -1).mean(dim=1)

    def _values(self, output: AutoencoderOutput, Z: Tensor) -> Tensor:
        reconstruction = self.standardize.inverse(output.reconstruction)
        return self.loss(reconstruction, self.standardize.inverse(Z))
