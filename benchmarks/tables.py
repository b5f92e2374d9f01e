"""Tables of numbers, categories and holes: what codes explain, and how well holes are filled.

Scores: held-out share of a table, 0 for each column's own mean or frequencies and 1 for the table
itself, with 2 and 8 codes, of factor analysis of mixed data (FAMD: PCA of the columns as
`TableEncoder` has them), AutoencoderTransformer of the same columns with its squared error, and
TableAutoencoderTransformer.

Holes: a share of the values is removed, and filled again. Of numbers the root mean squared error in
standard deviations, of categories the share that is right.

The tables are files of the folder that SKAE_DATA names (tables/*.csv or *.csv.gz), of which some
rows are taken; without it, a table that is made.

    SKAE_DATA=folder python benchmarks/tables.py [--tables penguins titanic] [--rows 2000]
        [--seeds 3] [--parts scores holes] [--smoke]
"""

import argparse
import os
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer
from sklearn.model_selection import train_test_split
from tabulate import tabulate

from skae import AutoencoderTransformer, TableAutoencoderTransformer, TableEncoder
from skae.exceptions import UnknownCategoryWarning

NAMES = ["penguins", "titanic", "mpg", "german", "horse-colic", "abalone", "diamonds", "adult"]
WITHOUT_HEADER = {"german", "horse-colic", "abalone", "adult"}
LEFT_OUT = {"mpg": ["name"]}  # a new word in nearly each row


def made(n_rows=400):
    """Return a table in which one hidden number decides most."""
    random = np.random.RandomState(0)
    hidden = random.normal(size=n_rows)
    return pd.DataFrame(
        {
            "a": hidden + random.normal(size=n_rows) / 3,
            "b": hidden**2 + random.normal(size=n_rows) / 3,
            "c": np.array([*"wxyz"])[np.digitize(hidden, [-1, 0, 1])],
            "d": random.choice([*"pq"], n_rows),
            "e": hidden > random.normal(size=n_rows) / 2,
        }
    )


def load(name, n_rows):
    if name == "made":
        return made(n_rows)
    (path,) = Path(os.environ["SKAE_DATA"], "tables").glob(f"{name.split('.')[0]}*.csv*")
    header = None if name in WITHOUT_HEADER else "infer"
    table = pd.read_csv(path, header=header, na_values="?", skipinitialspace=True)
    table = table.drop(columns=LEFT_OUT.get(name, [])).rename(columns=str)
    return table.sample(min(n_rows, len(table)), random_state=0).reset_index(drop=True)


def share(encoder, true, rebuilt):
    """Return the share of a table that is rebuilt, as TableAutoencoderTransformer's score does."""
    constant = np.tile(np.nanmean(true, axis=0), (len(true), 1))
    errors = [np.nansum(encoder.column_errors(true, rows)) for rows in (rebuilt, constant)]
    return 1 - errors[0] / errors[1]


def scores(names, n_rows, n_seeds, components):
    lines = []
    for name in names:
        table = load(name, n_rows)
        for k in components:
            found, seconds = [], []
            for seed in range(n_seeds):
                train, test = train_test_split(table, random_state=seed)
                encoder = TableEncoder().fit(train)
                M, N = encoder.transform(train), encoder.transform(test)
                n_codes = min(k, M.shape[1] - 1)
                pca = PCA(n_codes).fit(np.nan_to_num(M))
                famd = pca.inverse_transform(pca.transform(np.nan_to_num(N)))
                plain = AutoencoderTransformer(n_codes, missing="mask", random_state=0).fit(M)
                begun = time.perf_counter()
                ours = TableAutoencoderTransformer(n_codes, random_state=0).fit(train)
                seconds.append(time.perf_counter() - begun)
                found.append(
                    [
                        share(encoder, N, famd),
                        share(encoder, N, plain.inverse_transform(plain.transform(N))),
                        ours.score(test),
                    ]
                )
            mean = np.mean(found, axis=0)
            worst = np.min(np.array(found)[:, 2] - np.array(found)[:, 0])
            lines.append([name, *table.shape, k, *mean, worst, np.median(seconds)])
    headers = ["table", "rows", "columns", "k", "FAMD", "squared error", "ours", "least gain", "s"]
    print(f"held-out share of the table, mean of {n_seeds} splits; seconds of our fit")
    print(tabulate(lines, headers, floatfmt=("", "", "", "", ".3f", ".3f", ".3f", "+.3f", ".1f")))
    print(flush=True)


def fillers(table):
    """Return functions that fill holes of a table, by names."""

    def most_frequent(holes):
        constant = {
            name: column.mean() if column.dtype.kind in "fi" else column.mode()[0]
            for name, column in holes.items()
        }
        return holes.fillna(constant)

    def of_matrix(imputer):
        def fill(holes):
            encoder = TableEncoder().fit(holes)
            rows = encoder.inverse_transform(imputer.fit_transform(encoder.transform(holes)))
            return holes.where(holes.notna(), rows)

        return fill

    def ours(holes):
        autoencoder = AutoencoderTransformer(noise="masking", early_stopping=False)
        model = TableAutoencoderTransformer(
            max(1, holes.shape[1] // 2), autoencoder=autoencoder, random_state=0
        )
        return model.fit(holes).impute(holes)

    return {
        "mean, most frequent": most_frequent,
        "KNNImputer": of_matrix(KNNImputer()),
        "IterativeImputer": of_matrix(IterativeImputer(max_iter=5, random_state=0)),
        "ours": ours,
    }


def holes(names, n_rows, shares):
    lines = []
    for name in names:
        table = load(name, n_rows)
        table = table.astype({c: float for c in table if table[c].dtype.kind in "iu"})
        table = table.astype({c: object for c in table if table[c].dtype.kind not in "f"})
        for part in shares:
            random = np.random.RandomState(0)
            hidden = (random.uniform(size=table.shape) < part) & table.notna().to_numpy()
            with_holes = table.mask(hidden)
            for method, fill in fillers(table).items():
                begun = time.perf_counter()
                filled = fill(with_holes)
                seconds = time.perf_counter() - begun
                errors, right = [], []
                for i, column in enumerate(table):
                    there, given = table[column][hidden[:, i]], filled[column][hidden[:, i]]
                    if table[column].dtype.kind == "f":
                        spread = table[column].std() or 1.0
                        errors += (((there - given) / spread) ** 2).tolist()
                    else:
                        right += (there == given).tolist()
                rmse = np.sqrt(np.mean(errors)) if errors else np.nan
                lines.append([name, part, method, rmse, np.mean(right or [np.nan]), seconds])
    headers = ["table", "removed", "filled by", "numbers: error", "categories: right", "s"]
    print(tabulate(lines, headers, floatfmt=("", "", "", ".3f", ".3f", ".1f")), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    known = NAMES if "SKAE_DATA" in os.environ else ["made"]
    parser.add_argument("--tables", nargs="+", default=known)
    parser.add_argument("--rows", type=int, default=2000, help="at most")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--parts", nargs="+", choices=["scores", "holes"], default=["scores", "holes"]
    )
    parser.add_argument("--smoke", action="store_true", help="a table that is made, one split")
    arguments = parser.parse_args()
    components, shares = [2, 8], [0.1, 0.3]
    if arguments.smoke:
        arguments.tables, arguments.rows, arguments.seeds = ["made"], 200, 1
        components, shares = [2], [0.1]
    warnings.simplefilter("ignore", UnknownCategoryWarning)
    warnings.simplefilter("ignore", FutureWarning)
    if "scores" in arguments.parts:
        scores(arguments.tables, arguments.rows, arguments.seeds, components)
    if "holes" in arguments.parts:
        holes(arguments.tables, arguments.rows, shares)


if __name__ == "__main__":
    main()
