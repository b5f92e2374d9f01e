"""Every kind of autoencoder beside PCA, on the digits and on Fashion-MNIST.

Codes of 16 numbers; a row says how much of the variance of rows not trained on the
reconstruction explains, how well a linear probe tells their class from the codes, and what
the fit took. All kinds have their defaults, so a row is a starting point and not the best that
a kind can do: a penalty and a noise have a weight and a level, to be chosen by what the codes
are for.

    python benchmarks/variants.py [--data digits fashion-mnist] [--n-components 16] [--rows 20000]
"""

import argparse

from tabulate import tabulate

from skae import compare
from skae.comparison import METHODS
from skae.datasets import load_dataset


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", default=["digits", "fashion-mnist"])
    parser.add_argument("--n-components", type=int, default=16)
    parser.add_argument("--rows", type=int, default=70_000, help="at most, to fit and to measure")
    parser.add_argument("--smoke", action="store_true", help="300 digits and codes of 4 numbers")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.data, arguments.n_components, arguments.rows = ["digits"], 4, 300

    for name in arguments.data:
        data = load_dataset(name)
        X, y = data.data[: arguments.rows], data.target[: arguments.rows]
        comparison = compare(
            X,
            y,
            methods=["pca", *(method for method in METHODS if "autoencoder" in method)],
            n_components=arguments.n_components,
            random_state=0,
            verbose=True,
        )
        columns = ["reconstruction_r2", "linear_accuracy", "fit_seconds"]
        table = [
            [row["method"], *(row[column] for column in columns), "; ".join(row["notes"])]
            for row in comparison.rows
        ]
        print(f"{name}: {X.shape[0]} rows, codes of {arguments.n_components} numbers")
        headers = ["method", "held-out R2", "linear probe", "seconds", ""]
        print(tabulate(table, headers, floatfmt=("", ".3f", ".3f", ".1f")), "\n", flush=True)


if __name__ == "__main__":
    main()
