"""Principal axes of weighted rows, dense or sparse: where a network starts."""

import numpy as np
import scipy.sparse as sp
from scipy.linalg import eigh
from scipy.sparse.linalg import LinearOperator, svds
from sklearn.utils.extmath import svd_flip

from ._rows import dense_chunks

_PRODUCT_VALUES = 2**21  # of the rows that are multiplied at one time

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
    if n_features <= min(_LARGEST_EIGENPROBLEM, 4 * n_rows):
        squares, axes = _of_covariance(X, indices, weight, mean, n_components)
    elif n_rows <= _LARGEST_EIGENPROBLEM:
        squares, axes = _of_gram_matrix(X, indices, weight, mean, n_components)
    else:
        squares, axes = _of_operator(X, indices, weight, mean, n_components)
    # Eigenvalues below the rounding of the largest one belong to no direction in the data.
    precision = np.finfo(np.float64).eps * max(n_rows, n_features)
    axes = axes[squares > precision * max(squares.max(), np.finfo(np.float64).tiny)]
    _, axes = svd_flip(None, axes, u_based_decision=False)
    return axes


def _of_covariance(X, indices, weight, mean, n_components):
    """Diagonalize the columns' scatter matrix, summed over a few rows at a time."""
    n_features = len(mean)
    scatter = np.zeros((n_features, n_features))
    # Products of single-precision rows are as exact as the rows; their sum is double.
    mean, root = mean.astype(X.dtype), np.sqrt(weight).astype(X.dtype)[:, None]
    for chunk, rows in dense_chunks(X, indices, n_values=_PRODUCT_VALUES):
        centered = (rows - mean) * root[chunk]
        scatter += centered.T @ centered
    first = max(0, n_features - n_components)
    squares, vectors = eigh(scatter, subset_by_index=[first, n_features - 1])
    return squares[::-1], vectors.T[::-1]


def _of_gram_matrix(X, indices, weight, mean, n_components):
    """Diagonalize the rows' inner products, which is less when columns outnumber rows."""
    n_rows = len(indices)
    rows = np.empty((n_rows, len(mean)))
    for chunk, some in dense_chunks(X, indices):
        rows[chunk] = (some - mean) * np.sqrt(weight[chunk])[:, None]
    first = max(0, n_rows - n_components)
    squares, vectors = eigh(rows @ rows.T, subset_by_index=[first, n_rows - 1])
    squares, axes = squares[::-1], (rows.T @ vectors).T[::-1]
    norms = np.linalg.norm(axes, axis=1, keepdims=True)
    return squares, axes / np.where(norms > 0, norms, 1)


def _of_operator(X, indices, weight, mean, n_components):
    """Iterate with products by the rows only, which leaves sparse rows sparse."""
    rows, root = X[indices], np.sqrt(weight)
    n_rows, n_features = rows.shape
    rows = rows.astype(np.float64, copy=False) if sp.issparse(rows) else rows
    operator = LinearOperator(
        (n_rows, n_features),
        dtype=np.float64,
        matvec=lambda v: root * (rows @ v.ravel() - mean @ v.ravel()),
        rmatvec=lambda u: rows.T @ (root * u.ravel()) - mean * (root @ u.ravel()),
    )
    k = min(n_components, min(n_rows, n_features) - 1)
    start = np.random.RandomState(0).uniform(-1, 1, min(n_rows, n_features))
    _, values, axes = svds(operator, k=k, v0=start)
    order = np.argsort(values)[::-1]
    return values[order] ** 2, axes[order]
