"""Stacked autoencoders as classifiers: when does it pay to learn from rows before their labels?

Accuracy on the test rows, and seconds, on MNIST with all labels, with 1000 and with 100 of them
(as many of each class, the other rows without), and on scikit-learn's digits with 500, 100 and 50.
Pixels lie in [0, 1], and nothing knows that they are neighbors: any permutation of the columns
would do as well. Beside each network stands the same one without pretraining or denoising, with
the same epochs, and what scikit-learn has: MLPClassifier and, for rows without a label,
SelfTrainingClassifier and LabelSpreading. Methods that have no use for rows without a label get
the others alone.

    SKAE_DATA=folder python benchmarks/stacked.py [--tables all 1000 100 digits]
                                                  [--draws 5] [--jobs 2] [--methods Ladder ...]

A fit takes one core with --jobs 2, and both with --jobs 1. Without SKAE_DATA, MNIST comes from
OpenML.
"""

import argparse
import time

import numpy as np
import torch
from joblib import Parallel, delayed
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier
from tabulate import tabulate

from skae import StackedAutoencoderClassifier
from skae.datasets import fetch_mnist, load_dataset
from skae.joint import Ladder
from skae.noise import MaskingNoise

UNLABELED = -1


def tutorial(**parameters):
    """Return 784-128-64-10 with what regularizes it, pretrained or not."""
    settings = {
        "normalization": "batch",
        "noise": MaskingNoise(0.1),
        "label_smoothing": 0.1,
        "max_iter": 40,
        "random_state": 0,
    }
    return StackedAutoencoderClassifier((128, 64), **settings | parameters)


def plain(**parameters):
    """Return 784-128-64-10 with its defaults, pretrained or not."""
    return StackedAutoencoderClassifier((128, 64), random_state=0, **parameters)


def ladder(hidden_layer_sizes, max_iter, **parameters):
    """Return a ladder network."""
    settings = {
        "joint": Ladder(),
        "learning_rate_init": 0.006,
        "unlabeled": UNLABELED,
        "random_state": 0,
    }
    return StackedAutoencoderClassifier(
        hidden_layer_sizes, max_iter=max_iter, **settings | parameters
    )


def without(hidden_layer_sizes, max_iter="auto"):
    """Return the network of a ladder without its denoising: noise, normalization, and labels."""
    return StackedAutoencoderClassifier(
        hidden_layer_sizes,
        pretrain=False,
        normalization="batch",
        noise="gaussian",
        max_iter=max_iter,
        random_state=0,
    )


def scikit_learn(epochs):
    """Return what scikit-learn has for few labels."""
    network = MLPClassifier((128, 64), max_iter=epochs, n_iter_no_change=epochs, random_state=0)
    return {
        "MLPClassifier": MLPClassifier((128, 64), max_iter=500, random_state=0),
        "SelfTrainingClassifier": SelfTrainingClassifier(network, threshold=0.95, max_iter=4),
        "LabelSpreading": LabelSpreading(kernel="knn", n_neighbors=7, alpha=0.2),
    }


WIDE, DEEP = (1000, 500, 250), (500, 250, 250, 250)

# The methods of each table, by their names.
TABLES = {
    "all": {
        "784-128-64-10, defaults": plain(),
        "  without pretraining": plain(pretrain=False),
        "784-128-64-10, regularized": tutorial(),
        "  without pretraining (same epochs)": tutorial(pretrain=False),
        "784-1000-500-250-10, Ladder": ladder(WIDE, 20),
        "  without denoising (same epochs)": without(WIDE, 20),
        "MLPClassifier": MLPClassifier((128, 64), max_iter=20, random_state=0),
    },
    "1000": {
        "784-128-64-10, defaults": plain(unlabeled=UNLABELED),
        "  without pretraining": plain(pretrain=False),
        "784-500-250-250-250-10, Ladder": ladder(DEEP, 20),
        "  without denoising": without(DEEP),
        **scikit_learn(10),
    },
    "100": {
        "784-128-64-10, defaults": plain(unlabeled=UNLABELED),
        "  without pretraining": plain(pretrain=False),
        "784-500-250-250-250-10, Ladder": ladder(DEEP, 20),
        "  without denoising": without(DEEP),
        **scikit_learn(10),
    },
    "digits": {
        "64-128-64-10, defaults": plain(unlabeled=UNLABELED),
        "  without pretraining": plain(pretrain=False),
        "64-128-64-10, Ladder": ladder((128, 64), 100),
        "  without denoising": without((128, 64)),
        **scikit_learn(50),
    },
}


def mnist(smoke):
    """Return training and test images and their labels."""
    if smoke:
        return digits()
    X, y = fetch_mnist(subset="train", return_X_y=True)
    X_test, y_test = fetch_mnist(subset="test", return_X_y=True)
    return X, X_test, y.astype(int), y_test.astype(int)


def digits():
    """Return the same of scikit-learn's digits, of which a third is held out."""
    data = load_dataset("digits")
    X, y = (data.data / 16).astype(np.float32), data.target.astype(int)
    return train_test_split(X, y, test_size=597, random_state=0, stratify=y)


def few(y, n_labels, draw):
    """Return the labels with as many of each class as give so many, and none for the others."""
    if n_labels >= len(y):
        return y
    random, kept = np.random.RandomState(draw), []
    for label in np.unique(y):
        kept.append(random.choice(np.flatnonzero(y == label), n_labels // 10, replace=False))
    kept = np.concatenate(kept)
    labels = np.full_like(y, UNLABELED)
    labels[kept] = y[kept]
    return labels


def fit(classifier, X, y, X_test, y_test, threads):
    """Return the accuracy of a classifier on test rows, and the seconds of its fit."""
    torch.set_num_threads(threads)
    takes_all = (
        getattr(classifier, "unlabeled", None) is not None
        or "semi_supervised" in type(classifier).__module__
    )
    if not takes_all:
        X, y = X[y != UNLABELED], y[y != UNLABELED]
    begun = time.perf_counter()
    classifier.fit(X, y)
    return classifier.score(X_test, y_test), time.perf_counter() - begun


def report(title, methods, n_labels, data, draws, jobs):
    """Print the table of some methods on some draws of labels."""
    X, X_test, y, y_test = data
    tasks = [
        (
            name,
            delayed(fit)(method, X, few(y, n_labels, draw), X_test, y_test, 2 if jobs == 1 else 1),
        )
        for name, method in methods.items()
        for draw in range(draws)
    ]
    results = Parallel(jobs)(task for _, task in tasks)
    rows = []
    for name in methods:
        found = [result for (of, _), result in zip(tasks, results, strict=True) if of == name]
        accuracy, seconds = np.transpose(found)
        spread = f"± {100 * accuracy.std(ddof=1):.2f}" if draws > 1 else ""
        rows.append([name, f"{100 * accuracy.mean():.2f} {spread}", seconds.mean()])
    print(f"\n{title}, {draws} draw{'s' * (draws > 1)}, --jobs {jobs}\n")
    print(
        tabulate(rows, ["", "test accuracy [%]", "seconds"], floatfmt=".0f", disable_numparse=[1]),
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", nargs="+", choices=list(TABLES), default=list(TABLES))
    parser.add_argument("--methods", nargs="+", metavar="NAME", help="those with NAME in theirs")
    parser.add_argument("--draws", type=int, default=5, help="of few labels")
    parser.add_argument("--jobs", type=int, default=2, help="fits at a time")
    parser.add_argument("--smoke", action="store_true", help="digits, one draw, three epochs")
    arguments = parser.parse_args()
    for table in arguments.tables:
        methods = {
            name: method
            for name, method in TABLES[table].items()
            if not arguments.methods or any(part in name for part in arguments.methods)
        }
        if arguments.smoke:
            arguments.draws = 1
            for method in methods.values():
                if isinstance(method, StackedAutoencoderClassifier):
                    method.set_params(max_iter=3)
        if table == "digits":
            data, counts, name = digits(), (500, 100, 50), "digits"
        else:
            data, name = mnist(arguments.smoke), "MNIST"
            counts = (len(data[2]) if table == "all" else int(table),)
        for n_labels in counts:
            few_labels = n_labels < len(data[2])
            title = f"{name}, {n_labels} labels of {len(data[2])} rows"
            draws = arguments.draws if few_labels else 1
            jobs = arguments.jobs if few_labels else 1
            report(title, methods, n_labels, data, draws, jobs)


if __name__ == "__main__":
    main()
