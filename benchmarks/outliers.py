"""Outlier detectors side by side: which rows do not belong, and how many false alarms?

Each data set has rows of one kind, the inliers, and others. Training rows are inliers and, so
that detectors must cope with what they are to find, 5 % of the others; all are standardized by
them. Measured are, on rows not trained on: the area under the ROC curve and the average
precision of the scores; how many inliers a detector reports that was fitted to inliers alone
with contamination=0.1, which should be 10 %, and one with contamination="auto", where there is
that; and, for the outliers among the training rows, the area under the ROC curve of their own
scores. All are means over data sets and seeds.

Beside scikit-learn's detectors stand the errors of PCA with as many components as
AutoencoderOutlierDetector has codes, and the autoencoder of PyOD 3.6.7 with its defaults
(pyod/models/auto_encoder.py, base_dl.py and utils/torch_utility.py), written down here so
that PyOD need not be installed.

--times has the seconds of one core, of the process and not of the clock, that a fit takes.

    SKAE_DATA=folder python benchmarks/outliers.py [--seeds 3] [--jobs 2] [--smoke] [--times]

Without SKAE_DATA, MNIST and Fashion-MNIST come from OpenML; --bundled leaves them out.
"""

import argparse
import itertools
import time

import numpy as np
import torch
from joblib import Parallel, delayed
from sklearn import datasets
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neighbors import LocalOutlierFactor
from sklearn.preprocessing import StandardScaler
from tabulate import tabulate
from torch import nn

from skae import AutoencoderOutlierDetector, VariationalAutoencoderTransformer
from skae.datasets import fetch_fashion_mnist, fetch_mnist

CONTAMINATION = 0.05  # of the training rows
ALARMS = 0.1  # that are asked for
AUTOMATIC = {"IsolationForest", "LocalOutlierFactor", "AutoencoderOutlierDetector"}


class PyODAutoEncoder:
    """The autoencoder of PyOD 3.6.7 with its defaults, as a short loop."""

    def __init__(self, contamination=0.1, random_state=42):
        self.contamination = contamination
        self.random_state = random_state

    def fit(self, X):
        torch.manual_seed(self.random_state)
        self.mean_, self.std_ = X.mean(axis=0), X.std(axis=0) + 1e-8
        self.network_ = self._network(X.shape[1])
        optimizer = torch.optim.Adam(self.network_.parameters(), lr=1e-3, weight_decay=1e-5)
        rows = torch.utils.data.TensorDataset(self._standardized(X))
        loader = torch.utils.data.DataLoader(rows, batch_size=32, shuffle=True, drop_last=True)
        self.network_.train()
        for _ in range(10):
            for (batch,) in loader:
                optimizer.zero_grad()
                nn.functional.mse_loss(self.network_(batch), batch).backward()
                optimizer.step()
        self.offset_ = np.percentile(self.score_samples(X), 100 * self.contamination)
        return self

    def score_samples(self, X):
        rows = self._standardized(X)
        with torch.no_grad():
            return -torch.linalg.vector_norm(self.network_.eval()(rows) - rows, dim=1).numpy()

    def _standardized(self, X):
        return torch.as_tensor((X - self.mean_) / self.std_, dtype=torch.float32)

    @staticmethod
    def _network(n_features):
        layers = []
        sizes = (n_features, 64, 32, 64)
        for n_in, n_out in itertools.pairwise(sizes):
            linear = nn.Linear(n_in, n_out)
            nn.init.kaiming_uniform_(linear.weight)
            layers += [linear, nn.BatchNorm1d(n_out), nn.ReLU(), nn.Dropout(0.2)]
        return nn.Sequential(*layers, nn.Linear(64, n_features))


class PCAErrors:
    """The squared error of as many principal components as explain half of the variance."""

    def __init__(self, contamination=0.1):
        self.contamination = contamination

    def fit(self, X):
        self.pca_ = PCA(0.5, svd_solver="full").fit(X)
        self.offset_ = np.percentile(self.score_samples(X), 100 * self.contamination)
        return self

    def score_samples(self, X):
        return -np.square(self.pca_.inverse_transform(self.pca_.transform(X)) - X).sum(axis=1)


def likelihood(contamination, random_state):
    """Return a detector that judges rows by the likelihood of variational autoencoders."""
    return AutoencoderOutlierDetector(
        VariationalAutoencoderTransformer(8, validation_fraction=0.1),
        criterion="log_likelihood",
        contamination=contamination,
        random_state=random_state,
    )


METHODS = {
    "IsolationForest": IsolationForest,
    "LocalOutlierFactor": lambda contamination, random_state: LocalOutlierFactor(
        novelty=True, contamination=contamination
    ),
    "PCA errors": lambda contamination, random_state: PCAErrors(contamination),
    "PyOD AutoEncoder": PyODAutoEncoder,
    "AutoencoderOutlierDetector": AutoencoderOutlierDetector,
}


def one_against(X, y, inliers, outliers=None):
    """Return the rows of some classes, and those of others (all others)."""
    belongs = np.isin(y, inliers)
    return X[belongs], X[~belongs if outliers is None else np.isin(y, outliers)]


def mixed(X, n_rows=200):
    """Return X, and rows of which each value comes from one of two rows of X at random."""
    random = np.random.RandomState(0)
    one, other = X[random.randint(len(X), size=(2, n_rows))]
    return X, np.where(random.uniform(size=one.shape) < 0.5, one, other)


def in_box(X, n_rows=300):
    """Return X, and rows anywhere within its bounds."""
    random = np.random.RandomState(0)
    return X, random.uniform(X.min(axis=0), X.max(axis=0), (n_rows, X.shape[1]))


def images(fetch, label, n_rows=2000):
    """Return images of one class, and some of all others."""
    X, y = fetch(subset="train", return_X_y=True)
    inliers, outliers = one_against(X, y.astype(int), label)
    some = np.random.RandomState(0).choice(len(outliers), n_rows // 2, replace=False)
    return inliers[:n_rows], outliers[some]


def data_sets(bundled):
    """Return name -> (inliers, outliers)."""
    cancer, malignant = datasets.load_breast_cancer(return_X_y=True)
    iris = datasets.load_iris(return_X_y=True)
    wine = datasets.load_wine(return_X_y=True)
    digits = datasets.load_digits(return_X_y=True)
    even = [0, 2, 4, 6, 8]
    found = {
        "breast cancer: malignant": one_against(cancer, malignant, 1),
        "breast cancer: mixed": mixed(cancer),
        "diabetes: mixed": mixed(datasets.load_diabetes().data),
        "iris: virginica": one_against(*iris, [0, 1]),
        "wine: third": one_against(*wine, [0, 1]),
        "wine: first and third": one_against(*wine, 1),
        "digits: all but 0": one_against(*digits, 0),
        "digits: all but 3": one_against(*digits, 3),
        "digits: odd": one_against(*digits, even),
        "digits: 8": one_against(*digits, [*range(8), 9]),
        "swiss roll: off it": in_box(datasets.make_swiss_roll(1000, noise=0.3, random_state=0)[0]),
        "s curve: off it": in_box(datasets.make_s_curve(1000, noise=0.05, random_state=0)[0]),
    }
    if not bundled:
        for name, fetch in (("MNIST", fetch_mnist), ("Fashion-MNIST", fetch_fashion_mnist)):
            found |= {f"{name}: all but {label}": images(fetch, label) for label in (0, 5)}
    return found


def split(inliers, outliers, seed):
    """Return training rows and test rows, each with y = 1 for the outliers."""
    random = np.random.RandomState(seed)
    inliers, outliers = random.permutation(inliers), random.permutation(outliers)
    n_train = int(0.6 * len(inliers))
    n_hidden = min(round(n_train * CONTAMINATION / (1 - CONTAMINATION)), len(outliers) // 2)
    n_tested = max(20, (len(inliers) - n_train) // 2)
    train = np.vstack([inliers[:n_train], outliers[:n_hidden]])
    test = np.vstack([inliers[n_train:], outliers[n_hidden : n_hidden + n_tested]])
    y_train = np.arange(len(train)) >= n_train
    y_test = np.arange(len(test)) >= len(inliers) - n_train
    order = random.permutation(len(train))
    scaler = StandardScaler().fit(train)
    return scaler.transform(train[order]), y_train[order], scaler.transform(test), y_test


def case(name, inliers, outliers, method, seed):
    """Measure one detector on one data set."""
    torch.set_num_threads(1)
    X, y, X_test, y_test = split(inliers, outliers, seed)
    make = METHODS[method]
    begun = time.perf_counter()
    detector = make(contamination=ALARMS, random_state=seed).fit(X)
    seconds = time.perf_counter() - begun
    scores, own = detector.score_samples(X_test), detector.score_samples(X)
    if hasattr(detector, "negative_outlier_factor_"):  # that of a row among the others
        own = detector.negative_outlier_factor_
    inliers, new = X[~y], X_test[~y_test]

    def alarms(contamination):
        detector = make(contamination=contamination, random_state=seed).fit(inliers)
        return (detector.score_samples(new) < detector.offset_).mean()

    return {
        "data": name,
        "rows": len(X),
        "columns": X.shape[1],
        "method": method,
        "ROC AUC": roc_auc_score(y_test, -scores),
        "average precision": average_precision_score(y_test, -scores),
        "of training rows": roc_auc_score(y, -own),
        "false alarms": alarms(ALARMS),
        "of auto": alarms("auto") if method in AUTOMATIC else np.nan,
        "seconds": seconds,
    }


def show_times(sizes):
    """Print how long fits to rows around a curved surface of five dimensions take."""
    torch.set_num_threads(1)
    for n_rows, n_columns in sizes:
        random = np.random.RandomState(0)
        codes = random.normal(size=(n_rows, 5))
        X = np.tanh(codes @ random.normal(size=(5, n_columns))) + 0.3 * codes[:, :1] ** 2
        X += 0.3 * random.normal(size=X.shape)
        AutoencoderOutlierDetector(random_state=0).fit(X[:100])  # what is only slow at first
        begun = time.process_time()
        AutoencoderOutlierDetector(random_state=0).fit(X)
        print(f"{n_rows} x {n_columns}: {time.process_time() - begun:.1f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--bundled", action="store_true", help="only what ships with scikit-learn")
    parser.add_argument("--smoke", action="store_true", help="two small data sets, one seed")
    parser.add_argument("--times", action="store_true", help="only how long fits take")
    arguments = parser.parse_args()
    if arguments.times:
        return show_times([(300, 10)] if arguments.smoke else [(3500, 36), (100_000, 30)])
    sets = data_sets(arguments.bundled or arguments.smoke)
    if arguments.smoke:
        arguments.seeds = 1
        sets = {name: sets[name] for name in ("iris: virginica", "wine: third")}

    jobs = [
        delayed(case)(name, *rows, method, seed)
        for name, rows in sets.items()
        for seed in range(arguments.seeds)
        for method in METHODS
    ]
    results = Parallel(arguments.jobs, verbose=1)(jobs)

    def mean(column, **where):
        rows = [row for row in results if all(row[key] == value for key, value in where.items())]
        return np.mean([row[column] for row in rows])

    first = {row["data"]: row for row in results}
    table = [
        [name, first[name]["rows"], first[name]["columns"]]
        + [mean("ROC AUC", data=name, method=method) for method in METHODS]
        for name in sets
    ]
    print("ROC AUC on new rows\n")
    print(tabulate(table, ["outliers", "rows", "columns", *METHODS], floatfmt=".3f"))
    columns = ["ROC AUC", "average precision", "of training rows"]
    columns += ["false alarms", "of auto", "seconds"]
    table = [[method, *(mean(column, method=method) for column in columns)] for method in METHODS]
    print(f"\nmeans over {len(sets)} data sets and {arguments.seeds} seeds\n")
    print(tabulate(table, ["detector", *columns], floatfmt=".3f"))
    return None


if __name__ == "__main__":
    main()
