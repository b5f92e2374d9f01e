"""Is AutoencoderTransformer(k) ever worse than PCA(k), and where is it better?

Held-out R² of both, on the same splits, over data sets that ship with scikit-learn: real
and made, raw and standardized, fewer rows than columns, fewer than 50 rows, columns of
very different scale. A case is a data set, a scaling, a k and a seed; the gain is R² of
the autoencoder less that of PCA fitted to the same training rows.

    python benchmarks/pca_floor.py [--seeds 5] [--jobs 2]
"""

import argparse
import itertools
import time

import numpy as np
from joblib import Parallel, delayed
from sklearn import datasets
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from tabulate import tabulate

from skae import AutoencoderTransformer
from skae.metrics import reconstruction_r2_scorer

N_COMPONENTS = (1, 2, 4, 8)


def patches(n_patches=1500, size=8):
    """Return grey 8x8 patches of a photograph."""
    image = datasets.load_sample_image("china.jpg").mean(axis=2) / 255
    random = np.random.RandomState(0)
    tops = random.randint(0, image.shape[0] - size, n_patches)
    lefts = random.randint(0, image.shape[1] - size, n_patches)
    corners = zip(tops, lefts, strict=True)
    return np.array([image[t : t + size, left : left + size].ravel() for t, left in corners])


def some(X, n_rows):
    """Return a few rows of X."""
    return X[np.random.RandomState(0).choice(len(X), n_rows, replace=False)]


def data_sets():
    """Return name -> X; those named in CURVED lie near a curved surface."""
    exercise, body = datasets.load_linnerud(return_X_y=True)
    digits = datasets.load_digits().data
    cancer = datasets.load_breast_cancer().data
    wine = datasets.load_wine().data
    return {
        "iris": datasets.load_iris().data,
        "wine": wine,
        "breast cancer": cancer,
        "diabetes": datasets.load_diabetes().data,
        "linnerud": np.column_stack([exercise, body]),
        "digits": digits,
        "photo patches": patches(),
        "swiss roll": datasets.make_swiss_roll(1000, noise=0.3, random_state=0)[0],
        "s curve": datasets.make_s_curve(1000, noise=0.05, random_state=0)[0],
        "moons": datasets.make_moons(500, noise=0.1, random_state=0)[0],
        "friedman": datasets.make_friedman1(300, noise=1.0, random_state=0)[0],
        "wine, 30 rows": some(wine, 30),
        "cancer, 45 rows": some(cancer, 45),
        "digits, 40 rows": some(digits, 40),
    }


CURVED = ("digits", "swiss roll", "s curve", "moons", "breast cancer")


def case(name, X, standardized, k, seed):
    """Return the held-out R² of PCA and of the autoencoder, and the seconds of the latter."""
    X_train, X_test = train_test_split(X, test_size=0.25, random_state=seed)
    if standardized:
        scaler = StandardScaler().fit(X_train)
        X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)
    pca = PCA(k).fit(X_train)
    begun = time.perf_counter()
    autoencoder = AutoencoderTransformer(k, random_state=seed).fit(X_train)
    seconds = time.perf_counter() - begun
    return {
        "data": name,
        "rows": len(X_train),
        "columns": X.shape[1],
        "scaled": "yes" if standardized else "no",
        "k": k,
        "pca": reconstruction_r2_scorer(pca, X_test),
        "autoencoder": reconstruction_r2_scorer(autoencoder, X_test),
        "left": autoencoder.best_iter_ > 0,
        "seconds": seconds,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--smoke", action="store_true", help="two small data sets, one seed")
    arguments = parser.parse_args()
    sets = data_sets()
    if arguments.smoke:
        arguments.seeds, sets = 1, {name: sets[name] for name in ("linnerud", "moons")}

    cases = [
        delayed(case)(name, X, standardized, k, seed)
        for (name, X), standardized, k, seed in itertools.product(
            sets.items(), (False, True), N_COMPONENTS, range(arguments.seeds)
        )
        if k < min(X.shape[1], 0.75 * len(X))
    ]
    results = Parallel(arguments.jobs, verbose=1)(cases)

    table = []
    for _, group in itertools.groupby(results, lambda row: (row["data"], row["scaled"], row["k"])):
        group = list(group)
        gains = np.array([row["autoencoder"] - row["pca"] for row in group])
        first = group[0]
        table.append(
            [
                *(first[name] for name in ("data", "rows", "columns", "scaled", "k")),
                np.mean([row["pca"] for row in group]),
                np.mean([row["autoencoder"] for row in group]),
                gains.mean(),
                gains.min(),
                f"{sum(row['left'] for row in group)}/{len(group)}",
                np.mean([row["seconds"] for row in group]),
            ]
        )
    headers = ["data", "rows", "columns", "scaled", "k", "PCA", "autoencoder", "mean gain"]
    headers += ["worst gain", "left PCA", "seconds"]
    formats = ("", "", "", "", "", ".4f", ".4f", "+.4f", "+.4f", "", ".1f")
    print(tabulate(table, headers, floatfmt=formats))

    gains = np.array([row["autoencoder"] - row["pca"] for row in results])
    worst = results[int(gains.argmin())]
    curved = np.array([row["data"] in CURVED for row in results])
    print(f"\n{len(gains)} cases: mean gain {gains.mean():+.4f}")
    print(f"more than 0.01 below PCA: {(gains < -0.01).sum()}")
    print(f"at least 0.01 above PCA: {(gains >= 0.01).sum()}")
    if curved.any():
        print(f"  where the data is curved: {(gains[curved] >= 0.01).sum()} of {curved.sum()}")
    print(
        f"worst case: {worst['data']}, scaled: {worst['scaled']}, k = {worst['k']}: "
        f"{worst['autoencoder']:.4f} against {worst['pca']:.4f}, {gains.min():+.4f}"
    )


if __name__ == "__main__":
    main()
