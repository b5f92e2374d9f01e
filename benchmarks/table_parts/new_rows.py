"""New rows beside rows that were held out.

"told apart" is the cross-validated ROC AUC of gradient boosting that learns which rows are new:
0.5 is as good as rows of the table. "associations" is the mean absolute difference between what
pairs of columns have to do with each other in new rows and in those held out: correlations of
numbers, correlation ratios of a number and a category, Cramér's V of categories.

Rows of the training half themselves are what can be had at best. Columns drawn one by one have no
associations; the Gaussian copula has those of ranks, levels being ordered by how frequent they are.
Values are missing in new rows as they are in training rows. CTGAN and TVAE (Xu et al. 2019,
arXiv:1907.00503) are among the methods where their package, ctgan, is installed; as they take no
missing numbers, means and most frequent levels are in the holes of what they are fitted to.
"""

import time
import warnings
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import norm
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict, train_test_split
from tabulate import tabulate

from skae import TableAutoencoderTransformer, VariationalAutoencoderTransformer

from .data import load, numbers_of, words_of

N_CODES = 6


def of_training(train, n_rows, random):
    return train


def one_by_one(train, n_rows, random):
    return pd.DataFrame(
        {name: random.choice(train[name].dropna().to_numpy(), n_rows) for name in train}
    )


def gaussian_copula(train, n_rows, random):
    ranks, ordered = [], []
    for name in train:
        column = train[name]
        order = column
        if name not in numbers_of(train):
            order = column.map(column.value_counts()).rank(method="dense") + 1e-3 * column.map(
                {level: i for i, level in enumerate(column.dropna().unique())}
            ).astype(float)
        jitter = pd.Series(random.uniform(size=len(train)), index=train.index)
        place = pd.DataFrame({"order": order.astype(float), "jitter": jitter}).dropna()
        place = place.sort_values(["order", "jitter"]).index
        rank = pd.Series((np.arange(len(place)) + 0.5) / len(place), index=place)
        ranks.append(pd.Series(norm.ppf(rank), index=rank.index).reindex(train.index).fillna(0.0))
        ordered.append(column[place].to_numpy())
    correlation = np.corrcoef(np.array(ranks))
    normal = random.multivariate_normal(np.zeros(len(ordered)), correlation, n_rows)
    places = [
        (norm.cdf(normal[:, i]) * len(values)).astype(int).clip(0, len(values) - 1)
        for i, values in enumerate(ordered)
    ]
    drawn = [values[place] for values, place in zip(ordered, places, strict=True)]
    return pd.DataFrame(dict(zip(train.columns, drawn, strict=True)))


def ours(train, n_rows, random):
    n_codes = min(N_CODES, train.shape[1] - 1)
    autoencoder = VariationalAutoencoderTransformer()
    model = TableAutoencoderTransformer(n_codes, autoencoder=autoencoder, random_state=0)
    return model.fit(train).sample(n_rows, random_state=random.randint(1000))


def of_ctgan(kind, train, n_rows, random):
    words = words_of(train)
    whole = train.fillna({name: train[name].mean() for name in numbers_of(train)})
    whole = whole.fillna({name: train[name].mode()[0] for name in words})
    model = getattr(import_module("ctgan"), kind)()
    model.set_random_state(random.randint(1000))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(whole, words)
        return model.sample(n_rows)


METHODS = {
    "rows of training": of_training,
    "columns one by one": one_by_one,
    "Gaussian copula": gaussian_copula,
    "ours": ours,
}
if find_spec("ctgan") is not None:
    METHODS |= {kind: partial(of_ctgan, kind) for kind in ("CTGAN", "TVAE")}


def as_numbers(*tables):
    """Return tables as numbers, in which levels have the same numbers."""
    both = pd.concat(tables, ignore_index=True)
    numbers = numbers_of(tables[0])
    return pd.DataFrame(
        {
            name: both[name].astype(float)
            if name in numbers
            else pd.Series(pd.factorize(both[name])[0]).replace(-1, np.nan)
            for name in both
        }
    )


def told_apart(held_out, new):
    """Return the ROC AUC of gradient boosting that tells new rows from those held out."""
    y = np.repeat([0, 1], [len(held_out), len(new)])
    chance = cross_val_predict(
        HistGradientBoostingClassifier(max_iter=50, random_state=0),
        as_numbers(held_out, new),
        y,
        cv=StratifiedKFold(5, shuffle=True, random_state=0),
        method="predict_proba",
    )
    return roc_auc_score(y, chance[:, 1])


def association(first, second, are_numbers):
    """Return how much two columns have to do with each other, from 0 to 1 (or from -1)."""
    known = first.notna() & second.notna()
    first, second = first[known], second[known]
    if first.nunique() < 2 or second.nunique() < 2:
        return 0.0
    if all(are_numbers):
        return np.corrcoef(first, second)[0, 1]
    if any(are_numbers):
        number, level = (first, second) if are_numbers[0] else (second, first)
        between = number.groupby(level).transform("mean")
        return np.sqrt(between.var(ddof=0) / number.var(ddof=0))
    counts = pd.crosstab(first, second).to_numpy()
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    chi_squared = (np.square(counts - expected) / expected).sum()
    return np.sqrt(chi_squared / counts.sum() / (min(counts.shape) - 1))


def difference(held_out, new):
    """Return the mean absolute difference of the associations of all pairs of columns."""
    both, numbers = as_numbers(held_out, new), numbers_of(held_out)
    first, second = both[: len(held_out)], both[len(held_out) :]
    found = [
        [association(some[a], some[b], [a in numbers, b in numbers]) for some in (first, second)]
        for a, b in combinations(both, 2)
    ]
    return np.abs(np.diff(found, axis=1)).mean()


def run(names, n_rows, n_seeds, *, smoke):
    lines = []
    for name in names:
        table = load(name, n_rows)
        train, test = train_test_split(table, test_size=0.5, random_state=0)
        train, test = (some.reset_index(drop=True) for some in (train, test))
        for method, draw in METHODS.items():
            random = np.random.RandomState(0)
            begun = time.perf_counter()
            new = draw(train, len(test), random).reset_index(drop=True)
            seconds = time.perf_counter() - begun
            if method != "rows of training":
                known = train.notna().to_numpy()[random.randint(len(train), size=len(new))]
                new = new.astype(object).where(known, None)
                new = new.astype({column: float for column in numbers_of(test)})
            lines.append(
                [name, len(train), method, told_apart(test, new), difference(test, new), seconds]
            )
    headers = ["table", "rows", "new rows", "told apart", "associations", "s"]
    print(tabulate(lines, headers, floatfmt=("", "", "", ".3f", ".3f", ".1f")), flush=True)
