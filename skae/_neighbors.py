"""The nearest of some rows to others: exact, or approximate where that would take too long."""

from importlib.util import find_spec
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.neighbors import NearestNeighbors

# Multiplications of all distances, from which on the approximate search is faster, if it is there.
_MUCH_WORK = 1e12


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
    if metric == "euclidean" and not sp.issparse(among):
        middle = among.mean(axis=0)  # as differences of small numbers are exact
        rows, among = rows - middle, among - middle
    work = float(rows.shape[0]) * among.shape[0] * among.shape[1]
    if work > _MUCH_WORK and find_spec("pynndescent") is not None:
        from pynndescent import NNDescent
        from pynndescent.distances import named_distances

        if metric in named_distances:
            index = NNDescent(among, metric, n_neighbors=2 * n_neighbors, random_state=0)
            return index.query(rows, n_neighbors)[0]
    search = NearestNeighbors(n_neighbors=n_neighbors, metric=metric).fit(among)
    return search.kneighbors(rows, return_distance=False)
