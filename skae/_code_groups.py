"""Groups among codes, of a number that is given or not: what new codes are told by."""

import warnings
from typing import NamedTuple, Self

import numpy as np
from scipy.special import softmax
from sklearn.cluster import HDBSCAN
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import pairwise_distances_argmin
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import NearestNeighbors

from ._rows import places_among
from ._warnings import warn

_MOST_CODES = 10_000  # among which islands are looked for, as that takes their square
_LEAST_SHARE, _LEAST_ROWS = 0.02, 5  # of an island
_SPARSE_SHARE, _N_AROUND = 0.2, 30  # left out of a mixture, by the distance of which neighbor


class Mixture(NamedTuple):
    """Groups as normal distributions of codes, those of the most codes first.

    What lies between groups tells nothing of them, and no normal distribution has such tails: so
    the fifth of the codes that has most room around it is left out where they are learnt.
    """

    shares: np.ndarray  # (n_groups,), of the codes
    centers: np.ndarray  # (n_groups, n_components)
    roots: np.ndarray  # (n_groups, n_components, n_components), of the inverse covariances

    @classmethod
    def of(cls, codes: np.ndarray, n_groups: int, n_init: int, seed: int) -> Self:
        """Return the likeliest of several mixtures of so many groups."""
        n_different = len(np.unique(codes, axis=0))
        if n_different < n_groups:
            raise ValueError(
                f"n_clusters={n_groups}, but the rows of X have {n_different} different codes. "
                "Give more rows, or ask for fewer clusters."
            )
        mixture = GaussianMixture(n_groups, n_init=n_init, random_state=seed)
        with warnings.catch_warnings():  # where it stops matters little
            warnings.simplefilter("ignore", ConvergenceWarning)
            mixture.fit(_in_the_midst(codes, n_groups))
        found = np.bincount(mixture.predict(codes), minlength=n_groups)
        order = np.argsort(-found, kind="stable")
        return cls(
            mixture.weights_[order], mixture.means_[order], mixture.precisions_cholesky_[order]
        )

    def probabilities(self, codes: np.ndarray) -> np.ndarray:
        """Return the probability of each group, (n_codes, n_groups)."""
        away = np.einsum("nkj,kji->nki", codes[:, None] - self.centers, self.roots)
        heights = np.log(np.diagonal(self.roots, axis1=1, axis2=2)).sum(axis=1)
        return softmax(np.log(self.shares) + heights - np.square(away).sum(axis=2) / 2, axis=1)

    def labels(self, codes: np.ndarray) -> np.ndarray:
        """Return the likeliest group of each code, (n_codes,)."""
        return self.probabilities(codes).argmax(axis=1)


def _in_the_midst(codes: np.ndarray, n_groups: int) -> np.ndarray:
    """Return the codes that are nearest to others, or all if hardly any are different."""
    n_neighbors = min(_N_AROUND, len(codes) // (5 * n_groups))
    if n_neighbors == 0:
        return codes
    distances, _ = NearestNeighbors(n_neighbors=n_neighbors).fit(codes).kneighbors()
    midst = codes[distances[:, -1] <= np.quantile(distances[:, -1], 1 - _SPARSE_SHARE)]
    return midst if len(np.unique(midst, axis=0)) >= n_groups else codes


class Islands(NamedTuple):
    """Groups of any form, as codes of which each belongs to one, or to none (-1)."""

    codes: np.ndarray  # (n_codes, n_components)
    numbers: np.ndarray  # (n_codes,) of int
    centers: np.ndarray  # (n_groups, n_components)

    @classmethod
    def of(cls, codes: np.ndarray) -> Self:
        """Return what HDBSCAN finds, those of the most codes first."""
        some = codes[places_among(len(codes), _MOST_CODES)]
        least = max(_LEAST_ROWS, round(_LEAST_SHARE * len(some)))
        if len(some) <= least:
            raise ValueError(
                f"n_clusters=None looks for groups of {least} rows or more, and X has {len(some)}. "
                "Give more rows, or the number of clusters."
            )
        found = HDBSCAN(min_cluster_size=least, copy=True).fit_predict(some)
        counts = np.bincount(found[found >= 0])
        if not len(counts):
            warn(
                f"n_clusters=None found no cluster of {least} rows or more among {len(some)}, so "
                "that all labels are -1. Give the number of clusters, or another autoencoder.",
                ConvergenceWarning,
            )
        place = np.empty(len(counts) + 1, dtype=int)
        place[np.argsort(-counts, kind="stable")], place[-1] = np.arange(len(counts)), -1
        numbers = place[found]
        centers = [some[numbers == group].mean(axis=0) for group in range(len(counts))]
        return cls(some, numbers, np.reshape(centers, (len(counts), codes.shape[1])))

    def labels(self, codes: np.ndarray) -> np.ndarray:
        """Return the group of the nearest of the codes that they were found among, (n_codes,)."""
        return self.numbers[pairwise_distances_argmin(codes, self.codes)]
