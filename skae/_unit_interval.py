"""Values in [0, 1], which some losses and likelihoods need: what counts as inside."""

import numpy as np
import scipy.sparse as sp

from ._sources import RowSource

# Units in the last place of 1, in the precision of X, by which a value may be outside and count as
# the end of the interval: scaling a column rounds its ends, by more the farther it was from zero.
ROUNDING = 1024


def lies_in_unit_interval(X) -> bool:
    """Whether all values that are not missing lie in [0, 1], but for rounding."""
    low, high = _extremes(X)
    rounding = ROUNDING * np.finfo(X.dtype).eps
    return bool(low >= -rounding and high <= 1 + rounding)


def to_unit_interval(X, weight, *, reason: str, otherwise: str, columns=None):
    """Return X with the ends of [0, 1] for values that rounding took outside.

    Parameters
    ----------
    X : {ndarray, csr_array, RowSource} of shape (n_samples, n_features)
        May have holes. Returned as it is if no value is outside, else a copy.
    weight : ndarray of shape (n_samples,)
        Rows of no weight may have any values.
    reason, otherwise : str
        For the message: what expects such values, and what to do instead of scaling.
    columns : ndarray of int, optional
        The columns that are meant, if not all.

    Raises
    ------
    ValueError
        If a value is outside by more.
    """
    if isinstance(X, RowSource):
        used = X if columns is None else X.mapped(lambda rows: rows[:, columns], len(columns))
    else:
        used = X if weight.all() else X[weight > 0]
        used = used if columns is None else used[:, columns]
    if not lies_in_unit_interval(used):
        low, high = _extremes(used)
        raise ValueError(
            f"X has values from {low} to {high}, but {reason} expects them in [0, 1]. Scale X "
            f"(sklearn.preprocessing.MinMaxScaler), or {otherwise}."
        )
    low, high = _extremes(used)
    if low >= 0 and high <= 1:
        return X
    if isinstance(X, RowSource):
        return X.mapped(lambda rows: _clipped(rows, columns))
    return _clipped(X, columns)


def _clipped(X, columns):
    """Return a copy of X with values within [0, 1] in some columns, or in all."""
    X = X.copy()
    if sp.issparse(X):
        meant = slice(None) if columns is None else np.isin(X.indices, columns)
        X.data[meant] = X.data[meant].clip(0, 1)
    else:
        meant = slice(None) if columns is None else columns
        X[:, meant] = X[:, meant].clip(0, 1)
    return X


def _extremes(X):
    """Return the least and the greatest value that is not missing, or zero if there is none."""
    if isinstance(X, RowSource):
        return X.dtype.type(X.survey().low), X.dtype.type(X.survey().high)
    values = X.data if sp.issparse(X) else X
    ends = {} if values.size == np.prod(X.shape) > 0 else {"initial": X.dtype.type(0)}
    low, high = (end.reduce(values, axis=None, **ends) for end in (np.fmin, np.fmax))
    return (X.dtype.type(0), X.dtype.type(0)) if np.isnan(low) else (low, high)
