"""The nearest of some rows to others: exact, or approximate where that would take too long."""

from importlib.util import find_spec
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

# Multiplications of all distances, from which on an approximate search is faster.
_MUCH_WORK = 5e11

_N_AXES = 50  # principal axes, along which candidates are near
_N_CANDIDATES = 3  # times as many as are asked for
_GATHERED = 2**24  # values at a time


def nearest(rows: Any, among: Any, n_neighbors: int, metric: str) -> np.ndarray:
    """Return which of some rows are nearest to each of others, nearest first.

    Parameters
    ----------
    rows : {ndarray, csr_array} of shape (n_rows, n_features)
    among : {ndarray, csr_array} of shape (n_among, n_features)
    n_neighbors : int
        At most ``n_among``.
    metric : str
        A name that `sklearn.neighbors.NearestNeighbors` knows.

    Returns
    -------
    ndarray of int of shape (n_rows, n_neighbors)
    """
    is_plain = metric == "euclidean" and not sp.issparse(among)
    if is_plain:
        middle = among.mean(axis=0)  # as differences of small numbers are exact
        rows, among = rows - middle, among - middle
    if float(rows.shape[0]) * among.shape[0] * among.shape[1] > _MUCH_WORK:
        if is_plain and among.shape[1] > 2 * _N_AXES:
            return _nearest_of_candidates(rows, among, n_neighbors)
        if find_spec("pynndescent") is not None:
            from pynndescent import NNDescent
            from pynndescent.distances import named_distances

            if metric in named_distances:
                index = NNDescent(among, metric, n_neighbors=2 * n_neighbors, random_state=0)
                return index.query(rows, n_neighbors)[0]
    return _search(rows, among, n_neighbors, metric)


def _search(rows: Any, among: Any, n_neighbors: int, metric: str) -> np.ndarray:
    search = NearestNeighbors(n_neighbors=n_neighbors, metric=metric).fit(among)
    return search.kneighbors(rows, return_distance=False)


def _nearest_of_candidates(rows: np.ndarray, among: np.ndarray, n_neighbors: int) -> np.ndarray:
    """Return the nearest of those that are nearest along the first principal axes."""
    axes = PCA(_N_AXES, svd_solver="randomized", random_state=0).fit(among)
    n_candidates = min(_N_CANDIDATES * n_neighbors, len(among))
    found = np.empty((len(rows), n_neighbors), dtype=np.intp)
    candidates = _search(axes.transform(rows), axes.transform(among), n_candidates, "euclidean")
    n_at_once = max(1, _GATHERED // (n_candidates * among.shape[1]))
    for first in range(0, len(rows), n_at_once):
        some = slice(first, first + n_at_once)
        apart = among[candidates[some]]  # (n_at_once, n_candidates, n_features)
        apart -= rows[some, None]
        order = np.einsum("ijk,ijk->ij", apart, apart).argsort(axis=1, kind="stable")
        found[some] = np.take_along_axis(candidates[some], order[:, :n_neighbors], axis=1)
    return found
