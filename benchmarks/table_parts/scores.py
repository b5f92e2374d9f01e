"""Held-out share of a table, 0 for each column's own mean or frequencies, 1 for the table itself.

With 2 and 8 codes, of factor analysis of mixed data (FAMD: PCA of the columns as `TableEncoder` has
them), AutoencoderTransformer of the same columns with its squared error, and
TableAutoencoderTransformer.
"""

import time

import numpy as np
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from tabulate import tabulate

from skae import AutoencoderTransformer, TableAutoencoderTransformer, TableEncoder

from .data import load


def share(encoder, true, rebuilt):
    """Return the share of a table that is rebuilt, as TableAutoencoderTransformer's score does."""
    constant = np.tile(np.nanmean(true, axis=0), (len(true), 1))
    errors = [np.nansum(encoder.column_errors(true, rows)) for rows in (rebuilt, constant)]
    return 1 - errors[0] / errors[1]


def run(names, n_rows, n_seeds, *, smoke):
    components = [2] if smoke else [2, 8]
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
