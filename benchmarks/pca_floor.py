"""Is AutoencoderTransformer(k) ever worse than PCA(k), and where is it better?

Held-out R² of both, on the same splits. A fit is a data set, a number of its rows, raw or
standardized columns, a k and a seed, which is a split; the gain is R² of the autoencoder less
that of PCA fitted to the same training rows. The data sets are of three kinds:

bundled
    What ships with scikit-learn: real and made, fewer rows than columns, fewer than 50 rows,
    columns of very different scale. The defaults of the estimator were chosen on these.
unseen
    Files that nobody tuned on: those of the folder that SKAE_DATA names, adbench/*.npz (an
    array X) and tables/*.csv or *.csv.gz, and those named on the command line. Of a table,
    they are the columns of numbers with few holes, and the rows without any.
related
    Files of that folder with rows of a bundled set, or of MNIST, so not unseen.

    SKAE_DATA=folder python benchmarks/pca_floor.py [--sets unseen iris] [--rows 500 3000]
        [--components 2 4] [--columns raw standardized] [--seeds 5] [--jobs 2] [--smoke]
    python benchmarks/pca_floor.py --files a.csv b.npz
"""

import argparse
import csv
import gzip
import itertools
import os
import time
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from sklearn import datasets
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from tabulate import tabulate

from skae import AutoencoderTransformer
from skae.metrics import reconstruction_r2_scorer

RELATED = ("WDBC.npz", "wine.npz", "optdigits.npz", "mnist.npz")
HOLES = ("", "?", "na", "nan")
MOST_HOLES = 0.1  # the share of a column's values that may be missing
STEPS = (0.0001, 0.001, 0.01)  # below PCA


def patches(n_patches=1500, size=8):
    """Return grey 8x8 patches of a photograph."""
    image = datasets.load_sample_image("china.jpg").mean(axis=2) / 255
    random = np.random.RandomState(0)
    tops = random.randint(0, image.shape[0] - size, n_patches)
    lefts = random.randint(0, image.shape[1] - size, n_patches)
    corners = zip(tops, lefts, strict=True)
    return np.array([image[t : t + size, left : left + size].ravel() for t, left in corners])


def some(X, n_rows):
    """Return a few rows of X, or all if there are no more."""
    if n_rows is None or n_rows >= len(X):
        return X
    return X[np.random.RandomState(0).choice(len(X), n_rows, replace=False)]


def bundled():
    """Return name -> X of what ships with scikit-learn."""
    exercise, body = datasets.load_linnerud(return_X_y=True)
    digits = datasets.load_digits().data
    cancer = datasets.load_breast_cancer().data
    wine = datasets.load_wine().data
    return {
        "iris": datasets.load_iris().data,
        "wine": wine,
        "breast cancer": cancer,
        "diabetes": datasets.load_diabetes().data,
        "linnerud": np.column_stack([exercise, body]),
        "digits": digits,
        "photo patches": patches(),
        "swiss roll": datasets.make_swiss_roll(1000, noise=0.3, random_state=0)[0],
        "s curve": datasets.make_s_curve(1000, noise=0.05, random_state=0)[0],
        "moons": datasets.make_moons(500, noise=0.1, random_state=0)[0],
        "friedman": datasets.make_friedman1(300, noise=1.0, random_state=0)[0],
        "wine, 30 rows": some(wine, 30),
        "cancer, 45 rows": some(cancer, 45),
        "digits, 40 rows": some(digits, 40),
    }


CURVED = ("digits", "swiss roll", "s curve", "moons", "breast cancer")


def number(text):
    """Return the number that a field of a table holds, NaN for a hole."""
    return np.nan if text.strip().lower() in HOLES else float(text)


def numbers(fields):
    """Return a column of numbers, or None if a field holds text."""
    try:
        return np.array([number(text) for text in fields])
    except ValueError:
        return None


def read_table(path):
    """Return the columns of numbers with few holes, and of these the rows without any."""
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as file:
        lines = [line for line in csv.reader(file, skipinitialspace=True) if line]
    names = all(numbers([field]) is None for field in lines[0])
    columns = [numbers(fields) for fields in zip(*lines[names:], strict=True)]
    full = [x for x in columns if x is not None and np.isnan(x).mean() <= MOST_HOLES]
    if len(full) < 2:
        raise ValueError(
            f"{path} has {len(full)} columns of numbers with at most {MOST_HOLES:.0%} holes, but "
            "PCA needs two. Fill its holes, or leave the file out."
        )
    X = np.column_stack(full)
    return X[~np.isnan(X).any(axis=1)]


def read(path):
    """Return the rows of a file."""
    if path.suffix != ".npz":
        return read_table(path)
    with np.load(path) as arrays:
        return arrays["X"].astype(np.float64)


def files_in(folder):
    """Return the files of a folder, in the two subfolders that the first lines name."""
    paths = [*folder.glob("adbench/*.npz"), *folder.glob("tables/*.csv*")]
    if not paths:
        raise ValueError(
            f"SKAE_DATA names {str(folder)!r}, which has neither adbench/*.npz nor "
            "tables/*.csv. Name another folder, or none."
        )
    return sorted(paths, key=lambda path: path.name.lower())


def data_sets(named, chosen):
    """Return kind -> name -> X: the files that are named, or else all sets, those chosen."""
    if named:
        return {"unseen": {path.name: read(path) for path in named}}
    sources = {"bundled": {name: lambda X=X: X for name, X in bundled().items()}}
    folder = os.environ.get("SKAE_DATA")
    for path in files_in(Path(folder).expanduser()) if folder else ():
        kind = "related" if path.name in RELATED else "unseen"
        sources.setdefault(kind, {})[path.name] = lambda path=path: read(path)
    known = {*sources, *itertools.chain.from_iterable(sources.values())}
    if unknown := sorted({*(chosen or ())} - known):
        raise ValueError(
            f"--sets {' '.join(unknown)}: expected kinds or names among {sorted(known)}. "
            "SKAE_DATA names the folder of the unseen files."
        )
    return {
        kind: {
            name: load() for name, load in of_kind.items() if not chosen or {kind, name} & {*chosen}
        }
        for kind, of_kind in sources.items()
    }


def case(name, X, columns, k, seed):
    """Return the held-out R² of PCA and of the autoencoder, and the seconds of the latter."""
    X_train, X_test = train_test_split(X, test_size=0.25, random_state=seed)
    if columns == "standardized":
        scaler = StandardScaler().fit(X_train)
        X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)
    pca = PCA(k).fit(X_train)
    begun = time.perf_counter()
    autoencoder = AutoencoderTransformer(k, random_state=seed).fit(X_train)
    seconds = time.perf_counter() - begun
    of_pca = reconstruction_r2_scorer(pca, X_test)
    of_autoencoder = reconstruction_r2_scorer(autoencoder, X_test)
    return {
        "data": name,
        "rows": len(X_train),
        "columns": X.shape[1],
        "scaled": "yes" if columns == "standardized" else "no",
        "k": k,
        "pca": of_pca,
        "autoencoder": of_autoencoder,
        "gain": of_autoencoder - of_pca,
        "left": autoencoder.best_iter_ > 0,
        "seconds": seconds,
    }


def cases(sets, arguments):
    """Return the fits of all settings that a data set has enough rows and columns for."""
    return [
        delayed(case)(name, X, columns, k, seed)
        for name, all_rows in sets.items()
        for X in {len(X): X for X in (some(all_rows, n) for n in arguments.rows)}.values()
        for columns, k, seed in itertools.product(
            arguments.columns, arguments.components, range(arguments.seeds)
        )
        if k < min(X.shape[1], 0.75 * len(X))
    ]


def table(results):
    """Return a line for the seeds of each setting."""
    setting = ("data", "rows", "columns", "scaled", "k")
    headers = [*setting, "PCA", "autoencoder", "mean gain", "worst gain", "left PCA", "seconds"]
    formats = ("", "", "", "", "", ".4f", ".4f", "+.4f", "+.4f", "", ".1f")
    lines = []
    for values, group in itertools.groupby(results, lambda row: [row[name] for name in setting]):
        group = list(group)
        mean = {key: np.mean([row[key] for row in group]) for key in ("pca", "autoencoder", "gain")}
        worst = min(row["gain"] for row in group)
        left = f"{sum(row['left'] for row in group)}/{len(group)}"
        seconds = np.mean([row["seconds"] for row in group])
        lines.append([*values, *mean.values(), worst, left, seconds])
    return tabulate(lines, headers, floatfmt=formats)


def summary(kind, results):
    """Return what the fits of one kind of data sets come to, a line each."""
    gains = np.array([row["gain"] for row in results])
    lines = [
        f"{kind}: {len(gains)} fits of {len({row['data'] for row in results})} data sets, "
        f"mean gain {gains.mean():+.4f}, left PCA: {np.mean([r['left'] for r in results]):.0%}"
    ]
    lines += [f"more than {step} below PCA: {(gains < -step).sum()}" for step in STEPS]
    lines.append(f"at least 0.01 above PCA: {(gains >= 0.01).sum()}")
    curved = np.array([row["data"] in CURVED for row in results])
    if curved.any():
        above = (gains[curved] >= 0.01).sum()
        lines.append(f"  where the data is curved: {above} of {curved.sum()}")
    worst = results[int(gains.argmin())]
    lines.append(
        f"worst: {worst['data']}, {worst['rows']} rows, scaled: {worst['scaled']}, "
        f"k = {worst['k']}: {worst['autoencoder']:.4f} against {worst['pca']:.4f}, "
        f"{worst['gain']:+.4f}"
    )
    return "\n".join(lines)


def parsed():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", help="kinds of data sets, or their names; all")
    parser.add_argument("--files", nargs="+", type=Path, help="CSV or npz files, and only those")
    parser.add_argument(
        "--rows", nargs="+", type=int, default=[None], help="how many are drawn of each set; all"
    )
    parser.add_argument("--components", nargs="+", type=int, default=[1, 2, 4, 8])
    scales = ["raw", "standardized"]
    parser.add_argument("--columns", nargs="+", choices=scales, default=scales)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--smoke", action="store_true", help="two small data sets, one seed")
    return parser.parse_args()


def main():
    arguments = parsed()
    if arguments.smoke:
        arguments.seeds, arguments.sets = 1, ["linnerud", "moons"]
    of_kind = {}
    for kind, sets in data_sets(arguments.files, arguments.sets).items():
        if results := Parallel(arguments.jobs, verbose=1)(cases(sets, arguments)):
            of_kind[kind] = results
            print(table(results), end="\n\n")
    for kind, results in of_kind.items():
        print(summary(kind, results), end="\n\n")


if __name__ == "__main__":
    main()
