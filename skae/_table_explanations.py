"""What makes rows of a table unusual, from what makes rows of its matrix so."""

from typing import Any

import numpy as np

from ._explanations import OutlierExplanation
from ._frames import objects_of
from ._table_encoder import TableEncoder


def by_columns_of_table(contributions: np.ndarray, encoder: TableEncoder) -> np.ndarray:
    """Return the sums of what columns of a matrix contribute, by the columns of its table.

    Parameters
    ----------
    contributions : ndarray of shape (n_rows, n_columns_of_the_matrix)
    encoder : TableEncoder

    Returns
    -------
    ndarray of shape (n_rows, n_features)
        Of a column without any in the matrix it is 0.
    """
    places = encoder._columns.places
    return np.stack([contributions[:, place].sum(axis=1) for place in places], axis=1)


def of_table(explanation: OutlierExplanation, encoder: TableEncoder, X: Any) -> OutlierExplanation:
    """Return an explanation of rows of a matrix as one of the rows of the table.

    Parameters
    ----------
    explanation : OutlierExplanation
        Of what ``encoder.transform(X)`` returns.
    encoder : TableEncoder
    X : DataFrame or ndarray of shape (n_rows, n_features)
    """
    names = list(encoder.kinds_)
    expected = encoder.inverse_transform(explanation.expected)
    return OutlierExplanation(
        objects_of(X, names),
        objects_of(expected, names),
        by_columns_of_table(explanation.contributions, encoder),
        explanation.views,
        np.array(names, dtype=object),
    )
