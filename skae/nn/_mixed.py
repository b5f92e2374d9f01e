"""Outputs and losses of rows of numbers and categories: a softmax for each category.

A category is several columns, one for each of its levels: (indicator - f) * s, where f is how
frequent the level is. With s = 1 / sqrt(f), principal components of such columns beside
standardized numbers are factor analysis of mixed data (Pagès 2004, Revue de statistique appliquée
52, 93-111).
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ._losses import ReconstructionLoss
from ._network import AutoencoderOutput, Standardize


class Category(NamedTuple):
    """The columns of a category, one for each level."""

    columns: Tensor  # (n_levels,) of int
    frequency: Tensor  # (n_levels,), positive, with a sum of 1
    scale: Tensor  # (n_levels,), what indicators less their frequency are multiplied by
    weight: float  # what the category counts, beside the other columns of the table


class Levels(nn.Module):
    """Which columns are levels of a category, of all categories side by side.

    Parameters
    ----------
    n_columns : int
    categories : sequence of Category
    """

    place: Tensor  # (n_categories, n_levels), which column a level is; short ones are filled up
    absent: Tensor  # (n_categories, n_levels), of bool
    frequency: Tensor  # (n_categories, n_levels)
    scale: Tensor  # (n_categories, n_levels)
    back: Tensor  # (n_columns,), where a column is among the levels of all categories
    is_level: Tensor  # (n_columns,), of bool

    def __init__(self, n_columns: int, categories: Sequence[Category]) -> None:
        super().__init__()
        n_levels = max(len(category.columns) for category in categories)
        self.allocate(n_columns, (len(categories), n_levels))
        for i, (columns, frequency, scale, _) in enumerate(categories):
            some = slice(0, len(columns))
            self.place[i, some], self.absent[i, some] = columns, False
            self.frequency[i, some], self.scale[i, some] = frequency, scale
            self.back[columns] = i * n_levels + torch.arange(len(columns))
            self.is_level[columns] = True

    def allocate(self, n_columns: int, shape: tuple[int, int]) -> None:
        """Set the buffers to those of no category."""
        self.register_buffer("place", torch.zeros(shape, dtype=torch.long))
        self.register_buffer("absent", torch.ones(shape, dtype=torch.bool))
        self.register_buffer("frequency", torch.ones(shape))
        self.register_buffer("scale", torch.ones(shape))
        self.register_buffer("back", torch.zeros(n_columns, dtype=torch.long))
        self.register_buffer("is_level", torch.zeros(n_columns, dtype=torch.bool))

    def log_shares(self, arguments: Tensor) -> Tensor:
        """Return the logarithms of a softmax, (..., n_categories, n_levels)."""
        levels = arguments[..., self.place].masked_fill(self.absent, -torch.inf)
        return levels.log_softmax(dim=-1).masked_fill(self.absent, 0.0)

    def indicators(self, rows: Tensor) -> Tensor:
        """Return which level rows have, (..., n_categories, n_levels)."""
        return rows[..., self.place] / self.scale + self.frequency

    def beside(self, numbers: Tensor, levels: Tensor) -> Tensor:
        """Return what numbers have in their columns, and levels in theirs."""
        return torch.where(self.is_level, levels.flatten(-2)[..., self.back], numbers)


class MixedOutput(Levels):
    """Numbers as they are, and the columns of categories from a softmax each."""

    def forward(self, arguments: Tensor) -> Tensor:
        shares = self.log_shares(arguments).exp()
        return self.beside(arguments, (shares - self.frequency) * self.scale)


class MixedLoss(ReconstructionLoss):
    """The squared error of numbers and the cross-entropy of categories, by column of the table.

    A category's cross-entropy is divided by what its frequencies alone give, their entropy. So the
    loss of the best constant is 1, and each column of the table has a part in it as its weight
    says, if a number's variance is its weight.

    Parameters
    ----------
    standardize : Standardize
    n_columns : int
    categories : sequence of Category
    weight : float
        The sum of the weights of the table's columns.
    """

    level_weight: Tensor  # (n_categories, 1)

    def __init__(
        self,
        standardize: Standardize,
        n_columns: int,
        categories: Sequence[Category],
        weight: float,
    ) -> None:
        super().__init__(standardize)
        self.unit = n_columns / weight  # as a row's loss is the mean over columns
        self.levels = Levels(n_columns, categories)
        relative = [
            category.weight / -(category.frequency * category.frequency.log()).sum()
            for category in categories
        ]
        self.register_buffer("level_weight", self.unit * torch.stack(relative)[:, None])

    def values(self, output: AutoencoderOutput, Z: Tensor) -> Tensor:
        # A number's argument is its reconstruction, and needs no way back through all softmaxes.
        X, arguments = self.standardize.inverse(Z), output.preactivation
        squares = (arguments - X).square() * self.unit
        observed = self.levels.indicators(X)
        entropy = -observed * self.levels.log_shares(arguments) * self.level_weight
        return self.levels.beside(squares, entropy)
