"""A share of the values is removed, and filled again.

Of numbers the root mean squared error in standard deviations, of categories the share that is
right. Values are removed at random, or by a rule: only in rows where the next column of numbers is
above its median, and twice as often there. `KNNImputer` and `IterativeImputer` fill the columns of
`TableEncoder`; MissForest (Stekhoven & Bühlmann 2012, doi:10.1093/bioinformatics/btr597) is a
random forest for each column, regression or classification, of the other columns as they were
filled last. Seconds are those of the processor.
"""

import time

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer
from sklearn.preprocessing import StandardScaler
from tabulate import tabulate

from skae import AutoencoderImputer, TableEncoder

from .data import load, numbers_of, plain, words_of

ROUNDS, TREES = 4, 50


def fill_constant(holes):
    """Fill with means and the most frequent levels."""
    numbers = numbers_of(holes)
    return holes.fillna(
        {name: holes[name].mean() if name in numbers else holes[name].mode()[0] for name in holes}
    )


def miss_forest(holes):
    """Fill each column from the others by random forests, round after round."""
    missing, numbers = holes.isna(), numbers_of(holes)
    columns = missing.sum().sort_values(kind="stable")
    columns = columns[columns > 0].index
    filled = fill_constant(holes)
    codes = {name: {level: i for i, level in enumerate(filled[name].unique())} for name in holes}

    def inputs():
        return filled.assign(
            **{name: filled[name].map(codes[name]) for name in filled if name not in numbers}
        )

    before = np.inf
    for _ in range(ROUNDS):
        last = filled.copy()
        for name in columns:
            forest = RandomForestRegressor if name in numbers else RandomForestClassifier
            forest = forest(TREES, max_features="sqrt", random_state=0)
            rows, hole = inputs().drop(columns=name), missing[name]
            known = holes[name][~hole]
            forest.fit(rows[~hole], known if name in numbers else known.astype(str))
            given = forest.predict(rows[hole])
            if name not in numbers:
                words = {str(level): level for level in known.unique()}
                given = np.array([*map(words.get, given)], dtype=object)
            filled.loc[hole, name] = given
        # It stops when what is filled changes more than in the round before.
        scale = holes[numbers].std()
        moved = ((filled[numbers] - last[numbers]) / scale.where(scale > 0, 1.0)).to_numpy()
        words = [name for name in holes if name not in numbers]
        now = np.square(moved).sum() + (filled[words] != last[words]).to_numpy().sum()
        if now >= before:
            return last
        before = now
    return filled


def of_matrix(imputer):
    """Return a function that fills the columns of TableEncoder."""

    def fill(holes):
        encoder = TableEncoder().fit(holes)
        rows = encoder.inverse_transform(imputer.fit_transform(encoder.transform(holes)))
        return holes.where(holes.notna(), rows)

    return fill


def ours(holes):
    """Fill a table; of numbers alone, standardized ones."""
    scaler = StandardScaler().set_output(transform="pandas")
    if words_of(holes):
        return AutoencoderImputer(random_state=0).fit_transform(holes)
    rows = AutoencoderImputer(random_state=0).fit_transform(scaler.fit_transform(holes))
    return holes.where(holes.notna(), scaler.inverse_transform(rows))


FILLERS = {
    "mean, most frequent": fill_constant,
    "KNNImputer": of_matrix(KNNImputer()),
    "IterativeImputer": of_matrix(IterativeImputer(max_iter=5, random_state=0)),
    "MissForest": miss_forest,
    "ours": ours,
}


def removed(table, how, part):
    """Return which values are removed, those that are there."""
    random = np.random.RandomState(0)
    chance = np.full(table.shape, part)
    if how == "rule":
        numbers = numbers_of(table)
        for i in range(table.shape[1]):
            after = [other for other in [*table.columns[i + 1 :], *table.columns[:i]]]
            other = next((one for one in after if one in numbers), None)
            if other is not None:
                chance[:, i] = 2 * part * (table[other] > table[other].median())
    return (random.uniform(size=table.shape) < chance) & table.notna().to_numpy()


def judge(table, filled, hidden):
    """Return the error of numbers and the share of categories that is right."""
    errors, right = [], []
    for i, column in enumerate(table):
        there, given = table[column][hidden[:, i]], filled[column][hidden[:, i]]
        if table[column].dtype.kind == "f":
            spread = table[column].std() or 1.0
            errors += (((there - given) / spread) ** 2).tolist()
        else:
            right += (there == given).tolist()
    return np.sqrt(np.mean(errors)) if errors else np.nan, np.mean(right or [np.nan])


def run(names, n_rows, n_seeds, *, smoke):
    cases = [("random", 0.1), ("random", 0.3), ("rule", 0.3)]
    headers = ["table", "removed", "share", "filled by", "numbers: error", "categories: right", "s"]
    formats = ("", "", "", "", ".3f", ".3f", ".1f")
    found = {method: [] for method in FILLERS}
    for name in names:
        table, lines = plain(load(name, n_rows)), []
        for how, part in cases[1:] if smoke else cases:
            hidden = removed(table, how, part)
            with_holes = table.mask(hidden)
            for method, fill in FILLERS.items():
                begun = time.process_time()
                filled = fill(with_holes)
                seconds = time.process_time() - begun
                lines.append([name, how, part, method, *judge(table, filled, hidden), seconds])
                found[method].append(lines[-1][4:])
        print(tabulate(lines, headers, floatfmt=formats), "\n", flush=True)
    means = [
        ["mean of all", "", "", method, *pd.DataFrame(of_each).mean()]
        for method, of_each in found.items()
    ]
    print(tabulate(means, headers, floatfmt=formats), flush=True)
