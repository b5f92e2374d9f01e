"""Noise: what happens to rows on their way into a network in training, and only there.

The clean row stays the target, so that a network learns to undo the noise: a denoising
autoencoder. A noise is any object with a method ``corrupt(rows, generator)``; derive it from
`sklearn.base.BaseEstimator`, and its parameters are those of a grid search.
"""

from collections.abc import Callable
from numbers import Real
from typing import Any, ClassVar, Protocol

import torch
from sklearn.base import clone
from sklearn.utils._param_validation import Interval
from torch import Generator, Tensor

from ._contract import BaseEstimator

__all__ = ["NOISES", "GaussianNoise", "MaskingNoise", "SaltAndPepperNoise", "SwapNoise"]

_SHARE = [Interval(Real, 0, 1, closed="neither")]


class Noise(Protocol):
    """A part that corrupts rows."""

    def corrupt(self, rows: Tensor, generator: Generator) -> Tensor:
        """Return corrupted rows, (batch, n_features), and leave those given as they are."""


class GaussianNoise(BaseEstimator):
    """Add normal noise to every value.

    Parameters
    ----------
    level : float, default=0.3
        Its standard deviation, in units of the estimator's ``scale_``, the root of the mean
        variance of the columns.

    See Also
    --------
    MaskingNoise : Replace values instead of shifting them.

    References
    ----------
    .. [1] Vincent, P. et al. (2010). Stacked denoising autoencoders. Journal of Machine
       Learning Research 11, 3371-3408.
       https://jmlr.org/papers/v11/vincent10a.html

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import AutoencoderTransformer
    >>> from skae.noise import GaussianNoise
    >>> X, _ = load_digits(return_X_y=True)
    >>> autoencoder = AutoencoderTransformer(8, noise=GaussianNoise(0.5), max_iter=5)
    >>> autoencoder.fit_transform(X).shape
    (1797, 8)
    """

    _parameter_constraints: ClassVar[dict] = {"level": [Interval(Real, 0, None, closed="neither")]}

    def __init__(self, level=0.3):
        self.level = level

    def corrupt(self, rows: Tensor, generator: Generator) -> Tensor:
        """Corrupt a batch of rows.

        Parameters
        ----------
        rows : torch.Tensor of shape (batch, n_features)
            Standardized rows.
        generator : torch.Generator
            Where random numbers come from.

        Returns
        -------
        torch.Tensor of shape (batch, n_features)
            Other rows; those given are left as they are.
        """
        noise = torch.empty_like(rows).normal_(std=self.level, generator=generator)
        return rows + noise


class MaskingNoise(BaseEstimator):
    """Replace a random share of the values by the means of their columns.

    Unlike dropout, it does not enlarge the other values. A network that is trained so knows
    how to fill holes: see ``missing="mask"`` of the estimators.

    Parameters
    ----------
    level : float, default=0.3
        Share of the values that are replaced, in (0, 1).

    groups : array-like of shape (n_features,), default=None
        Columns of one value are replaced together, as those that a category was made into should
        be: `skae.TableEncoder` has them as ``source_columns_``. None takes each column by itself.

    See Also
    --------
    SwapNoise : Replace values by those of other rows.

    References
    ----------
    .. [1] Vincent, P. et al. (2008). Extracting and composing robust features with denoising
       autoencoders. ICML. :doi:`10.1145/1390156.1390294`

    Examples
    --------
    >>> import torch
    >>> from skae.noise import MaskingNoise
    >>> generator = torch.Generator().manual_seed(0)
    >>> MaskingNoise(0.5).corrupt(torch.ones(2, 4), generator).unique()
    tensor([0., 1.])
    """

    _parameter_constraints: ClassVar[dict] = {"level": _SHARE, "groups": ["array-like", None]}

    def __init__(self, level=0.3, groups=None):
        self.level = level
        self.groups = groups

    def corrupt(self, rows: Tensor, generator: Generator) -> Tensor:
        """Corrupt a batch of rows.

        Parameters
        ----------
        rows : torch.Tensor of shape (batch, n_features)
            Standardized rows, whose columns have a mean of zero over the training rows.
        generator : torch.Generator
            Where random numbers come from.

        Returns
        -------
        torch.Tensor of shape (batch, n_features)
            Other rows; those given are left as they are.

        Raises
        ------
        ValueError
            If ``groups`` has another length than rows have columns.
        """
        return self._masked(rows, generator, 0.0)

    def hide(self, rows: Tensor, generator: Generator) -> Tensor:
        """Make holes in a batch of rows, for a network that knows of missing values.

        Parameters
        ----------
        rows : torch.Tensor of shape (batch, n_features)
            Standardized rows; NaN is a missing value.
        generator : torch.Generator
            Where random numbers come from.

        Returns
        -------
        torch.Tensor of shape (batch, n_features)
            Other rows, with NaN in the places where `corrupt` has means.
        """
        return self._masked(rows, generator, torch.nan)

    def _masked(self, rows: Tensor, generator: Generator, value: float) -> Tensor:
        return rows.masked_fill(_drawn(rows, self.level, generator, self.groups), value)


class SaltAndPepperNoise(BaseEstimator):
    """Set a random share of the values to the extremes of their columns, by a fair coin.

    The extremes are the least and the greatest value of the column in the mini-batch.

    Parameters
    ----------
    level : float, default=0.3
        Share of the values that are replaced, in (0, 1).

    See Also
    --------
    MaskingNoise : Replace values by their means.

    References
    ----------
    .. [1] Vincent, P. et al. (2010). Stacked denoising autoencoders. Journal of Machine
       Learning Research 11, 3371-3408.
       https://jmlr.org/papers/v11/vincent10a.html

    Examples
    --------
    >>> import torch
    >>> from skae.noise import SaltAndPepperNoise
    >>> rows = torch.tensor([[0.0], [0.5], [1.0], [0.5], [0.5], [0.5]])
    >>> generator = torch.Generator().manual_seed(0)
    >>> SaltAndPepperNoise(0.9).corrupt(rows, generator).unique()
    tensor([0., 1.])
    """

    _parameter_constraints: ClassVar[dict] = {"level": _SHARE}

    def __init__(self, level=0.3):
        self.level = level

    def corrupt(self, rows: Tensor, generator: Generator) -> Tensor:
        """Corrupt a batch of rows.

        Parameters
        ----------
        rows : torch.Tensor of shape (batch, n_features)
            Standardized rows.
        generator : torch.Generator
            Where random numbers come from.

        Returns
        -------
        torch.Tensor of shape (batch, n_features)
            Other rows; those given are left as they are.
        """
        draw = torch.empty_like(rows).uniform_(generator=generator)
        low, high = rows.aminmax(dim=0)  # (n_features,) each
        peppered = torch.where(draw < self.level / 2, low, rows)
        return torch.where(draw > 1 - self.level / 2, high, peppered)


class SwapNoise(BaseEstimator):
    """Replace a random share of the values by those of other rows, column by column.

    Every column keeps its distribution, whatever it is, which makes this the noise for tables
    of mixed columns.

    Parameters
    ----------
    level : float, default=0.15
        Share of the values that are replaced, in (0, 1).

    groups : array-like of shape (n_features,), default=None
        Columns of one value are replaced together, as those that a category was made into should
        be: `skae.TableEncoder` has them as ``source_columns_``. None takes each column by itself.

    See Also
    --------
    MaskingNoise : Replace values by their means.

    References
    ----------
    .. [1] Yoon, J. et al. (2020). VIME: extending the success of self- and semi-supervised
       learning to tabular domain. NeurIPS 33.
       https://proceedings.neurips.cc/paper/2020/hash/7d97667a3e056acab9aaf653807b4a03-Abstract.html

    Examples
    --------
    >>> import torch
    >>> from skae.noise import SwapNoise
    >>> rows = torch.tensor([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]])
    >>> generator = torch.Generator().manual_seed(0)
    >>> swapped = SwapNoise(0.5).corrupt(rows, generator)
    >>> bool(torch.isin(swapped[:, 1], rows[:, 1]).all())
    True
    """

    _parameter_constraints: ClassVar[dict] = {"level": _SHARE, "groups": ["array-like", None]}

    def __init__(self, level=0.15, groups=None):
        self.level = level
        self.groups = groups

    def corrupt(self, rows: Tensor, generator: Generator) -> Tensor:
        """Corrupt a batch of rows.

        Parameters
        ----------
        rows : torch.Tensor of shape (batch, n_features)
            Standardized rows.
        generator : torch.Generator
            Where random numbers come from.

        Returns
        -------
        torch.Tensor of shape (batch, n_features)
            Other rows; those given are left as they are.

        Raises
        ------
        ValueError
            If ``groups`` has another length than rows have columns.
        """
        n_rows = len(rows)
        # From one of the other rows: a row that is alone has nothing to swap with.
        place = _places(rows, self.groups)
        shape = (n_rows, int(place.max()) + 1)
        step = torch.randint(1, max(n_rows, 2), shape, generator=generator)[:, place]
        source = (torch.arange(n_rows)[:, None] + step) % n_rows
        swapped = rows.gather(0, source)
        return torch.where(_drawn(rows, self.level, generator, self.groups), swapped, rows)


def together(noise, groups):
    """Return a noise that replaces the columns of a group together, if it is one that can.

    Parameters
    ----------
    noise : Noise or str or None
    groups : array-like of shape (n_features,)
    """
    part = NOISES[noise]() if isinstance(noise, str) and noise in NOISES else noise
    if getattr(part, "groups", groups) is not None:  # it knows no groups, or has some
        return noise
    return clone(part).set_params(groups=groups)


def corrupted(noise: Noise, rows: Tensor, generator: Generator, *, shows_holes: bool) -> Tensor:
    """Return rows after a noise. Where holes are shown, they stay, and what it hides is one."""
    if not shows_holes:
        return noise.corrupt(rows, generator)
    if isinstance(noise, MaskingNoise):
        return noise.hide(rows, generator)
    missing = rows.isnan()
    result = noise.corrupt(rows.masked_fill(missing, 0.0), generator)
    return result.masked_fill(missing, torch.nan) if result.shape == rows.shape else result


def _drawn(rows: Tensor, share: float, generator: Generator, groups=None) -> Tensor:
    """Return which values a random share hits, (batch, n_features)."""
    if groups is None:
        return torch.empty_like(rows).uniform_(generator=generator) < share
    place = _places(rows, groups)
    draw = rows.new_empty(len(rows), int(place.max()) + 1).uniform_(generator=generator)
    return (draw < share)[:, place]


def _places(rows: Tensor, groups) -> Tensor:
    """Return the number of each column's group, (n_features,)."""
    n_features = rows.shape[1]
    if groups is None:
        return torch.arange(n_features)
    numbers: dict[Any, int] = {}
    places = [numbers.setdefault(group, len(numbers)) for group in groups]
    if len(places) != n_features:
        raise ValueError(
            f"groups has {len(places)} values for {n_features} columns; give one for each column."
        )
    return torch.tensor(places)


# A name stands for the part with its defaults.
NOISES: dict[str, Callable[[], Noise]] = {
    "gaussian": GaussianNoise,
    "masking": MaskingNoise,
    "salt_and_pepper": SaltAndPepperNoise,
    "swap": SwapNoise,
}
