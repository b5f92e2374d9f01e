"""What a default fit costs, and what it is worth beside its neighbors in scikit-learn.

Tables: seconds of AutoencoderTransformer(2).fit(X) and of t-SNE, MLPRegressor(X, X), PCA and, where
it is installed, UMAP, on the same rows, one after the other, in several rounds; of each the median.
The held-out R² is that of the split of `skae.compare` with random_state=0.

Starts: held-out R² of the default and of both explicit starts, in the units of the columns and
standardized, k = 1, 2, 4, 8; how far the default is short of the better one.

What fits of many rows cost, beside a loop written by hand: `speed.py`.

    python benchmarks/default_fit.py [--parts tables starts] [--rounds 3] [--seeds 1] [--smoke]
"""

import argparse
import itertools
import time
import warnings

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.manifold import TSNE
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler
from tabulate import tabulate

from skae import AutoencoderTransformer
from skae.metrics import reconstruction_r2_scorer

TABLES = {
    "iris": load_iris,
    "wine": load_wine,
    "breast cancer": load_breast_cancer,
    "diabetes": load_diabetes,
    "digits": load_digits,
}


SIZES = (128, 64, 2, 64, 128)


def rows_of(name, standardized):
    X = TABLES[name]().data
    return StandardScaler().fit_transform(X) if standardized else X


def seconds_of(work, *arguments):
    start = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - start


def methods(X):
    """Return what is timed on X, by names."""
    found = {
        "autoencoder": lambda: AutoencoderTransformer(2, random_state=0).fit(X),
        "t-SNE": lambda: TSNE(2, random_state=0).fit(X),
        "MLPRegressor": lambda: MLPRegressor(hidden_layer_sizes=SIZES, random_state=0).fit(X, X),
        "PCA": lambda: PCA(2).fit(X),
    }
    try:
        from umap import UMAP
    except ImportError:
        return found
    return {**found, "UMAP": lambda: UMAP(2, random_state=0).fit(X)}


def held_out_r2(X, seed, k=2, **parameters):
    """Return the R² of rows held out, and the fitted estimator."""
    X_train, X_test = train_test_split(X, random_state=seed)
    fitted = AutoencoderTransformer(k, random_state=seed, **parameters).fit(X_train)
    return reconstruction_r2_scorer(fitted, X_test), fitted


def tables(names, n_rounds):
    """Print the seconds of a default fit and of its neighbors."""
    lines = []
    for name, standardized in itertools.product(names, [False, True]):
        X = rows_of(name, standardized)
        work = methods(X)
        rounds = [{key: seconds_of(one) for key, one in work.items()} for _ in range(n_rounds)]
        medians = {key: float(np.median([one[key] for one in rounds])) for key in work}
        r2, fitted = held_out_r2(X, seed=0)
        noise = None if fitted.noise_ is None else fitted.noise_.level
        lines.append(
            {
                "data": name,
                "rows": len(X),
                "scaled": "yes" if standardized else "no",
                **medians,
                "over t-SNE": medians["autoencoder"] / medians["t-SNE"],
                "R²": r2,
                "chosen": f"{fitted.init_}, noise {noise}, {fitted.best_iter_} epochs",
            }
        )
    print(tabulate(lines, headers="keys", floatfmt=".3g"), end="\n\n")


def starts(names, n_seeds, components):
    """Print how far the default is short of the better explicit start."""
    lines = []
    cases = itertools.product(names, [False, True], components, range(n_seeds))
    for name, standardized, k, seed in cases:
        X = rows_of(name, standardized)
        if k >= X.shape[1]:
            continue
        explicit = [held_out_r2(X, seed, k, init=init, noise=None)[0] for init in ("pca", "random")]
        lines.append([name, standardized, k, seed, *explicit, held_out_r2(X, seed, k)[0]])
    gaps = [max(line[4:6]) - line[6] for line in lines]
    headers = ["data", "scaled", "k", "seed", "pca", "random", "default"]
    print(tabulate(lines, headers=headers, floatfmt=".4f"))
    print(
        f"short of the better explicit start: {np.mean(np.maximum(gaps, 0)):.4f} on average, "
        f"{max(gaps):.4f} at worst; {np.mean(gaps):+.4f} where being ahead counts, too\n"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    kinds = ["tables", "starts"]
    parser.add_argument("--parts", nargs="+", choices=kinds, default=kinds)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=1, help="splits of the starts' comparison")
    parser.add_argument("--smoke", action="store_true", help="one small table, few rows")
    arguments = parser.parse_args()
    smoke = arguments.smoke
    names = ["iris"] if smoke else list(TABLES)
    warnings.simplefilter("ignore", ConvergenceWarning)  # MLPRegressor's epochs are what they are
    AutoencoderTransformer(2, max_iter=1).fit(load_iris().data)  # imports half of torch
    if "tables" in arguments.parts:
        tables(names, 1 if smoke else arguments.rounds)
    if "starts" in arguments.parts:
        starts(names, arguments.seeds, [1] if smoke else [1, 2, 4, 8])


if __name__ == "__main__":
    main()
