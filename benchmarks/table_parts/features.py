"""Codes as features: the cross-validated accuracy of classifiers that learn a column from them.

Of all other columns as `TableEncoder` has them, of 8 codes of FAMD, and of 8 of
TableAutoencoderTransformer, which have not seen that column.
"""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tabulate import tabulate

from skae import TableAutoencoderTransformer, TableEncoder

from .data import load

# What is learnt, and columns that tell it under another name.
TARGETS = {
    "adult": ("14", []),
    "titanic": ("survived", ["alive"]),
    "german": ("20", []),
    "made": ("e", []),
}
N_CODES = 8


def features(n_codes):
    fill = SimpleImputer(keep_empty_features=True)
    return {
        "columns": make_pipeline(TableEncoder(), fill),
        f"FAMD, {n_codes}": make_pipeline(TableEncoder(), fill, PCA(n_codes)),
        f"ours, {n_codes}": TableAutoencoderTransformer(n_codes, random_state=0),
    }


CLASSIFIERS = {
    "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
    "gradient boosting": HistGradientBoostingClassifier(random_state=0),
}


def run(names, n_rows, n_seeds, *, smoke):
    lines = []
    for name in names:
        if name not in TARGETS:
            continue
        table = load(name, n_rows)
        target, same = TARGETS[name]
        y = table[target].astype(str).to_numpy()
        table = table.drop(columns=[target, *same])
        splits = [*StratifiedKFold(2 if smoke else 5, shuffle=True, random_state=0).split(table, y)]
        for method, transformer in features(min(N_CODES, table.shape[1] - 1)).items():
            accuracies = {classifier: [] for classifier in CLASSIFIERS}
            for train, test in splits:
                fitted = transformer.fit(table.iloc[train])
                codes = fitted.transform(table)
                for classifier, model in CLASSIFIERS.items():
                    model.fit(codes[train], y[train])
                    accuracies[classifier].append(model.score(codes[test], y[test]))
            means = [np.mean(each) for each in accuracies.values()]
            lines.append([name, len(table), method, *means])
    headers = ["table", "rows", "features", *CLASSIFIERS]
    print(tabulate(lines, headers, floatfmt=".3f"), flush=True)
