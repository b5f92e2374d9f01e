"""Unusual rows on tables of ADBench (Han et al. 2022, arXiv:2206.09426): detectors side by side.

Each table has at most 5000 rows, standardized by those that detectors are fitted to. Settings:

with
    70 % of the rows to fit, with their anomalies, and the others to score.
without
    Half of the rows that are normal to fit, and all others to score: the protocol of Livernoche et
    al. (2024, arXiv:2305.18593; repository vicliv/DTE), whose published means, over 43 tables, are
    in docs/benchmarks.md.

Areas under the ROC curve and average precisions of rows not fitted to, by table; their means and
medians; the mean rank among the methods, with the difference that is critical for it (Nemenyi's
test at 5 %, Demšar 2006, Journal of Machine Learning Research 7); seconds of one core. PyOD's
detectors are among the methods where it is installed; one that refuses a table is taken to score
all rows alike. "DTE-NP" is the mean distance of the five nearest rows, which the authors of that
protocol say is their method without a network; that with one has no package.

"views" has what each view of AutoencoderOutlierDetector gives alone, and what is left without it.

The tables are files of the folder that SKAE_DATA names (adbench/*.npz, arrays X and y); without
it, tables that are made of data that ships with scikit-learn.

    SKAE_DATA=folder python benchmarks/adbench.py [--settings with without] [--seeds 5] [--jobs 2]
        [--tables glass wine] [--views] [--smoke]
"""

import argparse
import os
import time
import warnings
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from joblib import Parallel, delayed
from scipy.stats import rankdata, studentized_range
from sklearn import datasets
from sklearn.covariance import EllipticEnvelope
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM
from tabulate import tabulate

from skae import AutoencoderOutlierDetector

MOST_ROWS = 5000
OURS = "AutoencoderOutlierDetector"
VIEWS = "surface", "rows", "codes", "columns"


class PCAErrors:
    """The squared error of as many principal components as explain half of the variance."""

    def fit(self, X):
        self.pca_ = PCA(0.5, svd_solver="full").fit(X)
        return self

    def score_samples(self, X):
        return -np.square(self.pca_.inverse_transform(self.pca_.transform(X)) - X).sum(axis=1)


class NeighborDistance:
    """The distance of the 50th neighbor among the rows of the fit."""

    def fit(self, X):
        self.neighbors_ = NearestNeighbors(n_neighbors=min(50, len(X) - 1)).fit(X)
        return self

    def score_samples(self, X):
        return -self.neighbors_.kneighbors(X)[0][:, -1]


class MeanDistance(NeighborDistance):
    """The mean distance of the five nearest rows of the fit."""

    def score_samples(self, X):
        n_neighbors = min(5, self.neighbors_.n_samples_fit_)
        return -self.neighbors_.kneighbors(X, n_neighbors)[0].mean(axis=1)


class OfPyOD:
    """A detector of PyOD, whose scores are high for anomalies."""

    def __init__(self, module, name, **parameters):
        self.module, self.name, self.parameters = module, name, parameters

    def fit(self, X):
        kind = getattr(import_module(f"pyod.models.{self.module}"), self.name)
        parameters = dict(self.parameters)
        if self.name == "DeepSVDD":
            parameters["n_features"] = X.shape[1]
        self.detector_ = kind(**parameters).fit(X)
        return self

    def score_samples(self, X):
        return -self.detector_.decision_function(X)


METHODS = {
    "IsolationForest": lambda seed: IsolationForest(random_state=seed),
    "LocalOutlierFactor": lambda seed: LocalOutlierFactor(novelty=True),
    "50th neighbor": lambda seed: NeighborDistance(),
    "DTE-NP": lambda seed: MeanDistance(),
    "OneClassSVM": lambda seed: OneClassSVM(),
    "EllipticEnvelope": lambda seed: EllipticEnvelope(random_state=seed),
    "PCA errors": lambda seed: PCAErrors(),
    OURS: lambda seed: AutoencoderOutlierDetector(random_state=seed),
}
if find_spec("pyod") is not None:
    METHODS |= {
        "PyOD ECOD": lambda seed: OfPyOD("ecod", "ECOD"),
        "PyOD COPOD": lambda seed: OfPyOD("copod", "COPOD"),
        "PyOD CBLOF": lambda seed: OfPyOD("cblof", "CBLOF", random_state=seed),
    }
    for module, name in (
        ("auto_encoder", "AutoEncoder"),
        ("vae", "VAE"),
        ("deep_svdd", "DeepSVDD"),
    ):
        METHODS[f"PyOD {name}"] = lambda seed, module=module, name=name: OfPyOD(
            module, name, random_state=seed, verbose=0
        )


def tables(names):
    """Return name -> (X, y), y being 1 for anomalies."""
    if "SKAE_DATA" not in os.environ:
        digits = datasets.load_digits(return_X_y=True)
        found = {}
        for label in (0, 8):
            X, y = digits[0], digits[1] == label
            some = np.flatnonzero(~y)[:20]
            found[f"digits {label}"] = (
                np.vstack([X[y], X[some]]),
                np.arange(y.sum() + 20) >= y.sum(),
            )
        return found
    found = {}
    for path in sorted(Path(os.environ["SKAE_DATA"], "adbench").glob("*.npz")):
        if not names or path.stem in names:
            with np.load(path) as arrays:
                found[path.stem] = arrays["X"].astype(float), arrays["y"].astype(bool)
    return found


def split(X, y, setting, seed):
    """Return standardized rows to fit and to score, and which of the latter are anomalies."""
    random = np.random.RandomState(seed)
    if len(X) > MOST_ROWS:
        some = random.choice(len(X), MOST_ROWS, replace=False)
        X, y = X[some], y[some]
    rows = np.arange(len(X))
    if setting == "with":
        few = min(np.bincount(y, minlength=2)) < 2
        fit, score = train_test_split(
            rows, test_size=0.3, random_state=seed, stratify=None if few else y
        )
    else:
        normal = random.permutation(np.flatnonzero(~y))
        fit = normal[: len(normal) // 2]
        score = np.setdiff1d(rows, fit)
    scaler = StandardScaler().fit(X[fit])
    return scaler.transform(X[fit]), scaler.transform(X[score]), y[score]


def case(name, X, y, setting, seed, method):
    """Return what a method reaches on a table, None where no row to score is an anomaly."""
    torch.set_num_threads(1)
    X, X_score, y_score = split(X, y, setting, seed)
    if y_score.all() or not y_score.any():
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of covariances without full rank
        begun = time.perf_counter()
        try:
            unusual = -METHODS[method](seed).fit(X).score_samples(X_score)
        except ValueError as error:  # CBLOF refuses some tables
            if not method.startswith("PyOD"):
                raise
            print(f"{method} on {name}: {error}")
            unusual = np.zeros(len(X_score))
        seconds = time.perf_counter() - begun
    measured = [roc_auc_score(y_score, unusual), average_precision_score(y_score, unusual), seconds]
    return name, method, seed, measured


def views(name, X, y, setting, seed):
    """Return areas under the ROC curve of each view alone, and of all but this one."""
    torch.set_num_threads(1)
    X, X_score, y_score = split(X, y, setting, seed)
    if y_score.all() or not y_score.any():
        return None
    by_view = AutoencoderOutlierDetector(random_state=seed).fit(X).explain(X_score).views
    alone = [roc_auc_score(y_score, by_view[view]) for view in VIEWS]
    others = [{other: by_view[other] for other in VIEWS if other != view} for view in VIEWS]
    left = [roc_auc_score(y_score, joined(some)) for some in others]
    return name, [roc_auc_score(y_score, joined(by_view)), *alone, *left]


def joined(by_view):
    """Return what some of the views say together, as the detector joins all of them."""
    parts = [one if view == "surface" else np.maximum(one - 1, 0) for view, one in by_view.items()]
    return np.linalg.norm(parts, axis=0)


def show(results, methods):
    """Print the tables of areas, and means over tables and seeds."""
    names = list(dict.fromkeys(name for name, *_ in results))
    of = {}
    for name, method, seed, measured in results:
        of.setdefault((name, method), {})[seed] = measured
    mean = {key: np.mean([*by_seed.values()], axis=0) for key, by_seed in of.items()}
    areas = np.array([[mean[name, method][0] for method in methods] for name in names])
    print(
        tabulate(
            [[n, *row] for n, row in zip(names, areas, strict=True)],
            ["table", *methods],
            floatfmt=".3f",
        )
    )
    ranks = rankdata(-areas, axis=1).mean(axis=0)
    lines = []
    for i, method in enumerate(methods):
        every = np.array([mean[name, method] for name in names])
        lines.append(
            [
                method,
                *every[:, :2].mean(axis=0),
                np.median(every[:, 0]),
                np.median(every[:, 1]),
                ranks[i],
                every[:, 2].mean(),
            ]
        )
    lines.sort(key=lambda line: line[5])
    headers = ["method", "ROC AUC", "avg. precision", "median AUC", "median AP", "mean rank", "s"]
    print("\n" + tabulate(lines, headers, floatfmt=("", ".4f", ".4f", ".3f", ".3f", ".2f", ".2f")))
    n_methods = len(methods)
    critical = studentized_range.ppf(0.95, n_methods, np.inf) / np.sqrt(2)
    critical *= np.sqrt(n_methods * (n_methods + 1) / (6 * len(names)))
    print(f"critical difference of mean ranks: {critical:.2f} ({len(names)} tables)\n", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    settings = ["with", "without"]
    parser.add_argument("--settings", nargs="+", choices=settings, default=settings)
    parser.add_argument("--tables", nargs="+", default=[], help="names of files; all")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--views", action="store_true", help="the views of ours, alone and without")
    parser.add_argument("--smoke", action="store_true", help="two small tables, one seed")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.seeds, arguments.tables = 1, ["glass", "wine"]
    found = tables(arguments.tables)
    for setting in arguments.settings:
        print(f"== {setting} anomalies among the rows of the fit")
        cases = [
            (name, *found[name], setting, seed) for name in found for seed in range(arguments.seeds)
        ]
        if arguments.views or arguments.smoke:
            results = Parallel(arguments.jobs)(delayed(views)(*one) for one in cases)
            of_table = {}
            for name, areas in filter(None, results):
                of_table.setdefault(name, []).append(areas)
            values = np.mean([np.mean(areas, axis=0) for areas in of_table.values()], axis=0)
            lines = [["all", values[0], None]]
            lines += zip(VIEWS, *np.split(values[1:], 2), strict=True)
            print(tabulate(lines, ["views", "alone", "all but it"], floatfmt=".4f"), flush=True)
        if not arguments.views:
            results = Parallel(arguments.jobs)(
                delayed(case)(*one, method) for one in cases for method in arguments.methods
            )
            show([result for result in results if result], arguments.methods)


if __name__ == "__main__":
    main()
