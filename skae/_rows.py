"""Rows, dense, sparse or of a source: merged, standardized, and cut into batches."""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.linear_model import RidgeCV
from torch import Generator, Tensor
from torch.utils.data import Dataset

from ._sources import RowChoice, RowSource, all_rows

CHUNK_VALUES = 2**18  # values that are dense at one time
_BLOCK_VALUES = 2**17  # of the batches that are taken at one time
_COPIED_VALUES = 2**22  # in single precision, of which a standardized copy is made
_HASHED_VALUES = 2**16  # so few that the next ones go where the last have been, in memory and cache
_LARGEST = 1e15  # standardized value
_MOST_REGRESSED, _ROWS_REGRESSED = 2000, 4096  # columns and rows, of noise that is told apart
_LEAST_RESIDUALS = 50  # rows, below which columns of noise may look independent by chance
_NO_RESIDUAL = 1e-6  # standard deviation, in standard units, of what is rounding alone
_LABEL_STEP = np.uint64(0x9E3779B97F4A7C15)  # between the hashes of a row with two labels


def chunks(n_rows: int, n_features: int, n_values: int = CHUNK_VALUES) -> Iterator[slice]:
    """Yield slices of ``range(n_rows)`` that hold a bounded number of values."""
    size = max(1, n_values // n_features)
    return (slice(start, min(start + size, n_rows)) for start in range(0, n_rows, size))


def merge_equal_rows(X, sample_weight, labels=None):
    """Return which rows of X differ, in an order that depends on nothing but them.

    Equal rows count as one with the sum of their weights, and rows of no weight not at
    all. So a row of weight two is two rows, to the last bit; a row and its copy are
    never one in training and the other in validation; and neither the order of the rows
    nor whether they are stored sparse changes a fit.

    Parameters
    ----------
    X : {ndarray, csr_array} of shape (n_samples, n_features)
    sample_weight : ndarray of shape (n_samples,)
    labels : ndarray of int of shape (n_samples,), optional
        With them, rows differ if their labels do.

    Returns
    -------
    indices : ndarray of int of shape (n_different,)
    sample_weight : ndarray of shape (n_different,)
    """
    kept = np.flatnonzero(sample_weight)
    keys = row_hashes(X)
    if len(kept) < len(keys):
        keys = keys[kept]
    if labels is not None:
        keys += labels[kept].astype(np.uint64) * _LABEL_STEP  # wraps around, as hashes do
    weight = sample_weight[kept]
    # Sums of weights round as they are ordered.
    is_weighted = len(weight) > 0 and weight.min() < weight.max()
    order = np.lexsort((weight, keys)) if is_weighted else np.argsort(keys, kind="stable")
    # One after the other: of many rows of few columns, a fit needs most memory for such arrays.
    del weight
    keys = keys[order]
    kept = kept[order]
    del order
    weight = sample_weight[kept]
    new = np.ones(len(kept), dtype=bool)
    same = np.flatnonzero(keys[1:] == keys[:-1]) + 1
    for chunk in chunks(len(same), X.shape[1]):
        i = same[chunk]
        is_same = _equal_rows(X, kept[i - 1], kept[i])
        if labels is not None:
            is_same &= labels[kept[i - 1]] == labels[kept[i]]
        new[i] = ~is_same
    if not len(same):
        return kept, weight
    first = np.flatnonzero(new)
    return kept[first], np.add.reduceat(weight, first)


def row_hashes(X) -> np.ndarray:
    """Return 64 bits a row, the same for a sparse row and its dense twin."""
    multipliers = np.random.RandomState(0).randint(1, 2**62, size=X.shape[1], dtype=np.uint64)
    multipliers = 2 * multipliers + 1
    if sp.issparse(X):
        terms = _bits(X.data) * multipliers[X.indices]
        sums = np.concatenate([[np.uint64(0)], np.cumsum(terms, dtype=np.uint64)])
        return sums[X.indptr[1:]] - sums[X.indptr[:-1]]
    hashes = np.empty(len(X), dtype=np.uint64)
    for chunk in chunks(len(X), X.shape[1], _HASHED_VALUES):
        hashes[chunk] = np.einsum("ij,j->i", _bits(X[chunk]), multipliers)
    return hashes


def _bits(values: np.ndarray) -> np.ndarray:
    """Return the bits of each value as an integer, zero for zero, low bits set by high ones."""
    values = np.ascontiguousarray(values + values.dtype.type(0))  # -0.0 becomes 0.0
    if has_holes(values):
        values[np.isnan(values)] = np.nan  # there are many
    if values.dtype == np.float32:
        bits = values.view(np.uint32)
        bits ^= bits >> np.uint32(23)
        return bits.astype(np.uint64)
    bits = values.view(np.uint64)
    bits ^= (bits >> np.uint64(32)) ^ (bits >> np.uint64(52))
    return bits


def _equal_rows(X, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Whether row ``i[n]`` of X equals row ``j[n]``, for each n; a missing value equals another."""
    if sp.issparse(X):
        return np.asarray(abs(X[i] - X[j]).sum(axis=1)).ravel() == 0
    one, other = X[i], X[j]
    return ((one == other) | (np.isnan(one) & np.isnan(other))).all(axis=1)


def reordered(X, columns: np.ndarray):
    """Return the columns of X in another order; rows remain together in memory."""
    if isinstance(X, RowSource):
        return X.mapped(lambda rows: reordered(rows, columns), len(columns))
    if not sp.issparse(X):
        return np.take(X, columns, axis=1)
    X = X[:, columns]
    X.sort_indices()
    return X


def padded(X, n_columns: int):
    """Return X with columns of zeros after its own."""
    if isinstance(X, RowSource):
        return X.mapped(lambda rows: padded(rows, n_columns), n_columns)
    return np.pad(X, ((0, 0), (0, n_columns - X.shape[1])))


def dense_chunks(
    X, indices: np.ndarray | RowChoice | None, n_values: int = CHUNK_VALUES
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield the rows of X at the indices, or all, as dense arrays, a few megabytes at a time.

    Indices of a source ascend. The arrays are not to be changed.
    """
    if isinstance(X, RowSource):
        yield from X.chunks(all_rows(X) if indices is None else indices, n_values)
        return
    for chunk in chunks(X.shape[0] if indices is None else len(indices), X.shape[1], n_values):
        rows = X[chunk if indices is None else indices[chunk]]
        yield chunk, rows.toarray() if sp.issparse(rows) else rows


class Moments(NamedTuple):
    """What one look at rows without holes sums up to."""

    mean: np.ndarray  # (n_features,)
    variance: np.ndarray  # (n_features,)
    scatter: np.ndarray | None  # (n_features, n_features), if it was asked for


def _moments(X: RowSource, indices, weight, scatter: bool) -> Moments:
    """Sum up some rows of a source: merge the moments of a few rows at a time.

    Chan, Golub & LeVeque 1983, doi:10.1080/00031305.1983.10483115.
    """
    n_features, n_before = X.shape[1], 0.0
    mean = np.zeros(n_features)
    products = np.zeros((n_features, n_features) if scatter else n_features)
    for chunk, rows in dense_chunks(X, indices):
        share = weight[chunk]
        n_rows = share.sum()
        if n_rows == 0:
            continue
        center = (share @ rows / n_rows).astype(X.dtype)
        centered = rows - center
        rest = share @ centered / n_rows  # of the mean, in double precision
        if scatter:
            rooted = centered * np.sqrt(share).astype(X.dtype)[:, None]
            products += rooted.T @ rooted
        else:
            products += share @ np.square(centered, dtype=np.float64)
        step = center + rest - mean
        joined = n_before * n_rows / (n_before + n_rows)
        products += joined * _squared(step, scatter) - n_rows * _squared(rest, scatter)
        n_before += n_rows
        mean += step * n_rows / n_before
    rounded = mean.astype(X.dtype).astype(np.float64)
    products += n_before * _squared(mean - rounded, scatter)
    variance = (products.diagonal() if scatter else products) / n_before
    return Moments(rounded, np.maximum(variance, 0), products if scatter else None)


def _squared(column: np.ndarray, with_others: bool) -> np.ndarray:
    return np.outer(column, column) if with_others else np.square(column)


def known_scatter(X, indices, weight) -> np.ndarray | None:
    """Return what products of rows have been summed to already, as a copy, if they have been."""
    known = X.moments if isinstance(X, RowSource) else None
    if known is None or known[0] is not indices or known[1] is not weight:
        return None
    return None if known[2].scatter is None else known[2].scatter.copy()


def mean_and_scale(
    X, indices: np.ndarray, weight: np.ndarray, *, scatter: bool = False
) -> tuple[np.ndarray, float]:
    """Return the columns' means and the root of their mean variance, of values that are not NaN.

    Parameters
    ----------
    X : {ndarray, csr_array} of shape (n_samples, n_features)
    indices : ndarray of int of shape (n_rows,)
        The rows that count.
    weight : ndarray of shape (n_rows,)
        Their weights.
    scatter : bool
        Whether `known_scatter` is to be asked for next, for which rows of a source need not be
        read again.

    Returns
    -------
    mean : ndarray of shape (n_features,)
        In double precision, but with no more digits than X has.
    scale : float
        Columns that vary by no more than rounding count as constant; 0 where all do.
    """
    n_features = X.shape[1]
    if isinstance(X, RowSource) and not has_holes(X):
        moments = _moments(X, indices, weight, scatter and n_features <= _MOST_REGRESSED)
        X.moments = (indices, weight, moments) if scatter else None
        return moments.mean, _scale_of(*moments[:2], X.dtype)
    mean = np.zeros(n_features)
    total = _observed_weight(X, indices, weight)
    for chunk, rows in dense_chunks(X, indices):
        mean += weight[chunk] @ _without_nan(rows) / total
    mean = mean.astype(X.dtype).astype(np.float64)
    variance = np.zeros(n_features)
    for chunk, rows in dense_chunks(X, indices):
        rows = rows - mean  # in double precision
        variance += weight[chunk] @ _without_nan(np.square(rows, out=rows)) / total
    return mean, _scale_of(mean, variance, X.dtype)


def _scale_of(mean: np.ndarray, variance: np.ndarray, dtype) -> float:
    varies = np.sqrt(variance) > 10 * np.finfo(dtype).eps * np.abs(mean)
    return float(np.sqrt(variance[varies].sum() / len(mean)))


def fill_holes(X, mean: np.ndarray):
    """Return X, or a copy of it with the mean of its column for every NaN."""
    if isinstance(X, RowSource):
        return X.mapped(lambda rows: fill_holes(rows, mean)) if has_holes(X) else X
    return np.where(np.isnan(X), mean.astype(X.dtype), X) if has_holes(X) else X


def beside(X, others):
    """Return X with the columns of others beside its own, sparse if X is."""
    if sp.issparse(X):
        return sp.hstack([X, sp.csr_array(others, dtype=X.dtype)], format="csr")
    others = others.toarray() if sp.issparse(others) else others
    return np.hstack([X, others.astype(X.dtype, copy=False)])


def canonical(X):
    """Return X, if it is sparse with each value stored once."""
    if sp.issparse(X) and not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    return X


def has_holes(X) -> bool:
    """Whether values are missing."""
    if isinstance(X, RowSource):
        return X.survey().has_nan
    return not sp.issparse(X) and bool(np.isnan(X.min(initial=0)))  # the least of them is NaN


def known_values(X) -> np.ndarray:
    """Return which values are not missing, of the shape of X."""
    return np.broadcast_to(True, X.shape) if sp.issparse(X) else ~np.isnan(X)


def _observed_weight(X, indices: np.ndarray, weight: np.ndarray):
    """Return the weight of the rows where each column is not NaN: all of it in most tables."""
    if not has_holes(X):
        return weight.sum()
    total = np.zeros(X.shape[1])
    for chunk, rows in dense_chunks(X, indices):
        total += weight[chunk] @ ~np.isnan(rows)
    return np.where(total > 0, total, 1.0)


def _without_nan(rows: np.ndarray) -> np.ndarray:
    """Return rows with zero in the place of NaN."""
    return np.where(np.isnan(rows), 0, rows) if has_holes(rows) else rows


class StandardizedRows(Dataset):
    """Rows of X, less the mean and divided by the scale, taken by index as float32.

    What is NaN in X is zero, the mean, in a batch, and NaN in its target.

    Rows are standardized once, when the first of them are asked for, unless that takes a copy which
    is larger than it is worth: of many sparse rows, and of many in single precision that lie
    together in memory, each batch is standardized by itself.

    Parameters
    ----------
    X : {ndarray, csr_array} of shape (n_samples, n_features)
    indices : ndarray of int of shape (n_rows,)
        The rows of X that these rows are.
    weight : ndarray of shape (n_rows,)
        Their weights, which training sees scaled to a mean of 1.
    mean : ndarray of shape (n_features,)
    scale : float
    """

    def __init__(self, X, indices, weight, mean, scale) -> None:
        self.X = X
        self.indices = indices
        self.sample_weight = weight
        self.weight = torch.from_numpy((weight / weight.mean()).astype(np.float32))
        self.mean = mean
        self.scale = scale
        self.partners: Sequence[Any] = ()  # what draws partners, one for each part that asks

    def _by_batch(self) -> bool:
        """Whether each batch is standardized by itself."""
        X, n_values = self.X, len(self.indices) * self.X.shape[1]
        if sp.issparse(X):
            return n_values > CHUNK_VALUES
        as_trained = isinstance(X, np.ndarray) and X.dtype == np.float32 and X.flags.c_contiguous
        return as_trained and n_values > _COPIED_VALUES

    @cached_property
    def _dense(self) -> Tensor | None:
        """All rows, standardized, (n_rows, n_columns); None where batches are by themselves."""
        if self._by_batch():
            return None
        dense = np.empty((len(self.indices), self.X.shape[1]), dtype=np.float32)
        for chunk, rows in dense_chunks(self.X, self.indices):
            dense[chunk] = self._standardize(rows)
        return torch.from_numpy(dense)

    @cached_property
    def _has_holes(self) -> bool:
        return has_holes(self.X if self._dense is None else self._dense.numpy())

    def batches(
        self,
        batch_size: int,
        generator: Generator | None = None,
        corrupt: Callable[[Tensor], Tensor] | None = None,
        draw: Generator | None = None,
    ) -> "Batches":
        """Return what cuts these rows into batches."""
        return Batches(self, batch_size, generator, corrupt, draw)

    def others(self, indices: np.ndarray, weight: np.ndarray) -> "StandardizedRows":
        """Return other rows of X, standardized as these are, with partners among these."""
        others = type(self)(self.X, indices, weight, self.mean, self.scale)
        others.partners = [partners.of(others) for partners in self.partners]
        others.shows_holes = self.shows_holes
        return others

    def __len__(self) -> int:
        return len(self.indices)

    # Whether a batch has the mean in the place of NaN, or NaN for a network that knows of it.
    fills_holes = True

    # Whether a hole is NaN for noise, too, which makes others, and for the network.
    shows_holes = False

    def __getitem__(self, index: Tensor | slice) -> tuple[Tensor, list[Tensor]]:
        """Return a batch as skorch takes it: rows, and the target with its weights."""
        if self._dense is None:
            rows = self.X[self.indices[index if isinstance(index, slice) else index.numpy()]]
            rows = rows.toarray() if sp.issparse(rows) else rows
            Z = torch.from_numpy(self._standardize(rows).astype(np.float32, copy=False))
        elif isinstance(index, slice):
            Z = self._dense[index]
        else:
            Z = self._dense.index_select(0, index)  # half the time of an index in brackets
        fills = self._has_holes and self.fills_holes and not self.shows_holes
        return Z.nan_to_num(0.0) if fills else Z, [Z, self.weight[index]]

    def _standardize(self, rows: np.ndarray) -> np.ndarray:
        """Standardize rows in their own precision, as far as squares of float32 reach."""
        Z = rows - self.mean.astype(rows.dtype)
        Z /= rows.dtype.type(self.scale)
        return np.clip(Z, -_LARGEST, _LARGEST, out=Z)


class Units:
    """What standardizes rows, and brings them back into their own units.

    Rows keep their precision, and lose nothing by it: in single precision the mean is the sum of
    two numbers, unless one is as good, so that a row less a mean that is far from zero is what it
    is in double precision.

    Parameters
    ----------
    mean : ndarray of shape (n_features,)
    scale : float
    """

    def __init__(self, mean: np.ndarray, scale: float) -> None:
        self.mean, self.scale = (
            np.array(mean),
            scale,
        )  # which torch may have, mapped from a file or not
        # Single precision has to have room for what is some times a mean or a scale.
        self._fit_single = np.abs(mean).max() < 1e30 and 1e-30 < scale < 1e30
        if self._fit_single:
            high = mean.astype(np.float32)
            low = (mean - high).astype(np.float32)
            has_rest = np.abs(low).max() > np.finfo(np.float32).epsneg * scale
            self._single = [high, low] if has_rest else [high]

    def standardize(self, rows: np.ndarray) -> np.ndarray:
        """Return rows less the mean and over the scale, each together in memory.

        Columns beside the features, which the features are to be rebuilt as, have their means. How
        X lies in memory would decide in which order products are summed up. Torch has both threads
        for it where the network has, and the same bits.
        """
        parts, scale = self._parts(rows.dtype)
        if rows.shape[1] > len(self.mean):
            parts = [np.tile(part, rows.shape[1] // len(part)) for part in parts]
        result = np.empty(rows.shape, np.result_type(rows, parts[0]))
        if rows.strides != result.strides or not rows.flags.writeable:  # which torch may not take
            np.copyto(result, rows)
            rows = result
        Z = torch.from_numpy(result)
        torch.sub(torch.from_numpy(rows), torch.from_numpy(parts[0]), out=Z)
        for part in parts[1:]:
            Z -= torch.from_numpy(part)
        Z /= scale
        return result

    def restore(self, Z: np.ndarray) -> np.ndarray:
        """Return rows in their own units."""
        parts, scale = self._parts(Z.dtype)
        rows = torch.from_numpy(Z.astype(np.result_type(Z, parts[0]), copy=False)) * scale
        for part in reversed(parts):  # the small one first
            rows += torch.from_numpy(part)
        return rows.numpy()

    def _parts(self, dtype) -> tuple[list[np.ndarray], Any]:
        """Return what sums up to the mean, and the scale, for rows of a dtype."""
        if dtype == np.float32 and self._fit_single:
            return self._single, np.float32(self.scale)
        return [self.mean], np.float64(self.scale)


def standardized(X, indices, weight, mean, scale, shows_holes=False) -> StandardizedRows:
    """Return the rows that are trained on: with a target beside them if X has one for each column.

    Of a source they are read anew in each epoch, unless all of them are no more than it shuffles at
    one time.
    """
    is_large = isinstance(X, RowSource) and len(indices) > X.n_buffered
    kind = StreamedRows if is_large else StandardizedRows
    rows = (PairedRows if X.shape[1] > len(mean) else kind)(X, indices, weight, mean, scale)
    rows.shows_holes = shows_holes
    return rows


class StreamedRows(StandardizedRows):
    """Standardized rows of a source, which are read each time that they are needed.

    Parameters
    ----------
    X : RowSource
    indices : RowChoice
    weight, mean, scale
        As for `StandardizedRows`.
    """

    X: RowSource
    indices: RowChoice

    def __init__(self, X, indices, weight, mean, scale) -> None:
        X.refuse_large_pieces()
        self.X, self.indices, self.sample_weight = X, indices, weight
        self.mean, self.scale = mean, scale
        self.partners = ()  # which would be looked for among all rows
        self._mean_weight = float(weight.mean())
        self._has_holes = has_holes(X)

    def batches(
        self,
        batch_size: int,
        generator: Generator | None = None,
        corrupt: Callable[[Tensor], Tensor] | None = None,
        draw: Generator | None = None,
    ) -> "Batches":
        kind = Batches if generator is None else StreamedBatches
        return kind(self, batch_size, generator, corrupt, draw)

    def others(self, indices: np.ndarray, weight: np.ndarray) -> StandardizedRows:
        """Return other rows of the source, which stay in memory."""
        others = StandardizedRows(self.X, indices, weight, self.mean, self.scale)
        others.shows_holes = self.shows_holes
        return others

    def __getitem__(self, index: Tensor | slice) -> tuple[Tensor, list[Tensor]]:
        """Return some rows, which are best those after the last ones."""
        places = index if isinstance(index, slice) else index.numpy()
        Z = torch.from_numpy(self._standardize(self.X[self.indices[places]]).astype(np.float32))
        return self.batch_of(Z, self.weight_of(places))

    def batch_of(self, Z: Tensor, weight: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return standardized rows as a batch."""
        fills = self._has_holes and not self.shows_holes
        return Z.nan_to_num(0.0) if fills else Z, [Z, weight]

    def weight_of(self, places: slice | np.ndarray) -> Tensor:
        """Return the weights that training sees of the rows at some places."""
        weight = self.sample_weight[places] / self._mean_weight
        return torch.from_numpy(weight.astype(np.float32))

    def fill(self, number: int, within: np.ndarray, Z: np.ndarray) -> None:
        """Standardize the rows at some indices, which lie within a block of the source."""
        start, stop = self.X.bounds(number)
        rows = self.X.block(number)
        for chunk in chunks(*Z.shape):
            all_of_them = len(within) == stop - start
            Z[chunk] = self._standardize(rows[chunk if all_of_them else within[chunk] - start])


class PairedRows(StandardizedRows):
    """Standardized rows whose target is another row, which stands beside it in X.

    A network that sees the same noise again and again learns it by heart. So the batches of a
    training give each row the residual of another one of the batch, anew in each epoch: what a
    linear regression can't tell of the rows' differences from their targets (a bootstrap of
    residuals: Efron 1979, doi:10.1214/aos/1176344552). Where the columns' residuals are
    independent of one another, each column is given another row's, so that hardly any two batches
    have the same noise. Differences that follow from the target leave no residuals, and sparse rows
    and those with missing values keep theirs.

    Parameters
    ----------
    X : {ndarray, csr_array} of shape (n_samples, 2 * n_features)
        What `beside` makes of rows and their targets.
    indices, weight, mean, scale
        As for `StandardizedRows`.
    """

    def __init__(self, X, indices, weight, mean, scale) -> None:
        super().__init__(X, indices, weight, mean, scale)
        self.residual: Tensor | None = None  # (n_rows, n_features)
        self.by_column = False  # whether columns have those of different rows
        has_residuals = not (sp.issparse(X) or self._has_holes)
        if has_residuals and self._dense is not None and len(mean) <= _MOST_REGRESSED:
            self.residual = _residuals(self._dense, len(mean), weight)
            self.by_column = _are_independent(
                self.residual[places_among(len(self), _ROWS_REGRESSED)].numpy()
            )

    def __getitem__(self, index: Tensor | slice) -> tuple[Tensor, list[Tensor]]:
        both, (targets, weight) = super().__getitem__(index)
        n_features = len(self.mean)
        return both[:, :n_features], [targets[:, n_features:], weight]

    def batches(
        self,
        batch_size: int,
        generator: Generator | None = None,
        corrupt: Callable[[Tensor], Tensor] | None = None,
        draw: Generator | None = None,
    ) -> "Batches":
        kind = Batches if self.residual is None or generator is None else PairedBatches
        return kind(self, batch_size, generator, corrupt, draw)

    def _by_batch(self) -> bool:
        return sp.issparse(self.X) and super()._by_batch()

    def _standardize(self, rows: np.ndarray) -> np.ndarray:
        halves = np.split(rows, 2, axis=1)
        return np.hstack([super(PairedRows, self)._standardize(half) for half in halves])


def _residuals(pairs: Tensor, n_features: int, weight: np.ndarray) -> Tensor:
    """Return what can't be told of rows' differences from their targets, the columns beside."""
    rows, targets = pairs[:, :n_features].numpy(), pairs[:, n_features:].numpy()
    some = places_among(len(rows), _ROWS_REGRESSED)
    difference = rows - targets
    regression = RidgeCV(alphas=np.logspace(-2, 4, 7))
    regression.fit(targets[some], difference[some], sample_weight=weight[some])
    return torch.from_numpy(difference - regression.predict(targets).astype(np.float32))


def places_among(n_rows: int, most: int) -> np.ndarray:
    """Return the places of so many rows at most, from the first to the last at even steps."""
    return np.linspace(0, n_rows - 1, min(n_rows, most)).astype(int)


def _are_independent(residual: np.ndarray) -> bool:
    """Whether columns do not differ from independent ones, in their values or their sizes.

    Of independent columns, squared correlations times the rows are 1 on average, and their mean
    over all pairs is scattered as that of as many chi-squared numbers (Schott 2005,
    doi:10.1093/biomet/92.4.951). Of few rows, nothing is concluded.
    """
    residual = residual[:, residual.std(axis=0) > _NO_RESIDUAL].astype(np.float64)
    n_rows, n_columns = residual.shape
    n_pairs = n_columns * (n_columns - 1) / 2
    if n_rows < _LEAST_RESIDUALS or n_pairs < 1:
        return False
    for values in (residual, np.abs(residual)):
        squares = np.corrcoef(values, rowvar=False) ** 2
        mean = n_rows * (squares.sum() - n_columns) / 2 / n_pairs
        if mean > 1 + 3 * np.sqrt(2 / n_pairs):
            return False
    return True


class LabeledRows(StandardizedRows):
    """Standardized rows whose target is their labels.

    Parameters
    ----------
    X, indices, weight, mean, scale
        As for `StandardizedRows`.
    labels : ndarray of shape (n_rows,) or (n_rows, n_labels)
        Class numbers as int64, or indicators as float32.
    """

    def __init__(self, X, indices, weight, mean, scale, labels) -> None:
        super().__init__(X, indices, weight, mean, scale)
        self.labels = torch.from_numpy(labels)

    def __getitem__(self, index: Tensor | slice) -> tuple[Tensor, list[Tensor]]:
        Z, (_, weight) = super().__getitem__(index)
        return Z, [self.labels[index], weight]


class PartlyLabeledRows(LabeledRows):
    """Standardized rows of which some have labels that count.

    A batch is some of the rows, for what can be learnt without labels, and then some of the
    labelled ones, for theirs. Where all rows are labelled, each counts for both.

    Parameters
    ----------
    X, indices, weight, mean, scale, labels
        As for `LabeledRows`.
    label_weight : ndarray of shape (n_rows,)
        What a row counts where its label is learnt, 0 for one without. Those of labelled rows are
        scaled to a mean of 1.
    """

    fills_holes = False

    def __init__(self, X, indices, weight, mean, scale, labels, label_weight) -> None:
        super().__init__(X, indices, weight, mean, scale, labels)
        self.labeled = torch.from_numpy(np.flatnonzero(label_weight > 0))
        if len(self.labeled):
            label_weight = label_weight * len(self.labeled) / label_weight.sum()
        self.label_weight = torch.from_numpy(label_weight.astype(np.float32))

    def batches(
        self,
        batch_size: int,
        generator: Generator | None = None,
        corrupt: Callable[[Tensor], Tensor] | None = None,
        draw: Generator | None = None,
    ) -> "Batches":
        return JointBatches(self, batch_size, generator, corrupt, draw)


class Batches:
    """Cut rows into batches of like sizes, in a new random order each time.

    Rows are taken, and corrupted, some batches at a time, which costs a fraction of what small
    tensors do. No batch has a single row where others have more, as batch statistics of one row
    do not exist.

    Parameters
    ----------
    rows : StandardizedRows
    batch_size : int
        The most rows in a batch, but for one more where a row would be left over.
    generator : torch.Generator or None
        Where the order comes from; ``None`` keeps the rows' own.
    corrupt : callable or None
        What rows go through before they are given out; their target stays as it is.
    draw : torch.Generator or None
        Where the rows' partners come from, which stand behind their target, those of each part
        that asks for some; ``None`` brings none.
    """

    def __init__(
        self,
        rows: StandardizedRows,
        batch_size: int,
        generator: Generator | None = None,
        corrupt: Callable[[Tensor], Tensor] | None = None,
        draw: Generator | None = None,
    ) -> None:
        self.rows = rows
        self.batch_size = batch_size
        self.generator = generator
        self.corrupt = corrupt
        self.draw = draw

    def __len__(self) -> int:
        n_rows = len(self.rows)
        n_batches = -(-n_rows // self.batch_size)
        return n_batches if self.batch_size == 1 else min(n_batches, max(1, n_rows // 2))

    def __iter__(self) -> Iterator[tuple[Any, list[Tensor]]]:
        for (Z, target), sizes in self.blocks():
            yield from _cut(Z, target, sizes, dim=0)

    def blocks(self) -> Iterator[tuple[tuple[Any, list[Tensor]], list[int]]]:
        """Yield the rows of some batches at a time, with their target, and the batches' sizes."""
        for index, sizes in self._indices():
            Z, target = self._take(index)
            if self.draw is not None:
                target += [partners.draw(index, self.draw) for partners in self.rows.partners]
            yield (Z if self.corrupt is None else self.corrupt(Z), target), sizes

    def _take(self, index: Tensor | slice) -> tuple[Tensor, list[Tensor]]:
        return self.rows[index]

    def _indices(self) -> Iterator[tuple[Tensor | slice, list[int]]]:
        """Yield which rows some batches have, and how many each of them."""
        n_rows, n_batches = len(self.rows), len(self)
        stops = [n_rows * i // n_batches for i in range(n_batches + 1)]
        order = None if self.generator is None else torch.randperm(n_rows, generator=self.generator)
        n_at_once = max(1, _BLOCK_VALUES // (self.rows.X.shape[1] * self.batch_size))
        for first in range(0, n_batches, n_at_once):
            some = stops[first : first + n_at_once + 1]
            sizes = [stop - start for start, stop in pairwise(some)]
            index = slice(some[0], some[-1])
            yield index if order is None else order[index], sizes


class StreamedBatches(Batches):
    """Batches of rows that are read in blocks: some from all over the set, shuffled as one.

    In each epoch the blocks of a source come in a new order, as many at a time as there is memory
    for, and the rows of all these in a new order. So each row comes once, beside others from
    anywhere. Where one buffer holds all, it is the order of `Batches`.

    Parameters
    ----------
    rows : StreamedRows
    batch_size, generator, corrupt
        As for `Batches`.
    """

    rows: StreamedRows

    def blocks(self) -> Iterator[tuple[tuple[Any, list[Tensor]], list[int]]]:
        n_rows, n_batches = len(self.rows), len(self)
        n_at_once = max(1, _BLOCK_VALUES // (self.rows.X.shape[1] * self.batch_size))
        number, n_given = 0, 0  # of batches and rows that have been given out
        for Z, weight in self._buffers():
            order = torch.randperm(len(Z), generator=self.generator)
            first = 0
            while first < len(Z):
                last = min(number + n_at_once, n_batches)
                stops = [n_rows * i // n_batches - n_given for i in range(number, last + 1)]
                stops = [stop for stop in stops if stop <= len(Z) - first]
                if len(stops) < 2:
                    break
                index = order[first : first + stops[-1]]
                some, target = self.rows.batch_of(Z[index], weight[index])
                sizes = [stop - start for start, stop in pairwise(stops)]
                yield (some if self.corrupt is None else self.corrupt(some), target), sizes
                first, n_given = first + stops[-1], n_given + stops[-1]
                number += len(sizes)
            self._rest = Z[order[first:]], weight[order[first:]]  # the begin of a batch

    def _buffers(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield rows and weights of several blocks, and what is left of the last ones."""
        X, n_features = self.rows.X, self.rows.X.shape[1]
        order = torch.arange(X.n_blocks)
        if len(order) > 1:
            order = torch.randperm(len(order), generator=self.generator)
        self._rest = torch.empty(0, n_features), torch.empty(0)
        most = min(X.n_buffered, len(self.rows))
        room = most + self.batch_size + 1  # with the begin of a batch that is left of the last ones
        buffer = torch.empty(room, n_features, dtype=torch.float32)
        weight = torch.empty(room, dtype=torch.float32)
        n_filled = 0
        for number in order.tolist():
            start, stop = X.bounds(number)
            within = self.rows.indices.between(start, stop)
            n_rows = len(within)
            if n_filled and n_filled + n_rows > most:
                yield buffer[:n_filled], weight[:n_filled]
                rest, of_rest = self._rest
                n_filled = len(rest)
                buffer[:n_filled], weight[:n_filled] = rest, of_rest
            self.rows.fill(number, within, buffer[n_filled : n_filled + n_rows].numpy())
            place = self.rows.indices.place_of(start)
            weight[n_filled : n_filled + n_rows] = self.rows.weight_of(slice(place, place + n_rows))
            n_filled += n_rows
        yield buffer[:n_filled], weight[:n_filled]


def _cut(Z: Tensor, target: list[Tensor], sizes: list[int], dim: int):
    """Yield the batches of a block."""
    targets = zip(*(part.split(sizes, dim=dim) for part in target), strict=True)
    for rows, of_rows in zip(Z.split(sizes, dim=dim), targets, strict=True):
        yield rows, list(of_rows)


class RowsSideBySide(Dataset):
    """The rows of several networks that are trained as one: a batch has one of each, stacked.

    Parameters
    ----------
    parts : sequence of StandardizedRows
        Of the same number of rows each.
    """

    def __init__(self, parts: Sequence[StandardizedRows]) -> None:
        self.parts = parts

    def __len__(self) -> int:
        return len(self.parts[0])

    def batches(self, batch_size: int, **how: Sequence[Any]) -> "BatchesSideBySide":
        """Return what cuts these rows into batches.

        Parameters
        ----------
        batch_size : int
        **how : sequences
            ``generator``, ``corrupt`` and ``draw``, one for each part.
        """
        return BatchesSideBySide(
            [
                part.batches(batch_size, **{name: of_each[i] for name, of_each in how.items()})
                for i, part in enumerate(self.parts)
            ]
        )


class BatchesSideBySide:
    """Batches of several rows at once: (n_parts, batch, n_columns), and targets likewise.

    Parameters
    ----------
    parts : sequence of Batches
        Of the same number of rows each.
    """

    def __init__(self, parts: Sequence[Batches]) -> None:
        self.parts = parts

    def __len__(self) -> int:
        return len(self.parts[0])

    def __iter__(self) -> Iterator[tuple[Tensor, list[Tensor]]]:
        for blocks in zip(*(part.blocks() for part in self.parts), strict=True):
            rows, targets = zip(*(block for block, _ in blocks), strict=True)
            target = [torch.stack(part) for part in zip(*targets, strict=True)]
            yield from _cut(torch.stack(rows), target, blocks[0][1], dim=1)


class PairedBatches(Batches):
    """Batches of rows with targets that have the residuals of other rows.

    Parameters
    ----------
    rows : PairedRows
    batch_size, generator, corrupt, draw
        As for `Batches`.
    """

    rows: PairedRows

    def __init__(self, rows: PairedRows, batch_size: int, *how) -> None:
        super().__init__(rows, batch_size, *how)
        assert rows.residual is not None
        self.residual = rows.residual

    def _take(self, index: Tensor | slice) -> tuple[Tensor, list[Tensor]]:
        Z, target = self.rows[index]
        own = self.residual[index]
        other = torch.randperm(len(own), generator=self.generator)
        if not self.rows.by_column:
            return Z - own + own[other], target
        n_rows, n_columns = own.shape
        shift = torch.randint(n_rows, (n_columns,), generator=self.generator)
        others = (other[:, None] + shift) % n_rows  # (n_rows, n_columns)
        return Z - own + own.gather(0, others), target


class JointBatches(Batches):
    """Batches of partly labelled rows: some rows, and some that are there for their labels only.

    The input is the rows and a mask of the latter, which come last; the target is the labels,
    what each counts, and what each row counts without its label. As the rows are a target, too,
    what is missing in them is NaN. Labelled rows come in rounds, each in a new order, however many
    rounds there are in a pass through all rows.

    Parameters
    ----------
    rows : PartlyLabeledRows
    batch_size, generator, corrupt, draw
        As for `Batches`.
    """

    rows: PartlyLabeledRows

    def __iter__(self) -> Iterator[tuple[list[Tensor], list[Tensor]]]:
        rows, labeled = self.rows, self.rows.labeled
        apart = len(labeled) < len(rows)
        n_labeled = min(len(labeled), max(2, self.batch_size // 2)) if apart else 0
        waiting = labeled[:0]
        everyone = torch.arange(len(rows))
        cut = (part for index, sizes in self._indices() for part in everyone[index].split(sizes))
        for index in cut:
            while len(waiting) < n_labeled:
                waiting = torch.cat([waiting, self._in_order(labeled)])
            extra, waiting = waiting[:n_labeled], waiting[n_labeled:]
            both = torch.cat([index, extra])
            Z, (labels, weight) = rows[both]
            is_extra = torch.arange(len(Z)) >= len(index)
            label_weight = rows.label_weight[both]
            if apart:
                label_weight = label_weight * is_extra
            Z = Z if self.corrupt is None else self.corrupt(Z)
            yield [Z, is_extra], [labels, label_weight, weight * ~is_extra]

    def _in_order(self, labeled: Tensor) -> Tensor:
        if self.generator is None:
            return labeled
        return labeled[torch.randperm(len(labeled), generator=self.generator)]
