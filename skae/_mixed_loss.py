"""The loss and the likelihood of a table's columns: what estimators of their matrix are given."""

import numpy as np
import torch
from torch import nn

from ._level_embedding import EmbeddedColumn
from ._table_columns import CategoryColumn, NumberColumn, TableColumns
from .nn import (
    Category,
    Likelihood,
    MixedLikelihood,
    MixedLoss,
    MixedOutput,
    ReconstructionLoss,
    Standardize,
)

_LEAST_SHARE = 0.01  # of a level, where the logarithm is taken of what PCA gives


class TableLoss:
    """Squared errors of numbers and cross-entropies of categories, by column of a table.

    Parameters
    ----------
    columns : TableColumns
        At least one of which is a category that varies.
    """

    def __init__(self, columns: TableColumns) -> None:
        self.columns = columns

    def output(self) -> nn.Module:
        """Return the output activation: a softmax for each category."""
        return MixedOutput(self.columns.n_columns, _of_networks(self.columns))

    def argument(self, X: np.ndarray) -> np.ndarray:
        """Return what the output activation would have to be applied to, to give some rows."""
        result = np.array(X, dtype=np.float64)
        for column, place in _categories(self.columns):
            shares = column.shares(result[:, place])
            result[:, place] = np.log(np.clip(shares, _LEAST_SHARE, None))
        return result

    def of(self, standardize: Standardize) -> ReconstructionLoss:
        """Return the loss of networks with such outputs."""
        weight = sum(column.say for column in self.columns.columns if column.width)
        categories = _of_networks(self.columns)
        return MixedLoss(standardize, self.columns.n_columns, categories, weight)

    @property
    def first_columns(self) -> list[int]:
        """The first column of each column of the table, which is missing if all of its are."""
        pairs = zip(self.columns.columns, self.columns.places, strict=True)
        return [place.start for column, place in pairs if column.width]

    def __repr__(self) -> str:
        return f"TableLoss({len(self.columns.columns)} columns)"


class TableLikelihood:
    """Normal noise of numbers, each with its own variance, and probabilities of categories.

    The logarithm of a row's density is the sum of those of its columns: of a number in the units of
    the matrix, in which its variance is 1 before it is rebuilt. Of a date, only its time counts.

    Parameters
    ----------
    columns : TableColumns
    """

    def __init__(self, columns: TableColumns) -> None:
        self.columns = columns

    def of(self, standardize: Standardize) -> Likelihood:
        """Return the likelihood of networks."""
        least = np.full(self.columns.n_columns, np.nan)
        for column, place in zip(self.columns.columns, self.columns.places, strict=True):
            if isinstance(column, EmbeddedColumn):
                least[place] = 0.0  # of coordinates, which are not rounded
            elif isinstance(column, NumberColumn) and column.width:
                least[place.start] = column.rounding
        categories = _of_networks(self.columns)
        return MixedLikelihood(standardize, len(least), categories, torch.from_numpy(least))

    def __repr__(self) -> str:
        return f"TableLikelihood({len(self.columns.columns)} columns)"


def _categories(columns: TableColumns) -> list[tuple[CategoryColumn, slice]]:
    pairs = zip(columns.columns, columns.places, strict=True)
    return [(one, place) for one, place in pairs if isinstance(one, CategoryColumn) and one.width]


def _of_networks(columns: TableColumns) -> list[Category]:
    return [
        Category(
            torch.arange(place.start, place.stop),
            torch.from_numpy(column.frequency).float(),
            torch.from_numpy(column.scale).float(),
            column.say,
        )
        for column, place in _categories(columns)
    ]
