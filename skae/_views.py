"""The views of rows that tell unusual ones: what each measures, and how improbable it is."""

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.spatial.distance import cdist
from sklearn.metrics.pairwise import euclidean_distances, nan_euclidean_distances

from ._calibration import CodeSpace, by_others, rebuilt, trained_on
from ._explanations import OutlierExplanation
from ._rows import chunks, dense_chunks, fill_holes, has_holes, known_values, places_among

NAMES = "surface", "rows", "codes", "columns"  # of the views

_NEIGHBORS = 0.02  # share of the rows that a code shall have near it
_LEAST_NEIGHBORS = 10
_REFERENCES = 1024  # codes, at most, among which neighbors are looked for
_ROWS = 512  # at most, among which the nearest is looked for
_DENSE_COLUMNS = 2048  # of sparse rows, of which these are kept dense
_DISTANCES = 2**20  # that are computed at one time
_LEAST_SHARE = 0.01  # of the mean deviation of columns, that one is divided by
TYPICAL = 1.0  # the mean of minus the logarithm of a probability, if it is uniform
_TAIL = 0.1  # share of the rows from whose excess farther ones are told
_KNOTS = 100  # of the distribution of a view
_SAME = 1e-6  # of logarithms, below which they differ by rounding
_LEAST_EXCESS = 1e-3  # of logarithms, on average, where the upper tenth is all the same


class CodeNeighbors(NamedTuple):
    """Codes of the rows that an autoencoder was trained on, to find out how many are near others.

    Parameters
    ----------
    space : CodeSpace
    references : ndarray of shape (n_references, n_components)
        Some of the codes, with unit variances, uncorrelated.
    weight : ndarray of shape (n_references,)
    wanted : float
        The weight of the neighbors that a code is as far from as from the farthest of them.
    """

    space: CodeSpace
    references: np.ndarray
    weight: np.ndarray
    wanted: float

    @classmethod
    def of(cls, codes: np.ndarray, weight: np.ndarray) -> "CodeNeighbors":
        """Take codes, (n_rows, n_components), in an order that says nothing of them."""
        space = CodeSpace.of(codes, weight)
        some = places_among(len(codes), _REFERENCES)
        share = max(_NEIGHBORS, min(1.0, _LEAST_NEIGHBORS / len(some)))
        wanted = float(share * weight[some].sum())
        return cls(space, space.whitened(codes[some]), weight[some], wanted)

    def distance(self, codes: np.ndarray) -> np.ndarray:
        """Return how far each code is from the farthest of its neighbors, (n_rows,)."""
        codes, result = self.space.whitened(codes), np.empty(len(codes))
        alike = np.all(self.weight == self.weight[0])
        last = int(np.ceil(self.wanted / self.weight[0] * (1 - 1e-9))) - 1
        for chunk in chunks(len(codes), len(self.references), _DISTANCES):
            distances = cdist(codes[chunk], self.references)
            if alike:
                result[chunk] = np.partition(distances, last, axis=1)[:, last]
            else:
                result[chunk] = _at_weight(distances.T, self.weight, self.wanted)
        return result


class NearestRow(NamedTuple):
    """Rows that an autoencoder was trained on, to find out how far others are from all of them.

    Parameters
    ----------
    references : {ndarray, csr_array} of shape (n_references, n_features)
        Some of the rows, less what is in the middle of their columns, which stands for what they
        miss; sparse ones of many columns as they are.
    middle : ndarray of shape (n_features,)
        Zeros for sparse references.
    """

    references: np.ndarray | sp.csr_array
    middle: np.ndarray

    @classmethod
    def of(cls, X, middle: np.ndarray) -> "NearestRow":
        """Take rows, (n_rows, n_features), in an order that says nothing of them."""
        some = X[places_among(X.shape[0], _ROWS)]
        if sp.issparse(X):
            if X.shape[1] > _DENSE_COLUMNS:
                return cls(some, np.zeros(X.shape[1]))
            some = some.toarray()
        return cls(fill_holes(some.astype(np.float64), middle) - middle, middle)

    def distance(self, X) -> np.ndarray:
        """Return how far each row is from the nearest one, (n_rows,); known values for the others.

        Rows are dense with NaN for missing values, or sparse.
        """
        result = np.empty(X.shape[0])
        for chunk in self._chunks(X):
            result[chunk] = self._distances(X[chunk]).min(axis=1)
        return result

    def squares_by_value(self, X: np.ndarray) -> np.ndarray:
        """Return the part of each value in the squared distance, (n_rows, n_features)."""
        result = np.empty(X.shape)
        for chunk in self._chunks(X):
            nearest = self.references[self._distances(X[chunk]).argmin(axis=1)]
            nearest = nearest.toarray() if sp.issparse(nearest) else nearest
            result[chunk] = np.square(X[chunk] - self.middle - nearest)
        return np.nan_to_num(result)

    def _chunks(self, X):
        return chunks(X.shape[0], max(self.references.shape), _DISTANCES)

    def _distances(self, rows) -> np.ndarray:
        references: Any = self.references
        if sp.issparse(references):
            if not has_holes(rows):
                return euclidean_distances(rows, references)
            references = references.toarray()
        rows = (rows.toarray() if sp.issparse(rows) else rows) - self.middle
        measure = nan_euclidean_distances if has_holes(rows) else cdist
        return measure(rows, references)


class ColumnDeviations(NamedTuple):
    """Where the values of each column lie, to find out how many are far from there.

    Parameters
    ----------
    middle : ndarray of shape (n_features,)
        Medians.
    spread : ndarray of shape (n_features,)
        Median deviations from there; where most values are the same, the mean deviation.
    """

    middle: np.ndarray
    spread: np.ndarray

    @classmethod
    def of(cls, X, weight: np.ndarray) -> "ColumnDeviations":
        """Take rows, (n_rows, n_features), dense with NaN for missing values, or sparse."""
        middle, spread = np.zeros(X.shape[1]), np.zeros(X.shape[1])
        for columns in chunks(X.shape[1], X.shape[0], _DISTANCES):
            values = X[:, columns]
            values = (values.toarray() if sp.issparse(X) else values).astype(np.float64)
            known = weight[:, None] * ~np.isnan(values)
            middle[columns] = _median(values, known)
            deviation = np.abs(values - middle[columns])
            total = np.maximum(known.sum(axis=0), np.finfo(float).tiny)
            mean = (np.nan_to_num(deviation) * known).sum(axis=0) / total
            of_most = _median(deviation, known)
            spread[columns] = np.where(of_most > 0, of_most, mean)
        return cls(middle, np.maximum(spread, _LEAST_SHARE * spread.mean() or 1.0))

    def by_value(self, X: np.ndarray) -> np.ndarray:
        """Return how far out each value is, (n_rows, n_features), 0 for a missing one."""
        return np.nan_to_num(np.log1p(np.abs(X - self.middle) / self.spread))

    def total(self, X, known: np.ndarray) -> np.ndarray:
        """Return how far out the values of each row are, (n_rows,); known ones for the others."""
        result = np.empty(X.shape[0])
        for chunk, rows in dense_chunks(X, np.arange(X.shape[0])):
            result[chunk] = self.by_value(rows.astype(np.float64)).sum(axis=1)
        return result / known.mean(axis=1)


class Tail(NamedTuple):
    """How probable it is that a typical row is at least as unusual, in one view.

    Between quantiles the logarithm of the probability is interpolated; from the upper tenth on it
    falls as that of a Pareto distribution, whose exponent is Hill's estimate [1]_.

    Parameters
    ----------
    knots : ndarray of shape (n_knots,)
        Logarithms of what is measured, rising.
    log_probability : ndarray of shape (n_knots,)
    slope : float
        By which the last one falls.

    References
    ----------
    .. [1] Hill, B. M. (1975). A simple general approach to inference about the tail of a
       distribution. Annals of Statistics 3(5). :doi:`10.1214/aos/1176343247`
    """

    knots: np.ndarray
    log_probability: np.ndarray
    slope: float

    @classmethod
    def of(cls, measured: np.ndarray, weight: np.ndarray) -> "Tail":
        """Take what is measured of rows that were not trained on, (n_rows,), none negative."""
        measured = _logarithm(measured)
        order = np.argsort(measured)
        measured, weight = measured[order], weight[order]
        level = np.linspace(0, 1 - _TAIL, _KNOTS)
        share = np.cumsum(weight) / weight.sum()
        at_level = measured[np.searchsorted(share, level * (1 - 1e-9))]
        # What several rows have is one knot, in the middle of its levels: no step in between. Two
        # rows that are the nearest of each other have the same distance, but for rounding.
        is_last = np.diff(at_level, append=np.inf) > _SAME
        place: np.ndarray = np.cumsum(is_last) - is_last
        knots, level = at_level[is_last], np.bincount(place, weights=level) / np.bincount(place)
        beyond = measured > knots[-1]
        slope = 1 / _LEAST_EXCESS
        if beyond.any():
            excess = np.average(measured[beyond] - knots[-1], weights=weight[beyond])
            slope = 1 / max(excess, _LEAST_EXCESS)
        return cls(knots, np.log1p(-level), float(slope))

    def __call__(self, measured: np.ndarray) -> np.ndarray:
        """Return the logarithms of probabilities, (n_rows,)."""
        measured = _logarithm(measured)
        beyond = np.maximum(measured - self.knots[-1], 0.0)
        return np.interp(measured, self.knots, self.log_probability) - self.slope * beyond


class Views(NamedTuple):
    """The views of a row: off the surface, far from rows, from codes, out in single columns.

    Parameters
    ----------
    rows : list of NearestRow
        One for each autoencoder.
    neighbors : list of CodeNeighbors
        One for each autoencoder.
    columns : ColumnDeviations
    tails : list of Tail
        One for each view, by the names in ``NAMES``.
    """

    rows: list[NearestRow]
    neighbors: list[CodeNeighbors]
    columns: ColumnDeviations
    tails: list[Tail]

    @classmethod
    def of(
        cls, autoencoders, X, weight: np.ndarray, held_out: np.ndarray, errors
    ) -> tuple["Views", np.ndarray]:
        """Learn what is typical of rows, each by the autoencoders that were not trained on it.

        Parameters
        ----------
        autoencoders : list of estimators
        X : {ndarray, csr_array} of shape (n_rows, n_features)
            In an order that says nothing of them.
        weight : ndarray of shape (n_rows,)
        held_out : ndarray of bool of shape (n_autoencoders, n_rows)
        errors : ndarray of shape (n_rows,)

        Returns
        -------
        views : Views
        scores : ndarray of shape (n_rows,)
            Those that the views give these rows.
        """
        columns, rows, neighbors = ColumnDeviations.of(X, weight), [], []
        for autoencoder, kept in zip(autoencoders, trained_on(held_out), strict=True):
            rows.append(NearestRow.of(X[kept], columns.middle))
            neighbors.append(CodeNeighbors.of(autoencoder.transform(X[kept]), weight[kept]))
        views = cls(rows, neighbors, columns, [])
        measured = views._measured(autoencoders, X, known_values(X), held_out, errors)
        views = views._replace(tails=[Tail.of(of_one, weight) for of_one in measured])
        return views, views._joined(measured)

    def log_probabilities(self, autoencoders, X, known, unseen, errors) -> np.ndarray:
        """Return how probable it is that typical rows are as unusual, (4, n_rows).

        Parameters
        ----------
        autoencoders : list of estimators
        X : {ndarray, csr_array} of shape (n_rows, n_features)
        known : ndarray of bool of shape (n_rows, n_features)
            Which values are not missing.
        unseen : ndarray of bool of shape (n_autoencoders, n_rows)
            Which autoencoders judge which row.
        errors : ndarray of shape (n_rows,)
        """
        return self._log_probabilities(self._measured(autoencoders, X, known, unseen, errors))

    def scores(self, autoencoders, X, known, unseen, errors) -> np.ndarray:
        """Return how usual rows are, (n_rows,): none positive, the lower the more unusual.

        Parameters
        ----------
        autoencoders, X, known, unseen, errors
            As in `log_probabilities`.
        """
        return self._joined(self._measured(autoencoders, X, known, unseen, errors))

    def _log_probabilities(self, measured: list[np.ndarray]) -> np.ndarray:
        return np.stack([tail(one) for tail, one in zip(self.tails, measured, strict=True)])

    def _joined(self, measured: list[np.ndarray]) -> np.ndarray:
        surface, *others = -self._log_probabilities(measured)
        return -np.sqrt(sum((_excess(one) ** 2 for one in others), surface**2))

    def _measured(self, autoencoders, X, known, unseen, errors) -> list[np.ndarray]:
        pairs = list(zip(autoencoders, self.neighbors, strict=True))
        of_codes = by_others(_distance_of_codes, pairs, X, unseen)
        of_rows = by_others(NearestRow.distance, self.rows, X, unseen)
        return [errors, of_rows, of_codes, self.columns.total(X, known)]

    def explain(self, autoencoders, X, known, unseen, errors, names) -> OutlierExplanation:
        """Return what makes rows unusual, of errors by value, (n_rows, n_features)."""
        by_view = -self.log_probabilities(autoencoders, X, known, unseen, errors.sum(axis=1))
        values = X.toarray() if sp.issparse(X) else X
        squares = by_others(NearestRow.squares_by_value, self.rows, values, unseen)
        said = [
            (by_view[0], errors),
            (_excess(by_view[1]), squares),
            (_excess(by_view[3]), self.columns.by_value(values)),
        ]
        parts = [
            of_rows[:, None] * part / np.maximum(part.sum(axis=1, keepdims=True), 1e-300)
            for of_rows, part in said
        ]
        expected = by_others(rebuilt, autoencoders, X, unseen)
        views = dict(zip(NAMES, by_view, strict=True))
        return OutlierExplanation(values, expected, sum(parts), views, np.asarray(names))


def _distance_of_codes(pair, rows) -> np.ndarray:
    """Return how far rows are from the neighbors of their codes, by an autoencoder and these."""
    autoencoder, neighbors = pair
    return neighbors.distance(autoencoder.transform(rows))


def _excess(improbable: np.ndarray) -> np.ndarray:
    """Return by how much minus the logarithms of probabilities are above that of typical rows."""
    return np.maximum(improbable - TYPICAL, 0.0)


def _logarithm(measured: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(measured, np.finfo(float).tiny))


def _median(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the lower median of each column, of values by their weights, 0 where there is none."""
    total = weight.sum(axis=0)
    return np.where(total > 0, _at_weight(values, weight, total / 2), 0.0)


def _at_weight(values: np.ndarray, weight: np.ndarray, wanted) -> np.ndarray:
    """Return of each column the least value such that it and those below weigh so much.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_columns)
        NaN counts as larger than all.
    weight : ndarray of shape (n_rows,) or (n_rows, n_columns)
    wanted : float or ndarray of shape (n_columns,)
    """
    order = np.argsort(values, axis=0)
    weight = weight[order] if weight.ndim == 1 else np.take_along_axis(weight, order, axis=0)
    reached = np.cumsum(weight, axis=0) >= np.asarray(wanted) * (1 - 1e-9)
    place = np.where(reached.any(axis=0), reached.argmax(axis=0), len(values) - 1)
    some = np.take_along_axis(order, place[None], axis=0)
    return np.take_along_axis(values, some, axis=0)[0]
