"""Pictures: two numbers a row, for rows that were not fitted too, and the way back.

Digits are split as `skae.compare` does (`compare digits` of seed 0), MNIST and Fashion-MNIST into
their 60 000 and 10 000 images. Each method is fitted to the training rows. Measured are, on the
test rows: the accuracy of labels told by the five nearest training codes; the trustworthiness of
the picture (of at most 10 000 rows); the share of variance that is explained when the rows are
rebuilt; and the seconds to fit, to transform and to invert. t-SNE of scikit-learn has no new rows:
it embeds training and test rows together, which is said in its row. Methods whose package is not
installed are named.

    SKAE_DATA=folder python benchmarks/pictures.py [--sets digits mnist fashion-mnist]
        [--methods neighbor_autoencoder tsne] [--seeds 1] [--smoke]

Without SKAE_DATA, MNIST and Fashion-MNIST come from OpenML.
"""

import argparse
import time
import warnings
from importlib import import_module

import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.model_selection import train_test_split
from tabulate import tabulate

from skae import AutoencoderTransformer
from skae.datasets import fetch_fashion_mnist, fetch_mnist
from skae.metrics import knn_accuracy, reconstruction_r2, trustworthiness
from skae.noise import GaussianNoise
from skae.penalty import NeighborPreservation

FETCH = {"mnist": fetch_mnist, "fashion-mnist": fetch_fashion_mnist}


def rows_of(name, smoke):
    """Return training rows and labels, and test rows and labels."""
    if name == "digits":
        X, y = load_digits(return_X_y=True)
        training, test = train_test_split(
            np.arange(len(X)), test_size=0.25, random_state=0, stratify=y
        )
        if smoke:
            training, test = training[:150], test[:100]
        return X[training], y[training], X[test], y[test]
    return (
        *FETCH[name](subset="train", return_X_y=True),
        *FETCH[name](subset="test", return_X_y=True),
    )


def of_package(module, name, **parameters):
    """Return a function of a seed that builds an estimator of a package, if it is installed."""
    return lambda seed: getattr(import_module(module), name)(random_state=seed, **parameters)


class OpenTSNE:
    """openTSNE as a transformer: what `fit` returns embeds new rows."""

    def __init__(self, seed):
        self.estimator = import_module("openTSNE").TSNE(random_state=seed, n_jobs=-1)

    def fit(self, X):
        self.embedding = self.estimator.fit(X)
        return self

    def transform(self, X):
        return self.embedding.transform(X)


MANY = {"hidden_layer_sizes": (256, 256, 128, 64), "learning_rate_init": 0.002}
APART = NeighborPreservation(3.0, repulsion=100.0)
METHODS = {
    "pca": lambda seed: PCA(2, random_state=seed),
    "autoencoder": lambda seed: AutoencoderTransformer(2, random_state=seed),
    "neighbor_autoencoder": lambda seed: AutoencoderTransformer(
        2, hidden_layer_sizes=(256, 128, 64), penalty=NeighborPreservation(), random_state=seed
    ),
    # For many rows of many columns: more layers, noise, and more rows that all else stands for.
    "deep_neighbor_autoencoder": lambda seed: AutoencoderTransformer(
        2, **MANY, noise=GaussianNoise(0.15), max_iter=54, penalty=APART, random_state=seed
    ),
    # The same, of neighbors in richer codes.
    "code_neighbor_autoencoder": lambda seed: AutoencoderTransformer(
        2,
        **MANY,
        noise=GaussianNoise(1.0),
        max_iter=24,
        penalty=clone(APART).set_params(
            transformer=AutoencoderTransformer(
                10, hidden_layer_sizes=(512, 256, 128), noise=GaussianNoise(0.7)
            )
        ),
        random_state=seed,
    ),
    "tsne": lambda seed: TSNE(2, random_state=seed, n_jobs=-1),
    "opentsne": OpenTSNE,
    "umap": of_package("umap", "UMAP"),
    "pacmap": of_package("pacmap", "PaCMAP", save_tree=True),
}


def timed(function, *arguments):
    """Return what a function returns, and the seconds it took."""
    begin = time.perf_counter()
    result = function(*arguments)
    return result, time.perf_counter() - begin


def measure(build, X, y, X_test, y_test, seed):
    """Return what is measured of a method, as a row of the table."""
    estimator = build(seed)
    if not hasattr(estimator, "transform"):  # all rows at once
        codes, to_fit = timed(estimator.fit_transform, np.concatenate([X, X_test]))
        codes, new_codes = codes[: len(X)], codes[len(X) :]
        to_transform = None
    else:
        estimator, to_fit = timed(estimator.fit, X)
        codes = estimator.transform(X)
        new_codes, to_transform = timed(estimator.transform, X_test)
    some = slice(10_000)
    row = [
        knn_accuracy(codes, y, new_codes, y_test),
        trustworthiness(X_test[some], new_codes[some]),
    ]
    r2, to_invert = None, None
    if hasattr(estimator, "inverse_transform"):
        rebuilt, to_invert = timed(estimator.inverse_transform, new_codes)
        r2 = reconstruction_r2(X_test, rebuilt)
    return [*row, r2, to_fit, to_transform, to_invert]


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", default=["digits", *FETCH], metavar="SET")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--smoke", action="store_true", help="a few digits, one fit each")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.sets, arguments.seeds = ["digits"], 1
        arguments.methods = ["pca", "neighbor_autoencoder", "tsne", "opentsne", "umap", "pacmap"]

    table, absent = [], set()
    for name in arguments.sets:
        given = rows_of(name, arguments.smoke)
        for method in arguments.methods:
            for seed in range(arguments.seeds):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    try:
                        row = measure(METHODS[method], *given, seed)
                    except ModuleNotFoundError:
                        absent.add(method)
                        continue
                print(f"{name} {method} {seed}: {row}", flush=True)
                table.append([name, method, *row])
    headers = ["data", "method", "kNN accuracy", "trustworthiness", "R²", "fit [s]"]
    headers += ["transform [s]", "invert [s]"]
    print(tabulate(table, headers, floatfmt=("", "", ".3f", ".3f", ".3f", ".1f", ".2f", ".2f")))
    print("tsne embeds training and test rows together: it has no transform")
    if absent:
        print(f"not installed: {', '.join(sorted(absent))}")


if __name__ == "__main__":
    main()
