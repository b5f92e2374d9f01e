"""What new rows of a table are drawn with: where codes lie, and which numbers a column has.

A variational autoencoder draws codes from the standard normal distribution; those of its training
rows are seldom spread like that, and what lies between them decodes to rows that there are not. So
codes are drawn from a mixture of normal distributions that is fitted to theirs (Ghosh et al. 2020,
arXiv:1903.12436, there without a distribution of each code). Normal noise knows no numbers that are
zero in most rows, or whole, or never negative: a drawn number is taken for that of the training
rows which has the same rank, as copulas do it (Nelsen 2006, doi:10.1007/0-387-28678-0).
"""

import warnings
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from torch import Generator

from ._conditions import LabelCondition, NumberCondition
from ._seeding import torch_generator

_CODES = 10_000  # that a mixture is fitted to, and rows that the ranks of numbers come from
_MOST_ENCODED = 2**20  # rows of which codes are drawn; torch draws from no more than 2**24
_ROWS_OF_PART, _MOST_PARTS = 25, 20  # of the mixture
_QUANTILES = 1000
_LEAST_VARIANCE = 1e-4  # of codes, whose variance is about 1


class CodeMixture:
    """Codes of rows as a mixture of normal distributions, whose shares each class has its own of.

    Parameters
    ----------
    codes : ndarray of shape (n_codes, n_components)
        Drawn from the distributions that the encoder gives.
    classes : ndarray of shape (n_codes, n_classes)
        Ones in the columns of their classes, zeros elsewhere.
    n_rows : int
        How many rows they are codes of.
    seed : int
    """

    def __init__(self, codes: np.ndarray, classes: np.ndarray, n_rows: int, seed: int) -> None:
        n_parts = min(max(n_rows // _ROWS_OF_PART, 1), _MOST_PARTS)
        mixture = GaussianMixture(n_parts, reg_covar=_LEAST_VARIANCE, random_state=seed)
        with warnings.catch_warnings():  # where it stops matters little
            warnings.simplefilter("ignore", ConvergenceWarning)
            parts = mixture.fit(codes).predict_proba(codes)
        self.means = mixture.means_
        self.factors = np.linalg.cholesky(mixture.covariances_)
        # A class of which no code was drawn has the shares of all.
        of_class = classes.T @ parts + 1e-6 * mixture.weights_
        self.shares = of_class / of_class.sum(axis=1, keepdims=True)  # (n_classes, n_parts)

    def draw(self, classes: np.ndarray, generator: Generator) -> np.ndarray:
        """Return codes of rows, given their classes as ones and zeros."""
        shares = torch.from_numpy(classes @ self.shares)
        part = torch.multinomial(shares, 1, generator=generator)[:, 0].numpy()
        normal = _normal((len(part), self.means.shape[1]), generator)
        return self.means[part] + np.einsum("nij,nj->ni", self.factors[part], normal)


class Ranks:
    """Numbers that are drawn, and numbers of the training rows, by their ranks.

    Parameters
    ----------
    drawn : ndarray of shape (n_drawn,)
        In the units of the matrix.
    seen : ndarray of shape (n_rows,)
        In the units of the table, without what is missing.
    weight : ndarray of shape (n_rows,)
    """

    def __init__(self, drawn: np.ndarray, seen: np.ndarray, weight: np.ndarray) -> None:
        order = np.argsort(seen)
        seen, share = seen[order], np.cumsum(weight[order]) / weight.sum()
        # Of numbers that repeat, only those that were seen are drawn.
        self.repeats = 2 * len(np.unique(seen)) < len(seen)
        n = min(_QUANTILES, len(seen))
        rank = (np.arange(n) + 0.5) / n
        self.drawn = np.quantile(drawn, rank)
        if self.repeats:
            self.values = seen[np.searchsorted(share, rank - 1e-9)]
        else:
            self.values = np.interp(rank, share - weight[order] / weight.sum() / 2, seen)

    def of(self, numbers: np.ndarray) -> np.ndarray:
        """Return the numbers of the training rows that have the ranks of drawn ones."""
        place = np.interp(numbers, self.drawn, np.arange(len(self.drawn)))
        if self.repeats:
            return self.values[np.rint(place).astype(int)]
        return np.interp(place, np.arange(len(self.values)), self.values)


class NewRows:
    """Rows of a table's matrix as they are drawn from a fitted variational autoencoder.

    Parameters
    ----------
    autoencoder : VariationalAutoencoderTransformer
        Fitted to the matrix, with the likelihood of its columns.
    matrix : ndarray of shape (n_rows, n_columns)
    numbers : dict
        By columns of the matrix, what they are in the units of the table, (n_rows,); others have
        none but those of the matrix.
    weight : ndarray of shape (n_rows,)
    y : array-like of shape (n_rows,) or (n_rows, n_conditions) or None
        Its condition.
    """

    def __init__(
        self,
        autoencoder: Any,
        matrix: np.ndarray,
        numbers: dict[int, np.ndarray],
        weight: np.ndarray,
        y: Any,
    ) -> None:
        generator = torch_generator(autoencoder._seed)
        rows = np.flatnonzero(weight > 0)
        encoded = rows[:: max(1, len(rows) // _MOST_ENCODED)]
        shares = torch.from_numpy(weight[encoded])
        some = torch.multinomial(shares, _CODES, True, generator=generator).numpy()
        codes, deviations = autoencoder.transform(matrix[encoded], return_std=True)
        codes = codes[some] + deviations[some] * _normal((_CODES, codes.shape[1]), generator)
        y = None if y is None else np.asarray(y)[encoded[some]]
        classes = _classes(autoencoder, y, _CODES)
        self.codes = CodeMixture(codes, classes, len(rows), autoencoder._seed)
        self.ranks: list[Ranks] = []
        drawn, _ = self.draw(autoencoder, _CODES, y, generator)
        for column in _numbers(autoencoder):
            seen = numbers.get(column, matrix[:, column])
            known = rows[~np.isnan(seen[rows])]
            self.ranks.append(Ranks(drawn[:, column], seen[known], weight[known]))

    def draw(
        self, autoencoder: Any, n_rows: int, y: Any, generator: Generator
    ) -> tuple[np.ndarray, dict[int, np.ndarray]]:
        """Return new rows of the matrix, given the condition of each if there is one.

        And, by columns of the matrix, which numbers of the table they stand for.
        """
        codes = self.codes.draw(_classes(autoencoder, y, n_rows), generator)
        if isinstance(autoencoder._condition, NumberCondition):
            normal = _normal(codes.shape, generator)
            codes = autoencoder._codes.draw(autoencoder._condition.encode(y), normal)
        rows = torch.from_numpy(autoencoder.inverse_transform(codes, y))
        likelihood = autoencoder.module_.likelihood
        matrix = likelihood.draw(rows, autoencoder.scale_, generator).numpy()
        # While the ranks are being learnt, there are none.
        pairs = zip(_numbers(autoencoder), self.ranks, strict=False)
        return matrix, {column: ranks.of(matrix[:, column]) for column, ranks in pairs}


def _classes(autoencoder: Any, y: Any, n_rows: int) -> np.ndarray:
    """Return the classes of conditions as ones and zeros, one class for all if there are none."""
    condition = autoencoder._condition
    labelled = isinstance(condition, LabelCondition)
    return condition.encode(y) if labelled else np.ones((n_rows, 1))


def _numbers(autoencoder: Any) -> list[int]:
    """Return the columns of the matrix that have normal noise."""
    return torch.nonzero(autoencoder.module_.likelihood.is_number)[:, 0].tolist()


def _normal(shape: tuple[int, ...], generator: Generator) -> np.ndarray:
    return torch.empty(shape, dtype=torch.float64).normal_(generator=generator).numpy()
