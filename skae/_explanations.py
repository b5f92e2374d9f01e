"""Why rows are unusual: what each view says of them, and which columns make them so."""

from dataclasses import dataclass

import numpy as np


@dataclass(repr=False, eq=False)
class OutlierExplanation:
    """What makes rows unusual, for `AutoencoderOutlierDetector.explain`.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_features)
        The rows.

    expected : ndarray of shape (n_samples, n_features)
        What the autoencoders that have not seen a row make of it.

    contributions : ndarray of shape (n_samples, n_features)
        The part of each column in what its errors and its values say.

    views : dict of str to ndarray of shape (n_samples,)
        How unusual each view says that a row is, as minus the logarithm of how probable that is:
        "surface", by the errors; "codes", by the distance to the nearest other codes; "columns", by
        how far values are from the medians of their columns.

    feature_names : ndarray of shape (n_features,)
        Names of the columns; x0, x1, … where they have none.
    """

    values: np.ndarray
    expected: np.ndarray
    contributions: np.ndarray
    views: dict[str, np.ndarray]
    feature_names: np.ndarray

    def top_columns(self, n_columns=3) -> np.ndarray:
        """Return the columns that have the largest part in what is unusual.

        Parameters
        ----------
        n_columns : int, default=3
            How many; all if there are fewer.

        Returns
        -------
        ndarray of int of shape (n_samples, n_columns)
            Their places, the largest part first.
        """
        return np.argsort(-self.contributions, axis=1, kind="stable")[:, :n_columns]

    def rows(self, n_columns=3) -> list[dict]:
        """Return a record for each row and each of its most unusual columns.

        Parameters
        ----------
        n_columns : int, default=3
            How many columns of each row.

        Returns
        -------
        list of dict
            "row" (its place), "column", "value", "expected" and "share", the part of
            the column in what all columns together say.
        """
        total = self.contributions.sum(axis=1)
        records = []
        for i, columns in enumerate(self.top_columns(n_columns)):
            for j in columns:
                share = self.contributions[i, j] / total[i] if total[i] > 0 else 0.0
                records.append(
                    {
                        "row": i,
                        "column": self.feature_names[j],
                        "value": float(self.values[i, j]),
                        "expected": float(self.expected[i, j]),
                        "share": float(share),
                    }
                )
        return records

    def to_frame(self, n_columns=3):
        """Return the records of `rows` as a pandas DataFrame.

        Parameters
        ----------
        n_columns : int, default=3
            How many columns of each row.

        Returns
        -------
        pandas.DataFrame
            With a line for each row and column.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError(
                "to_frame needs pandas (pip install pandas); `rows` is the table without it."
            ) from error
        return pd.DataFrame(self.rows(n_columns))
