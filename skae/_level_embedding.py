"""A category of many levels as a few columns of a matrix, and back: each level is a point."""

import numpy as np
import scipy.sparse as sp
from sklearn.metrics import pairwise_distances_argmin

from ._table_values import Values

_DIMENSIONS = 8  # at most, of the points
_LEAST_SINGULAR = 1e-6  # of the largest one, of directions in which levels differ


class EmbeddedColumn:
    """A category whose levels are points: where the other columns of their rows are on average.

    The means are drawn to that of all rows, those of rare levels the most, by the ratio of the
    variances within and between levels (empirical Bayes, as in target encoding: Micci-Barreca 2001,
    doi:10.1145/507533.507538). Their principal axes are the columns of the matrix, of variance 1,
    divided by the root of their number. Levels that the other columns do not tell apart are one
    point, which is decoded as the most frequent of them; if that are all, there is no column.

    Parameters
    ----------
    values : Values
    weight : ndarray of shape (n_rows,)
    say : float
    others : ndarray of shape (n_rows, n_others)
        The other columns of the table in the matrix, of mean 0, with 0 where a value is missing.
    """

    kind = "category"

    def __init__(self, values: Values, weight: np.ndarray, say: float, others: np.ndarray) -> None:
        self.name, self.say = values.name, say
        self.levels, self.frequency = values.counted(weight)
        place = values.places(self.levels)
        known = (place >= 0) & (weight > 0)
        self.points = _points(place[known], weight[known], others[known], len(self.levels))
        self.points *= np.sqrt(say / max(self.points.shape[1], 1))

    @property
    def width(self) -> int:
        return self.points.shape[1]

    def encode(self, values: Values) -> np.ndarray:
        missing = np.full((1, self.width), np.nan)
        return np.vstack([self.points, missing])[values.places(self.levels)]

    def decode(self, block: np.ndarray) -> np.ndarray:
        order = np.argsort(-self.frequency, kind="stable")  # of two at one place the more frequent
        return order[pairwise_distances_argmin(block, self.points[order])].astype(float)

    @property
    def variance(self) -> float:
        """What the indicators of the levels have, all together."""
        return float(1 - np.square(self.frequency).sum())

    def shares(self, block: np.ndarray) -> np.ndarray:
        """Return 1 for the level that rows are decoded as, (n_rows, n_levels), 0 for others."""
        shares = np.zeros((len(block), len(self.levels)))
        shares[np.arange(len(block)), self.decode(block).astype(int)] = 1.0
        return shares

    def errors(self, true: np.ndarray, rebuilt: np.ndarray) -> np.ndarray:
        """Return the squared errors, in units of the points' variance, (n_rows,)."""
        return np.square(true - rebuilt).sum(axis=1) / self.say

    def names(self) -> list[str]:
        """Return the names of the matrix's columns."""
        return [f"{self.name} ({i})" for i in range(1, self.width + 1)]


def _points(place: np.ndarray, weight: np.ndarray, others: np.ndarray, n_levels: int) -> np.ndarray:
    """Return a point for each level, (n_levels, n_dimensions), of mean 0 and variance 1."""
    row = np.arange(len(place))
    member = sp.csr_array((weight, (place, row)), shape=(n_levels, len(place)))
    count, total = member.sum(axis=1), weight.sum()
    others = others - weight @ others / total
    sums = member @ others  # (n_levels, n_others)
    squares = weight @ np.square(others).sum(axis=1)
    between = (np.square(sums).sum(axis=1) / count).sum()
    within = (squares - between) / max(total - n_levels, 1.0)
    spread = (between - (n_levels - 1) * within) / (total - np.square(count).sum() / total)
    prior = min(within / spread, total) if spread > 0 else total  # rows, that the mean counts for
    share = np.sqrt(count / total)
    weighted = share[:, None] * sums / (count + prior)[:, None]
    weighted -= np.outer(share, share @ weighted)  # of mean 0, as they were before they were drawn
    left, singular, _ = np.linalg.svd(weighted, full_matrices=False)
    some = np.flatnonzero(singular[:_DIMENSIONS] > _LEAST_SINGULAR * max(singular[0], 1e-300))
    points = left[:, some] / share[:, None]
    return points * np.sign(points[np.abs(points).argmax(axis=0), np.arange(len(some))])
