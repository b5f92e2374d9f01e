"""How much of a table its reconstruction explains: columns of all kinds, each with its own unit."""

from typing import Any

import numpy as np
from sklearn.exceptions import UndefinedMetricWarning

from ._warnings import warn

NO_ERROR = 1e-12  # in units of variances: what is rounding alone


def summed_errors(encoder: Any, matrix, rebuilt, weight) -> tuple[np.ndarray, np.ndarray]:
    """Return the errors of columns, and those of the rows' own means and frequencies.

    Parameters
    ----------
    encoder : TableEncoder
    matrix, rebuilt : ndarray of shape (n_samples, n_columns)
        Rows as the encoder makes them, and what they were rebuilt as.
    weight : ndarray of shape (n_samples,)

    Returns
    -------
    errors, constant : ndarray of shape (n_features,)
        Sums over the rows whose value is known.
    """
    known = ~np.isnan(matrix)
    total = weight @ known
    mean = weight @ np.where(known, matrix, 0.0) / np.where(total > 0, total, 1.0)
    both = (rebuilt, np.tile(mean, (len(matrix), 1)))
    errors, constant = (weight @ np.nan_to_num(encoder.column_errors(matrix, X)) for X in both)
    return errors, constant


def share(error: float, constant: float) -> float:
    """Return the share that is explained of what means and frequencies leave, at most 1."""
    if constant <= NO_ERROR:
        if error <= NO_ERROR:
            return 1.0
        warn("The score is not defined for rows of which no column varies.", UndefinedMetricWarning)
        return float("nan")
    return float(1 - error / constant)
