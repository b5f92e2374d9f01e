"""Comparing methods: one split of the rows for all of them, then one measurement each."""

import difflib
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from scipy.sparse import issparse
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_array, check_consistent_length, check_random_state, column_or_1d
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import FLOAT_DTYPES, assert_all_finite
from tqdm import tqdm

from skae._contract import validate_params
from skae._frames import is_missing, is_plain
from skae._labels import kind_of_target
from skae._warnings import warn
from skae.comparison._measure import PROBES, Rows, measure, stability_of
from skae.comparison._methods import (
    DEFAULT_METHODS,
    DEFAULT_METHODS_OF_TABLES,
    build_method,
    check_methods,
)
from skae.comparison._mixed import MixedTable, contents_of
from skae.comparison._refusals import RowKind, check_not_all_refuse
from skae.comparison._result import Comparison
from skae.comparison._table import spread
from skae.exceptions import IdleParameterWarning

DENSE = RowKind(has_holes=False, is_sparse=False)  # of a table, in which holes are no refusal
MIN_ROWS = 10
MIN_TEST_ROWS = 3  # for a neighborhood of one row that is less than half of the rows


def _split_off_column(X, name):
    """Return the other columns of a table, and the one of this name."""
    if not hasattr(X, "columns"):
        raise ValueError(
            f"y={name!r} is the name of a column, but X ({type(X).__name__}) has no named columns; "
            "give a DataFrame, or the values of y."
        )
    names = list(X.columns)
    if name not in names:
        close = difflib.get_close_matches(name, [str(one) for one in names], n=1)
        question = f" Did you mean {close[0]!r}?" if close else ""
        some = ", ".join(repr(one) for one in names[:20]) + (", ..." if len(names) > 20 else "")
        raise ValueError(f"X has no column {name!r}, given as y.{question} The columns are {some}.")
    others = [one for one in names if one != name]
    if not others:
        raise ValueError(f"X has no column but {name!r}, given as y; features are needed, too.")
    return X[others], X[name]


def _check_rows(X):
    """Return X as an array or a CSR matrix of ten rows or more, the kind of its rows, and holes."""
    try:
        X = check_array(
            X,
            accept_sparse="csr",
            dtype=FLOAT_DTYPES,
            ensure_all_finite="allow-nan",
            ensure_min_samples=MIN_ROWS,
            input_name="X",
            estimator="compare",
        )
    except ValueError as error:
        if "could not convert string" not in str(error):
            raise
        raise ValueError(
            f"X is an array with words ({error}); give a DataFrame, whose columns have types."
        ) from error
    n_missing = int(np.count_nonzero(np.isnan(X.data if issparse(X) else X)))
    if issparse(X) and n_missing:
        raise ValueError(
            f"X is sparse and has {n_missing} missing values (NaN), which no method takes; give "
            "X.toarray(), or fill them in."
        )
    return X, RowKind(has_holes=n_missing > 0, is_sparse=issparse(X)), n_missing


def _check_table(X, standardize):
    """Return what the columns of a table of ten rows or more hold."""
    if len(X) < MIN_ROWS:
        raise ValueError(f"X has {len(X)} rows, but a comparison needs {MIN_ROWS}; give more.")
    if standardize:
        warn(
            "standardize=True has no effect, because all columns of a table have the same say.",
            IdleParameterWarning,
        )
    return contents_of(X)


def _check_takers(methods, kind, build):
    """Raise an error if no method takes rows of this kind, before any of them is fitted."""
    if not any(kind):
        return
    estimators = {}
    for name, method in methods.items():
        try:
            estimators[name] = build(method)
        except Exception:  # it fails again when its turn comes, and says why in its row
            return
    check_not_all_refuse(estimators, kind)


def _as_array(y):
    """Return values as an array; missing ones of the types of pandas and polars are NaN."""
    if isinstance(getattr(y, "dtype", np.dtype(object)), np.dtype):
        return y
    return np.array([np.nan if is_missing(value) else value for value in y], dtype=object)


def _check_target(y, X):
    """Return y as an array of one value for each row, and the kind of its values."""
    if y is None:
        return None, None
    y = column_or_1d(_as_array(y))
    check_consistent_length(range(X.shape[0]), y)  # of polars, older versions ask with a warning
    if y.dtype.kind == "O":
        if n_missing := sum(map(is_missing, y)):
            raise ValueError(
                f"Of {len(y)} values of y {n_missing} are missing; leave these rows out."
            )
        y = np.asarray(y.tolist())
    assert_all_finite(y, input_name="y")
    if len(np.unique(y)) < 2:
        raise ValueError(f"y has the same value in all rows ({y[0]}); there is nothing to tell.")
    return y, kind_of_target(y)


def _seed(random_state):
    """Return an int given as it is, or one drawn anywhere but from NumPy's global generator."""
    if isinstance(random_state, Integral):
        return int(random_state)
    if random_state is None:
        random_state = np.random.RandomState()
    return int(check_random_state(random_state).randint(2**31 - 1))


def _split(n_samples, classes, test_size, seed):
    """Return the positions of the training and of the test rows, stratified where possible."""
    indices = np.arange(n_samples)
    if classes is not None:
        try:
            return train_test_split(
                indices, test_size=test_size, random_state=seed, stratify=classes
            )
        except ValueError:  # a class is too small to be on both sides
            pass
    return train_test_split(indices, test_size=test_size, random_state=seed)


def _subsample(n_samples, max_samples, seed):
    """Return the positions of at most max_samples rows, in order."""
    if n_samples <= max_samples:
        return np.arange(n_samples)
    return np.sort(np.random.RandomState(seed).permutation(n_samples)[:max_samples])


def _without_holes(X, X_train):
    """Return rows with the means of the training rows (0, if there is none) for missing values."""
    return SimpleImputer(keep_empty_features=True).fit(X_train).transform(X)


def _rows_of_array(X, y, train, test, subsample, kind, standardize):
    """Return the rows of numbers that all methods share."""
    X_train, X_test = X[train], X[test]
    if standardize:
        scaler = StandardScaler(copy=False, with_mean=not kind.is_sparse).fit(X_train)
        X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)
    X_filled = _without_holes(X_test, X_train) if kind.has_holes else X_test
    y_train, y_test = (None, None) if y is None else (y[train], y[test])
    return Rows(X_train, y_train, X_test, y_test, X_filled, subsample, kind)


def _rows_of_table(X, y, train, test, subsample, contents):
    """Return the rows of the matrix of a table, with the table beside them."""
    table = MixedTable(X, contents, train, test)
    y_train, y_test = (None, None) if y is None else (y[train], y[test])
    X_train, X_test, X_filled = table.matrix_train, table.matrix_test, table.without_holes()
    return Rows(X_train, y_train, X_test, y_test, X_filled, subsample, DENSE, table)


class Round(NamedTuple):
    """A split of the rows, and what all methods are measured with on it."""

    seed: int
    train: np.ndarray  # positions in X
    n_held_out: int
    test: np.ndarray  # of those held out
    rows: Rows
    build: Callable  # of a method and a random state


def _combined(results, stability):
    """Return one measurement of several: the first, with the means of their scores and spreads.

    Spreads are standard deviations, of a method that has failed in none of them.
    """
    if len(results) == 1:
        return results[0]
    scores: dict[str, float] = {}
    for column in dict.fromkeys(column for result in results for column in result.scores):
        values = [result.scores.get(column) for result in results]
        if None not in values:
            scores[column] = float(np.mean(values))
            scores[spread(column)] = float(np.std(values, ddof=1))
    notes = list(dict.fromkeys(note for result in results for note in result.notes))
    return replace(results[0], scores={**scores, "stability": stability}, notes=notes)


def _columns(target_type, table, repeats):
    """Return the names of the numbers in the table."""
    return [
        "reconstruction_r2",
        *([] if table is None else table.scores),
        "trustworthiness",
        "continuity",
        *PROBES[target_type],
        *(["stability"] if repeats > 1 else []),
        "fit_seconds",
        "transform_seconds",
        "inverse_seconds",
    ]


def _table_row(name, result, columns):
    """Return one row of the table: a number or None for each column."""
    scores = {column: result.scores.get(column) for column in columns}
    spreads = {column: value for column, value in result.scores.items() if column not in columns}
    return {"method": name, **scores, **spreads, "notes": result.notes}


@validate_params(
    {
        "X": ["array-like", "sparse matrix"],
        "y": ["array-like", str, None],
        "methods": [str, list, tuple, dict, None],
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "test_size": [
            Interval(Real, 0, 1, closed="neither"),
            Interval(Integral, 1, None, closed="left"),
        ],
        "standardize": ["boolean"],
        "max_samples": [Interval(Integral, 10, None, closed="left")],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "repeats": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=False,
)
def compare(
    X,
    y=None,
    *,
    methods=None,
    n_components=2,
    test_size=0.25,
    standardize=False,
    max_samples=2000,
    n_neighbors=5,
    repeats=1,
    random_state=None,
    verbose=0,
) -> Comparison:
    """Compare methods of dimensionality reduction on the same rows.

    All methods are fitted on the same training rows and measured on the same test rows, which
    none of them has seen. Each becomes a row of a table: how well it rebuilds the test rows, how
    well it keeps their neighborhoods, how well its codes tell the target, and the seconds it
    took. A number that does not exist (the reconstruction of a method without an inverse) is
    n/a, and a method that fails is a row that says why.

    Parameters
    ----------
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        The data, ten rows or more.

        Of rows of numbers NaN is a missing value. Methods that take no missing values, or no sparse
        rows, are rows of the table that say so. The built-in autoencoders take both, missing values
        by ``missing="mask"``.

        A DataFrame of pandas or polars may have columns of words, categories, flags and dates, and
        missing values: all methods see the matrix of it that a `TableEncoder` makes, which is
        fitted to the training rows. Where a method takes no missing values, the means of columns
        and the frequencies of levels take their place, as its row says.

    y : array-like of shape (n_samples,) or str, default=None
        The target that the codes should tell; only methods that require one are fitted with it.
        A str is the name of a column of X, a DataFrame, which then is no feature.
        Text, booleans and at most 20 different whole numbers are classes, and so are integers
        that appear five times each, on average. Any other y is a continuous target.
        ``y.astype(str)`` is always taken as classes.

    methods : str, list of str or dict, default=None
        Names of built-in methods, or a dictionary from a name of your choice to an unfitted
        transformer (or to the name of a built-in method). None compares "pca", "kernel_pca",
        "isomap", "lle", "tsne", "neighbor_autoencoder", "autoencoder" and "deep_autoencoder"; of a
        table with other columns than numbers, "famd" in the place of "pca", which is the same
        there: factor analysis of mixed data [1]_ is PCA of the matrix. (Of rows of numbers, "famd"
        is PCA of standardized columns.)
        There also are "random_autoencoder", "denoising_autoencoder", "sparse_autoencoder",
        "kl_sparse_autoencoder", "k_sparse_autoencoder", "contractive_autoencoder",
        "tied_autoencoder", "dropout_autoencoder", "pretrained_autoencoder", "ordered_autoencoder",
        "convolutional_autoencoder" (for rows that are images) and "variational_autoencoder"; and,
        where the package in brackets is installed, "umap" (umap-learn), "pacmap" (pacmap),
        "phate" (phate) and "trimap" (trimap).

        Your own estimators are given the matrix of a table, too, unless their tags say that they
        take categories or words, as those of `TableAutoencoderTransformer` and `OneHotEncoder` do,
        or they begin with a `ColumnTransformer`: these are given the table.

    n_components : int, default=2
        Size of the codes of the built-in methods. Your own estimators keep theirs.

    test_size : float or int, default=0.25
        Share or number of the rows that are held out. The split is stratified if y holds classes.

    standardize : bool, default=False
        Whether to give each column the mean 0 and the variance 1 of the training rows, before
        any method sees the rows. The reconstruction then is one of standardized columns. Sparse
        rows stay sparse: their columns are scaled, and keep their mean. It has no effect on a table
        with other columns than numbers, as its matrix is standardized.

    max_samples : int, default=2000
        The number of training rows that methods are fitted on that do not scale (kernel PCA,
        Isomap, locally linear embedding), the number of labeled rows that the labels of test rows
        are told from, and the number of test rows that all methods are measured on: random
        samples, the same for all methods, where there are more rows. All other methods are fitted
        on all training rows.

    n_neighbors : int, default=5
        Size of a neighborhood, of which trustworthiness, continuity and the nearest neighbors'
        labels are measured. Less than half of the test rows; a larger one is cut.

    repeats : int, default=1
        How often all is done, each time with another split and other seeds. From 2 on, the numbers
        of the table are means, beside which stand their standard deviations, and ``stability`` is a
        column: how far the codes of the test rows of the first split are found again by one more
        fit to its training rows, with another seed (`skae.metrics.code_agreement`; of PCA it is 1).
        Your own estimators keep their `random_state`; leave it at None.

    random_state : int, RandomState instance or None, default=None
        Determines the split, the samples and the seeds of the built-in methods. Pass an int for
        the same numbers in each call. None leaves NumPy's global generator alone.

    verbose : int or bool, default=0
        Whether a progress bar on the standard error names the method at work.

    Returns
    -------
    comparison : Comparison
        The table, the fitted methods and their embeddings of the test rows. ``print`` shows the
        table, `to_frame` makes it a DataFrame and `plot` a figure.

    Raises
    ------
    ValueError
        If X has infinite values, or missing ones that no method takes, or is sparse and no method
        takes that; if a column of a table has a type that can't be read, or a new word in each row;
        if y has missing or infinite values, is constant or names no column; or if a
        method's name is unknown. What a method raises ends in its row.

    ImportError
        If the package of a method that is named is not installed.

    See Also
    --------
    skae.AutoencoderTransformer : The autoencoder compared.
    skae.TableEncoder : The matrix of a table.
    skae.metrics : The measures one by one.

    Notes
    -----
    Methods that can't embed rows that they were not fitted on (they have no `transform`, like
    t-SNE) are fitted on the test rows themselves and marked so. Their numbers are no held-out
    ones, hence they are left out when the best value of a column is marked.

    The targets of the test rows are told from codes of training rows, by the vote (or the mean)
    of the nearest neighbors and by a linear model, as accuracies for classes and as R² for a
    continuous target.

    Seconds to transform and to invert are those of all test rows measured. In those of "umap",
    "pacmap" and "trimap" is the time in which they compile themselves, once in a process; and
    "trimap" takes no seed.

    Missing values count neither as variance nor as error of the reconstruction. Neighborhoods
    are looked for among rows in which the means of the training rows take their place. What an
    estimator takes is read from its tags (`allow_nan`, `sparse`), of a pipeline from those of its
    first steps; one that has none is tried. To compare with PCA all the same, give
    ``make_pipeline(SimpleImputer(), PCA(2))``: on the way back imputers are passed over, as what
    they have filled in counts nowhere.

    The reconstruction of a table is measured as by `TableAutoencoderTransformer.score`, all columns
    counting alike: numbers by their squared errors, categories by those of the probabilities of
    their levels. Beside it stands the same share of the numbers alone, of the categories and of the
    dates, where two of these are there. A method that gives back a table and no matrix is measured
    by the levels that it gives. The fitted estimators take tables, and those that were given the
    matrix are pipelines, whose first step is the encoder.

    Of sparse rows no more are made dense than methods do themselves: the reconstruction of the
    test rows is measured some at a time.

    References
    ----------
    .. [1] Pagès, J. (2004). Analyse factorielle de données mixtes. Revue de statistique appliquée
       52(4), 93-111.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skae import compare
    >>> X, y = load_iris(return_X_y=True)
    >>> methods = {"pca": PCA(2), "scaled": make_pipeline(StandardScaler(), PCA(2))}
    >>> comparison = compare(X, y, methods=methods, random_state=0)
    >>> for row in comparison.rows:
    ...     print(f"{row['method']:6}  {row['reconstruction_r2']:.3f}")
    pca     0.971
    scaled  0.958
    """
    if isinstance(y, str):
        X, y = _split_off_column(X, y)
    contents = None if is_plain(X) else _check_table(X, standardize)
    if contents is None:
        X, kind, n_missing = _check_rows(X)
    else:
        kind, n_missing = DENSE, int(contents.missing.sum())
    y, target_type = _check_target(y, X)
    methods = check_methods(
        methods, DEFAULT_METHODS if contents is None else DEFAULT_METHODS_OF_TABLES
    )
    seed = _seed(random_state)

    def round_of(seed):
        """Return the rows in a split by a seed."""
        train, test = _split(n_samples, y if target_type == "classes" else None, test_size, seed)
        n_held_out = len(test)
        test = test[_subsample(n_held_out, max_samples, seed)]
        if len(test) < MIN_TEST_ROWS:
            raise ValueError(
                f"test_size={test_size} holds out {len(test)} of {n_samples} rows, but a "
                f"comparison needs {MIN_TEST_ROWS} to measure neighborhoods; raise test_size."
            )
        subsample = _subsample(len(train), max_samples, seed)
        if contents is None:
            rows = _rows_of_array(X, y, train, test, subsample, kind, standardize)
        else:
            rows = _rows_of_table(X, y, train, test, subsample, contents)
        build = partial(
            build_method,
            n_components=n_components,
            n_samples=min(len(subsample), len(test)),
            kind=kind,
            encoder=None if rows.table is None else rows.table.encoder,
        )
        return Round(seed, train, n_held_out, test, rows, build)

    n_samples, n_features = X.shape
    first = round_of(seed)
    _check_takers(methods, kind, partial(first.build, random_state=seed))
    n_neighbors = min(n_neighbors, (len(first.test) - 1) // 2, len(first.rows.subsample))
    several: dict[str, list] = {name: [] for name in methods}
    stability = dict.fromkeys(methods)
    with tqdm(
        total=len(methods) * repeats, file=sys.stderr, disable=not verbose, leave=False
    ) as progress:
        for number in range(repeats):
            now = first if number == 0 else round_of((seed + number) % 2**32)
            for name, method in methods.items():
                progress.set_description(name)
                build = partial(now.build, method)
                result = measure(
                    partial(build, random_state=now.seed),
                    now.rows,
                    target_type=target_type,
                    n_neighbors=n_neighbors,
                    random_state=now.seed,
                )
                if number == 0 and repeats > 1:
                    other = partial(build, random_state=(seed + 1) % 2**32)
                    stability[name] = stability_of(result, other, now.rows)
                several[name].append(result if number == 0 else result.numbers())
                progress.update()
    measurements = {name: _combined(several[name], stability[name]) for name in methods}
    train, test, rows = first.train, first.test, first.rows

    done = {name: result for name, result in measurements.items() if result.codes is not None}
    columns = _columns(target_type, rows.table, repeats)
    return Comparison(
        rows=[_table_row(name, result, columns) for name, result in measurements.items()],
        columns=columns,
        estimators={name: result.estimator for name, result in done.items()},
        embeddings={name: result.codes for name, result in done.items()},
        unranked=[name for name, result in measurements.items() if not result.ranked],
        target_type=target_type,
        train_indices=train,
        test_indices=test,
        y_test=rows.y_test,
        settings={
            "n_samples": n_samples,
            "n_features": n_features,
            "n_missing": n_missing,
            **({} if rows.table is None else rows.table.settings()),
            "sparse": kind.is_sparse,
            "n_components": n_components,
            "n_train": len(train),
            "n_held_out": first.n_held_out,
            "n_test": len(test),
            "standardize": standardize,
            "max_samples": max_samples,
            "n_neighbors": n_neighbors,
            **({"repeats": repeats} if repeats > 1 else {}),
            "seed": seed,
        },
    )
