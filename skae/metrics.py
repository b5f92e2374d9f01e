"""How good a reconstruction, a code or a class is: numbers from arrays, for any estimator.

Nothing here knows autoencoders. The scorers rank whatever has `transform` and
`inverse_transform`, so that PCA, KernelPCA and an autoencoder compete in one grid.
"""

import warnings
from functools import partial
from numbers import Integral
from typing import Any, Literal, NamedTuple, overload

import numpy as np
from scipy.sparse import issparse
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import check_scoring, pairwise_distances
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import (
    _safe_indexing,
    check_array,
    check_consistent_length,
    column_or_1d,
    gen_batches,
)
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.extmath import row_norms
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import _check_sample_weight

from ._contract import validate_params
from ._labels import as_labels, is_unlabeled, plain_labels

__all__ = [
    "code_agreement",
    "continuity",
    "knn_accuracy",
    "labeled_scorer",
    "linear_probe_accuracy",
    "neg_reconstruction_error_scorer",
    "neighbor_recall",
    "pairwise_distance_correlation",
    "reconstruction_error",
    "reconstruction_error_samples",
    "reconstruction_r2",
    "reconstruction_r2_scorer",
    "trustworthiness",
    "uniform_reconstruction_r2_scorer",
]

# Rows are worked on in blocks of about this many float64 numbers (8 MiB), so that neither a sparse
# X nor a matrix of all distances is ever held densely as a whole.
BLOCK_SIZE = 2**20


class _Decoded:
    """The rows that codes stand for, decoded some at a time when they are asked for."""

    def __init__(self, estimator, codes, shape):
        self.estimator = estimator
        self.codes = codes
        self.shape = shape

    def __getitem__(self, rows):
        decoded = self.estimator.inverse_transform(_safe_indexing(self.codes, rows))
        decoded = check_array(decoded, accept_sparse="csr", input_name="X_reconstructed")
        if decoded.shape[1] != self.shape[1]:
            raise _of_another_shape(self.shape, (self.shape[0], decoded.shape[1]))
        return decoded


def _of_another_shape(expected, shape):
    """Return the error for a reconstruction that is not one of X."""
    return ValueError(
        f"X has shape {expected}, but X_reconstructed has shape {shape}; "
        "a reconstruction has the rows and the columns of what it reconstructs."
    )


def _check_reconstruction(X, X_reconstructed):
    """Validate two matrices of one shape, dense or CSR, without converting their numbers."""
    X = check_array(X, accept_sparse="csr", input_name="X", ensure_all_finite="allow-nan")
    if not isinstance(X_reconstructed, _Decoded):
        X_reconstructed = check_array(
            X_reconstructed, accept_sparse="csr", input_name="X_reconstructed"
        )
    if X.shape != X_reconstructed.shape:
        raise _of_another_shape(X.shape, X_reconstructed.shape)
    return X, X_reconstructed


def _check_weight(sample_weight, X):
    """Validate non-negative weights of which at least one is positive."""
    sample_weight = _check_sample_weight(
        sample_weight, X, dtype=np.float64, ensure_non_negative=True
    )
    # TODO: remove when scikit-learn >= 1.9 is the minimum; earlier ones let zeros pass.
    if not sample_weight.any():
        raise ValueError("sample_weight is zero for all rows; at least one must be positive.")
    return sample_weight


def _dense(block):
    """Return a block of rows as float64 numbers."""
    block = block.toarray() if issparse(block) else block
    return np.asarray(block, dtype=np.float64, order="C")  # one order of summation for all


def _blocks(X, *others):
    """Yield consecutive rows and what X and the others have there, dense and float64."""
    n_samples, n_features = X.shape
    for rows in gen_batches(n_samples, max(1, BLOCK_SIZE // n_features)):
        yield rows, *(_dense(matrix[rows]) for matrix in (X, *others))


def _squares(differences):
    """Return the squares of differences, 0 where a value is missing."""
    squares = np.square(differences)
    return np.where(np.isnan(squares), 0.0, squares)


def _check_known(weight):
    """Return the weight of the rows in which each column has a value, of which there must be."""
    if not weight.any():
        raise ValueError("X has no value: all are missing (NaN), or in rows without weight.")
    return weight


def _some_values(X, sample_weight):
    """Return a value of each column, of a row that counts, and 0 where all are missing."""
    columns = np.arange(X.shape[1])
    values = np.full(X.shape[1], np.nan)
    for rows, A in _blocks(X):
        A = A[sample_weight[rows] > 0]
        if len(A):
            first = np.argmin(np.isnan(A), axis=0)
            values = np.where(np.isnan(values), A[first, columns], values)
        if not np.isnan(values).any():
            break
    return np.nan_to_num(values)


class _ColumnSums(NamedTuple):
    """What adds up over the rows, for each column, where its values are known."""

    weight: np.ndarray  # (n_features,)
    variance: np.ndarray  # (n_features,), squared distances from the mean
    error: np.ndarray  # (n_features,), squared distances from the reconstruction


def _column_sums(X, X_reconstructed, sample_weight):
    """Return the sums of which R² is made."""
    # Deviations from one of the values are exactly zero in a constant column, those from a mean
    # that was rounded are not.
    origin = _some_values(X, sample_weight)
    weight, mean = np.zeros(X.shape[1]), np.zeros(X.shape[1])
    for rows, A in _blocks(X):
        weight += sample_weight[rows] @ ~np.isnan(A)
        mean += sample_weight[rows] @ np.nan_to_num(A - origin)
    mean /= np.where(_check_known(weight) > 0, weight, 1.0)

    variance, error = np.zeros_like(mean), np.zeros_like(mean)
    for rows, A, B in _blocks(X, X_reconstructed):
        variance += sample_weight[rows] @ _squares(A - origin - mean)
        error += sample_weight[rows] @ _squares(A - B)
    return _ColumnSums(weight, variance, error)


def _explained(variance, error):
    """Return the share of variance explained; of none, all by an exact reconstruction."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(variance == 0.0, np.where(error == 0.0, 1.0, 0.0), 1.0 - error / variance)


def _check_column_weights(multioutput, known):
    """Return the weights of the columns' scores, as an array of those that have one."""
    weights = check_array(multioutput, ensure_2d=False, dtype=np.float64, input_name="multioutput")
    if weights.shape != known.shape:
        raise ValueError(
            f"multioutput has shape {weights.shape}, but X has {len(known)} columns; give a weight "
            "for each."
        )
    if weights[known].sum() == 0:
        raise ValueError("The weights in multioutput add up to zero; at least one must count.")
    return weights[known]


@overload
def reconstruction_r2(
    X,
    X_reconstructed,
    *,
    sample_weight=None,
    multioutput: Literal["variance_weighted", "uniform_average"] = ...,
) -> float: ...
@overload
def reconstruction_r2(
    X, X_reconstructed, *, sample_weight=None, multioutput: Any
) -> float | np.ndarray: ...
@validate_params(
    {
        "X": ["array-like", "sparse matrix"],
        "X_reconstructed": ["array-like", "sparse matrix", _Decoded],
        "sample_weight": ["array-like", None],
        "multioutput": [
            StrOptions({"variance_weighted", "uniform_average", "raw_values"}),
            "array-like",
        ],
    },
    prefer_skip_nested_validation=True,
)
def reconstruction_r2(
    X, X_reconstructed, *, sample_weight=None, multioutput="variance_weighted"
) -> float | np.ndarray:
    r"""Share of the variance of X that a reconstruction explains.

    .. math::

        R^2 = 1 - \frac{\sum_{ij} w_i (x_{ij} - \hat x_{ij})^2}
                       {\sum_{ij} w_i (x_{ij} - \bar x_j)^2}

    1 is a perfect reconstruction, 0 is as good as the column means of X, and less than 0 is worse
    than they are. On the rows that PCA was fitted on it equals PCA's
    ``explained_variance_ratio_.sum()``.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        What was to be reconstructed. Missing values (NaN) count neither as variance nor as
        error.

    X_reconstructed : {array-like, sparse matrix} of shape (n_samples, n_features)
        The reconstruction, in the units of X.

    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows, not negative. None weighs all rows alike.

    multioutput : str or array-like of shape (n_features,), default="variance_weighted"
        How the columns are put together, as in :func:`~sklearn.metrics.r2_score`:

        - "variance_weighted": their variances and errors are added, so a column counts by its
          variance, in the squared units of X; the number above.
        - "uniform_average": the mean of the columns' own R². Each counts alike, whatever its
          unit, as if X had been standardized.
        - "raw_values": the R² of each column.
        - An array holds the weights with which the columns' R² are averaged.

    Returns
    -------
    r2 : float or ndarray of shape (n_features,)
        Share of explained variance, without unit, in (-inf, 1]. NaN for a single row, and in
        "raw_values" for a column without a value, which the averages leave out.

    Raises
    ------
    ValueError
        If the shapes differ, if a value is infinite or missing in the reconstruction, if X has no
        value at all, or if no weight is positive.

    Warns
    -----
    UndefinedMetricWarning
        If X has a single row, which has no variance.

    See Also
    --------
    reconstruction_error : Mean squared error, in the squared units of X.
    reconstruction_r2_scorer : The same number, for `scoring=` in a grid search.
    sklearn.metrics.r2_score : Coefficient of determination of a regression.

    Notes
    -----
    The values are those of `r2_score`, but for one case: with "variance_weighted", an error in a
    constant column counts like every other, where `r2_score` gives that column no weight. The
    conventions are those of `r2_score` too: where there is nothing to explain, in a constant
    column or in all of them, the value is 1 for an exact reconstruction and 0 for any other.

    With "variance_weighted" the column with the largest numbers decides, with "uniform_average"
    one that hardly varies has as large a say as any other, and can drag the mean far below zero.
    On the rows that a `StandardScaler` was fitted on, "uniform_average" is the
    "variance_weighted" of the scaled rows; on other rows it comes close.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.decomposition import PCA
    >>> from skae.metrics import reconstruction_r2
    >>> X, _ = load_iris(return_X_y=True)
    >>> pca = PCA(n_components=1).fit(X)
    >>> X_reconstructed = pca.inverse_transform(pca.transform(X))
    >>> print(f"{reconstruction_r2(X, X_reconstructed):.4f}")
    0.9246
    >>> print(f"{pca.explained_variance_ratio_.sum():.4f}")
    0.9246
    >>> reconstruction_r2(X, X_reconstructed, multioutput="raw_values").round(2)
    array([0.81, 0.16, 1.  , 0.93])
    """
    X, X_reconstructed = _check_reconstruction(X, X_reconstructed)
    sample_weight = _check_weight(sample_weight, X)
    combined = multioutput if isinstance(multioutput, str) else "weighted"
    if X.shape[0] < 2:
        warnings.warn(
            "reconstruction_r2 is not defined for a single row, which has no variance.",
            UndefinedMetricWarning,
            stacklevel=3,  # past the validation of parameters
        )
        return np.full(X.shape[1], np.nan) if combined == "raw_values" else float("nan")

    sums = _column_sums(X, X_reconstructed, sample_weight)
    if combined == "variance_weighted":
        return float(_explained(sums.variance.sum(), sums.error.sum()))
    known = sums.weight > 0
    scores = np.where(known, _explained(sums.variance, sums.error), np.nan)
    if combined == "raw_values":
        return scores
    weights = _check_column_weights(multioutput, known) if combined == "weighted" else None
    return float(np.average(scores[known], weights=weights))


@validate_params(
    {
        "X": ["array-like", "sparse matrix"],
        "X_reconstructed": ["array-like", "sparse matrix", _Decoded],
        "sample_weight": ["array-like", None],
        "multioutput": [StrOptions({"uniform_average", "raw_values"})],
    },
    prefer_skip_nested_validation=True,
)
def reconstruction_error(X, X_reconstructed, *, sample_weight=None, multioutput="uniform_average"):
    """Mean squared error of a reconstruction.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        What was to be reconstructed. Missing values (NaN) have no error, and the mean of a
        column is one over the rows in which it has a value.

    X_reconstructed : {array-like, sparse matrix} of shape (n_samples, n_features)
        The reconstruction, in the units of X.

    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows, not negative. None weighs all rows alike.

    multioutput : {"uniform_average", "raw_values"}, default="uniform_average"
        How the errors of the columns are put together, as in
        :func:`~sklearn.metrics.mean_squared_error`: averaged, or one error for each column.

    Returns
    -------
    error : float or ndarray of shape (n_features,)
        Mean squared error over the rows (and, if averaged, the columns), in the squared units of
        X. 0 is a perfect reconstruction. A column without a value is NaN in "raw_values", and
        left out of the average.

    Raises
    ------
    ValueError
        If the shapes differ, if a value is infinite or missing in the reconstruction, if X has no
        value at all, or if no weight is positive.

    See Also
    --------
    reconstruction_error_samples : Sum of squared errors of each row.
    reconstruction_r2 : The error as a share of the variance, without unit.
    neg_reconstruction_error_scorer : The negative of this number, for `scoring=`.

    Examples
    --------
    >>> from skae.metrics import reconstruction_error
    >>> X = [[0.0, 2.0], [4.0, 6.0]]
    >>> X_reconstructed = [[0.0, 1.0], [2.0, 6.0]]
    >>> reconstruction_error(X, X_reconstructed)
    1.25
    >>> reconstruction_error(X, X_reconstructed, multioutput="raw_values")
    array([2. , 0.5])
    """
    X, X_reconstructed = _check_reconstruction(X, X_reconstructed)
    sample_weight = _check_weight(sample_weight, X)
    weight, errors = np.zeros(X.shape[1]), np.zeros(X.shape[1])
    for rows, A, B in _blocks(X, X_reconstructed):
        weight += sample_weight[rows] @ ~np.isnan(A)
        errors += sample_weight[rows] @ _squares(A - B)
    errors /= np.where(_check_known(weight) > 0, weight, np.nan)
    return errors if multioutput == "raw_values" else float(np.nanmean(errors))


@validate_params(
    {
        "X": ["array-like", "sparse matrix"],
        "X_reconstructed": ["array-like", "sparse matrix"],
    },
    prefer_skip_nested_validation=True,
)
def reconstruction_error_samples(X, X_reconstructed) -> np.ndarray:
    """Sum of squared errors of each row of a reconstruction.

    A row that is reconstructed much worse than others is unlike them: the number serves to find
    outliers.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        What was to be reconstructed. The error of a missing value (NaN) is 0.

    X_reconstructed : {array-like, sparse matrix} of shape (n_samples, n_features)
        The reconstruction, in the units of X.

    Returns
    -------
    errors : ndarray of shape (n_samples,)
        Squared Euclidean distance of each row to its reconstruction, in the squared units of X.
        Their mean is `reconstruction_error` times n_features, if no value is missing.

    Raises
    ------
    ValueError
        If the shapes differ, or if a value is infinite or missing in the reconstruction.

    See Also
    --------
    reconstruction_error : Mean over all rows and columns.

    Examples
    --------
    >>> from skae.metrics import reconstruction_error_samples
    >>> reconstruction_error_samples([[0.0, 2.0], [4.0, 6.0]], [[0.0, 1.0], [2.0, 6.0]])
    array([1., 4.])
    """
    X, X_reconstructed = _check_reconstruction(X, X_reconstructed)
    errors = np.empty(X.shape[0])
    for rows, A, B in _blocks(X, X_reconstructed):
        errors[rows] = row_norms(np.nan_to_num(A - B), squared=True)
    return errors


def _reconstruct(estimator, X):
    """Send X through the code and back, sparse rows some at a time, as they are dense then."""
    for method in ("transform", "inverse_transform"):
        if not hasattr(estimator, method):
            raise TypeError(
                f"{type(estimator).__name__} has no {method}, and without it there is no "
                "reconstruction to score: both transform and inverse_transform are needed, of a "
                "Pipeline in every step."
            )
    codes = estimator.transform(X)
    return (
        _Decoded(estimator, codes, X.shape) if issparse(X) else estimator.inverse_transform(codes)
    )


def reconstruction_r2_scorer(estimator, X, y=None, sample_weight=None) -> float:
    """Score a fitted transformer by the share of variance that its reconstruction explains.

    A callable for `scoring=` wherever scikit-learn takes one. It asks for `transform` and
    `inverse_transform` only, hence ranks methods that have no `score`, or a `score` of another
    meaning (the one of PCA is a log-likelihood), side by side.

    Parameters
    ----------
    estimator : estimator
        A fitted transformer, or a Pipeline of them, with `inverse_transform`.

    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        The rows to transform and reconstruct.

    y : Ignored
        Not used, present for API consistency by convention.

    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows, not negative. None weighs all rows alike.

    Returns
    -------
    score : float
        Share of explained variance, in (-inf, 1]; greater is better. Of a Pipeline it is measured
        at the entrance, in the units of the X given, where columns with large numbers decide.

    Raises
    ------
    TypeError
        If the estimator lacks `transform` or `inverse_transform`.

    See Also
    --------
    uniform_reconstruction_r2_scorer : The scorer for a Pipeline that scales its columns.
    reconstruction_r2 : The number itself.
    neg_reconstruction_error_scorer : The negative mean squared error.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.decomposition import PCA, KernelPCA
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn.pipeline import Pipeline
    >>> from skae.metrics import reconstruction_r2_scorer
    >>> X, _ = load_iris(return_X_y=True)
    >>> kernel_pca = KernelPCA(kernel="rbf", fit_inverse_transform=True)
    >>> search = GridSearchCV(
    ...     Pipeline([("reduce", PCA())]),
    ...     {"reduce": [PCA(), kernel_pca], "reduce__n_components": [1, 2]},
    ...     scoring=reconstruction_r2_scorer,
    ... ).fit(X)
    >>> search.best_params_
    {'reduce': PCA(), 'reduce__n_components': 2}
    """
    return reconstruction_r2(X, _reconstruct(estimator, X), sample_weight=sample_weight)


def uniform_reconstruction_r2_scorer(estimator, X, y=None, sample_weight=None) -> float:
    """Score a fitted transformer by the R² of its reconstruction, all columns counting alike.

    A callable for `scoring=` wherever scikit-learn takes one, for a Pipeline that scales its
    columns: it learns from scaled ones, and is judged so. `reconstruction_r2_scorer` would judge
    it in the units of X, where the column with the largest numbers decides.

    Parameters
    ----------
    estimator : estimator
        A fitted transformer, or a Pipeline of them, with `inverse_transform`.

    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        The rows to transform and reconstruct.

    y : Ignored
        Not used, present for API consistency by convention.

    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows, not negative. None weighs all rows alike.

    Returns
    -------
    score : float
        Mean of the columns' R², in (-inf, 1]; greater is better.

    Raises
    ------
    TypeError
        If the estimator lacks `transform` or `inverse_transform`.

    See Also
    --------
    reconstruction_r2_scorer : Counts columns by their variance.
    reconstruction_r2 : The number itself, with ``multioutput="uniform_average"``.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skae.metrics import reconstruction_r2_scorer, uniform_reconstruction_r2_scorer
    >>> X, _ = load_wine(return_X_y=True)
    >>> scaled = make_pipeline(StandardScaler(), PCA(n_components=2)).fit(X)
    >>> print(f"{uniform_reconstruction_r2_scorer(scaled, X):.2f}")
    0.55
    >>> print(f"{scaled[-1].explained_variance_ratio_.sum():.2f}")
    0.55
    >>> print(f"{reconstruction_r2_scorer(scaled, X):.2f}")  # decided by one column of 13
    0.72
    """
    return reconstruction_r2(
        X,
        _reconstruct(estimator, X),
        sample_weight=sample_weight,
        multioutput="uniform_average",
    )


def neg_reconstruction_error_scorer(estimator, X, y=None, sample_weight=None) -> float:
    """Score a fitted transformer by the negative mean squared error of its reconstruction.

    A callable for `scoring=` wherever scikit-learn takes one.

    Parameters
    ----------
    estimator : estimator
        A fitted transformer, or a Pipeline of them, with `inverse_transform`.

    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        The rows to transform and reconstruct.

    y : Ignored
        Not used, present for API consistency by convention.

    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows, not negative. None weighs all rows alike.

    Returns
    -------
    score : float
        Negative mean squared error over all rows and columns, in the squared units of the X
        given; greater is better.

    Raises
    ------
    TypeError
        If the estimator lacks `transform` or `inverse_transform`.

    See Also
    --------
    reconstruction_error : The error itself.
    reconstruction_r2_scorer : The share of explained variance.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.decomposition import PCA
    >>> from skae.metrics import neg_reconstruction_error_scorer
    >>> X, _ = load_iris(return_X_y=True)
    >>> print(f"{neg_reconstruction_error_scorer(PCA(n_components=2).fit(X), X):.4f}")
    -0.0253
    """
    return -reconstruction_error(X, _reconstruct(estimator, X), sample_weight=sample_weight)


def _check_embedding(X, X_embedded, metric, n_neighbors=None):
    """Validate data and its code, row by row the same samples, and the size of a neighborhood."""
    if metric == "precomputed":
        raise ValueError("metric='precomputed' is not supported; give the rows and a metric.")
    X = check_array(X, accept_sparse="csr", dtype=np.float64, input_name="X")
    X_embedded = check_array(X_embedded, dtype=np.float64, input_name="X_embedded")
    n_samples = X.shape[0]
    if X_embedded.shape[0] != n_samples:
        raise ValueError(
            f"X has shape {X.shape}, but X_embedded has shape {X_embedded.shape}; each row of X "
            "needs its embedding."
        )
    if n_neighbors is not None and n_neighbors >= n_samples / 2:
        raise ValueError(
            f"n_neighbors={n_neighbors} must be less than n_samples / 2 = {n_samples / 2:g}; "
            "give more rows or a smaller neighborhood."
        )
    # Euclidean distances do not change with the origin, but lose their digits far away from it.
    X_embedded = X_embedded - X_embedded[0]
    if metric == "euclidean" and not issparse(X):
        X = X - X[0]
    return X, X_embedded


def _distances_from(X, rows, metric):
    """Distances from some rows to all rows, infinite from a row to itself."""
    distances = pairwise_distances(X[rows], X, metric=metric)  # (len(rows), n_samples)
    distances[np.arange(len(distances)), np.arange(rows.start, rows.stop)] = np.inf
    return distances


def _neighbors_kept(distances_here, distances_there, n_samples, n_neighbors):
    """1 if the neighbors here are neighbors there, less the farther away they rank there."""
    excess = 0
    for rows in gen_batches(n_samples, max(1, BLOCK_SIZE // n_samples)):
        order = np.argsort(distances_here(rows), axis=1, kind="stable")
        distances = distances_there(rows)
        to_neighbors = np.take_along_axis(distances, order[:, :n_neighbors], axis=1)
        for distance in to_neighbors.T:
            rank = 1 + np.count_nonzero(distances < distance[:, np.newaxis], axis=1)
            excess += np.maximum(rank - n_neighbors, 0).sum()
    worst = n_samples * n_neighbors * (2 * n_samples - 3 * n_neighbors - 1) / 2
    return float(1.0 - excess / worst)


@validate_params(
    {
        "X": ["array-like", "sparse matrix"],
        "X_embedded": ["array-like"],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "metric": [str, callable],
    },
    prefer_skip_nested_validation=True,
)
def trustworthiness(X, X_embedded, *, n_neighbors=5, metric="euclidean") -> float:
    r"""To what extent neighbors in a code are neighbors in the data.

    .. math::

        T(k) = 1 - \frac{2}{nk(2n - 3k - 1)} \sum_{i=1}^{n}
               \sum_{j \in \mathcal{N}^k_i} \max(0, r(i, j) - k)

    where :math:`\mathcal{N}^k_i` are the k nearest neighbors of row i in the code, and row j is
    the r(i, j)-th nearest one to row i in the data. A cluster in a plot of the code is to be
    trusted as far as this number is near 1.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        The data.

    X_embedded : array-like of shape (n_samples, n_components)
        The code of each row, compared by Euclidean distance.

    n_neighbors : int, default=5
        Size k of a neighborhood, less than ``n_samples / 2``.

    metric : str or callable, default="euclidean"
        Distance between rows of X, as :func:`~sklearn.metrics.pairwise_distances` takes it,
        without "precomputed".

    Returns
    -------
    trustworthiness : float
        A number in [0, 1], without unit; 1 if no row is new in a neighborhood.

    Raises
    ------
    ValueError
        If `n_neighbors` is not less than ``n_samples / 2``, if the numbers of rows differ, or if
        a value is missing or infinite.

    See Also
    --------
    continuity : The reverse: whether neighbors in the data stay neighbors in the code.
    sklearn.manifold.trustworthiness : The same number where no distances are tied.

    Notes
    -----
    Ties are broken the same way each time: equally near neighbors enter a neighborhood in the
    order of the rows, and rows at the same distance share the smallest of their ranks. Distances
    are computed for some rows at a time, so memory grows with n_samples, time with its square.

    References
    ----------
    .. [1] J. Venna and S. Kaski, "Neighborhood preservation in nonlinear projection methods: an
       experimental study", ICANN 2001. :doi:`10.1007/3-540-44668-0_68`

    .. [2] S. Kaski et al., "Trustworthiness and metrics in visualizing similarity of gene
       expression", BMC Bioinformatics 4:48, 2003. :doi:`10.1186/1471-2105-4-48`

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.decomposition import PCA
    >>> from skae.metrics import trustworthiness
    >>> X, _ = load_iris(return_X_y=True)
    >>> print(f"{trustworthiness(X, PCA(n_components=2).fit_transform(X)):.2f}")
    0.98
    """
    X, X_embedded = _check_embedding(X, X_embedded, metric, n_neighbors)
    return _neighbors_kept(
        partial(_distances_from, X_embedded, metric="euclidean"),
        partial(_distances_from, X, metric=metric),
        X.shape[0],
        n_neighbors,
    )


@validate_params(
    {
        "X": ["array-like", "sparse matrix"],
        "X_embedded": ["array-like"],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "metric": [str, callable],
    },
    prefer_skip_nested_validation=True,
)
def continuity(X, X_embedded, *, n_neighbors=5, metric="euclidean") -> float:
    r"""To what extent neighbors in the data stay neighbors in a code.

    .. math::

        C(k) = 1 - \frac{2}{nk(2n - 3k - 1)} \sum_{i=1}^{n}
               \sum_{j \in \mathcal{V}^k_i} \max(0, \hat r(i, j) - k)

    where :math:`\mathcal{V}^k_i` are the k nearest neighbors of row i in the data, and row j is
    the :math:`\hat r(i, j)`-th nearest one to row i in the code: trustworthiness with the roles
    swapped. A code that tears apart what belongs together has a low continuity, one that folds
    onto itself a low trustworthiness.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        The data.

    X_embedded : array-like of shape (n_samples, n_components)
        The code of each row, compared by Euclidean distance.

    n_neighbors : int, default=5
        Size k of a neighborhood, less than ``n_samples / 2``.

    metric : str or callable, default="euclidean"
        Distance between rows of X, as :func:`~sklearn.metrics.pairwise_distances` takes it,
        without "precomputed".

    Returns
    -------
    continuity : float
        A number in [0, 1], without unit; 1 if no row is missing from a neighborhood.

    Raises
    ------
    ValueError
        If `n_neighbors` is not less than ``n_samples / 2``, if the numbers of rows differ, or if
        a value is missing or infinite.

    See Also
    --------
    trustworthiness : The reverse: whether neighbors in the code are neighbors in the data. Its
        notes on ties and memory hold here too.

    References
    ----------
    .. [1] J. Venna and S. Kaski, "Neighborhood preservation in nonlinear projection methods: an
       experimental study", ICANN 2001. :doi:`10.1007/3-540-44668-0_68`

    .. [2] J. Venna and S. Kaski, "Local multidimensional scaling", Neural Networks 19, 2006.
       :doi:`10.1016/j.neunet.2006.05.014`

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.decomposition import PCA
    >>> from skae.metrics import continuity
    >>> X, _ = load_iris(return_X_y=True)
    >>> print(f"{continuity(X, PCA(n_components=2).fit_transform(X)):.2f}")
    0.99
    """
    X, X_embedded = _check_embedding(X, X_embedded, metric, n_neighbors)
    return _neighbors_kept(
        partial(_distances_from, X, metric=metric),
        partial(_distances_from, X_embedded, metric="euclidean"),
        X.shape[0],
        n_neighbors,
    )


@validate_params(
    {
        "X": ["array-like", "sparse matrix"],
        "X_embedded": ["array-like"],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "metric": [str, callable],
    },
    prefer_skip_nested_validation=True,
)
def neighbor_recall(X, X_embedded, *, n_neighbors=5, metric="euclidean") -> float:
    r"""Which share of the nearest neighbors in the data are among the nearest ones in a code.

    .. math::

        R(k) = \frac{1}{nk} \sum_{i=1}^{n} \left| \mathcal{V}^k_i \cap \mathcal{N}^k_i \right|

    where :math:`\mathcal{V}^k_i` are the k nearest neighbors of row i in the data and
    :math:`\mathcal{N}^k_i` those in the code. Unlike trustworthiness and continuity it does not
    ask how far away a neighbor is that was lost, so it is harder to come near 1: codes of two
    numbers keep groups of rows together, but seldom the order within them.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        The data.

    X_embedded : array-like of shape (n_samples, n_components)
        The code of each row, compared by Euclidean distance.

    n_neighbors : int, default=5
        Size k of a neighborhood, less than ``n_samples / 2``.

    metric : str or callable, default="euclidean"
        Distance between rows of X, as :func:`~sklearn.metrics.pairwise_distances` takes it,
        without "precomputed".

    Returns
    -------
    recall : float
        A number in [0, 1], without unit; 1 if all neighbors are kept, about
        ``n_neighbors / (n_samples - 1)`` for a code that knows nothing of the data.

    Raises
    ------
    ValueError
        If `n_neighbors` is not less than ``n_samples / 2``, if the numbers of rows differ, or if
        a value is missing or infinite.

    See Also
    --------
    trustworthiness : How far from being neighbors those are that are new. Its notes on ties and
        memory hold here too.
    pairwise_distance_correlation : Whether what lies far apart does so in the code.

    References
    ----------
    .. [1] J. A. Lee and M. Verleysen, "Quality assessment of dimensionality reduction: rank-based
       criteria", Neurocomputing 72, 2009. :doi:`10.1016/j.neucom.2008.12.017`

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.decomposition import PCA
    >>> from skae.metrics import neighbor_recall
    >>> X, _ = load_iris(return_X_y=True)
    >>> print(f"{neighbor_recall(X, PCA(n_components=2).fit_transform(X)):.2f}")
    0.64
    """
    X, X_embedded = _check_embedding(X, X_embedded, metric, n_neighbors)
    n_samples, n_kept = X.shape[0], 0
    for rows in gen_batches(n_samples, max(1, BLOCK_SIZE // n_samples)):
        is_near = []
        for distances in (
            _distances_from(X, rows, metric),
            _distances_from(X_embedded, rows, "euclidean"),
        ):
            nearest = np.argsort(distances, axis=1, kind="stable")[:, :n_neighbors]
            is_near.append(np.zeros(distances.shape, dtype=bool))
            np.put_along_axis(is_near[-1], nearest, True, axis=1)
        n_kept += int(np.count_nonzero(is_near[0] & is_near[1]))
    return float(n_kept / (n_samples * n_neighbors))


@validate_params(
    {
        "X": ["array-like", "sparse matrix"],
        "X_embedded": ["array-like"],
        "metric": [str, callable],
    },
    prefer_skip_nested_validation=True,
)
def pairwise_distance_correlation(X, X_embedded, *, metric="euclidean") -> float:
    r"""How well distances in a code follow those in the data, over all pairs of rows.

    .. math::

        \rho = \mathrm{corr}_{i < j}
               \left( d(x_i, x_j), \lVert z_i - z_j \rVert \right)

    with Pearson's correlation. Most pairs lie far apart, so this is about the whole picture:
    which groups are near each other, where `trustworthiness` and `neighbor_recall` look at the
    nearest rows only. It is high for PCA, and lower for methods that draw groups apart.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        The data.

    X_embedded : array-like of shape (n_samples, n_components)
        The code of each row, compared by Euclidean distance.

    metric : str or callable, default="euclidean"
        Distance between rows of X, as :func:`~sklearn.metrics.pairwise_distances` takes it,
        without "precomputed".

    Returns
    -------
    correlation : float
        A number in [-1, 1], without unit; 1 if the code is the data on another scale. NaN, with a
        warning, if all distances are equal.

    Raises
    ------
    ValueError
        If there are less than three rows, if their numbers differ, or if a value is missing or
        infinite.

    See Also
    --------
    neighbor_recall : Whether the nearest rows are kept.

    Notes
    -----
    Distances are computed for some rows at a time, so memory grows with n_samples, time with its
    square.

    References
    ----------
    .. [1] D. Kobak and P. Berens, "The art of using t-SNE for single-cell transcriptomics", Nature
       Communications 10, 2019. :doi:`10.1038/s41467-019-13056-x`

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.decomposition import PCA
    >>> from skae.metrics import pairwise_distance_correlation
    >>> X, _ = load_iris(return_X_y=True)
    >>> print(f"{pairwise_distance_correlation(X, PCA(n_components=2).fit_transform(X)):.2f}")
    1.00
    """
    X, X_embedded = _check_embedding(X, X_embedded, metric)
    n_samples = X.shape[0]
    if n_samples < 3:
        raise ValueError(f"X has {n_samples} rows, but a correlation of distances needs three.")
    n_pairs, mean, products = 0, np.zeros(2), np.zeros((2, 2))
    for rows in gen_batches(n_samples, max(1, BLOCK_SIZE // n_samples)):
        later = np.arange(n_samples) > np.arange(rows.start, rows.stop)[:, np.newaxis]
        both = np.stack(
            [
                _distances_from(X, rows, metric)[later],
                _distances_from(X_embedded, rows, "euclidean")[later],
            ]
        )  # (2, n_pairs_here)
        if not both.size:
            continue
        # Sums of two samples from those of each: Chan, Golub & LeVeque 1983.
        n_here, mean_here = both.shape[1], both.mean(axis=1)
        both -= mean_here[:, np.newaxis]
        shift = mean_here - mean
        share = n_here / (n_pairs + n_here)
        products += both @ both.T + n_pairs * share * np.outer(shift, shift)
        mean += share * shift
        n_pairs += n_here
    # Equal distances differ by their rounding.
    spread, rounding = np.sqrt(np.diag(products) / n_pairs), 1e-12 * mean
    if not (spread > rounding).all():
        warnings.warn(
            "All distances are equal, so their correlation is not defined.",
            UndefinedMetricWarning,
            stacklevel=3,  # past the validation of parameters
        )
        return float("nan")
    return float(products[0, 1] / np.sqrt(products[0, 0] * products[1, 1]))


def _check_labeled_codes(X, y, suffix):
    """Validate codes and the class label of each row."""
    X = check_array(X, dtype=np.float64, input_name=f"X_{suffix}")
    y = column_or_1d(y)
    check_consistent_length(X, y)
    target = type_of_target(y, input_name=f"y_{suffix}")
    if target not in ("binary", "multiclass"):
        raise ValueError(
            f"y_{suffix} is a {target} target, but an accuracy needs class labels; bin the values "
            "or score a regression on the codes instead."
        )
    return X, y


def _check_probe(X_train, y_train, X_test, y_test):
    """Validate the labeled codes that a probe learns from and those that it is tested on."""
    X_train, y_train = _check_labeled_codes(X_train, y_train, "train")
    X_test, y_test = _check_labeled_codes(X_test, y_test, "test")
    if X_train.shape[1] != X_test.shape[1]:
        raise ValueError(
            f"X_train has shape {X_train.shape}, but X_test has shape {X_test.shape}; both must "
            "be codes of one transformer."
        )
    return X_train, y_train, X_test, y_test


@validate_params(
    {
        "X_train": ["array-like"],
        "y_train": ["array-like"],
        "X_test": ["array-like"],
        "y_test": ["array-like"],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def knn_accuracy(X_train, y_train, X_test, y_test, *, n_neighbors=5) -> float:
    """Accuracy of nearest neighbors on codes: whether rows of one class lie together.

    The codes are compared as they are, by Euclidean distance, without scaling.

    Parameters
    ----------
    X_train : array-like of shape (n_train, n_components)
        Codes of the training rows.

    y_train : array-like of shape (n_train,)
        Their class labels.

    X_test : array-like of shape (n_test, n_components)
        Codes of the test rows.

    y_test : array-like of shape (n_test,)
        Their class labels.

    n_neighbors : int, default=5
        Number of training rows that vote, at most n_train.

    Returns
    -------
    accuracy : float
        Share of the test rows that get their label, in [0, 1].

    Raises
    ------
    ValueError
        If the targets are not class labels, if `n_neighbors` is greater than n_train, or if the
        shapes do not fit together.

    See Also
    --------
    linear_probe_accuracy : Whether a plane separates the classes.
    sklearn.neighbors.KNeighborsClassifier : The classifier behind it.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.model_selection import train_test_split
    >>> from skae.metrics import knn_accuracy
    >>> X, y = load_digits(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    >>> pca = PCA(n_components=2).fit(X_train)
    >>> accuracy = knn_accuracy(pca.transform(X_train), y_train, pca.transform(X_test), y_test)
    >>> print(f"{accuracy:.1f}")
    0.6
    """
    X_train, y_train, X_test, y_test = _check_probe(X_train, y_train, X_test, y_test)
    if n_neighbors > len(X_train):
        raise ValueError(
            f"n_neighbors={n_neighbors} is more than the {len(X_train)} rows of X_train."
        )
    classifier = KNeighborsClassifier(n_neighbors=n_neighbors).fit(X_train, y_train)
    return float(classifier.score(X_test, y_test))


@validate_params(
    {
        "X_train": ["array-like"],
        "y_train": ["array-like"],
        "X_test": ["array-like"],
        "y_test": ["array-like"],
    },
    prefer_skip_nested_validation=True,
)
def linear_probe_accuracy(X_train, y_train, X_test, y_test) -> float:
    """Accuracy of logistic regression on codes: whether planes separate the classes.

    The codes are standardised first, so their scale, which an autoencoder may choose freely,
    plays no role.

    Parameters
    ----------
    X_train : array-like of shape (n_train, n_components)
        Codes of the training rows.

    y_train : array-like of shape (n_train,)
        Their class labels, of two classes or more.

    X_test : array-like of shape (n_test, n_components)
        Codes of the test rows.

    y_test : array-like of shape (n_test,)
        Their class labels.

    Returns
    -------
    accuracy : float
        Share of the test rows that get their label, in [0, 1].

    Raises
    ------
    ValueError
        If the targets are not class labels, if `y_train` has a single class, or if the shapes do
        not fit together.

    See Also
    --------
    knn_accuracy : Whether rows of one class lie together.
    sklearn.linear_model.LogisticRegression : The classifier behind it.

    References
    ----------
    .. [1] G. Alain and Y. Bengio, "Understanding intermediate layers using linear classifier
       probes", 2016. :arxiv:`1610.01644`

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.model_selection import train_test_split
    >>> from skae.metrics import linear_probe_accuracy
    >>> X, y = load_digits(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    >>> pca = PCA(n_components=2).fit(X_train)
    >>> accuracy = linear_probe_accuracy(
    ...     pca.transform(X_train), y_train, pca.transform(X_test), y_test
    ... )
    >>> print(f"{accuracy:.1f}")
    0.6
    """
    X_train, y_train, X_test, y_test = _check_probe(X_train, y_train, X_test, y_test)
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=10_000))
    return float(probe.fit(X_train, y_train).score(X_test, y_test))


class _LabeledScorer:
    """A scorer that leaves rows without a label out; it can be pickled, for parallel searches."""

    def __init__(self, scoring, unlabeled):
        self.scoring = scoring
        self.unlabeled = unlabeled

    def __call__(self, estimator, X, y, sample_weight=None):
        y = as_labels(y)
        labeled = np.flatnonzero(~is_unlabeled(y, self.unlabeled))
        if not len(labeled):
            raise ValueError(
                f"All {len(y)} rows are marked unlabeled={self.unlabeled!r}, which leaves none to "
                "score. Each part of a cross-validation needs some."
            )
        weight = {}
        if sample_weight is not None:
            weight["sample_weight"] = column_or_1d(sample_weight)[labeled]
        scorer = check_scoring(estimator, self.scoring)
        X = X.tocsr() if issparse(X) else X
        return scorer(estimator, _safe_indexing(X, labeled), plain_labels(y[labeled]), **weight)

    def __repr__(self):
        return f"labeled_scorer({self.scoring!r}, unlabeled={self.unlabeled!r})"


def labeled_scorer(scoring="accuracy", *, unlabeled):
    """Make a scorer that leaves out the rows without a label.

    A scorer of scikit-learn takes the marker of such rows for a class, and counts them as told
    wrongly.

    Parameters
    ----------
    scoring : str or callable, default="accuracy"
        What is measured on the other rows: a name or a scorer, as `scoring=` takes it.

    unlabeled : scalar
        What stands in y for a row without a label, such as -1, "?" or ``np.nan``.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y, sample_weight=None)``, for `scoring=` wherever scikit-learn
        takes one. It raises ValueError where no row has a label.

    See Also
    --------
    skae.StackedAutoencoderClassifier : Its own `score` leaves such rows out by itself.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn.semi_supervised import LabelSpreading
    >>> from skae.metrics import labeled_scorer
    >>> X, y = load_digits(return_X_y=True)
    >>> y[np.arange(len(y)) % 10 > 0] = -1
    >>> model = LabelSpreading(kernel="knn")
    >>> print(f"{cross_val_score(model, X, y, scoring='accuracy').mean():.1f}")
    0.1
    >>> scoring = labeled_scorer("accuracy", unlabeled=-1)
    >>> print(f"{cross_val_score(model, X, y, scoring=scoring).mean():.1f}")
    0.9
    """
    return _LabeledScorer(scoring, unlabeled)


def code_agreement(codes, others) -> float:
    r"""How far two fits have found the same codes of the same rows, up to an affine map.

    What a code means does not change when it is rotated, stretched or mixed linearly with the
    others, as a decoder undoes it. So the two are compared by their canonical correlations
    :math:`\rho_i`, the correlations of the best linear mixtures of one with those of the other,
    which no invertible affine map of either changes [1]_:

    .. math::

        R^2_\mathrm{CCA} = \frac{1}{d} \sum_i \rho_i^2

    Parameters
    ----------
    codes, others : array-like of shape (n_samples, n_components)
        The codes of the same rows by two fits. The numbers of components may differ.

    Returns
    -------
    agreement : float
        In [0, 1]: 1 if each is an affine map of the other. Divided by the larger number d of
        dimensions that either has, so a dimension that the other lacks counts as 0. NaN, with a
        warning, if all codes of one are equal.

    Raises
    ------
    ValueError
        If the numbers of rows differ, or if a value is missing or infinite.

    See Also
    --------
    skae.compare : Its ``stability`` is this, of two fits with other seeds.
    scipy.spatial.procrustes : Compares up to rotation and one scale, as pictures are.

    Notes
    -----
    Codes that have nothing to do with each other have an agreement of about
    ``n_components / n_samples``.

    References
    ----------
    .. [1] S. Kornblith, M. Norouzi, H. Lee and G. Hinton, "Similarity of neural network
       representations revisited", ICML 2019. :arxiv:`1905.00414`

    Examples
    --------
    >>> import numpy as np
    >>> from skae.metrics import code_agreement
    >>> codes = np.random.default_rng(0).normal(size=(100, 2))
    >>> print(f"{code_agreement(codes, codes @ [[0.0, -2.0], [1.0, 1.0]] + 3.0):.3f}")
    1.000
    """
    bases = [_basis(check_array(some, dtype=np.float64)) for some in (codes, others)]
    check_consistent_length(*bases)
    n_dimensions = [basis.shape[1] for basis in bases]
    if not min(n_dimensions):
        warnings.warn(
            "All codes of one fit are equal, so their agreement is not defined.",
            UndefinedMetricWarning,
            stacklevel=2,
        )
        return float("nan")
    squares = np.sum((bases[0].T @ bases[1]) ** 2)  # of the canonical correlations
    return float(min(1.0, squares / max(n_dimensions)))


def _basis(codes):
    """Return orthonormal columns that span those of codes less their means."""
    centered = codes - codes.mean(axis=0)
    rounding = len(codes) * np.finfo(np.float64).eps * np.abs(codes).max(axis=0)
    centered = centered[:, np.abs(centered).max(axis=0) > rounding]
    if not centered.size:
        return centered[:, :0]
    vectors, sizes, _ = np.linalg.svd(centered / np.abs(centered).max(axis=0), full_matrices=False)
    return vectors[:, sizes > sizes[0] * max(centered.shape) * np.finfo(np.float64).eps]
