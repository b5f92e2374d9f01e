"""The loss of a table's columns: what `AutoencoderTransformer` is given for a matrix of them."""

import numpy as np
import torch
from torch import nn

from ._table_columns import CategoryColumn, TableColumns
from .nn import Category, MixedLoss, MixedOutput, ReconstructionLoss, Standardize

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

    def _categories(self) -> list[tuple[CategoryColumn, slice]]:
        pairs = zip(self.columns.columns, self.columns.places, strict=True)
        return [
            (one, place) for one, place in pairs if isinstance(one, CategoryColumn) and one.width
        ]

    def _of_networks(self) -> list[Category]:
        return [
            Category(
                torch.arange(place.start, place.stop),
                torch.from_numpy(column.frequency).float(),
                torch.from_numpy(column.scale).float(),
                column.say,
            )
            for column, place in self._categories()
        ]

    def output(self) -> nn.Module:
        """Return the output activation: a softmax for each category."""
        return MixedOutput(self.columns.n_columns, self._of_networks())

    def argument(self, X: np.ndarray) -> np.ndarray:
        """Return what the output activation would have to be applied to, to give some rows."""
        result = np.array(X, dtype=np.float64)
        for column, place in self._categories():
            shares = column.shares(result[:, place])
            result[:, place] = np.log(np.clip(shares, _LEAST_SHARE, None))
        return result

    def of(self, standardize: Standardize) -> ReconstructionLoss:
        """Return the loss of networks with such outputs."""
        weight = sum(column.say for column in self.columns.columns if column.width)
        return MixedLoss(standardize, self.columns.n_columns, self._of_networks(), weight)

    def __repr__(self) -> str:
        return f"TableLoss({len(self.columns.columns)} columns)"
