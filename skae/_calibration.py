"""From the scores of rows to a threshold: codes that lie apart, rows with holes, a share."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.stats import norm

_LEAST_SHARE = 0.01  # of the mean variance of codes, that one is divided by
_ALARMS = 0.05  # of rows like those without outliers, for contamination="auto"
_LEVELS = (1.0, 0.8, 0.6, 0.4, 0.2, 0.1)  # shares of values that are known


class CodeSpace(NamedTuple):
    """Where the codes of the rows lie that an autoencoder was trained on."""

    mean: np.ndarray  # (n_components,)
    whitening: np.ndarray  # (n_components, n_components): to unit variances, uncorrelated

    @classmethod
    def of(cls, codes: np.ndarray, weight: np.ndarray) -> "CodeSpace":
        mean = np.average(codes, axis=0, weights=weight)
        centered = (codes - mean) * np.sqrt(weight / weight.sum())[:, None]
        variances, directions = np.linalg.eigh(centered.T @ centered)
        least = _LEAST_SHARE * variances.mean() or 1.0  # codes that are all the same
        return cls(mean, directions / np.sqrt(np.maximum(variances, least)))

    def squared_distance(self, codes: np.ndarray) -> np.ndarray:
        """Return the squared Mahalanobis distance of each code from the mean, (n_rows,)."""
        return np.square((codes - self.mean) @ self.whitening).sum(axis=1)


class HoleCalibration(NamedTuple):
    """What scores are like by the share of values that are known, to bring all to one scale.

    A row with holes has fewer errors to average, is reconstructed from less, and has a code that
    is nearer to the mean: its score means something else than that of a complete row.
    """

    share: np.ndarray  # (n_levels,), rising
    middle: np.ndarray  # (n_levels,), the median of the scores
    spread: np.ndarray  # (n_levels,), from there to the score that a small share of rows is below

    @classmethod
    def of(
        cls,
        score: Callable[[np.ndarray, np.ndarray], np.ndarray],
        X: np.ndarray,
        rebuilt: np.ndarray,
        below: float,
        seed: int,
    ) -> "HoleCalibration":
        """Measure the scores of rows of which values are hidden, or holes are filled.

        Parameters
        ----------
        score : callable
            ``score(rows, known)`` returns the score of each row, whose errors are known where the
            second array says so.
        X : ndarray of shape (n_rows, n_features)
            Rows that may have holes.
        rebuilt : ndarray of shape (n_rows, n_features)
            What their holes are filled with.
        below : float
            The share of scores that a threshold is to have below it.
        seed : int
        """
        n_features = X.shape[1]
        counts = sorted({max(1, round(level * n_features)) for level in _LEVELS})
        known = ~np.isnan(X)
        # Of each row the values that are known first, in random order, and then its holes.
        order = np.argsort(np.random.RandomState(seed).uniform(size=X.shape) - known, axis=1)
        rank = np.argsort(order, axis=1)
        scores = []
        for count in counts:
            rows = np.where(rank < count, np.where(known, X, rebuilt), np.nan)
            scores.append(score(rows, known & (rank < count)))
        middle = np.median(scores, axis=1)
        spread = middle - np.quantile(scores, below, axis=1)
        return cls(np.array(counts) / n_features, middle, np.maximum(spread, np.finfo(float).tiny))

    def comparable(self, scores: np.ndarray, known_share: np.ndarray) -> np.ndarray:
        """Return what the scores would be if all values were known."""
        middle, spread = (
            np.interp(known_share, self.share, of) for of in (self.middle, self.spread)
        )
        moved = self.middle[-1] + (scores - middle) * (self.spread[-1] / spread)
        return np.where(known_share == 1, scores, moved)


def average(parts, weight: np.ndarray) -> np.ndarray:
    """Return the weighted mean of what several say of rows, (n_rows, ...).

    Parameters
    ----------
    parts : sequence of n_parts ndarrays of shape (n_rows, ...)
    weight : ndarray of shape (n_parts, n_rows)
    """
    return np.einsum("pn,pn...->n...", weight / weight.sum(axis=0), np.asarray(parts))


def threshold(scores: np.ndarray, weight: np.ndarray, contamination: float | str, *, errors: bool):
    """Return the score that outliers are below.

    Parameters
    ----------
    scores : ndarray of shape (n_rows,)
    weight : ndarray of shape (n_rows,)
    contamination : float or "auto"
        As the detector takes it.
    errors : bool
        Whether scores are errors with a minus, none of them positive, whose logarithms scatter
        evenly; otherwise they do so themselves.
    """
    if isinstance(contamination, str):  # "auto"
        return _threshold_of_typical_rows(scores, weight, errors=errors)
    return _threshold_of_a_share(scores, weight, contamination)


def share_below(contamination: float | str) -> float:
    """Return the share of rows that a contamination puts below the threshold."""
    return _ALARMS if isinstance(contamination, str) else contamination


def _threshold_of_typical_rows(scores, weight, *, errors: bool) -> float:
    """Return the score that a twentieth of the rows would be below if none was an outlier.

    From the median and the upper quartile of what is unusual about the rows, which outliers do not
    reach as long as they are fewer than a quarter, and the normal distribution through both.
    """
    unusual = np.log(np.maximum(-scores, np.finfo(float).tiny)) if errors else -scores
    order = np.argsort(unusual)
    place = (np.cumsum(weight[order]) - weight[order] / 2) / weight.sum()
    middle, upper = np.interp([0.5, 0.75], place, unusual[order])
    limit = middle + (upper - middle) * norm.ppf(1 - _ALARMS) / norm.ppf(0.75)
    return float(-np.exp(limit) if errors else -limit)


def _threshold_of_a_share(scores: np.ndarray, weight: np.ndarray, share: float) -> float:
    """Return a number midway between two scores, with a share of the weight below it.

    The share is met as nearly as whole rows allow, and at least one row is below.
    """
    order = np.argsort(scores)
    below = np.cumsum(weight[order])
    last = np.abs(below - share * below[-1]).argmin()
    return float(scores[order[last : last + 2]].mean())
