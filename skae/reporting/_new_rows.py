"""How well the codes of an autoencoder rebuild each column of rows that it has not seen."""

import warnings
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import _safe_indexing

from skae._autoencoder import AutoencoderTransformer
from skae._table_encoder import TableEncoder
from skae._table_scores import NO_ERROR, summed_errors
from skae.comparison import Comparison
from skae.exceptions import UnknownCategoryWarning

METHOD = "autoencoder"  # of a comparison


def shares_of_new_rows(comparison: Comparison, table: Any) -> np.ndarray | None:
    """Return the share of each column of the test rows that the autoencoder compared rebuilds.

    Parameters
    ----------
    comparison : Comparison
        Of the rows of the table, standardized if they are plain numbers.
    table : DataFrame or ndarray of shape (n_rows, n_columns)

    Returns
    -------
    ndarray of shape (n_columns,) or None
        NaN for columns that are the same in all test rows; None without such an autoencoder.
    """
    encoder, autoencoder = None, comparison.estimators.get(METHOD)
    if isinstance(autoencoder, Pipeline) and isinstance(autoencoder[0], TableEncoder):
        encoder, autoencoder = autoencoder[0], autoencoder[-1]
    if not isinstance(autoencoder, AutoencoderTransformer):
        return None
    rows = _safe_indexing(table, comparison.test_indices)
    if encoder is not None:
        with warnings.catch_warnings():  # which a note of the comparison tells of
            warnings.simplefilter("ignore", UnknownCategoryWarning)
            matrix = encoder.transform(rows)
    else:
        fitted = _safe_indexing(table, comparison.train_indices)
        scaler = StandardScaler().fit(np.asarray(fitted, dtype=np.float64))
        matrix = scaler.transform(np.asarray(rows, dtype=np.float64))
    rebuilt = autoencoder.inverse_transform(autoencoder.transform(matrix))
    if encoder is not None:
        errors, constant = summed_errors(encoder, matrix, rebuilt, np.ones(len(matrix)))
    else:
        errors = np.nansum((rebuilt - matrix) ** 2, axis=0)
        constant = np.nansum((matrix - np.nanmean(matrix, axis=0)) ** 2, axis=0)
    undefined = np.full(len(errors), np.nan)
    return 1 - np.divide(errors, constant, out=undefined, where=constant > NO_ERROR)
