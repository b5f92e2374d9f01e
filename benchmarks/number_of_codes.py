"""How many codes `n_components="auto"` asks for, where the number of dimensions is known.

Surfaces, rows of a low rank with noise, and, where scikit-dimension is installed (it is in the
extra `bench`), the manifolds of its benchmark that have 30 columns or fewer (Hein & Audibert 2005,
https://doi.org/10.1145/1102351.1102388; Campadelli et al. 2015,
https://doi.org/10.1155/2015/759567) and its estimators of dimension: TwoNN (Facco et al. 2017,
https://doi.org/10.1038/s41598-017-11873-y) and the maximum likelihood (Levina & Bickel 2004). An
estimator of dimension looks at neighborhoods and maps nothing; as many codes may be too few where
a surface is closed or rolled up tightly, since a network has to lay it flat. PCA is given as many
components as reach 95 % of the variance.

    python benchmarks/number_of_codes.py [--rows 1000] [--sets M7_Roll ...] [--smoke]
"""

import argparse
import time

import numpy as np
from sklearn.datasets import load_digits, make_s_curve, make_swiss_roll
from sklearn.decomposition import PCA
from tabulate import tabulate

from skae import AutoencoderTransformer

try:
    import skdim
except ImportError:
    skdim = None

MOST_COLUMNS = 30


def sphere(n_dimensions, n_rows, random):
    """Return rows on the surface of a ball of one dimension more."""
    rows = random.normal(size=(n_rows, n_dimensions + 1))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def of_rank(rank, n_columns, n_rows, random):
    """Return rows of a rank, with noise of a fifth of each column."""
    loadings = random.normal(size=(rank, n_columns))
    signal = random.normal(size=(n_rows, rank)) @ (loadings / np.linalg.norm(loadings, axis=0))
    return signal + 0.2 * random.normal(size=signal.shape)


def data_sets(n_rows):
    """Return rows and their number of dimensions, which is None if nobody knows, by name."""
    random = np.random.RandomState(0)
    found = {
        "swiss roll": (make_swiss_roll(n_rows, random_state=0)[0], 2),
        "S-curve": (make_s_curve(n_rows, random_state=0)[0], 2),
        "sphere of 2": (sphere(2, n_rows, random), 2),
        "sphere of 5": (sphere(5, n_rows, random), 5),
        "rank 3 of 10": (of_rank(3, 10, n_rows, random), 3),
        "rank 5 of 20": (of_rank(5, 20, n_rows, random), 5),
        "digits": (load_digits().data[:n_rows], None),
    }
    if skdim is not None:
        manifolds = skdim.datasets.BenchmarkManifolds(random_state=0)
        truth = manifolds.truth["Intrinsic Dimension"]
        for name, rows in manifolds.generate(n=n_rows).items():
            if rows.shape[1] <= MOST_COLUMNS:
                found[name] = (rows, int(truth[name]))
    return found


def measured(rows, **parameters):
    """Return the numbers that each method finds, and the seconds that ours takes."""
    start = time.perf_counter()
    fitted = AutoencoderTransformer("auto", random_state=0, **parameters).fit(rows)
    line = [fitted.n_components_, time.perf_counter() - start, PCA(0.95).fit(rows).n_components_]
    if skdim is not None:
        varying = rows[:, rows.std(axis=0) > 0]
        line += [skdim.id.TwoNN().fit(varying).dimension_, skdim.id.MLE().fit(varying).dimension_]
    return line


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--sets", nargs="+", help="names of some of the sets")
    parser.add_argument("--smoke", action="store_true", help="two sets of few rows, two epochs")
    arguments = parser.parse_args()
    parameters = {}
    if arguments.smoke:
        arguments.rows, arguments.sets = 100, ["swiss roll", "digits"]
        parameters = {"max_iter": 2, "hidden_layer_sizes": 16}
    if skdim is None:
        print("scikit-dimension is not installed: its manifolds and estimators are left out.")
    lines = [
        [name, rows.shape[1], dimension, *measured(rows, **parameters)]
        for name, (rows, dimension) in data_sets(arguments.rows).items()
        if not arguments.sets or name in arguments.sets
    ]
    headers = ["set", "columns", "dimensions", '"auto"', "seconds", "PCA, 95 %"]
    headers += [] if skdim is None else ["TwoNN", "likelihood"]
    print(tabulate(lines, headers, floatfmt=".1f", missingval="?"))


if __name__ == "__main__":
    main()
