"""Unusual values are put into a twentieth of the rows, and looked for without knowing any.

Three kinds: a number out of range (six standard deviations from the mean), a category that rows
seldom have with another one, and a number that contradicts a category (taken from a row of the
level whose mean is farthest). ROC AUC of all planted rows, and of each kind beside the rows left
alone; and how often the column with the largest error is one that was tampered with.
"""

import numpy as np
import pandas as pd
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from tabulate import tabulate

from skae import AutoencoderOutlierDetector, TableAutoencoderTransformer, TableEncoder

from .data import load, numbers_of, plain, words_of

SHARE = 0.05


def out_of_range(table, row, random):
    name = random.choice([one for one in numbers_of(table) if table[one].std() > 0])
    side = random.choice([-1, 1])
    return name, table[name].mean() + 6 * side * table[name].std(), [name]


def rare_combination(table, row, random):
    words = [one for one in words_of(table) if table[one].nunique() > 1]
    first, second = random.choice(words, 2, replace=False)
    given = table[second] == table.at[row, second]
    counts = table[first].value_counts().to_frame("all")
    counts["here"] = table[first][given].value_counts()
    # As seldom as can be beside the other one, of the levels that are not rare by themselves.
    counts = counts[counts["all"] >= 0.02 * len(table)].fillna(0)
    counts = counts.drop(index=table.at[row, first], errors="ignore")
    ratio = counts["here"] / counts["all"]
    return first, ratio.idxmin() if len(ratio) else table.at[row, first], [first, second]


def contradiction(table, row, random):
    name = random.choice([one for one in numbers_of(table) if table[one].std() > 0])
    words = [one for one in words_of(table) if table[one].nunique() > 1]
    distance, other, group = -1.0, None, None
    for word in words:
        groups = table[name].groupby(table[word])
        means = groups.mean()[groups.count() >= 0.02 * len(table)]
        if table.at[row, word] not in means.index:
            continue
        away = (means - means[table.at[row, word]]).abs()
        if away.max() > distance:
            distance, other, group = away.max(), word, away.idxmax()
    if other is None:
        return name, table.at[row, name], [name]
    value = table[name][table[other] == group].dropna().sample(random_state=random).iloc[0]
    return name, value, [name, other]


KINDS = {
    "range": out_of_range,
    "combination": rare_combination,
    "contradiction": contradiction,
}

NEEDED = {"range": 0, "combination": 2, "contradiction": 1}  # categories


def plant(table):
    """Return the table with unusual values, and of each such row its kind and its columns."""
    random = np.random.RandomState(0)
    n_words = sum(table[name].nunique() > 1 for name in words_of(table))
    kinds = [kind for kind, needed in NEEDED.items() if n_words >= needed]
    rows = random.permutation(len(table))[: max(len(kinds), int(SHARE * len(table)))]
    planted, told = table.copy(), {}
    for i, row in enumerate(rows):
        kind = kinds[i % len(kinds)]
        name, value, columns = KINDS[kind](table, row, random)
        planted.at[row, name] = value
        told[row] = kind, columns
    return planted, told


def finders(table):
    """Return for each method the scores of rows (high is unusual), and errors by column if any."""
    encoder = TableEncoder().fit(table)
    matrix = encoder.transform(table)
    detector = AutoencoderOutlierDetector(random_state=0).fit(matrix)
    errors = detector.reconstruction_error(matrix, per_feature=encoder.source_columns_)
    names = list(dict.fromkeys(encoder.source_columns_))
    n_codes = max(1, table.shape[1] // 3)
    ours = TableAutoencoderTransformer(n_codes, random_state=0).fit(table)
    forest = IsolationForest(random_state=0).fit(np.nan_to_num(matrix))
    return {
        "IsolationForest": (-forest.score_samples(np.nan_to_num(matrix)), None),
        "AutoencoderOutlierDetector": (
            -detector.score_samples(matrix),
            pd.DataFrame(errors, columns=names),
        ),
        "TableAutoencoderTransformer": (
            ours.reconstruction_error(table),
            pd.DataFrame(ours.reconstruction_error(table, per_feature=True), columns=[*table]),
        ),
    }


def run(names, n_rows, n_seeds, *, smoke):
    lines = []
    for name in names:
        table, told = plant(plain(load(name, n_rows)))
        is_planted = np.isin(np.arange(len(table)), list(told))
        for method, (scores, errors) in finders(table).items():
            aucs = [roc_auc_score(is_planted, scores)]
            for kind in KINDS:
                rows = [row for row, (of, _) in told.items() if of == kind]
                some = np.concatenate([np.flatnonzero(~is_planted), np.array(rows, dtype=int)])
                aucs.append(roc_auc_score(is_planted[some], scores[some]) if len(rows) else np.nan)
            first = np.nan
            if errors is not None:
                largest = errors.idxmax(axis=1)
                first = np.mean([largest[row] in columns for row, (_, columns) in told.items()])
            lines.append([name, method, *aucs, first])
    headers = ["table", "found by", "ROC AUC", *KINDS, "column first"]
    print(tabulate(lines, headers, floatfmt=".3f"), flush=True)
