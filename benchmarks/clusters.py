"""Clusters without labels: accuracy and agreement of what is found with what is known.

Each method but HDBSCAN, which finds their number, is asked for as many clusters as there are
classes. The accuracy is that of the best matching of clusters with classes (the Hungarian method),
beside the adjusted Rand index, both of all rows that were fitted; each as mean and worst of some
seeds. Rows that HDBSCAN calls noise are a cluster of their own. The tables are standardized. DEC
(Xie et al. 2016, arXiv:1511.06335) and IDEC (Guo et al. 2017, doi:10.24963/ijcai.2017/243), with
the defaults of ClustPy and values brought to [0, 1], are among the methods where that is installed.

    SKAE_DATA=folder python benchmarks/clusters.py [--sets wine digits mnist fashion-mnist]
        [--rows 10000] [--methods KMeans AutoencoderClustering] [--seeds 3] [--smoke]

Without SKAE_DATA, MNIST and Fashion-MNIST come from OpenML.
"""

import argparse
import time
from functools import partial
from importlib import import_module
from importlib.util import find_spec

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.cluster import contingency_matrix
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tabulate import tabulate

from pictures import METHODS as PICTURES
from skae import AutoencoderTransformer
from skae.cluster import AutoencoderClustering
from skae.datasets import fetch_fashion_mnist, fetch_mnist

TABLES = {"wine": load_wine, "breast cancer": load_breast_cancer}
FETCH = {"mnist": fetch_mnist, "fashion-mnist": fetch_fashion_mnist}


def rows_of(name, n_rows):
    """Return some rows and their labels."""
    if name in TABLES:
        X, y = TABLES[name](return_X_y=True)
        X = StandardScaler().fit_transform(X)
    elif name == "digits":
        X, y = load_digits(return_X_y=True)
    else:
        X, y = FETCH[name](subset="train", return_X_y=True)
    return X[:n_rows], y[:n_rows]


class OfClustPy(ClusterMixin, BaseEstimator):
    """A deep clustering of ClustPy, for rows of any scale."""

    def __init__(self, kind, n_clusters, random_state):
        self.kind, self.n_clusters, self.random_state = kind, n_clusters, random_state

    def fit(self, X, y=None):
        rows = ((X - X.min()) / np.ptp(X)).astype(np.float32)
        kind = getattr(import_module("clustpy.deep"), self.kind)
        self.labels_ = kind(self.n_clusters, random_state=self.random_state).fit(rows).labels_
        return self


METHODS = {
    "KMeans": lambda k, seed: KMeans(k, n_init=10, random_state=seed),
    "PCA, GaussianMixture": lambda k, seed: make_pipeline(
        PCA(10, random_state=seed), GaussianMixture(k, n_init=3, random_state=seed)
    ),
    "PCA, HDBSCAN": lambda k, seed: make_pipeline(
        PCA(10, random_state=seed), HDBSCAN(min_cluster_size=20, copy=True)
    ),
    "autoencoder, KMeans": lambda k, seed: make_pipeline(
        AutoencoderTransformer(10, random_state=seed), KMeans(k, n_init=10, random_state=seed)
    ),
    "AutoencoderClustering": lambda k, seed: AutoencoderClustering(k, random_state=seed),
    "AutoencoderClustering, noise": lambda k, seed: AutoencoderClustering(
        k, autoencoder=PICTURES["code_neighbor_autoencoder"](seed), random_state=seed
    ),
}

if find_spec("clustpy") is not None:
    METHODS |= {kind: partial(OfClustPy, kind) for kind in ("DEC", "IDEC")}


def accuracy(y, labels):
    """Return the share of rows in the class that is matched with their cluster."""
    counts = contingency_matrix(y, labels)
    matched = counts[linear_sum_assignment(counts, maximize=True)]
    return matched.sum() / len(y)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", default=[*TABLES, "digits", *FETCH], metavar="SET")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--smoke", action="store_true", help="300 digits, one seed")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.sets, arguments.rows, arguments.seeds = ["digits"], 300, 1
        slow = "AutoencoderClustering, noise", "DEC", "IDEC"
        arguments.methods = [name for name in METHODS if name not in slow]
    headers = ["data", "rows", "method", "accuracy", "worst", "Rand index", "seconds"]
    for name in arguments.sets:
        X, y = rows_of(name, arguments.rows)
        lines = []
        for method in arguments.methods:
            build = METHODS[method]
            found, begun = [], time.perf_counter()
            for seed in range(arguments.seeds):
                labels = build(len(np.unique(y)), seed).fit_predict(X)
                found.append((accuracy(y, labels), adjusted_rand_score(y, labels)))
            seconds = (time.perf_counter() - begun) / arguments.seeds
            mean, worst = np.mean(found, axis=0), np.min(found, axis=0)
            lines.append([name, len(X), method, mean[0], worst[0], mean[1], seconds])
        formats = ("", "", "", ".3f", ".3f", ".3f", ".1f")
        print(tabulate(lines, headers, floatfmt=formats), "\n", flush=True)


if __name__ == "__main__":
    main()
