"""What a comparison found: numbers, fitted methods and embeddings, shown on request."""

import csv
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from skae.comparison._figure import draw
from skae.comparison._table import as_html, as_text, spread

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(repr=False, eq=False)
class Comparison:
    """Result of :func:`skae.compare`: a table, the fitted methods and their embeddings.

    ``print(comparison)`` shows the table, and a notebook shows it as HTML. All that it holds are
    the attributes below.

    Parameters
    ----------
    rows : list of dict
        A row of the table for each method: its name ("method"), a number or None for each of
        `columns`, and "notes", a list of str.

        After several repeats the numbers are means, and there is their standard deviation for
        each, such as "reconstruction_r2_std".

    columns : list of str
        The names of the numbers: "reconstruction_r2"; "numbers_r2", "categories_r2" and "dates_r2"
        of a table that has at least two of these kinds of columns; "trustworthiness", "continuity",
        "knn_accuracy" and "linear_accuracy" (if y holds classes) or "knn_r2" and "linear_r2" (if
        y is continuous), "stability" (of several repeats), "fit_seconds", "transform_seconds" and
        "inverse_seconds".

    estimators : dict
        From the name of a method to the fitted estimator; without the methods that failed. Those of
        a table take tables.

    embeddings : dict
        From the name of a method to the codes of the rows at `test_indices`, of shape
        (n_test, n_components); without the methods that failed.

    unranked : list of str
        Names of the methods that could embed only the rows that they were fitted on, hence were
        fitted on the test rows.

    target_type : {"classes", "continuous", None}
        What y was taken for; None without y.

    train_indices : ndarray of shape (n_train,)
        The rows of X that were there to fit.

    test_indices : ndarray of shape (n_test,)
        The rows of X that all methods were measured on.

    y_test : ndarray of shape (n_test,) or None
        The target of the test rows.

    settings : dict
        Numbers of rows and features (of several repeats, as of all else but the numbers, those of
        the first), and the parameters of the comparison; of a table also "kinds",
        from the name of a column to "number", "category" or "date", and "n_unknown", the number of
        held-out values that are categories of no training row.
    """

    rows: list[dict]
    columns: list[str]
    estimators: dict[str, Any]
    embeddings: dict[str, np.ndarray]
    unranked: list[str]
    target_type: str | None
    train_indices: np.ndarray
    test_indices: np.ndarray
    y_test: np.ndarray | None
    settings: dict[str, Any]

    def __str__(self):
        return as_text(self)

    def __repr__(self):
        return as_text(self)

    def _repr_html_(self):
        return as_html(self)

    def to_frame(self):
        """Return the table as a pandas DataFrame, one row for each method.

        Returns
        -------
        frame : pandas.DataFrame
            Indexed by the methods' names, with the columns of `columns` and "notes" (as text).
            NaN stands for a number that does not exist.

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
        rows = [{**row, "notes": "; ".join(row["notes"])} for row in self.rows]
        frame = pd.DataFrame(rows, columns=["method", *self._numbers(), "notes"])
        return frame.set_index("method").astype(dict.fromkeys(self._numbers(), float))

    def _numbers(self):
        """Return the names of all numbers, a mean before its spread."""
        known = set().union(*self.rows)
        both = [name for column in self.columns for name in (column, spread(column))]
        return [name for name in both if name in known]

    def to_csv(self, path) -> None:
        """Write the table as comma-separated values.

        Parameters
        ----------
        path : str or path-like
            The file, overwritten if it exists. Numbers that do not exist are empty cells.
        """
        with open(path, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, ["method", *self._numbers(), "notes"])
            writer.writeheader()
            writer.writerows({**row, "notes": "; ".join(row["notes"])} for row in self.rows)

    def to_json(self, path) -> None:
        """Write the settings and the table as JSON.

        Parameters
        ----------
        path : str or path-like
            The file, overwritten if it exists. Numbers that do not exist are null.
        """
        content = {
            "settings": self.settings,
            "target_type": self.target_type,
            "rows": self.rows,
        }
        with open(path, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2, ensure_ascii=False)
            file.write("\n")

    def plot(self, *, title=None) -> "Figure":
        """Draw the embeddings side by side, and the main numbers as bars below them.

        Parameters
        ----------
        title : str, default=None
            The title of the figure.

        Returns
        -------
        figure : matplotlib.figure.Figure
            Not known to pyplot, so there is nothing to close. ``figure.savefig`` writes it, and a
            notebook shows it.

        Raises
        ------
        ImportError
            If matplotlib is not installed.

        Notes
        -----
        Each panel shows the same test rows in the same order of drawing. Codes with one component
        are drawn against the target (or as a histogram, without one), and codes with more than
        two by their first two principal axes.
        """
        return draw(self, title=title).figure
