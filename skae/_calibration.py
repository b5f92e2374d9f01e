"""From errors and codes to scores that can be compared, and from scores to a threshold."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from ._rows import chunks, known_values, mean_and_scale, places_among
from ._warnings import warn

ERROR_VALUES = 2**20  # errors of single values that are held at one time

_LEAST_SHARE = 0.01  # of the mean variance of codes, that one is divided by
_LEAST_ERROR = 0.01  # of the mean error, that the error of a column is divided by
_NO_ERROR = 1e-10  # share of the variance that is lost by rounding alone
_ALARMS = 0.05  # p-value from which on rows are outliers, for contamination="auto"
_LEVEL_ROWS = 1024  # rows that holes are made in, to see what they do to scores
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

    def whitened(self, codes: np.ndarray) -> np.ndarray:
        """Return codes with the mean 0 and the variance 1, uncorrelated, (n_rows, n_components)."""
        return (codes - self.mean) @ self.whitening

    def squared_distance(self, codes: np.ndarray) -> np.ndarray:
        """Return the squared Mahalanobis distance of each code from the mean, (n_rows,)."""
        return np.square(self.whitened(codes)).sum(axis=1)


class TypicalScores(NamedTuple):
    """The scores of the rows that a detector was fitted to, for conformal p-values."""

    scores: np.ndarray  # (n_rows,), rising
    share: np.ndarray  # (n_rows + 1,), of the weight of them and one more row that are so low

    @classmethod
    def of(cls, scores: np.ndarray, weight: np.ndarray) -> "TypicalScores":
        order = np.argsort(scores)
        one = weight.mean()
        below = np.concatenate([[0.0], np.cumsum(weight[order])])
        return cls(scores[order], (below + one) / (below[-1] + one))

    def p_values(self, scores: np.ndarray) -> np.ndarray:
        """Return the share of rows, with the one itself, whose score is no higher, (n_rows,)."""
        return self.share[np.searchsorted(self.scores, scores, side="right")]

    def threshold(self, level: float) -> float:
        """Return the score below which p-values are at most a level.

        Where the rows are too few for such a p-value, those below all of them have the least.
        """
        place = max(0, int(np.searchsorted(self.share, level, side="right")) - 1)
        return float(self.scores[place])


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

    @classmethod
    def of_others(
        cls, score, autoencoders, X, held_out: np.ndarray, below: float, seed: int
    ) -> "HoleCalibration":
        """Measure the scores of rows by the autoencoders that were not trained on them.

        Parameters
        ----------
        score : callable
            ``score(rows, known, unseen)``, as in `of`, and by which autoencoders.
        autoencoders : list of estimators
        X : ndarray of shape (n_rows, n_features)
        held_out : ndarray of bool of shape (n_autoencoders, n_rows)
        below, seed
            As in `of`.
        """
        some = places_among(len(X), _LEVEL_ROWS)
        X, unseen = X[some], held_out[:, some]
        filled = by_others(rebuilt, autoencoders, X, unseen)
        return cls.of(partial(score, unseen=unseen), X, filled, below, seed)

    def comparable(self, scores: np.ndarray, known_share: np.ndarray) -> np.ndarray:
        """Return what the scores would be if all values were known."""
        middle, spread = (
            np.interp(known_share, self.share, of) for of in (self.middle, self.spread)
        )
        moved = self.middle[-1] + (scores - middle) * (self.spread[-1] / spread)
        return np.where(known_share == 1, scores, moved)


def error_scale(autoencoders, X, weight: np.ndarray, held_out: np.ndarray) -> np.ndarray:
    """Return what errors of columns are divided by: their mean on rows not trained on.

    At least a hundredth of the mean of all columns. Where a value is missing, it is of the rows
    that have one.

    Parameters
    ----------
    autoencoders : list of estimators
    X : {ndarray, csr_array} of shape (n_rows, n_features)
    weight : ndarray of shape (n_rows,)
    held_out : ndarray of bool of shape (n_autoencoders, n_rows)
    """
    errors, known = np.zeros(X.shape[1]), np.zeros(X.shape[1])
    share = weight / held_out.sum(axis=0)  # of a row in each fold that holds it out
    for autoencoder, these in zip(autoencoders, held_out, strict=True):
        these = np.flatnonzero(these)
        for chunk in chunks(len(these), X.shape[1], ERROR_VALUES):
            some = these[chunk]
            errors += share[some] @ autoencoder.reconstruction_error(X[some], per_feature=True)
            known += share[some] @ known_values(X[some])
    errors /= np.where(known > 0, known, 1.0)
    _, deviation = mean_and_scale(X, np.arange(len(weight)), weight)
    if errors.mean() <= _NO_ERROR * deviation**2:
        warn(
            "The autoencoders reconstruct rows that they were not trained on exactly, which "
            "leaves no errors to tell outliers by. Use an autoencoder with fewer components."
        )
    return np.maximum(errors, _LEAST_ERROR * errors.mean() or 1.0)


def trained_on(held_out: np.ndarray) -> np.ndarray:
    """Return which rows each autoencoder was trained on; all, where it has seen none of them.

    Parameters
    ----------
    held_out : ndarray of bool of shape (n_autoencoders, n_rows)
    """
    return ~held_out | held_out.all(axis=1, keepdims=True)


def errors_of_others(autoencoders, X, known: np.ndarray, unseen: np.ndarray) -> np.ndarray:
    """Return the mean error of each value by the autoencoders that have not seen the row.

    Parameters
    ----------
    autoencoders : list of estimators
    X : {ndarray, csr_array} of shape (n_rows, n_features)
    known : ndarray of bool of shape (n_rows, n_features)
        The known values of a row count for the others.
    unseen : ndarray of bool of shape (n_autoencoders, n_rows)
    """
    errors = np.zeros(X.shape)
    for autoencoder, counts in zip(autoencoders, unseen, strict=True):
        some = np.flatnonzero(counts)
        if len(some):
            errors[some] += autoencoder.reconstruction_error(X[some], per_feature=True)
    errors *= known / (unseen.sum(axis=0) * known.mean(axis=1))[:, None]
    return errors


def by_others(says, autoencoders, X, unseen: np.ndarray) -> np.ndarray:
    """Return the mean of what the autoencoders that have not seen a row say of it, (n_rows, ...).

    Parameters
    ----------
    says : callable
        ``says(autoencoder, rows)``, of shape (n_rows, ...).
    autoencoders : sequence of estimators
    X : {ndarray, csr_array} of shape (n_rows, n_features)
    unseen : ndarray of bool of shape (n_autoencoders, n_rows)
    """
    total: np.ndarray | None = None
    for autoencoder, counts in zip(autoencoders, unseen, strict=True):
        some = np.flatnonzero(counts)
        if len(some):
            said = says(autoencoder, X if len(some) == X.shape[0] else X[some])
            if total is None:
                total = np.zeros((X.shape[0], *said.shape[1:]))
            total[some] += said
    assert total is not None  # each row has one that has not seen it
    return total / unseen.sum(axis=0).reshape(-1, *[1] * (total.ndim - 1))


def rebuilt(autoencoder, rows) -> np.ndarray:
    """Return what an autoencoder makes of rows."""
    return autoencoder.inverse_transform(autoencoder.transform(rows))


def share_below(contamination: float | str) -> float:
    """Return the share of rows that a contamination puts below the threshold."""
    return _ALARMS if isinstance(contamination, str) else contamination


def threshold(scores: np.ndarray, weight: np.ndarray, contamination: float | str) -> float:
    """Return the score that outliers are below.

    Parameters
    ----------
    scores : ndarray of shape (n_rows,)
    weight : ndarray of shape (n_rows,)
    contamination : float or "auto"
        As the detector takes it.
    """
    if isinstance(contamination, str):  # "auto"
        return TypicalScores.of(scores, weight).threshold(_ALARMS)
    return _threshold_of_a_share(scores, weight, contamination)


def _threshold_of_a_share(scores: np.ndarray, weight: np.ndarray, share: float) -> float:
    """Return a number midway between two scores, with a share of the weight below it.

    The share is met as nearly as whole rows allow, and at least one row is below.
    """
    order = np.argsort(scores)
    below = np.cumsum(weight[order])
    last = np.abs(below - share * below[-1]).argmin()
    return float(scores[order[last : last + 2]].mean())
