"""Losses of reconstructions: the record of a forward pass and standardized rows in, numbers out.

A loss is measured in standardized units, where the squared error of the best constant
is 1 and that of a network is its share of variance not explained. The log loss and a
user's own loss see rows in their own units.
"""

import copy
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ._network import AutoencoderOutput, Standardize


class RowLoss(nn.Module):
    """The mean over a batch of one number a row, each times the row's weight.

    ``progress`` is the share of a training that is done, for losses that change with it.
    """

    # Whether it may be of any size and sign; others are of the order of 1 where nothing is learnt.
    has_own_unit = False

    def __init__(self) -> None:
        super().__init__()
        self.progress = 1.0

    def train(self, mode: bool = True) -> "RowLoss":
        return self if mode == self.training else super().train(mode)

    def forward(self, output: Any, target: list[Tensor]) -> Tensor:
        return self.weighted_rows(output, target).mean()

    def weighted_rows(self, output: Any, target: list[Tensor]) -> Tensor:
        """Return the loss of each row times its weight, (batch,), at this point of a training.

        The target is what the rows should have been, (batch, ...), and their weight, (batch,);
        behind them is what the batch brings for a part that has asked for more.
        """
        aim, weight = target
        return self.training_rows(output, aim) * weight

    def training_rows(self, output: Any, aim: Tensor) -> Tensor:
        """Return the loss of each row, (batch,), at this point of a training."""
        return self.rows(output, aim)

    def rows(self, output: Any, aim: Tensor) -> Tensor:
        """Return the loss of each row, (batch,), from a record and what it should have been.

        Like the record, its tensors may have a dimension more, that of networks side by side.
        """
        raise NotImplementedError


class ReconstructionLoss(RowLoss):
    """A loss of reconstructed rows, which should have been the standardized rows."""

    def __init__(self, standardize: Standardize) -> None:
        super().__init__()
        self.standardize = standardize

    def rows(self, output: AutoencoderOutput, Z: Tensor) -> Tensor:
        """Return the loss of each row, (batch,): the mean over its columns."""
        return self.values(output, Z).mean(dim=-1)

    def values(self, output: AutoencoderOutput, Z: Tensor) -> Tensor:
        """Return the loss of each value, (batch, n_features)."""
        raise NotImplementedError


class SquaredError(ReconstructionLoss):
    """The squared error."""

    def values(self, output: AutoencoderOutput, Z: Tensor) -> Tensor:
        return F.mse_loss(output.reconstruction, Z, reduction="none")


class AbsoluteError(ReconstructionLoss):
    """The absolute error."""

    def values(self, output: AutoencoderOutput, Z: Tensor) -> Tensor:
        return F.l1_loss(output.reconstruction, Z, reduction="none")


class Huber(ReconstructionLoss):
    """Huber's loss: quadratic up to one unit, then linear."""

    def values(self, output: AutoencoderOutput, Z: Tensor) -> Tensor:
        return F.huber_loss(output.reconstruction, Z, reduction="none")


class LogLoss(ReconstructionLoss):
    """The cross-entropy of values in [0, 1], from logits."""

    def values(self, output: AutoencoderOutput, Z: Tensor) -> Tensor:
        X = self.standardize.inverse(Z)
        return F.binary_cross_entropy_with_logits(output.preactivation, X, reduction="none")


class CallableLoss(ReconstructionLoss):
    """A user's ``loss(reconstruction, X)`` of rows in their own units.

    It may return one number a value, one a row, or one for the whole batch, their mean; the last is
    evaluated row by row where single rows count.
    """

    has_own_unit = True

    def __init__(self, standardize: Standardize, loss: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__(standardize)
        if isinstance(loss, nn.Module):  # what it is made of is given, not to be learnt
            loss = copy.deepcopy(loss).requires_grad_(False)
        self.loss = loss

    def weighted_rows(self, output: AutoencoderOutput, target: list[Tensor]) -> Tensor:
        Z, weight = target
        losses = self._result(output, Z)
        if losses.ndim == 0 and (weight == weight[0]).all():
            return losses * weight
        return self._by_row(losses, output, Z) * weight

    def rows(self, output: AutoencoderOutput, Z: Tensor) -> Tensor:
        return self._by_row(self._result(output, Z), output, Z)

    def values(self, output: AutoencoderOutput, Z: Tensor) -> Tensor:
        losses = self._result(output, Z)
        if losses.shape != Z.shape:
            raise ValueError(
                f"loss returned a tensor of shape {tuple(losses.shape)} for a batch of shape "
                f"{tuple(Z.shape)}; where some values count and others do not, or columns have "
                "losses of their own, it must return a number for each value."
            )
        return losses

    def _by_row(self, losses: Tensor, output: AutoencoderOutput, Z: Tensor) -> Tensor:
        if losses.ndim == 0:
            rows = zip(*(part.split(1) for part in (*output, Z)), strict=True)
            losses = torch.stack([self._result(AutoencoderOutput(*row), z) for *row, z in rows])
        if len(losses) != len(Z):
            raise ValueError(
                f"loss returned a tensor of shape {tuple(losses.shape)} for {len(Z)} rows; it must "
                "return a number for each value, for each row, or one for the batch."
            )
        return losses.reshape(len(Z), -1).mean(dim=1)

    def _result(self, output: AutoencoderOutput, Z: Tensor) -> Tensor:
        reconstruction = self.standardize.inverse(output.reconstruction)
        result = self.loss(reconstruction, self.standardize.inverse(Z))
        if not isinstance(result, Tensor):
            raise ValueError(
                f"loss={self.loss!r} returned {type(result).__name__}; it must return a tensor."
            )
        return result


class ColumnLosses(ReconstructionLoss):
    """A loss of its own for each group of columns.

    Parameters
    ----------
    standardize : Standardize
    groups : sequence of (function of a Standardize that returns a RowLoss, Tensor of int)
        A loss and the columns that it is for; each column is in one group.
    """

    order: Tensor  # (n_features,), where each column is among the groups

    def __init__(
        self,
        standardize: Standardize,
        groups: Sequence[tuple[Callable[[Standardize], ReconstructionLoss], Tensor]],
    ) -> None:
        super().__init__(standardize)
        self.losses = nn.ModuleList(
            loss(Standardize(standardize.mean[columns], standardize.scale))
            for loss, columns in groups
        )
        for i, (_, columns) in enumerate(groups):
            self.register_buffer(f"columns_{i}", columns)
        self.register_buffer("order", torch.cat([columns for _, columns in groups]).argsort())
        self.has_own_unit = any(loss.has_own_unit for loss in self.losses)

    def values(self, output: AutoencoderOutput, Z: Tensor) -> Tensor:
        values = []
        for i, loss in enumerate(self.losses):
            columns = getattr(self, f"columns_{i}")
            part = AutoencoderOutput(
                output.reconstruction[..., columns],
                output.code,
                output.preactivation[..., columns],
            )
            assert isinstance(loss, ReconstructionLoss)
            values.append(loss.values(part, Z[..., columns]))
        return torch.cat(values, dim=-1)[..., self.order]


class ObservedLoss(ReconstructionLoss):
    """Another loss, of the values that are not NaN: a missing one adds nothing."""

    def __init__(self, loss: ReconstructionLoss) -> None:
        super().__init__(loss.standardize)
        self.loss = loss
        self.has_own_unit = loss.has_own_unit

    def values(self, output: AutoencoderOutput, Z: Tensor) -> Tensor:
        missing = Z.isnan()
        return self.loss.values(output, Z.masked_fill(missing, 0.0)).masked_fill(missing, 0.0)


class PenalizedBatch(NamedTuple):
    """What a penalty may look at, of one batch.

    ``rows`` are standardized and clean, with the mean in the place of missing values;
    ``encode`` is the encoder, as a function of such rows. ``weight`` are the rows' weights,
    1 on average over all training rows. ``partners`` are other rows, one for each, if the penalty
    has a method `partners` that says which. ``aim`` is where its method `layout`, if it has one,
    has put the rows; rows held out have none. ``progress`` is the share of the training that is
    done, 1 where it is not trained.
    """

    code: Tensor  # (batch, n_components)
    reconstruction: Tensor  # (batch, n_features), standardized
    rows: Tensor  # (batch, n_features)
    weight: Tensor  # (batch,)
    encode: Callable[[Tensor], Tensor]
    partners: Tensor | None = None  # (batch, n_features), standardized
    aim: Tensor | None = None  # (batch, n_components)
    progress: float = 1.0


class Penalty(Protocol):
    """A part that adds to a loss; it asks for partners if it has a method ``partners``, too.

    Behind the columns of a row's partner stands the row's aim, where it has one.
    """

    def penalize(self, batch: PenalizedBatch) -> Tensor:
        """Return a number for each row, (batch,), or one for the batch, its mean."""


def asks_for_partners(part: Any) -> bool:
    """Whether a part wants another row for each row of a batch."""
    return getattr(part, "partners", None) is not None


class PenalizedLoss(ReconstructionLoss):
    """Another loss plus penalties."""

    def __init__(
        self,
        loss: ReconstructionLoss,
        penalties: Sequence[Penalty],
        encode: Callable[[Tensor], Tensor],
    ) -> None:
        super().__init__(loss.standardize)
        self.loss = loss
        self.has_own_unit = loss.has_own_unit
        self.penalties = list(penalties)
        # A list hides a module: its parameters are the network's, not the loss's.
        self._encode = [encode]

    def encode_by(self, encode: Callable[[Tensor], Tensor]) -> None:
        """Let penalties have another encoder: that of networks side by side."""
        self._encode = [encode]

    def weighted_rows(self, output: AutoencoderOutput, target: list[Tensor]) -> Tensor:
        Z, weight, *partners = target
        total = self.loss.weighted_rows(output, [Z, weight])
        for penalty in self._penalties(output, Z, weight, partners, self.progress):
            total = total + penalty * weight
        return total

    def rows(self, output: AutoencoderOutput, Z: Tensor, *partners: Tensor) -> Tensor:
        total = self.loss.rows(output, Z)
        for penalty in self._penalties(output, Z, torch.ones_like(Z[..., 0]), partners):
            total = total + penalty
        return total

    def _penalties(
        self,
        output: AutoencoderOutput,
        Z: Tensor,
        weight: Tensor,
        partners: Sequence[Tensor],
        progress: float = 1.0,
    ) -> list[Tensor]:
        """Return the penalties, (batch,) or (1,), each with a dimension more if Z has one."""
        Z, brought = Z.nan_to_num(0.0), iter(partners)
        code, rebuilt, encode = output.code, output.reconstruction, self._encode[0]
        batch = PenalizedBatch(code, rebuilt, Z, weight, encode, progress=progress)
        results = []
        for part in self.penalties:
            own, aim = next(brought) if asks_for_partners(part) else None, None
            if own is not None and own.shape[-1] > Z.shape[-1]:
                own, aim = own.split([Z.shape[-1], own.shape[-1] - Z.shape[-1]], dim=-1)
            result = part.penalize(batch._replace(partners=own, aim=aim))
            shape = tuple(getattr(result, "shape", ()))
            if not isinstance(result, Tensor) or shape not in (Z.shape[:-2], Z.shape[:-1]):
                raise ValueError(
                    f"{part!r} returned {type(result).__name__} of shape {shape} for {len(Z)} "
                    "rows; a penalty must be a torch tensor of a number for each row, or of one "
                    "for the batch."
                )
            results.append(result if shape == Z.shape[:-1] else result[..., None])
        return results

    def extra_repr(self) -> str:
        return repr(self.penalties)
