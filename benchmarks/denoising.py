"""Noisy rows rebuilt as clean ones: pairs given to `fit` beside noise that is known, and PCA.

Digits with noise of several kinds, three splits of 1400 rows to fit and 397 that are not. Each
number is the ratio of peak signal to noise of the new rows, decoded, in decibels. "pairs" is
``fit(noisy, clean)``; "part" has the noise as its parameter and clean rows, which takes knowing it;
"ignored" is an autoencoder of the noisy rows.

    python benchmarks/denoising.py [--splits 3] [--n-components 16]
"""

import argparse

import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from tabulate import tabulate

from skae import AutoencoderTransformer
from skae.noise import GaussianNoise, MaskingNoise


def noises(X):
    """Return pairs of a noise of rows and the part that stands for it, by name."""
    scale = np.sqrt(X.var(axis=0).mean())  # the unit that parts measure in
    return {
        "Gaussian, 0.25": (
            lambda random: X + random.normal(0, 0.25, X.shape),
            GaussianNoise(float(0.25 / scale)),
        ),
        "a third masked": (
            lambda random: np.where(random.uniform(size=X.shape) < 1 / 3, X.mean(axis=0), X),
            MaskingNoise(1 / 3),
        ),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--n-components", type=int, default=16)
    parser.add_argument("--smoke", action="store_true", help="300 rows, one split")
    arguments = parser.parse_args()
    X = load_digits().data / 16
    n_train = 1400
    if arguments.smoke:
        X, n_train, arguments.splits = X[:300], 200, 1

    k = arguments.n_components
    table = []
    for name, (corrupt, part) in noises(X).items():
        decibels = []
        for split in range(arguments.splits):
            random = np.random.RandomState(split)
            noisy, order = corrupt(random), random.permutation(len(X))
            train, test = order[:n_train], order[n_train:]
            models = [
                PCA(k).fit(noisy[train]),
                AutoencoderTransformer(k, random_state=0).fit(noisy[train]),
                AutoencoderTransformer(k, random_state=0).fit(noisy[train], X[train]),
                AutoencoderTransformer(k, noise=part, random_state=0).fit(X[train]),
            ]
            rebuilt = [model.inverse_transform(model.transform(noisy[test])) for model in models]
            errors = [np.square(rows - X[test]).mean() for rows in rebuilt]
            decibels.append(-10 * np.log10(errors))
        table.append([name, *np.mean(decibels, axis=0)])
    headers = ["noise", "PCA", "ignored", "pairs", "part"]
    print(f"digits, codes of {k} numbers, mean of {arguments.splits} splits, decibels")
    print(tabulate(table, headers, floatfmt=".2f"))


if __name__ == "__main__":
    main()
