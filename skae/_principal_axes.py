"""Principal axes of weighted rows, dense or sparse: where a network starts."""

import numpy as np
import scipy.sparse as sp
from numpy.linalg import norm
from scipy.linalg import eigh
from scipy.sparse.linalg import LinearOperator, svds
from sklearn.utils.extmath import svd_flip

from ._rows import dense_chunks, known_scatter
from ._sources import RowSource

_PRODUCT_VALUES = 2**21  # of the rows that are multiplied at one time

_MODERATE = 1e-6  # of the root of the largest number: the values whose products are summed

_LARGEST_EIGENPROBLEM = 2000  # columns or rows, beyond which only the axes asked for are sought


def principal_axes(X, indices, weight, mean, n_components):
    """Return the first principal axes of some rows, as unit vectors of fixed sign.

    Parameters
    ----------
    X : {ndarray, csr_array} of shape (n_samples, n_features)
    indices : ndarray of int of shape (n_rows,)
        The rows that count.
    weight : ndarray of shape (n_rows,)
        Their weights.
    mean : ndarray of shape (n_features,)
        Their weighted mean.
    n_components : int

    Returns
    -------
    axes : ndarray of shape (rank, n_features)
        Fewer than ``n_components`` where the rows span fewer dimensions.
    """
    n_rows, n_features = len(indices), X.shape[1]
    X, mean = _of_moderate_size(X, indices, mean)
    if isinstance(X, RowSource):
        _refuse_large_scatter(X)
    if n_features <= min(_LARGEST_EIGENPROBLEM, 4 * n_rows) or isinstance(X, RowSource):
        squares, axes = _of_covariance(X, indices, weight, mean, n_components)
    elif n_rows <= _LARGEST_EIGENPROBLEM:
        squares, axes = _of_gram_matrix(X, indices, weight, mean, n_components)
    else:
        squares, axes = _of_operator(X, indices, weight, mean, n_components)
    # Eigenvalues below the rounding of the largest one belong to no direction in the data, and
    # none do where all rows are their mean.
    precision = 10 * np.finfo(X.dtype).eps
    if X.dtype == np.float64:
        precision = np.finfo(X.dtype).eps * max(n_rows, n_features)
    largest = max(squares.max(initial=0), np.finfo(np.float64).tiny)
    axes = axes[squares > max(precision * largest, _rounding(X, weight, mean) ** 2)]
    _, axes = svd_flip(None, axes, u_based_decision=False)
    return axes


def _refuse_large_scatter(X: RowSource) -> None:
    """Raise an error if what rows are summed to is more than may be in memory itself."""
    n_features = X.shape[1]
    if 24 * n_features**2 > X.memory:  # it, a product that is added to it, and eigenvectors
        raise ValueError(
            f"X has {n_features} columns, whose scatter matrix takes {8 * n_features**2:,} bytes "
            f"and is needed for the start at PCA; {X.memory:,} bytes are too few. Allow three "
            f"times as many, skae.datasets.open_rows(..., memory={24 * n_features**2}), or set "
            "init='random'."
        )


def _of_moderate_size(X, indices, mean):
    """Return X and the mean in a unit in which squares and their sums are no overflow."""
    limit = np.sqrt(np.finfo(X.dtype).max) * _MODERATE
    if isinstance(X, RowSource):
        survey = X.survey()
        largest = X.dtype.type(max(survey.high, -survey.low))
        if largest < limit:
            return X, mean
        return X.mapped(lambda rows: rows / largest), mean / largest
    largest = _largest(X)
    if largest >= limit:  # perhaps in a row that does not count
        largest = _largest(X[indices])
    if largest < limit:
        return X, mean
    if sp.issparse(X):  # whose own division is a product with a rounded inverse
        smaller = sp.csr_array((X.data / X.dtype.type(largest), X.indices, X.indptr), X.shape)
    else:
        smaller = X / X.dtype.type(largest)
    return smaller, mean / largest


def _largest(X):
    """Return the largest size of a value."""
    values = X.data if sp.issparse(X) else X
    return max(values.max(initial=0), -values.min(initial=0))


def _rounding(X, weight, mean):
    """Return how long weighted rows are, along any direction, that differ by rounding only."""
    return 4 * np.finfo(X.dtype).eps * np.sqrt(weight.sum()) * norm(mean)


def n_principal_axes(X, indices, weight, mean, share):
    """Return how many principal axes explain a share of the variance of some rows, at least one.

    Parameters
    ----------
    X, indices, weight, mean
        As in `principal_axes`.
    share : float
        In (0, 1).
    """
    most = min(len(indices), X.shape[1])
    n_axes = most if most <= _LARGEST_EIGENPROBLEM else 64
    while True:
        axes = principal_axes(X, indices, weight, mean, n_axes)
        explained, total = explained_along(axes, X, indices, weight, mean)
        enough = np.flatnonzero(np.cumsum(explained) >= share * total)
        if len(enough):
            return int(enough[0]) + 1
        if n_axes >= most:
            return max(1, len(axes))
        n_axes = min(2 * n_axes, most)


def explained_along(axes, X, indices, weight, mean):
    """Return the squares of some rows along each axis, (n_axes,), and in all directions."""
    total, explained = 0.0, np.zeros(len(axes))
    for chunk, rows in dense_chunks(X, indices):
        centered = rows - mean
        total += weight[chunk] @ np.square(centered).sum(axis=1)
        explained += weight[chunk] @ np.square(centered @ axes.T)
    return explained, total


def _of_covariance(X, indices, weight, mean, n_components):
    """Diagonalize the columns' scatter matrix, summed over a few rows at a time."""
    n_features = len(mean)
    scatter = known_scatter(X, indices, weight)
    if scatter is None:
        scatter = np.zeros((n_features, n_features))
        # Products of single-precision rows are as exact as the rows; their sum is double.
        mean = mean.astype(X.dtype)
        for chunk, rows in dense_chunks(X, indices, n_values=_PRODUCT_VALUES):
            centered = rows - mean
            centered *= np.sqrt(weight[chunk]).astype(X.dtype)[:, None]
            scatter += centered.T @ centered
    first = max(0, n_features - n_components)
    squares, vectors = eigh(scatter, subset_by_index=[first, n_features - 1], overwrite_a=True)
    return squares[::-1], vectors.T[::-1]


def _of_gram_matrix(X, indices, weight, mean, n_components):
    """Diagonalize the rows' inner products, which is less when columns outnumber rows."""
    n_rows = len(indices)
    first = max(0, n_rows - n_components)
    root = np.sqrt(weight)[:, None]
    if sp.issparse(X):  # the mean is taken out of the products, which leaves the rows sparse
        rows = X[indices].astype(np.float64)
        shift = rows @ mean  # (n_rows,)
        gram = (rows @ rows.T).toarray() - shift - shift[:, None] + mean @ mean
        squares, vectors = eigh(gram * root * root.T, subset_by_index=[first, n_rows - 1])
        # What is left of products that cancel is rounding of the products.
        squares[squares < _rounding(rows, weight, mean) * np.sqrt(weight.sum()) * norm(mean)] = 0
        vectors = vectors * root
        axes = rows.T @ vectors - np.outer(mean, vectors.sum(axis=0))
    else:
        rows = np.empty((n_rows, len(mean)))
        for chunk, some in dense_chunks(X, indices):
            rows[chunk] = (some - mean) * root[chunk]
        squares, vectors = eigh(rows @ rows.T, subset_by_index=[first, n_rows - 1])
        axes = rows.T @ vectors
    squares, axes = squares[::-1], axes.T[::-1]
    norms = norm(axes, axis=1, keepdims=True)
    return squares, axes / np.where(norms > 0, norms, 1)


def _of_operator(X, indices, weight, mean, n_components):
    """Iterate with products by the rows only, which leaves sparse rows sparse."""
    rows, root = X[indices], np.sqrt(weight)
    n_rows, n_features = rows.shape
    operator = LinearOperator(
        (n_rows, n_features),
        dtype=np.float64,
        matvec=lambda v: root * (rows @ v.ravel().astype(X.dtype) - mean @ v.ravel()),
        rmatvec=lambda u: rows.T @ (root * u.ravel()).astype(X.dtype) - mean * (root @ u.ravel()),
    )
    k = min(n_components, min(n_rows, n_features) - 1)
    probe, start = (
        np.random.RandomState(0).uniform(-1, 1, n) for n in (n_features, min(rows.shape))
    )
    # Where all rows are the mean, ARPACK refuses the operator.
    if norm(operator.matvec(probe)) <= _rounding(X, weight, mean) * norm(probe):
        return np.zeros(0), np.zeros((0, n_features))
    _, values, axes = svds(operator, k=k, v0=start)
    order = np.argsort(values)[::-1]
    return values[order] ** 2, axes[order]
