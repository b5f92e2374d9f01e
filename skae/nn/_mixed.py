"""Outputs, losses and likelihoods of rows of numbers and categories: a softmax for each category.

A category is several columns, one for each of its levels: (indicator - f) * s, where f is how
frequent the level is. With s = 1 / sqrt(f), principal components of such columns beside
standardized numbers are factor analysis of mixed data (Pagès 2004, Revue de statistique appliquée
52, 93-111).
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

from ._losses import ReconstructionLoss
from ._network import AutoencoderOutput, Standardize
from ._variational import GaussianLikelihood, Likelihood


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
        n_levels = max((len(category.columns) for category in categories), default=1)
        self.allocate(n_columns, (max(len(categories), 1), n_levels))
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
        return self._levels(arguments).log_softmax(dim=-1).masked_fill(self.absent, 0.0)

    def log_sums(self, arguments: Tensor) -> Tensor:
        """Return what is taken off arguments for the logarithms of a softmax, (..., n_columns)."""
        levels = self._levels(arguments)
        # As often as there are levels, so that no two columns select the same: gradients of a
        # category are summed over its levels, in one order.
        sums = levels.logsumexp(dim=-1, keepdim=True).expand_as(levels)
        return self.in_columns(sums)

    def _levels(self, arguments: Tensor) -> Tensor:
        # Gradients come back through a selection in half the time of an index in brackets.
        levels = arguments.index_select(-1, self.place.flatten()).unflatten(-1, self.place.shape)
        return levels.masked_fill(self.absent, -torch.inf)

    def in_columns(self, levels: Tensor) -> Tensor:
        """Return what levels have in their columns, (..., n_columns); others have anything."""
        return levels.flatten(-2).index_select(-1, self.back)

    def indicators(self, rows: Tensor) -> Tensor:
        """Return which level rows have, (..., n_categories, n_levels)."""
        return rows[..., self.place] / self.scale + self.frequency

    def beside(self, numbers: Tensor, levels: Tensor) -> Tensor:
        """Return what numbers have in their columns, and levels in theirs."""
        return torch.where(self.is_level, self.in_columns(levels), numbers)


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

    frequency: Tensor  # (n_columns,), of the level that a column is
    scale: Tensor  # (n_columns,)
    level_weight: Tensor  # (n_columns,)

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
        weights = self.unit * torch.stack(relative)[:, None].expand_as(self.levels.place)
        self.register_buffer("frequency", self.levels.in_columns(self.levels.frequency))
        self.register_buffer("scale", self.levels.in_columns(self.levels.scale))
        self.register_buffer("level_weight", self.levels.in_columns(weights))

    def values(self, output: AutoencoderOutput, Z: Tensor) -> Tensor:
        # A number's argument is its reconstruction, and needs no way back through all softmaxes.
        X, arguments = self.standardize.inverse(Z), output.preactivation
        squares = (arguments - X).square() * self.unit
        observed = X / self.scale + self.frequency
        entropy = (self.levels.log_sums(arguments) - arguments) * observed * self.level_weight
        return torch.where(self.levels.is_level, entropy, squares)


class MixedLikelihood(Likelihood):
    """Independent normal numbers, each with a variance of its own, and categories.

    The density of numbers is that in their own units.

    Parameters
    ----------
    standardize : Standardize
    n_columns : int
    categories : sequence of Category
    least_variance : Tensor of shape (n_columns,)
        Below which no variance of a number falls, in the units of the rows: a density of numbers
        that were rounded has no bound. NaN for columns that are no numbers; those that are no
        levels either follow from others, and have no part in the likelihood.
    """

    is_density = False  # of standardized rows
    least_variance: Tensor  # (n_columns,)
    is_number: Tensor  # (n_columns,), of bool

    def __init__(
        self,
        standardize: Standardize,
        n_columns: int,
        categories: Sequence[Category],
        least_variance: Tensor,
    ) -> None:
        super().__init__(standardize)
        self.levels = MixedOutput(n_columns, categories)
        self.allocate(n_columns)
        self.is_number[:] = ~least_variance.isnan()
        least = least_variance.clamp(min=GaussianLikelihood.least_variance)
        self.least_variance[self.is_number] = least[self.is_number].to(self.least_variance)

    def allocate(self, n_columns: int) -> None:
        """Set what each column has to that of no numbers."""
        self.register_buffer("least_variance", torch.ones(n_columns))
        self.register_buffer("is_number", torch.zeros(n_columns, dtype=torch.bool))
        self.noise_log_variance = nn.Parameter(torch.zeros(n_columns, dtype=torch.float32))

    def output(self) -> nn.Module:
        return self.levels

    def variance(self) -> Tensor:
        """Return the variances of numbers in their own units, (n_columns,)."""
        return self.noise_log_variance.exp() + self.least_variance

    def set_variance(self, variance: Tensor) -> None:
        """Set the variances of numbers, to no less than twice the least."""
        excess = torch.maximum(variance - self.least_variance, self.least_variance)
        with torch.no_grad():
            self.noise_log_variance[self.is_number] = excess.log()[self.is_number]

    def values(self, preactivation: Tensor, Z: Tensor) -> Tensor:
        X, variance = self.standardize.inverse(Z), self.variance()
        squares = (X - preactivation).square()
        density = -0.5 * (squares / variance + (2 * math.pi * variance).log())
        numbers = torch.where(self.is_number, density, 0.0)
        log_shares = self.levels.log_shares(preactivation)
        return self.levels.beside(numbers, self.levels.indicators(X) * log_shares)

    def draw(self, X: Tensor, scale: float, generator: Generator) -> Tensor:
        noise = torch.empty_like(X).normal_(generator=generator)
        deviation = self.variance().detach().to(X).sqrt()
        numbers = torch.where(self.is_number, X + deviation * noise, X)
        if not self.levels.is_level.any():
            return numbers
        shares = self.levels.indicators(X).clamp(min=0.0).masked_fill(self.levels.absent, 0.0)
        places = torch.multinomial(shares.flatten(0, 1), 1, generator=generator)
        drawn = torch.zeros_like(shares).flatten(0, 1).scatter(1, places, 1.0).view_as(shares)
        levels = (drawn - self.levels.frequency) * self.levels.scale
        return self.levels.beside(numbers, levels)
