"""What a penalty on distances gives and costs, beside that on neighbors: digits in the plane.

Rows that were not fitted, 450 digits; means of some seeds.

    python benchmarks/distances.py [--weights 0 1 3] [--seeds 3] [--smoke]
"""

import argparse

import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from tabulate import tabulate

from skae import AutoencoderTransformer
from skae.metrics import (
    knn_accuracy,
    neighbor_recall,
    pairwise_distance_correlation,
    reconstruction_r2_scorer,
    trustworthiness,
)
from skae.penalty import DistancePreservation, NeighborPreservation

HEADERS = ["weight", "correlation", "trustworthiness", "neighbor recall", "kNN accuracy", "R²"]


def measured(estimator, X_train, X_test, y_train, y_test):
    """Return what the codes of new rows keep, and what is rebuilt of these."""
    codes = estimator.fit(X_train).transform(X_test)
    return (
        pairwise_distance_correlation(X_test, codes),
        trustworthiness(X_test, codes),
        neighbor_recall(X_test, codes),
        knn_accuracy(estimator.transform(X_train), y_train, codes, y_test),
        reconstruction_r2_scorer(estimator, X_test),
    )


def estimator_of(weight, seed, max_iter):
    """Return an autoencoder with a penalty on neighbors, and on distances if that weighs."""
    of_distances = [DistancePreservation(weight)] if weight else []
    return AutoencoderTransformer(
        2,
        penalty=[NeighborPreservation(), *of_distances],
        init="random",
        noise=None,
        validation_fraction=0.2,
        max_iter=max_iter,
        random_state=seed,
    )


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", nargs="+", type=float, default=[0, 1, 3])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--smoke", action="store_true", help="two epochs, one seed, two weights")
    arguments = parser.parse_args()
    max_iter = 50
    if arguments.smoke:
        arguments.weights, arguments.seeds, max_iter = [0, 1], 1, 2
    X, y = load_digits(return_X_y=True)
    split = train_test_split(X, y, stratify=y, random_state=0)
    lines = [["PCA", *measured(PCA(2, random_state=0), *split)]]
    for weight in arguments.weights:
        found = []
        for seed in range(arguments.seeds):
            found.append(measured(estimator_of(weight, seed, max_iter), *split))
        lines.append([weight, *np.mean(found, axis=0)])
    print(tabulate(lines, HEADERS, floatfmt=".3f"))


if __name__ == "__main__":
    main()
