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
    """Return the columns of numbers of a table, with or without a line of names."""
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as file:
        lines = [line for line in csv.reader(file, skipinitialspace=True) if line]
    first = [numbers([field]) for field in lines[0]]
    names = all(x is None or np.isnan(x).all() for x in first)
    columns = [numbers(fields) for fields in zip(*lines[names:], strict=True)]
    full = [column for column in columns if column is not None]
    return np.array(full).reshape(len(full), -1).T


def read(path):
    """Return a file's rows without holes, of its columns with few of them."""
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            X = arrays["X"].astype(np.float64).reshape(len(arrays["X"]), -1)
    else:
        X = read_table(path)
    X = X[:, np.isnan(X).mean(axis=0) <= MOST_HOLES]
    if X.shape[1] < 2:
        raise ValueError(
            f"{path} has {X.shape[1]} columns of numbers with at most {MOST_HOLES:.0%} holes, but "
            "codes that are shorter than the rows need two. Fill its holes, or leave it out."
        )
    return X[~np.isnan(X).any(axis=1)]


def sources(files):
    """Return kind -> name -> X or a file: those named, or else all that there is."""
    if files:
        return {"unseen": {path.name: path for path in files}}
    found = {"bundled": bundled()}
    if folder := os.environ.get("SKAE_DATA"):
        folder = Path(folder).expanduser()
        paths = [*folder.glob("adbench/*.npz"), *folder.glob("tables/*.csv*")]
        for path in sorted(paths, key=lambda path: path.name.lower()):
            kind = "related" if path.name in RELATED else "unseen"
            found.setdefault(kind, {})[path.name] = path
    return found


def chosen(sources, wanted):
    """Return the sources of which the kind or the name is wanted, all if nothing is."""
    known = {*sources, *itertools.chain.from_iterable(sources.values())}
    if unknown := sorted({*wanted} - known):
        raise ValueError(
            f"--sets {' '.join(unknown)}: expected kinds or names among {sorted(known)}. "
            "The unseen ones lie in adbench/ and tables/ of the folder that SKAE_DATA names."
        )
    return {
        kind: {name: X for name, X in of_kind.items() if not wanted or {kind, name} & {*wanted}}
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


def sizes(source, n_rows):
    """Return different numbers of rows of X or of a file."""
    X = read(source) if isinstance(source, Path) else source
    return {len(part): part for part in (some(X, n) for n in n_rows)}.values()


def cases(sets, arguments):
    """Return the fits of all settings that a data set has enough rows and columns for."""
    return [
        delayed(case)(name, X, columns, k, seed)
        for name, source in sets.items()
        for X in sizes(source, arguments.rows)
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
    parser.add_argument("--sets", nargs="+", default=[], help="kinds or names of data sets; all")
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
    results = {}
    for kind, sets in chosen(sources(arguments.files), arguments.sets).items():
        if fits := cases(sets, arguments):
            results[kind] = Parallel(arguments.jobs, verbose=1)(fits)
            print(table(results[kind]), end="\n\n")
    for kind, of_kind in results.items():
        print(summary(kind, of_kind), end="\n\n")


if __name__ == "__main__":
    main()
