"""Filling holes in tables: an autoencoder beside scikit-learn's imputers.

Of standardized tables that ship with scikit-learn, a share of the values is removed at random
("any") or, in half of the columns, those above the column's quantile ("high", which the means
of what is left do not show). A number is the root mean squared error on the removed values in
standard deviations of their columns: 1 is as good as the mean of the complete column. The
autoencoders are those of AutoencoderImputer with its defaults.

    python benchmarks/imputation.py [--seeds 3] [--shares 0.1 0.3 0.5]
"""

import argparse
import time

import numpy as np
from sklearn import datasets
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.preprocessing import StandardScaler
from tabulate import tabulate

from skae import AutoencoderImputer


def tables():
    """Return name -> complete standardized table."""
    return {
        name: StandardScaler().fit_transform(load().data)
        for name, load in {
            "iris": datasets.load_iris,
            "wine": datasets.load_wine,
            "diabetes": datasets.load_diabetes,
            "breast cancer": datasets.load_breast_cancer,
            "digits, every 4th": datasets.load_digits,
        }.items()
    }


def holes(X, share, kind, seed):
    """Return which values to remove."""
    random = np.random.RandomState(seed)
    if kind == "any":
        return random.uniform(size=X.shape) < share
    chosen = random.permutation(X.shape[1])[: max(1, X.shape[1] // 2)]
    removed = np.zeros(X.shape, dtype=bool)
    removed[:, chosen] = X[:, chosen] > np.quantile(X[:, chosen], 1 - share, axis=0)
    return removed


METHODS = {
    "mean": lambda X, seed: SimpleImputer(keep_empty_features=True).fit_transform(X),
    "nearest": lambda X, seed: KNNImputer(keep_empty_features=True).fit_transform(X),
    "iterative": lambda X, seed: IterativeImputer(
        random_state=seed, keep_empty_features=True, tol=1e-2
    ).fit_transform(X),
    "autoencoders": lambda X, seed: AutoencoderImputer(random_state=seed).fit_transform(X),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--shares", type=float, nargs="+", default=[0.1, 0.3, 0.5])
    parser.add_argument("--smoke", action="store_true", help="iris, one share and one seed")
    arguments = parser.parse_args()
    complete = tables()
    complete["digits, every 4th"] = complete["digits, every 4th"][::4]
    if arguments.smoke:
        arguments.seeds, arguments.shares = 1, [0.3]
        complete = {"iris": complete["iris"]}

    rows, seconds = [], dict.fromkeys(METHODS, 0.0)
    cases = [("any", share) for share in arguments.shares] + [("high", 0.2)]
    for name, X in complete.items():
        for kind, share in cases:
            errors = {method: [] for method in METHODS}
            for seed in range(arguments.seeds):
                removed = holes(X, share, kind, seed)
                for method, impute in METHODS.items():
                    begun = time.perf_counter()
                    filled = impute(np.where(removed, np.nan, X), seed)
                    seconds[method] += time.perf_counter() - begun
                    errors[method].append(np.sqrt(np.square(filled - X)[removed].mean()))
            rows.append([name, kind, share, *(np.mean(e) for e in errors.values())])
    rows.append(["mean of all", "", None, *np.mean([row[3:] for row in rows], axis=0)])
    rows.append(["seconds of all", "", None, *seconds.values()])
    headers = ["table", "removed", "share", *METHODS]
    print(tabulate(rows, headers, floatfmt=("", "", ".1f", ".3f", ".3f", ".3f", ".3f")))


if __name__ == "__main__":
    main()
