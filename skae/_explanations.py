"""Why rows are unusual: what each view says of them, and which columns make them so."""

from dataclasses import dataclass

import numpy as np


@dataclass(repr=False, eq=False)
class OutlierExplanation:
    """What makes rows unusual: `AutoencoderOutlierDetector.explain`, `inspection.explain_outliers`.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_features)
        The rows; those of a table as objects (levels, numbers and dates), None where one is
        missing.

    expected : ndarray of shape (n_samples, n_features)
        What the autoencoders that have not seen a row make of it; of a category the level that is
        nearest.

    contributions : ndarray of shape (n_samples, n_features)
        The part of each column in what errors, the nearest row and the column's values say.

    views : dict of str to ndarray of shape (n_samples,)
        How unusual each view says that a row is, as minus the logarithm of how probable that is:
        "surface", by the errors; "rows", by the distance to the nearest of other rows; "codes", by
        the distance to the nearest other codes; "columns", by how far values are from the medians
        of their columns.

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
        values, expected = self.values.tolist(), self.expected.tolist()
        records = []
        for i, columns in enumerate(self.top_columns(n_columns)):
            for j in columns:
                share = self.contributions[i, j] / total[i] if total[i] > 0 else 0.0
                records.append(
                    {
                        "row": i,
                        "column": self.feature_names[j],
                        "value": values[i][j],
                        "expected": expected[i][j],
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
