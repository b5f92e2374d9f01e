"""Model files beside joblib's: how long saving and loading takes, and how large files are.

Each model is saved and loaded by both, in turn, again and again; a row says how large the file of
`skae.save` is as a multiple of joblib's, and how long saving and loading takes, as the median of
the ratios of neighbors in time. joblib's file is written to its place directly; `skae.save` waits
until the disk has it. The column "not synced" is without that wait.

    python benchmarks/model_files.py [--repeats 30]
"""

import argparse
import os
import tempfile
import time
from unittest import mock

import joblib
import numpy as np
from tabulate import tabulate

import skae

BRIEF = {"max_iter": 1, "early_stopping": False, "random_state": 0}


def models(smoke):
    """Return fitted models by their names."""
    X = np.random.default_rng(0).normal(size=(200, 784)).astype(np.float32)
    y = np.arange(200) % 10
    wide = (64,) if smoke else (1000, 500, 250)
    largest = (64,) if smoke else (4000, 2000)
    return {
        "dense, (16, 8)": skae.AutoencoderTransformer(2, hidden_layer_sizes=(16, 8), **BRIEF).fit(
            X[:, :20]
        ),
        f"dense, {wide}": skae.AutoencoderTransformer(30, hidden_layer_sizes=wide, **BRIEF).fit(X),
        f"dense, {largest}": skae.AutoencoderTransformer(
            30, hidden_layer_sizes=largest, **BRIEF
        ).fit(X),
        "convolutional": skae.ConvolutionalAutoencoderTransformer(
            10, image_shape=(28, 28), **BRIEF
        ).fit(X),
        "stacked": skae.StackedAutoencoderClassifier(
            (128, 64), pretrain_max_iter=1, max_iter=1, random_state=0
        ).fit(X, y),
        "detector": skae.AutoencoderOutlierDetector(
            skae.AutoencoderTransformer(5, hidden_layer_sizes=(64, 32), **BRIEF), random_state=0
        ).fit(X[:, :20]),
    }


def seconds(function, *arguments):
    begun = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - begun


def row(name, model, folder, repeats):
    """Return size and times of a model's file, and ratios to those of joblib's."""
    ours, theirs = os.path.join(folder, "ours"), os.path.join(folder, "theirs")
    save, unsynced, load, own = [], [], [], []
    for _ in range(repeats):
        base = seconds(joblib.dump, model, theirs)
        save.append(seconds(skae.save, model, ours) / base)
        with mock.patch("os.fsync"):
            unsynced.append(seconds(skae.save, model, ours) / base)
        base = seconds(joblib.load, theirs)
        own.append(seconds(skae.load, ours))
        load.append(own[-1] / base)
    sizes = os.path.getsize(ours), os.path.getsize(theirs)
    ratios = [np.median(values) for values in (save, unsynced, load)]
    return [name, sizes[0] / 1e6, sizes[0] / sizes[1], *ratios, 1000 * np.median(own)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=30, help="how often each is saved")
    parser.add_argument("--smoke", action="store_true", help="small models, twice")
    arguments = parser.parse_args()
    repeats = 2 if arguments.smoke else arguments.repeats
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            row(name, model, folder, repeats) for name, model in models(arguments.smoke).items()
        ]
    headers = ["model", "MB", "size", "save", "not synced", "load", "load, ms"]
    print(tabulate(rows, headers, tablefmt="github", floatfmt=".3g"))


if __name__ == "__main__":
    main()
